"""The operator's command that imports orders, and what becomes of them on the other side of the queue."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oms.domain.order import Method
from oms.runtime import clients
from tests.integration.stage import LambdaContext, Stage
from tools import import_orders
from tools import stage as stages

Run = Callable[..., dict[str, Any]]
Rows = Iterable[Mapping[str, str]]
Write = Callable[[Rows], str]

TILL = {
    "channel": "pos",
    "account": "main",
    "channel_order_id": "501",
    "placed_at": "2026-03-02T11:55:00Z",
    "currency": "USD",
    "total_minor": "5400",
    "sold_by": "staff-17",
    "ship_to.address1": "1 Dock Road",
    "ship_to.city": "Hoboken",
    "ship_to.region": "NJ",
    "ship_to.country": "US",
    "customer.email": "ada@example.com",
    "payment.method": "CASH",
    "payment.amount_minor": "5400",
    "line.sku": "MUG",
    "line.quantity": "3",
    "line.unit_price_minor": "1800",
}


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command against the test stage; returns its exit code, what it counted and what it reported."""
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    monkeypatch.setattr("tools.waiting.PAUSE_SECONDS", 0)

    def run(*arguments: str) -> dict[str, Any]:
        report = tmp_path / "report.csv"
        code = import_orders.main([*arguments, "--json", "--report", str(report)])
        out, _ = capsys.readouterr()
        if not report.exists():
            return {"exit": code}
        with report.open() as file:
            told = list(csv.DictReader(file))
        return {"exit": code, **json.loads(out.splitlines()[-1]), "told": told, "shown": out}

    return run


@pytest.fixture
def sheet(tmp_path: Path) -> Write:
    """A CSV file of these rows; returns its path."""

    def sheet(rows: Rows) -> str:
        listed = list(rows)
        columns = list(dict.fromkeys(name for row in listed for name in row))
        path = tmp_path / "orders.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(listed)
        return str(path)

    return sheet


def take(stage: Stage) -> None:
    """The intake queue's function takes what lies on its queue."""
    messages = stage.messages("intake")
    event = {"Records": [record(number, message) for number, message in enumerate(messages)]}
    assert stage.function("queue_intake").handler(event, LambdaContext()) == {"batchItemFailures": []}


def record(number: int, message: dict[str, Any]) -> dict[str, Any]:
    return {"messageId": f"m{number}", "body": json.dumps(message), "attributes": {"ApproximateReceiveCount": "1"}}


def told(result: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    return [(one["row"], one["order"], one["outcome"], one["field"], one["reason"]) for one in result["told"]]


def test_the_rows_of_a_file_become_orders(stage: Stage, run: Run, sheet: Write) -> None:
    second = {"line.sku": "BOWL", "line.quantity": "1", "line.unit_price_minor": "0"}
    mail = TILL | {"channel": "phone", "channel_order_id": "77", "line.sku": "KETTLE", "payment.method": "INVOICE"}
    mail |= {"promised_by": "2026-03-01T12:00:00Z"}
    result = run(sheet([TILL, TILL | second, mail]))
    assert (result["exit"], result["orders"], result["counts"]) == (0, 2, {"SENT": 2})
    take(stage)
    order = stage.order("pos-main-501")
    assert [(line.sku, line.ordered, line.unit_price_minor) for line in order.lines] == [
        ("MUG", 3, 1800),
        ("BOWL", 1, 0),
    ]
    assert (order.sold_by, order.payments[0].method, order.review, order.events[0].actor) == (
        "staff-17",
        "CASH",
        None,
        "pos",
    )
    phoned = stage.order("phone-main-77")
    assert (phoned.payments[0].status, phoned.promised_by) == ("AUTHORIZED", datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_a_dry_run_finds_what_is_wrong_and_sends_nothing(stage: Stage, run: Run, sheet: Write) -> None:
    account = {"kind": "channel_account", "name": "pos#main", "channel": "pos", "account": "main"}
    stage.put("settings", account | {"currencies": ["USD"]})
    rows = [
        TILL,
        TILL | {"channel_order_id": "502", "line.sku": "MUGG"},
        TILL | {"channel_order_id": "503", "account": "elsewhere"},
        TILL | {"channel_order_id": "504", "line.quantity": "three", "currency": "dollars"},
        TILL | {"channel_order_id": "505", "total_minor": "5500"},
        TILL | {"channel_order_id": "506", "placed_at": ""},
        TILL | {"channel_order_id": "507", "sold_at_location_id": "STORE-9"},
        TILL | {"channel_order_id": "508"},
        TILL | {"channel_order_id": "508", "customer.email": "bob@example.com"},
        TILL,
        TILL | {"channel_order_id": "509", "placed_at": "2199-03-04T11:55:00Z"},
        TILL | {"channel_order_id": "510", "currency": "EUR"},
    ]
    result = run("--dry-run", sheet(rows))
    assert result["exit"] == 1
    assert result["counts"] == {"VALID": 2, "REFUSED": 9}
    assert told(result) == [
        ("2", "501", "REFUSED", "channel_order_id", "ROWS_APART"),
        ("3", "502", "REFUSED", "lines.0.sku", "UNKNOWN_SKU"),
        ("4", "503", "REFUSED", "account", "UNKNOWN_ACCOUNT"),
        ("5", "504", "REFUSED", "currency", "INVALID_FIELD"),
        ("5", "504", "REFUSED", "lines.0.quantity", "INVALID_FIELD"),
        ("6", "505", "VALID", "total_minor", "TOTALS_MISMATCH"),
        ("7", "506", "REFUSED", "placed_at", "MISSING_FIELD"),
        ("8", "507", "REFUSED", "sold_at_location_id", "UNKNOWN_LOCATION"),
        ("9", "508", "REFUSED", "customer.email", "ROWS_DISAGREE"),
        ("11", "501", "REFUSED", "channel_order_id", "ROWS_APART"),
        ("12", "509", "REFUSED", "placed_at", "TIME_AHEAD"),
        ("13", "510", "VALID", "currency", "WRONG_CURRENCY"),
    ]
    assert stage.messages("intake") == []


def test_an_order_whose_rows_lie_apart_is_not_sent_without_some_of_its_lines(
    stage: Stage, run: Run, sheet: Write
) -> None:
    result = run(sheet([TILL, TILL | {"channel_order_id": "502"}, TILL | {"line.sku": "BOWL"}]))
    assert (result["exit"], result["counts"]) == (1, {"REFUSED": 2, "SENT": 1})
    take(stage)
    assert [row["order_id"] for row in stage.rows("orders")] == ["pos-main-502"]


def test_a_fault_in_a_later_line_is_told_with_that_lines_row(run: Run, sheet: Write) -> None:
    result = run("--dry-run", sheet([TILL, TILL | {"line.unit_price_minor": "-5"}]))
    assert told(result) == [("3", "501", "REFUSED", "lines.1.unit_price_minor", "INVALID_FIELD")]


def test_a_name_of_the_accounts_own_is_known_by_its_listing(stage: Stage, run: Run, sheet: Write) -> None:
    stage.put("listings", {"channel_account": "pos#main", "channel_sku": "TILL-MUG", "sku": "MUG"})
    path = sheet([TILL | {"line.sku": "TILL-MUG"}])
    assert run("--dry-run", path)["counts"] == {"VALID": 1}
    run(path)
    take(stage)
    assert [line.sku for line in stage.order("pos-main-501").lines] == ["MUG"]


def test_what_is_wrong_keeps_nobody_else_out_and_the_mended_file_brings_the_rest(
    stage: Stage, run: Run, sheet: Write
) -> None:
    wrong = TILL | {"channel_order_id": "502", "line.sku": "MUGG"}
    assert run(sheet([TILL, wrong]))["counts"] == {"SENT": 1, "REFUSED": 1}
    take(stage)
    before = stage.order("pos-main-501")
    result = run(sheet([TILL, wrong | {"line.sku": "MUG"}]))
    assert (result["exit"], result["counts"]) == (0, {"EXISTS": 1, "SENT": 1})
    take(stage)
    assert stage.order("pos-main-501") == before
    assert stage.order("pos-main-502").lines[0].sku == "MUG"


def test_an_import_that_ran_twice_before_anybody_took_the_first_makes_one_order(
    stage: Stage, run: Run, sheet: Write
) -> None:
    path = sheet([TILL])
    run(path)
    run(path)
    take(stage)
    assert len(stage.rows("orders")) == 1
    assert stage.order("pos-main-501").version == 1


def test_a_queue_that_takes_nothing_is_told_and_the_next_run_brings_them(stage: Stage, run: Run, sheet: Write) -> None:
    path = sheet([TILL])
    stage.fail("sqs", "SendMessage", "ThrottlingException")
    result = run(path)
    assert (result["exit"], result["counts"], result["told"][0]["reason"]) == (1, {"FAILED": 1}, "NOT_SENT")
    stage.mend()
    assert run(path)["counts"] == {"SENT": 1}


def test_json_lines_hold_the_bodies_of_the_api(stage: Stage, run: Run, tmp_path: Path) -> None:
    body = {
        "channel": "pos",
        "account": "main",
        "channel_order_id": "900",
        "placed_at": "2026-03-02T11:55:00Z",
        "currency": "USD",
        "total_minor": 200,
        "lines": [{"sku": "MUG", "quantity": 2, "unit_price_minor": 100}],
        "method": "CARRY_OUT",
        "sold_at_location_id": "WH-WEST",
    }
    path = tmp_path / "orders.jsonl"
    lines = [json.dumps(body), "", "{", json.dumps(body | {"coupon": "X"}), json.dumps(body | {"total_minor": 1})]
    path.write_text("\n".join(lines))
    result = run(str(path))
    assert (result["exit"], result["counts"]) == (1, {"SENT": 1, "REFUSED": 3})
    assert told(result)[1:] == [
        ("3", "", "REFUSED", "body", "MALFORMED_JSON"),
        ("4", "900", "REFUSED", "coupon", "INVALID_FIELD"),
        ("5", "900", "REFUSED", "channel_order_id", "DUPLICATE_ORDER"),
    ]
    take(stage)
    order = stage.order("pos-main-900")
    assert (order.method, order.status) == (Method.CARRY_OUT, "DELIVERED")
    assert stage.position("MUG", "WH-WEST").on_hand == 3


def test_following_an_import_tells_which_orders_are_there(stage: Stage, run: Run, sheet: Write) -> None:
    path = sheet([TILL])
    assert run("--follow", "0.01", path)["counts"] == {"SENT": 1}
    run(path)
    assert stage.rows("orders") == []

    taking: list[int] = []

    def arrive(**_: Any) -> None:
        if not taking:
            taking.append(1)
            take(stage)

    stage.hook("sqs", "after-call.sqs.SendMessage", arrive)
    assert run("--follow", "5", path)["counts"] == {"CREATED": 1}


def test_following_an_import_tells_which_orders_wait_in_quarantine(stage: Stage, run: Run, sheet: Write) -> None:
    taking: list[int] = []

    def forget_the_product_and_take(**_: Any) -> None:
        if not taking:
            taking.append(1)
            clients.client("dynamodb").delete_item(TableName="oms-test-products", Key={"sku": {"S": "MUG"}})
            take(stage)

    stage.hook("sqs", "after-call.sqs.SendMessage", forget_the_product_and_take)
    result = run("--follow", "5", sheet([TILL]))
    assert (result["exit"], result["counts"]) == (1, {"QUARANTINED": 1})
    assert "pos#main" in result["told"][0]["message"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("channel,account\n", "missing columns: channel_order_id, line.sku"),
        ("channel,account,channel_order_id,line.sku,colour\n", "unknown columns: colour"),
        ("channel,account,channel_order_id,line.sku,channel\n", "columns that come twice: channel"),
        ("channel,account,channel_order_id,line.sku\npos,main,1\n", "row 2 has 3 cells"),
        ('channel,account,channel_order_id,line.sku\npos,main,1,"MUG\n', "row "),
        ("channel;account;channel_order_id;line.sku\n", "commas"),
        ("channel,account,channel_order_id,line.sku\n", "no orders"),
        ("channel,account,channel_order_id,line.sku\npos,main,1,Caf\xe9\n", "save it as UTF-8"),
    ],
)
def test_a_file_that_can_not_be_read_to_its_end_sends_nothing(
    stage: Stage, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(text, encoding="latin-1")
    assert import_orders.main([str(path)]) == 2
    assert says in capsys.readouterr().err
    assert stage.messages("intake") == []


def test_a_report_that_can_not_be_written_is_told_before_anything_is_sent(
    stage: Stage, run: Run, sheet: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_orders.main([sheet([TILL]), "--report", str(tmp_path / "nowhere" / "report.csv")]) == 2
    assert "report" in capsys.readouterr().err
    assert stage.messages("intake") == []


def test_a_file_of_another_kind_or_none_at_all_is_refused(run: Run) -> None:
    assert run("missing.csv")["exit"] == 2
    with pytest.raises(SystemExit):
        import_orders.main(["orders.xlsx"])


def test_no_report_holds_a_persons_data(run: Run, sheet: Write) -> None:
    result = run(sheet([TILL | {"customer.email": "ada at home", "ship_to.country": "Freedonia"}]))
    assert result["counts"] == {"REFUSED": 1}
    assert not [text for text in ("ada at home", "Freedonia", "Dock") if text in str(result)]


@pytest.mark.parametrize(("name", "outcome"), [("x" * 255, "VALID"), ("🧾" * 225, "VALID"), ("🧾" * 226, "REFUSED")])
def test_an_order_may_be_called_anything_that_is_no_longer_than_a_key(
    run: Run, sheet: Write, name: str, outcome: str
) -> None:
    """It is part of the key under which a message that intake can't take is kept."""
    assert run("--dry-run", sheet([TILL | {"channel_order_id": name}]))["counts"] == {outcome: 1}
