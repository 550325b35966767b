"""The operator's command for versions of the routing policy, driven as a person would."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oms.domain.catalog import Location, LocationStatus
from oms.domain.errors import Unavailable
from oms.domain.policy_versions import Draft, Verdict
from oms.domain.routing_policy import RoutingPolicy
from oms.runtime import clients
from oms.stores.reference_data import SettingsStore
from oms.stores.routing_policies import RoutingPoliciesStore
from oms.usecases.policies import Policies
from tests.integration.faults import Faults
from tests.integration.stage import PREFIX, Stage
from tests.unit.rate_cards import stored_card
from tools import routing_policy
from tools import stage as stages

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PASSED = Verdict(passed=True, violated=(), summary={"orders": 500, "cost_per_order": {"now": 812.5}}, backtested_at=NOW)
FAILED = Verdict(passed=False, violated=("max_late_percent",), summary={"late_percent": 7.5}, backtested_at=NOW)


@dataclass
class Backtest:
    """Stands for the trial on past orders: finds what it is told to."""

    finds: Verdict = PASSED
    asked: list[tuple[RoutingPolicy, RoutingPolicy]] = field(default_factory=list)
    meanwhile: Callable[[], Any] = lambda: None

    def verdict(self, client: Any, stage: str, draft: RoutingPolicy, active: RoutingPolicy, **_: Any) -> Verdict:
        assert (stage, client("dynamodb").meta.service_model.service_name) == ("test", "dynamodb")
        self.asked.append((draft, active))
        self.meanwhile()
        return self.finds


@dataclass(frozen=True)
class Shell:
    """Types commands; what they print is kept apart from what they complain of."""

    capture: pytest.CaptureFixture[str]
    folder: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """What the command prints; all of it when it refuses. It ends with this exit code."""
        self.capture.readouterr()
        assert routing_policy.main(list(arguments)) == code
        printed = self.capture.readouterr()
        return printed.err + printed.out if code else printed.out

    def told(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The last line of the command's output as JSON."""
        told: dict[str, Any] = json.loads(self.run(*arguments, "--json", code=code).splitlines()[-1])
        return told

    def file(self, name: str = "policy.json", **policy: Any) -> str:
        """A file that says this policy, in US dollars."""
        path = self.folder / name
        path.write_text(json.dumps({"currency": "USD"} | policy))
        return str(path)


@pytest.fixture
def backtest(monkeypatch: pytest.MonkeyPatch) -> Backtest:
    made = Backtest()
    monkeypatch.setitem(sys.modules, "tools.backtest", SimpleNamespace(verdict=made.verdict))  # type: ignore[arg-type]
    return made


@pytest.fixture
def shell(
    stage: Stage,
    backtest: Backtest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Shell:
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    monkeypatch.setenv("LOGNAME", "ana")
    key = {"kind": {"S": "rate_card"}, "name": {"S": "standard"}}
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}settings", Key=key)
    stage.put("settings", stored_card())
    return Shell(capsys, tmp_path)


def routing_works_by() -> RoutingPolicy:
    """As a worker sees it that has just started."""
    return SettingsStore(clients.client("dynamodb"), PREFIX).routing_policy()


def policies() -> Policies:
    return Policies(RoutingPoliciesStore(clients.client("dynamodb"), PREFIX))


def test_from_the_defaults_to_a_policy_of_ones_own_and_back(shell: Shell, backtest: Backtest) -> None:
    assert "routing works by the defaults" in shell.run("list")
    document = json.loads(shell.run("show", "--document"))
    document["currency"] = "USD"
    document["constraints"]["max_parcels"] = 3
    path = shell.folder / "policy.json"
    path.write_text(json.dumps(document))
    assert "Version 1 was drafted. Next: activate 1" in shell.run("draft", str(path), "--note", "three at most")
    assert routing_works_by().version == 0
    assert "Version 1 is active: routing works by it within a minute." in shell.run("activate", "1")
    assert routing_works_by().constraints.max_parcels == 3

    shell.run("draft", shell.file())
    printed = shell.run("activate", "2")
    assert "Version 1 is retired: draft --copy-of 1 brings it back" in " ".join(printed.split())
    shell.run("draft", "--copy-of", "1", "--note", "three was better")
    shell.run("activate", "3")
    assert routing_works_by().constraints.max_parcels == 3
    assert [(draft.version, active.version) for draft, active in backtest.asked] == [(1, 0), (2, 1), (3, 2)]
    told = shell.told("list")
    assert told["active"] == 3
    assert [(one["version"], one["status"], one["author"]) for one in told["versions"]] == [
        (3, "ACTIVE", "ana"),
        (2, "RETIRED", "ana"),
        (1, "RETIRED", "ana"),
    ]
    assert told["versions"][0]["based_on"] == 1


def test_the_list_shows_each_version_with_its_author_note_and_status(shell: Shell) -> None:
    shell.run("draft", shell.file(), "--author", "cleo", "--note", "winter [red]sale[/red]")
    row = next(line for line in shell.run("list").splitlines() if "cleo" in line)
    assert "DRAFT" in row
    assert "winter [red]sale[/red]" in row


def test_show_tells_all_of_a_version(shell: Shell, backtest: Backtest) -> None:
    backtest.finds = FAILED
    shell.run("draft", shell.file(unroutable="CANCEL"), "--note", "first")
    shell.run("activate", "1", "--force", "--note", "the warehouse burns", "--author", "ben")
    printed = shell.run("show")
    for said in ("ACTIVE", "by ana", "by ben", "first", "the warehouse burns", "max_late_percent", '"CANCEL"'):
        assert said in printed
    told = shell.told("show", "1")
    assert (told["version"], told["forced_by"], told["document"]["unroutable"]) == (1, "ben", "CANCEL")
    assert told["backtest"]["summary"] == {"late_percent": "7.5"}


def test_what_show_prints_of_a_version_can_be_drafted_again(shell: Shell) -> None:
    shell.run("draft", shell.file(guards={"max_cost_increase_percent": None, "max_late_percent": 2.5}))
    path = shell.folder / "again.json"
    path.write_text(shell.run("show", "1", "--document"))
    assert json.loads(path.read_text()) == shell.told("show", "1", "--document")
    shell.run("draft", str(path))
    assert policies().read(2).document == replace(policies().read(1).document, version=2)


def test_a_file_with_mistakes_is_refused_with_each_of_them_by_its_path(stage: Stage, shell: Shell) -> None:
    path = shell.file(constraints={"max_parcel": 3}, costs={"exchange_rates": {"EUR": "1.09"}})
    printed = shell.run("draft", path, code=1)
    assert "constraints.max_parcel: is not known here" in printed
    assert "costs.exchange_rates.EUR: must be a whole number" in printed
    told = shell.told("draft", shell.file(constraints={"max_parcels": 11}), code=1)
    assert told["error"]["code"] == "InvalidMessage"
    assert [one["field"] for one in told["error"]["details"]["faults"]] == ["constraints.max_parcels"]
    assert policies().newest() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "can't be read"), ("{currency: USD}", "is not JSON"), (b"\xff\xfe\xff", "can't be read")],
    ids=["not there", "not JSON", "not text"],
)
def test_a_file_that_holds_no_policy_is_told_by_its_name(shell: Shell, content: str | bytes | None, said: str) -> None:
    path = shell.folder / "policy.json"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    printed = shell.run("draft", str(path), code=2)
    assert f"{path} {said}" in printed


def test_a_policy_can_come_from_another_command(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"currency": "EUR"}'))
    shell.run("draft", "-")
    assert policies().read(1).document.currency == "EUR"


def test_a_tag_nobody_has_and_a_currency_without_a_rate_are_pointed_out_and_drafted(stage: Stage, shell: Shell) -> None:
    stage.put("locations", Location(location_id="WH-COLD", status=LocationStatus.ACTIVE, tags=("cold",)))
    segments = [{"name": "food", "only_tags": ["cold", "frozen"]}]
    told = shell.told("draft", shell.file(currency="EUR", constraints={"segments": segments}))
    assert [one["field"] for one in told["warnings"]] == [
        "constraints.segments.0.only_tags",
        "costs.exchange_rates.USD",
    ]
    assert told["version"] == 1
    assert "no location has the tag frozen" in shell.run("show", "1")


def test_a_draft_is_edited_at_the_revision_that_was_read(shell: Shell) -> None:
    shell.run("draft", shell.file())
    assert "edit 1 FILE --revision 1, activate 1, or retire 1" in shell.run("show", "1")
    told = shell.told("edit", "1", shell.file(record_days=30), "--revision", "1", "--note", "less to keep")
    assert (told["revision"], told["edited_by"], told["note"]) == (2, "ana", "less to keep")
    printed = shell.run("edit", "1", shell.file(record_days=60), "--revision", "1", code=1)
    assert "changed by ana: it is at revision 2, not 1" in printed
    assert policies().read(1).document.record_days == 30


def test_a_draft_that_violates_a_guard_does_not_go_live_and_says_which(shell: Shell, backtest: Backtest) -> None:
    backtest.finds = FAILED
    shell.run("draft", shell.file())
    printed = shell.run("activate", "1", code=1)
    assert "max_late_percent" in printed
    assert "7.5" in printed
    assert "force it with a note" in printed
    told = shell.told("activate", "1", code=1)
    assert told["error"]["code"] == "PolicyRefused"
    assert told["error"]["details"] == {"version": 1, "violated": ["max_late_percent"]}
    assert routing_works_by().version == 0


def test_a_policy_that_is_forced_says_so(shell: Shell, backtest: Backtest) -> None:
    backtest.finds = FAILED
    shell.run("draft", shell.file())
    assert "active against its backtest" in shell.run("activate", "1", "--force", "--note", "it must be")
    assert routing_works_by().version == 1


def test_where_no_past_orders_are_a_policy_goes_live_without_them_by_force_alone(
    shell: Shell, backtest: Backtest
) -> None:
    shell.run("draft", shell.file())
    told = shell.told("activate", "1", "--force", "--no-backtest", "--note", "the first day")
    assert (told["status"], told["forced_note"]) == ("ACTIVE", "the first day")
    assert backtest.asked == []


def test_activating_again_says_since_when_it_is_active_and_tries_nothing(shell: Shell, backtest: Backtest) -> None:
    shell.run("draft", shell.file())
    shell.run("activate", "1")
    assert "Version 1 is active already" in shell.run("activate", "1", "--author", "ben")
    assert len(backtest.asked) == 1
    assert policies().read(1).activated_by == "ana"


def test_who_is_overtaken_while_the_backtest_runs_is_told_by_whom(shell: Shell, backtest: Backtest) -> None:
    shell.run("draft", shell.file())
    policies().draft(Draft(policy=RoutingPolicy(currency="USD"), author="ben"), NOW)

    def overtake() -> None:
        policies().activate(policies().candidate(2), PASSED, "ben", NOW)

    backtest.meanwhile = overtake
    assert "version 2 was activated by ben meanwhile" in shell.run("activate", "1", code=1)
    assert routing_works_by().version == 2


def test_what_is_retired_is_not_even_tried(shell: Shell, backtest: Backtest) -> None:
    shell.run("draft", shell.file())
    printed = shell.run("retire", "1")
    assert "draft --copy-of 1 brings it back" in " ".join(printed.split())
    assert "draft a copy of it" in shell.run("activate", "1", code=1)
    assert backtest.asked == []


def test_the_version_routing_works_by_is_not_retired_by_hand(shell: Shell) -> None:
    shell.run("draft", shell.file())
    shell.run("activate", "1")
    assert "it retires when another is activated" in shell.run("retire", "1", code=1)
    assert routing_works_by().version == 1


@pytest.mark.parametrize("command", ["show", "activate", "retire"])
def test_a_version_that_never_was_is_not_found_and_the_list_is_pointed_to(shell: Shell, command: str) -> None:
    printed = shell.run(command, "9", code=1)
    assert "there is no version 9" in printed
    assert "`list` says which versions there are" in printed


def test_a_dry_run_says_what_would_be_done_and_does_nothing(stage: Stage, shell: Shell, backtest: Backtest) -> None:
    assert shell.told("draft", shell.file(), "--dry-run") == {"dry_run": True, "warnings": []}
    assert policies().newest() == []
    shell.run("draft", shell.file())
    before = stage.rows("settings")
    shell.run("draft", "--copy-of", "1", "--dry-run")
    shell.run("edit", "1", shell.file(record_days=30), "--revision", "1", "--dry-run")
    assert "Version 1 would be activated." in shell.run("activate", "1", "--dry-run")
    assert "Version 1 would be retired." in shell.run("retire", "1", "--dry-run")
    backtest.finds = FAILED
    shell.run("activate", "1", "--dry-run", code=1)
    shell.run("draft", shell.file(cancel_after_hours=0), "--dry-run", code=1)
    assert stage.rows("settings") == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["draft"], "wants a FILE, or --copy-of"),
        (["draft", "policy.json", "--copy-of", "1"], "wants a FILE, or --copy-of"),
        (["activate", "1", "--force"], "wants a --note"),
        (["activate", "1", "--force", "--note", " "], "wants a --note"),
        (["activate", "1", "--no-backtest"], "for --force only"),
        (["activate", "one"], "a number from 1"),
        (["edit", "1", "policy.json"], "--revision"),
        ([], "COMMAND"),
    ],
)
def test_a_command_that_makes_no_sense_says_what_is_missing(
    shell: Shell, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        routing_policy.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_somebody_without_a_name_must_give_one(shell: Shell) -> None:
    assert "author must be 1 to 100 characters" in shell.run("draft", shell.file(), "--author", " ", code=1)


def test_without_an_answer_it_says_to_run_it_again_and_that_is_safe(
    shell: Shell, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    shell.run("draft", shell.file())
    faults.time_out_after()
    assert "run it again" in shell.run("activate", "1", code=1)
    assert "active already" in shell.run("activate", "1")


def test_a_backtest_without_an_answer_activates_nothing(shell: Shell, backtest: Backtest) -> None:
    def lose() -> None:
        raise Unavailable("no answer")

    backtest.meanwhile = lose
    shell.run("draft", shell.file())
    assert "run it again" in shell.run("activate", "1", code=1)
    assert routing_works_by().version == 0


def test_a_stage_that_is_not_there_is_explained(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "STAGES", ("elsewhere",))
    assert "The stage elsewhere can't be worked on" in shell.run("list", "--stage", "elsewhere", code=2)
