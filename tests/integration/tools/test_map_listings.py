"""The operator's command that maps what channels call our goods."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oms.domain.catalog import ChannelAccount
from oms.runtime import clients
from oms.stores.quarantine import QuarantineStore
from tests.integration.company import NOON, everything
from tests.integration.stage import PREFIX, Stage
from tools import map_listings
from tools import stage as stages

ACCOUNT = "amazon#main"
MAPPED = {"channel_account": ACCOUNT, "channel_sku": "AMZ-MUG", "sku": "MUG", "change_version": 7}

Run = Callable[..., int]


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command on a file of these lines against the test stage; returns its exit code."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    for name in (ACCOUNT, "ebay#main"):
        stage.put("settings", ChannelAccount(currencies=("USD",)), kind="channel_account", name=name)

    def start(content: str | bytes, *arguments: str) -> int:
        file = tmp_path / "listings.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return map_listings.main([str(file), *arguments])

    return start


def csv(*rows: str) -> str:
    return "\n".join(("channel_account,channel_sku,sku", *rows)) + "\n"


def waiting(number: int, *skus: str) -> None:
    cause = {"reason": "UNMAPPED_SKU", "skus": list(skus)}
    store = QuarantineStore(clients.client("dynamodb"), PREFIX)
    store.put(ACCOUNT, f"message-{number}", NOON, cause, {"number": number}, NOON)


def listings(stage: Stage) -> dict[str, str]:
    return {row["channel_sku"]: row["sku"] for row in stage.rows("listings")}


def test_rows_are_mapped_and_the_orders_that_waited_are_taken_in_again(stage: Stage, run: Run) -> None:
    waiting(1, "AMZ-MUG")
    assert run(csv(f"{ACCOUNT},AMZ-MUG,MUG", f"{ACCOUNT},AMZ-BOWL,BOWL")) == 0
    assert listings(stage) == {"AMZ-MUG": "MUG", "AMZ-BOWL": "BOWL"}
    assert stage.messages("intake") == [{"number": 1}]
    assert stage.rows("quarantine") == []


def test_rows_that_can_not_be_taken_are_told_by_their_line_and_the_others_are_taken(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = ("nowhere,A,MUG", f"{ACCOUNT},,MUG", f"{ACCOUNT},B,NO-SUCH", f"{ACCOUNT},C,BOWL", f"{ACCOUNT},C,MUG")
    assert run(csv(*bad), "--json") == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(one["line"], one["field"], one["reason"]) for one in told["refused"]] == [
        (2, "channel_account", "INVALID_FIELD"),
        (3, "channel_sku", "INVALID_FIELD"),
        (4, "sku", "UNKNOWN_SKU"),
        (6, "channel_sku", "DUPLICATE_LISTING"),
    ]
    assert listings(stage) == {"C": "BOWL"}


def test_an_account_that_was_never_set_up_is_refused_and_those_there_are_are_named(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(csv("amazon#mian,A,MUG", f"{ACCOUNT},B,BOWL")) == 1
    told = capsys.readouterr().out
    assert "line 2: UNKNOWN_ACCOUNT" in told
    assert f"{ACCOUNT}, ebay#main" in told
    assert listings(stage) == {"B": "BOWL"}


def test_where_only_an_account_that_was_never_set_up_is_wanted_nothing_is_done(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(csv(f"{ACCOUNT},A,MUG"), "--account", "amazon#mian") == 2
    told = capsys.readouterr().err
    assert "amazon#mian" in told
    assert f"{ACCOUNT}, ebay#main" in told
    assert listings(stage) == {}


def test_a_name_that_stands_for_other_goods_is_told_their_figure_and_a_repeat_changes_nothing(
    stage: Stage, run: Run
) -> None:
    stage.put("listings", MAPPED | {"last_published_quantity": 5})
    assert run(csv(f"{ACCOUNT},AMZ-MUG,MUG")) == 0
    assert stage.rows("listings") == [MAPPED | {"last_published_quantity": 5}]
    assert stage.rows("deliveries") == []
    for _ in range(2):
        assert run(csv(f"{ACCOUNT},AMZ-MUG,BOWL")) == 0
        (row,) = stage.rows("listings")
        assert (row["sku"], row["change_version"], "last_published_quantity" in row) == ("BOWL", 9, False)
    owed = [(one["destination"], one["message_key"], one["status"]) for one in stage.rows("deliveries")]
    assert owed == [(f"channel#{ACCOUNT}", "availability#AMZ-MUG", "PENDING")]


def test_a_new_name_is_told_the_figure_of_its_goods(stage: Stage, run: Run) -> None:
    assert run(csv(f"{ACCOUNT},AMZ-BOWL,BOWL")) == 0
    assert [one["message_key"] for one in stage.rows("deliveries")] == ["availability#AMZ-BOWL"]


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting(1, "AMZ-MUG")
    before = everything(stage)
    assert run(csv(f"{ACCOUNT},AMZ-MUG,MUG"), "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["mapped"], told["replayed"]) == (1, {ACCOUNT: 1})
    assert (everything(stage), listings(stage), stage.messages("intake")) == (before, {}, [])


def test_only_the_rows_of_the_account_that_was_named_are_taken(stage: Stage, run: Run) -> None:
    assert run(csv(f"{ACCOUNT},A,MUG", "ebay#main,B,BOWL"), "--account", "ebay#main") == 0
    assert listings(stage) == {"B": "BOWL"}


def test_a_file_without_its_columns_is_refused_whole(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("channel_sku,sku\nA,MUG\n") == 2
    assert "channel_account" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(csv(f"{ACCOUNT},CAF\xc9,MUG").encode("latin-1"), "save it as", id="another encoding"),
        pytest.param(
            csv(f"{ACCOUNT},A,MUG", f'"{"A" * 140_000}').encode(), "after line 2", id="a field without an end"
        ),
    ],
)
def test_a_file_that_can_not_be_read_is_told_with_its_name_and_nothing_is_done(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    assert run(content) == 2
    told = capsys.readouterr().err
    assert says in told
    assert "listings.csv" in told
    assert listings(stage) == {}


@pytest.mark.usefixtures("run")
def test_a_file_that_is_not_there_is_told_with_what_it_should_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert map_listings.main(["missing.csv"]) == 2
    told = capsys.readouterr().err
    assert "missing.csv" in told
    assert "channel_account, channel_sku, sku" in told
