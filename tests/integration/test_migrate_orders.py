"""The operator's command that loads another system's open orders, and the books after it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oms.domain import migration
from oms.domain.catalog import Product
from oms.domain.incoming import Address
from oms.domain.order import OrderStatus, WaitingFor
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.contacts import ContactsStore
from tests.integration.company import at, balance, incoming, line, received, report, story, tracked, worker
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage
from tools import audit_stock, migrate_orders
from tools import stage as stages

Run = Callable[..., dict[str, Any]]

DOCK = Address(name="Ada", address1="1 Dock Road", city="Hoboken", region="NJ", country="US")


def old(number: int = 5001, **changes: Any) -> dict[str, Any]:
    """An order of five mugs: one cancelled, one on its way, two lie in the east, one nobody knows where."""
    facts: dict[str, Any] = {
        "channel": "shopify",
        "account": "main",
        "channel_order_id": str(number),
        "order_number": f"#{number}",
        "placed_at": "2026-02-20T10:00:00Z",
        "channel_updated_at": "2026-02-27T10:00:00Z",
        "currency": "USD",
        "total_minor": 9000,
        "payment_status": "PAID",
        "promised_by": "2026-03-06T23:59:59Z",
        "external_ids": {"legacy": f"L-{number}"},
        "ship_to": {"name": "Ada", "address1": "1 Dock Road", "city": "Hoboken", "region": "NJ", "country": "US"},
        "customer": {"id": "77", "name": "Ada", "email": "ada@example.com"},
        "lines": [
            {
                "line_id": "L1",
                "sku": "MUG",
                "quantity": 5,
                "unit_price_minor": 1800,
                "cancelled": 1,
                "shipped": 1,
                "allocated": [{"location_id": "WH-EAST", "quantity": 2}],
            }
        ],
        "shipments": [
            {
                "shipment_id": "P-1",
                "carrier": "UPS",
                "tracking_number": "1Z0001",
                "location_id": "WH-EAST",
                "shipped_at": "2026-02-25T16:00:00Z",
                "lines": [{"line_id": "L1", "quantity": 1}],
            }
        ],
    }
    return facts | changes


def plain(number: int, sku: str, quantity: int, location_id: str, **changes: Any) -> dict[str, Any]:
    """An order of one line, none of it shipped."""
    line = {
        "line_id": "L1",
        "sku": sku,
        "quantity": quantity,
        "unit_price_minor": 0,
        "allocated": [{"location_id": location_id, "quantity": quantity}],
    }
    return old(number, lines=[line], shipments=[], total_minor=0, **changes)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def file(*orders: dict[str, Any] | str) -> str:
        path = tmp_path / "open.jsonl"
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in orders))
        return str(path)

    return file


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command against the test stage; returns its exit code, what it counted and what it reported."""
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")

    def run(phase: str, path: str, *options: str) -> dict[str, Any]:
        told = tmp_path / "report.csv"
        code = migrate_orders.main([phase, path, "--json", "--report", str(told), *options])
        out, _ = capsys.readouterr()
        with told.open() as rows:
            return {"exit": code, **json.loads(out.splitlines()[-1]), "told": list(csv.DictReader(rows))}

    return run


def told(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(one["row"], one["outcome"], one["field"], one["reason"]) for one in result["told"]]


def test_an_open_order_is_loaded_with_its_past_and_what_is_promised_to_it(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    result = run("load", file(old()))
    assert (result["exit"], result["counts"]) == (0, {"LOADED": 1})
    order = stage.order("shopify-main-5001")
    (line,) = order.lines
    assert (line.ordered, line.cancelled, line.shipped, line.in_fulfillment, line.unallocated) == (5, 1, 1, 2, 1)
    assert (order.status, order.events[0].actor, order.external_ids["legacy"]) == (
        OrderStatus.PARTIALLY_SHIPPED,
        "migration",
        "L-5001",
    )
    assert order.original_promised_by == order.promised_by is not None
    assert stage.rows("contacts")[0]["email"] == "ada@example.com"
    assert [row["reference"] for row in stage.rows("order_references")] == [
        "ORDER#5001",
        "TRACKING#ups#1Z0001",
    ]
    position = stage.position("MUG", "WH-EAST")
    assert (position.on_hand, position.available, position.committed) == (10, 8, 2)
    balance(stage)


def test_after_a_migration_the_books_balance_and_hold_what_the_file_says(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    orders = [old(), plain(5002, "SET", 1, "WH-WEST"), plain(5003, "KETTLE", 2, "WH-WEST")]
    assert run("load", file(*orders))["counts"] == {"LOADED": 3}
    balance(stage)
    verified = run("verify", file(*orders))
    assert (verified["exit"], verified["counts"]) == (0, {"AS_THE_FILE_SAYS": 3})
    assert verified["statuses"] == {"PARTIALLY_SHIPPED": 1, "ALLOCATED": 2}
    assert (verified["units_in_file"], verified["units_held"], verified["lacking"]) == (6, 6, {})


def test_the_audit_itself_finds_no_drift(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    for row in stage.rows("stock"):
        clients.client("dynamodb").delete_item(
            TableName="oms-test-stock", Key={"sku": {"S": row["sku"]}, "location_id": {"S": row["location_id"]}}
        )
    worker().commit.commit([received("MUG", "WH-EAST", 10), received("KETTLE", "WH-WEST", 4, change_id="receipt-2")])
    assert run("load", file(old(), plain(5003, "KETTLE", 2, "WH-WEST")))["counts"] == {"LOADED": 2}
    assert audit_stock.main(["--stage", "test"]) == 0


def test_a_check_writes_nothing_and_finds_what_loading_would(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    orders = [
        old(),
        plain(5002, "MUG", 9, "WH-EAST"),
        plain(5003, "MUGG", 1, "WH-EAST"),
        plain(5004, "MUG", 1, "WH-NORTH"),
        plain(5005, "MUG", 1, "WH-EAST", account="elsewhere"),
        plain(5006, "MUG", 1, "WH-EAST", channel="faxes"),
        old(5007, total_minor=9001),
        old(5001),
        "{",
        plain(5008, "MUG", 1, "WH-EAST", currency="dollars"),
        plain(5009, "KETTLE", 4, "WH-WEST"),
        plain(5010, "MUG", 1, "WH-WEST", channel_updated_at="2027-03-02T12:00:00Z"),
    ]
    before = stage.rows("stock")
    result = run("check", file(*orders))
    assert result["exit"] == 1
    assert told(result) == [
        ("1", "VALID", "", ""),
        ("2", "SHORT", "lines", "STOCK_SHORT"),
        ("3", "REFUSED", "lines.0.sku", "UNKNOWN_SKU"),
        ("4", "REFUSED", "lines.0.allocated", "UNKNOWN_LOCATION"),
        ("5", "REFUSED", "account", "UNKNOWN_ACCOUNT"),
        ("6", "REFUSED", "channel", "UNKNOWN_CHANNEL"),
        ("7", "VALID", "total_minor", "TOTALS_MISMATCH"),
        ("8", "REFUSED", "channel_order_id", "DUPLICATE_ORDER"),
        ("9", "REFUSED", "body", "MALFORMED_JSON"),
        ("10", "REFUSED", "currency", "INVALID_FIELD"),
        ("11", "VALID", "", ""),
        ("12", "REFUSED", "channel_updated_at", "IN_THE_FUTURE"),
    ]
    assert (stage.rows("stock"), stage.rows("orders"), stage.rows("contacts")) == (before, [], [])
    assert run("load", file(*orders), "--dry-run")["counts"] == result["counts"]
    assert stage.rows("orders") == []


def test_what_an_order_has_lost_since_is_found_by_position(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    path = file(plain(5002, "SET", 2, "WH-WEST"))
    run("load", path)
    worker().decisions.cancel("shopify-main-5002", "TEST", "somebody", at(1))
    verified = run("verify", path)
    assert (verified["exit"], verified["counts"]) == (1, {"AS_THE_FILE_SAYS": 0, "SHORT": 1})
    assert (verified["statuses"], verified["lacking"]) == ({"CANCELLED": 1}, {"MUG at WH-WEST": 4})


def test_loading_again_changes_nothing(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    path = file(old(), plain(5002, "MUG", 1, "WH-WEST"))
    run("load", path)
    before = stage.rows("orders"), stage.rows("stock"), stage.rows("stock_movements")
    result = run("load", path)
    assert (result["exit"], result["counts"]) == (0, {"ALREADY": 2})
    assert (stage.rows("orders"), stage.rows("stock"), stage.rows("stock_movements")) == before


def test_two_that_load_the_same_file_load_each_order_once(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    path = file(old())
    rival: list[dict[str, Any]] = []

    def be_faster(**_: Any) -> None:
        if not rival:
            rival.append({})
            rival[0] = run("load", path)

    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", be_faster)
    # who was second within the second wrote just the same, and can't tell whose it is
    assert run("load", path)["counts"] in ({"ALREADY": 1}, {"LOADED": 1})
    assert rival[0]["counts"] == {"LOADED": 1}
    assert stage.position("MUG", "WH-EAST").committed == 2
    balance(stage)


def test_two_that_route_what_is_short_load_each_order_once(
    stage: Stage, run: Run, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(plain(5002, "BOWL", 4, "WH-EAST"))
    rival: list[dict[str, Any]] = []
    tries: list[int] = []

    def be_faster_at_the_second_try(**_: Any) -> None:
        tries.append(1)
        if len(tries) == 2:
            rival.append(run("load", path, "--route-short"))

    # a second apart, or what the slower one wrote would be the very same
    moments = iter([at(2), at(1)])
    monkeypatch.setattr(migrate_orders, "now", lambda: next(moments))
    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", be_faster_at_the_second_try)
    assert run("load", path, "--route-short")["counts"] == {"ALREADY": 1}
    assert rival[0]["counts"] == {"LOADED": 1}
    assert len(stage.rows("orders")) == 1
    balance(stage)


def test_an_order_whose_goods_are_not_there_is_left_out_and_told(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    path = file(plain(5001, "BOWL", 4, "WH-EAST"), plain(5002, "BOWL", 3, "WH-EAST"))
    result = run("load", path)
    assert (result["exit"], result["counts"]) == (1, {"SHORT": 1, "LOADED": 1})
    assert told(result)[0] == ("1", "SHORT", "lines", "STOCK_SHORT")
    assert [row["order_id"] for row in stage.rows("orders")] == ["shopify-main-5002"]
    balance(stage)


def test_if_so_wished_it_is_loaded_and_routed_as_any_other(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    path = file(plain(5001, "MUG", 5, "WH-NORTHERN"), plain(5002, "BOWL", 4, "WH-EAST"))
    stage.put("locations", {"location_id": "WH-NORTHERN", "status": "ACTIVE", "country": "US", "region": "NY"})
    assert run("check", path, "--route-short")["counts"] == {"VALID": 2}
    result = run("load", path, "--route-short")
    assert (result["exit"], result["counts"]) == (0, {"LOADED": 2})
    assert told(result)[0] == ("1", "LOADED", "lines", "STOCK_SHORT")
    order = stage.order("shopify-main-5001")
    assert (order.waiting_for, order.lines[0].unallocated) == (WaitingFor.ALLOCATION, 5)
    worker().allocate("shopify-main-5001", hours=1)
    assert stage.order("shopify-main-5001").fulfillments[0].location_id in ("WH-EAST", "WH-WEST")
    assert run("load", path, "--route-short")["counts"] == {"ALREADY": 2}
    balance(stage)


def test_an_order_that_came_another_way_is_left_alone(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    run("load", file(old()))
    before = stage.rows("orders")
    result = run("load", file(old(order_number="#X")))
    assert (result["exit"], result["counts"], told(result)[0][3]) == (1, {"EXISTS": 1}, "EXISTS")
    assert stage.rows("orders") == before
    assert run("verify", file(old(order_number="#X")))["exit"] == 1


LONG, FITS = 6, 4
"""Products of a long order, and positions that one change may touch in these tests: forty would only take time."""


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "MAX_POSITIONS_PER_CHANGE", FITS)


def long_order(stage: Stage) -> dict[str, Any]:
    """An order of more products than fit one change, one unit each in the east."""
    lines = []
    for number in range(LONG):
        sku = f"SKU-{number}"
        stage.put("products", Product(sku=sku, grams=100))
        stage.put("stock", StockPosition(sku=sku, location_id="WH-EAST", on_hand=1, available=1))
        allocated = [{"location_id": "WH-EAST", "quantity": 1}]
        lines.append({"line_id": str(number), "sku": sku, "quantity": 1, "unit_price_minor": 0, "allocated": allocated})
    return old(5001, lines=lines, shipments=[], total_minor=0)


class WorkerDied(BaseException):
    """Whoever ran the command is gone: no line of code after this one runs."""


@pytest.mark.usefixtures("narrow")
def test_a_load_that_dies_half_way_through_a_long_order_is_taken_up_again(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    path = file(long_order(stage))
    written: list[int] = []

    def die(**_: Any) -> None:
        if written:
            raise WorkerDied
        written.append(1)

    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", die)
    with pytest.raises(WorkerDied):
        run("load", path)
    stage.mend()
    half = stage.order("shopify-main-5001")
    assert (half.waiting_for, half.reason_code) == (WaitingFor.REVIEW, "MIGRATION")
    worker().allocate("shopify-main-5001", hours=1)
    assert stage.order("shopify-main-5001") == half
    assert run("load", path)["counts"] == {"ALREADY": 1}
    whole = stage.order("shopify-main-5001")
    assert (whole.review, sum(line.in_fulfillment for line in whole.lines), len(whole.fulfillments)) == (None, LONG, 1)
    assert run("verify", path)["exit"] == 0


@pytest.mark.usefixtures("narrow")
def test_a_long_order_short_of_its_last_goods_waits_for_them_or_is_routed(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    path = file(long_order(stage))
    stage.put("stock", StockPosition(sku=f"SKU-{LONG - 1}", location_id="WH-EAST"))
    assert run("load", path)["counts"] == {"SHORT": 1}
    assert stage.order("shopify-main-5001").reason_code == "MIGRATION"
    assert run("load", path, "--route-short")["counts"] == {"LOADED": 1}
    order = stage.order("shopify-main-5001")
    assert (order.review, order.waiting_for) == (None, WaitingFor.ALLOCATION)
    assert [line.unallocated for line in order.lines] == [0] * FITS + [1] * (LONG - FITS)


def test_tables_that_can_not_be_written_are_told_and_the_next_run_loads_the_rest(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    path = file(old())
    stage.fail("dynamodb", "TransactWriteItems", "InternalServerError")
    result = run("load", path)
    assert (result["exit"], result["counts"]) == (1, {"FAILED": 1})
    stage.mend()
    assert run("load", path)["counts"] == {"LOADED": 1}


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda faults: faults.cancel(), id="somebody else holds an item"),
        pytest.param(lambda faults: faults.time_out_before(), id="the request was lost"),
        pytest.param(lambda faults: faults.time_out_after(), id="the answer was lost"),
        pytest.param(lambda faults: faults.crash_before(), id="it died before the first write"),
        pytest.param(lambda faults: faults.crash_after(), id="it died after the first write"),
        pytest.param(lambda faults: faults.crash_after(nth=2), id="it died after the second write"),
    ],
)
def test_whatever_happens_to_a_load_the_next_one_ends_it(
    stage: Stage, run: Run, file: Callable[..., str], faults: Faults, trouble: Callable[[Faults], None]
) -> None:
    path = file(long_order(stage), plain(5002, "MUG", 3, "WH-WEST"))
    trouble(faults)
    with suppress(CrashedError):
        run("load", path)
    assert faults.hits
    faults.mend()
    again = run("load", path)
    assert again["exit"] == 0
    assert run("load", path)["counts"] == {"ALREADY": 2}
    assert run("verify", path)["statuses"] == {"ALLOCATED": 2}
    balance(stage, {(f"SKU-{number}", "WH-EAST"): 1 for number in range(LONG)})


def test_a_sale_that_takes_the_last_units_while_we_load_leaves_the_order_out(
    stage: Stage, run: Run, file: Callable[..., str], faults: Faults
) -> None:
    made = worker()

    def sell() -> None:
        made.take(incoming(7, {"BOWL": 1}))
        made.allocate("shopify-main-7")

    faults.meanwhile("TransactWriteItems", sell)
    result = run("load", file(plain(5002, "BOWL", 3, "WH-EAST")))
    assert (result["exit"], result["counts"]) == (1, {"SHORT": 1})
    balance(stage)


def test_a_message_of_the_channel_about_a_loaded_order_is_an_update(
    stage: Stage, run: Run, file: Callable[..., str]
) -> None:
    run("load", file(plain(5002, "MUG", 3, "WH-EAST")))
    made = worker()
    order = incoming(5002, {"MUG": 3})
    order = replace(order, lines=(line("L1", "MUG", 3, left=1),), contact=replace(order.contact, ship_to=DOCK))
    made.take(order, hours=1)
    (kept,) = stage.order("shopify-main-5002").lines
    assert (kept.cancelled, kept.in_fulfillment) == (2, 1)
    assert stage.position("MUG", "WH-EAST").committed == 1
    balance(stage)


def test_a_migrated_order_lives_on_as_any_other(stage: Stage, run: Run, file: Callable[..., str]) -> None:
    allocated = [{"location_id": "WH-EAST", "quantity": 3, "asked": True}]
    lines = [old()["lines"][0] | {"allocated": allocated}]
    result = run("load", file(old(lines=lines)))
    work = result["told"][0]["work"]
    assert work == "WH-EAST=shopify-main-5001-f2"
    made = worker()
    order = stage.order("shopify-main-5001")
    made.report(report("shipped", order, 2), hours=400)
    made.report(tracked("DELIVERED"), tracked("DELIVERED", tracking_number="1Z0001"), hours=401)
    order = stage.order("shopify-main-5001")
    assert order.status is OrderStatus.DELIVERED
    assert story(stage, "shopify-main-5001") == [
        "OrderReceived",
        "LinesCancelled",
        "ShipmentShipped",
        "OrderAllocated",
        "ShipmentShipped",
        "ShipmentDelivered",
        "ShipmentDelivered",
    ]
    position = stage.position("MUG", "WH-EAST")
    assert (position.on_hand, position.committed) == (7, 0)
    balance(stage)


@pytest.mark.parametrize(
    "options", [pytest.param((), id="loaded"), pytest.param(("--route-short",), id="routed as it is short")]
)
def test_a_person_who_was_to_be_forgotten_before_the_order_came_is_forgotten_as_it_ends(
    stage: Stage, run: Run, file: Callable[..., str], options: tuple[str, ...]
) -> None:
    people = ContactsStore(clients.client("dynamodb"), PREFIX)
    people.forget_ahead("shopify-main-5001", at(24 * 60).date())
    order = plain(5001, "MUG", 99 if options else 2, "WH-EAST")
    assert run("load", file(order), *options)["counts"] == {"LOADED": 1}
    assert stage.order("shopify-main-5001").forget_person
    assert run("load", file(order), *options)["counts"] == {"ALREADY": 1}
    balance(stage)


def test_a_file_that_is_not_there_is_told(run: Run) -> None:
    assert migrate_orders.main(["check", "missing.jsonl"]) == 2


@pytest.mark.parametrize(("content", "says"), [(b"\n", "no orders"), (b"Caf\xe9", "save it as UTF-8")])
def test_a_file_without_orders_or_in_another_encoding_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    path = tmp_path / "open.jsonl"
    path.write_bytes(content)
    assert migrate_orders.main(["check", str(path)]) == 2
    assert says in capsys.readouterr().err


def test_a_report_that_can_not_be_written_is_told_before_anything_is_loaded(
    stage: Stage, run: Run, file: Callable[..., str], tmp_path: Path
) -> None:
    assert migrate_orders.main(["load", file(old()), "--report", str(tmp_path / "nowhere" / "report.csv")]) == 2
    assert stage.rows("orders") == []
