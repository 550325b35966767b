"""The operator's command that proves that the stock adds up, says why it does not, and repairs what is safe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from oms.domain import stock as moves
from oms.domain.catalog import Product
from oms.domain.changes import StockChange
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.attribute_values import to_item
from tests.integration.carts import Desk
from tests.integration.company import (
    Worker,
    at,
    incoming,
    received,
    released,
    report,
    worker,
)
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import Faults
from tests.integration.stage import PREFIX, STOCK, Stage
from tools import audit_reading, audit_stock
from tools import stage as stages

EAST, WEST = "WH-EAST", "WH-WEST"
Run = Callable[..., dict[str, Any]]
Row = dict[str, Any]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The company, whose stock has come in by movements."""
    with fast_tables(monkeypatch) as made:
        for (sku, location_id), units in STOCK.items():
            delete("stock", sku=sku, location_id=location_id)
            receive(sku, location_id, units, hours=-1)
        yield made


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command against the test stage; returns its exit code and its result."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    monkeypatch.setattr(audit_reading, "LOOK_AGAIN_SECONDS", 0)

    def run(*arguments: str) -> dict[str, Any]:
        code = audit_stock.main(["--json", *arguments])
        return {"exit": code} | json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


@pytest.fixture
def made(stage: Stage) -> Worker:
    return worker()


def client() -> Any:
    return clients.client("dynamodb")


def delete(table: str, **key: str) -> None:
    client().delete_item(TableName=PREFIX + table, Key=to_item(key))


def change(table: str, row: Row, **facts: Any) -> None:
    """Somebody edits a row by hand."""
    client().put_item(TableName=PREFIX + table, Item=to_item(row | facts))


def receive(sku: str, location_id: str, units: int, hours: float = 0) -> None:
    one = received(sku, location_id, units, hours, f"receipt-{sku}-{location_id}-{units}")
    assert worker().commit.commit_one(one).committed


def position(stage: Stage, sku: str = "MUG", location_id: str = EAST) -> Row:
    return next(row for row in stage.rows("stock") if (row["sku"], row["location_id"]) == (sku, location_id))


def movements(stage: Stage, sku: str = "MUG", kind: str = "") -> list[Row]:
    return [row for row in stage.rows("stock_movements") if row["sku"] == sku and (not kind or kind in row["kinds"])]


def drift(found: dict[str, Any]) -> Row:
    """The only thing that does not add up."""
    assert found["exit"] == 1
    (one,) = found["drifts"]
    return dict(one)


def is_clean(found: dict[str, Any]) -> bool:
    return found["exit"] == 0 and found["drifts"] == [] and found["busy"] == []


def busy_day(stage: Stage) -> None:
    """Orders, kits, carts, a shortage, a short pick, a loss and a cancellation, in every state of their life."""
    made, desk = worker(), Desk()
    shipped = released(made, 1, {"MUG": 1, "BOWL": 1})
    for number in range(1, len(shipped.fulfillments) + 1):
        made.report(report("shipped", shipped, number, shipment_id=f"parcel-{number}"))
    released(made, 2, {"SET": 1, "KETTLE": 1})
    short = released(made, 3, {"MUG": 1})
    made.report(report("short_picked", short, lines={"L1": 1}, reason_code="NOT_FOUND"), hours=1)
    waits = made.take(incoming(4, {"KETTLE": 9})).order.order_id
    made.allocate(waits)
    cancelled = made.take(incoming(5, {"BOWL": 1})).order.order_id
    assert made.allocate(cancelled) == []
    made.decisions.cancel(cancelled, "CUSTOMER", "test", at(0.1))
    desk.hold(("MUG", 1), reservation_id="cart-open")
    desk.hold(("MUG", 2), reservation_id="cart-bought")
    desk.place(7, {"MUG": 1}, "cart-bought")
    desk.hold(("BOWL", 1), reservation_id="cart-left")
    desk.release("cart-left")
    late = StockChange(
        change_id="lost", effective_at=at(3), at=at(3), actor="test", moves=(moves.adjust("MUG", WEST, -1),)
    )
    assert made.commit.commit_one(late).committed
    assert stage.rows("backorders")


def test_a_busy_day_of_every_kind_of_flow_adds_up(stage: Stage, run: Run) -> None:
    busy_day(stage)
    found = run()
    assert found["drifts"] == []
    assert is_clean(found)
    assert found["looked_at_again"] == 0
    assert (found["positions"], found["backorders"], found["orders"]) == (
        len(stage.rows("stock")),
        len(stage.rows("backorders")),
        len(stage.rows("orders")),
    )


def test_a_position_changed_by_hand_is_set_back_to_its_ledger(stage: Stage, run: Run, made: Worker) -> None:
    released(made, 1, {"MUG": 2})
    good = position(stage)
    change("stock", good, available=9, committed=1)
    one = drift(run())
    assert (one["kind"], one["sku"], one["location_id"]) == ("LEDGER_DIFFERS", "MUG", EAST)
    assert (one["safe"], one["held"]["committed"]) == ("LEDGER", 2)
    assert "stands at on_hand 10, available 9, committed 1" in one["says"]
    assert "its movements add up to on_hand 10, available 8, committed 2" in one["says"]
    before = stage.rows("stock_movements")
    repaired = run("--repair", "--yes")
    assert (is_clean(repaired), repaired["repaired"]) == (True, 1)
    assert position(stage) == good | {"updated_at": position(stage)["updated_at"]}
    (row,) = [row for row in stage.rows("stock_movements") if row not in before]
    assert (row["kinds"], row["reason_code"], row["changes"]) == (["CORRECTION"], "AUDIT", {})
    assert row["position_changes"] == {"available": -1, "committed": 1}
    assert (is_clean(run()), run("--repair", "--yes")["repaired"]) == (True, 0)


def test_a_position_that_does_not_add_up_is_told_and_repaired(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    one = drift(run())
    assert (one["kind"], one["safe"]) == ("UNBALANCED", "LEDGER")
    assert "which does not add up" in one["says"]
    assert is_clean(run("--repair", "--yes"))
    assert position(stage)["available"] == 10


def test_a_position_that_was_lost_is_made_again_from_its_movements(stage: Stage, run: Run, made: Worker) -> None:
    released(made, 1, {"MUG": 2})
    lost = position(stage)
    delete("stock", sku="MUG", location_id=EAST)
    assert drift(run())["safe"] == "LEDGER"
    assert is_clean(run("--repair", "--yes"))
    again = position(stage)
    assert {name: again[name] for name in ("on_hand", "available", "committed")} == {
        name: lost[name] for name in ("on_hand", "available", "committed")
    }


def test_a_lost_movement_is_made_good_and_names_the_order_it_was_of(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    (row,) = movements(stage, kind="COMMIT")
    delete("stock_movements", sku="MUG", movement_id=row["movement_id"])
    one = drift(run())
    assert (one["kind"], one["safe"], one["orders"]) == ("LEDGER_DIFFERS", "POSITION", [order.order_id])
    assert f"Order {order.order_id} holds 2 by its document, 0 were promised to it by the movements" in one["says"]
    stands = position(stage)
    assert is_clean(run("--repair", "--yes"))
    assert position(stage) == stands
    (made_good,) = movements(stage, kind="CORRECTION")
    assert made_good["changes"] == {"available": -2, "committed": 2}
    assert made_good["entries"] == [{"order_id": order.order_id, "quantity": 2, "committed": 2}]
    made.report(report("shipped", order), hours=2)
    assert is_clean(run())


def test_a_lost_movement_of_a_shipment_is_made_good(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    made.report(report("shipped", order), hours=2)
    (row,) = movements(stage, kind="SHIP")
    delete("stock_movements", sku="MUG", movement_id=row["movement_id"])
    assert drift(run())["safe"] == "POSITION"
    assert is_clean(run("--repair", "--yes"))
    assert movements(stage, kind="CORRECTION")[0]["changes"] == {"on_hand": -2, "committed": -2}


def test_a_lost_movement_of_a_cart_is_made_good(stage: Stage, run: Run) -> None:
    desk = Desk()
    desk.hold(("MUG", 2))
    (row,) = movements(stage, kind="RESERVE")
    delete("stock_movements", sku="MUG", movement_id=row["movement_id"])
    one = drift(run())
    assert "Cart cart-1 holds 2 by its document" in one["says"]
    assert is_clean(run("--repair", "--yes"))
    desk.place(1, {"MUG": 2})
    assert is_clean(run())


def test_opening_stock_that_was_put_without_a_movement_gets_one(stage: Stage, run: Run) -> None:
    stage.put("stock", StockPosition(sku="TRAY", location_id=WEST, on_hand=7, available=6, damaged=1))
    one = drift(run())
    assert (one["safe"], "it has no movements" in one["says"]) == ("POSITION", True)
    assert is_clean(run("--repair", "--yes"))
    assert movements(stage, "TRAY")[0]["changes"] == {"on_hand": 7, "available": 6, "damaged": 1}


def test_a_ledger_without_its_beginning_is_left_to_a_person(stage: Stage, run: Run, made: Worker) -> None:
    stage.put("products", Product(sku="TRAY", grams=100))
    stage.put("stock", StockPosition(sku="TRAY", location_id=EAST, on_hand=7, available=7))
    order = made.take(incoming(1, {"TRAY": 2})).order
    assert made.allocate(order.order_id) == []
    one = drift(run("--repair", "--yes"))
    assert (one["safe"], one["repairs"]) == (None, ["LEDGER", "POSITION"])
    assert "--repair --sku TRAY --trust ledger or --trust position" in one["advice"]
    assert is_clean(run("--repair", "--yes", "--sku", "TRAY", "--trust", "position"))
    assert position(stage, "TRAY")["available"] == 5
    assert is_clean(run())


def test_an_order_that_says_other_than_its_stock_is_named_and_left_alone(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    part = replace(order.fulfillments[0].lines[0], open=1, cancelled=1)
    work = replace(order.fulfillments[0], lines=(part,))
    stage.put("orders", replace(order, fulfillments=(work,)))
    one = drift(run("--repair", "--yes"))
    assert (one["kind"], one["safe"], one["orders"]) == ("HOLDERS_DIFFER", None, [order.order_id])
    assert f"Order {order.order_id} holds 1 by its document, 2 were promised to it by the movements" in one["says"]
    assert "Not safe" in one["advice"]
    assert position(stage)["committed"] == 2
    assert is_clean(run("--repair", "--yes", "--sku", "MUG", "--trust", "orders"))
    assert (position(stage)["committed"], position(stage)["available"]) == (1, 9)
    assert is_clean(run())


def test_orders_that_are_wrong_by_the_same_both_ways_are_found(stage: Stage, run: Run, made: Worker) -> None:
    orders = [released(made, number, {"MUG": 2}) for number in (1, 2)]
    for order, units in zip(orders, (1, 3), strict=True):
        part = replace(order.fulfillments[0].lines[0], open=units)
        stage.put("orders", replace(order, fulfillments=(replace(order.fulfillments[0], lines=(part,)),)))
    assert drift(run())["orders"] == sorted(order.order_id for order in orders)
    assert is_clean(run("--repair", "--yes", "--sku", "MUG", "--trust", "orders"))


def test_a_deleted_order_whose_movements_stay_is_named(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    (row,) = movements(stage, kind="COMMIT")
    delete("orders", order_id=order.order_id)
    kinds = {one["kind"]: one for one in run("--repair", "--yes")["drifts"]}
    assert set(kinds) == {"HOLDERS_DIFFER", "UNKNOWN_ORDER"}
    assert kinds["UNKNOWN_ORDER"]["movements"] == [row["movement_id"]]
    assert kinds["HOLDERS_DIFFER"]["orders"] == [order.order_id]


def test_an_order_put_back_to_an_older_state_is_found_though_it_holds_nothing(
    stage: Stage, run: Run, made: Worker
) -> None:
    order = released(made, 1, {"MUG": 2})
    made.report(report("shipped", order), hours=2)
    shipped = stage.order(order.order_id)
    stage.put("orders", replace(shipped, version=shipped.version - 1))
    one = drift(run())
    assert (one["kind"], one["orders"], one["safe"]) == ("UNKNOWN_VERSION", [order.order_id], None)


def test_events_that_moved_out_of_the_document_still_tell_of_their_versions(
    stage: Stage, run: Run, made: Worker
) -> None:
    order = released(made, 1, {"MUG": 2})
    old, kept = order.events[:2], order.events[2:]
    stage.put("orders", replace(order, events=kept))
    assert drift(run())["kind"] == "UNKNOWN_VERSION"
    history = [{"version": one.version, "sequence": one.sequence} for one in old]
    stage.put("order_history", {"order_id": order.order_id, "version": order.version, "events": history})
    assert is_clean(run())


def test_a_movement_changed_by_hand_is_told_and_history_is_not_edited(stage: Stage, run: Run, made: Worker) -> None:
    released(made, 1, {"MUG": 2})
    (row,) = movements(stage, kind="COMMIT")
    change("stock_movements", row, changes={"available": -3, "committed": 3})
    kinds = {one["kind"] for one in run("--repair", "--yes")["drifts"]}
    assert "UNEVEN_MOVEMENT" in kinds
    assert stage.rows("stock_movements").count(row | {"changes": {"available": -3, "committed": 3}}) == 1


def test_a_queue_that_does_not_say_what_its_orders_wait_for_is_told(stage: Stage, run: Run, made: Worker) -> None:
    order = made.take(incoming(1, {"KETTLE": 9})).order
    made.allocate(order.order_id)
    (row,) = stage.rows("backorders")
    delete("backorders", sku="KETTLE", queue_key=row["queue_key"])
    missing = drift(run())
    assert (missing["kind"], "is missing" in missing["says"]) == ("QUEUE_DIFFERS", True)
    stage.put("backorders", row | {"quantity": 8})
    assert "waits for 8" in drift(run())["says"]
    stage.put("backorders", row)
    stage.put("backorders", row | {"order_id": "nobody", "queue_key": "1#nobody"})
    stray = drift(run())
    assert (stray["orders"], "delete the row" in stray["advice"]) == (["nobody"], True)


@pytest.mark.parametrize(
    ("table", "facts"),
    [
        ("stock", {"available": "ten"}),
        ("stock_movements", {"kinds": ["UNHEARD_OF"], "entries": [{"order_id": "x", "quantity": 1}]}),
        ("stock_movements", {"changes": {"elsewhere": 1}}),
    ],
)
def test_a_row_that_cannot_be_read_is_told_and_nothing_is_guessed(
    stage: Stage, run: Run, table: str, facts: Row
) -> None:
    row = next(row for row in stage.rows(table) if row["sku"] == "MUG")
    change(table, row, **facts)
    one = drift(run("--repair", "--yes"))
    assert (one["kind"], one["sku"]) == ("UNREADABLE", "MUG")


def test_an_order_that_cannot_be_read_is_told_and_its_stock_is_left_alone(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    change("orders", {"order_id": order.order_id, "version": "four"})
    found = run("--repair", "--yes")
    kinds = {one["kind"]: one for one in found["drifts"]}
    assert set(kinds) == {"UNREADABLE", "HOLDERS_DIFFER"}
    assert kinds["UNREADABLE"]["orders"] == [order.order_id]
    assert (kinds["HOLDERS_DIFFER"]["safe"], kinds["HOLDERS_DIFFER"]["repairs"]) == (None, [])
    assert "can't be read" in kinds["HOLDERS_DIFFER"]["advice"]


def test_a_row_with_values_no_program_writes_is_named_all_the_same(stage: Stage, run: Run) -> None:
    item = {"order_id": {"S": "odd"}, "version": {"N": "1.5"}}
    client().put_item(TableName=f"{PREFIX}orders", Item=item)
    one = drift(run())
    assert (one["kind"], one["orders"]) == ("UNREADABLE", ["odd"])


def test_people_are_told_in_sentences(stage: Stage, run: Run, made: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_stock.main([]) == 0
    assert "All adds up." in capsys.readouterr().out
    order = released(made, 1, {"MUG": 2})
    delete("stock_movements", sku="MUG", movement_id=movements(stage, kind="COMMIT")[0]["movement_id"])
    assert audit_stock.main([]) == 1
    told = capsys.readouterr().out
    assert (
        "LEDGER_DIFFERS: MUG at WH-EAST stands at on_hand 10, available 8, committed 2; its movements add up to "
        f"on_hand 10, available 10; orders hold 2, carts 0. Order {order.order_id} holds 2 by its document, "
        "0 were promised to it by the movements: the movement by which 2 units were taken is missing"
    ) in told
    assert "Safe to repair (--repair). The position agrees with orders and carts" in told
    assert audit_stock.main(["--repair", "--yes"]) == 0
    assert "To be repaired: MUG at WH-EAST, believing the position" in capsys.readouterr().out


@pytest.mark.parametrize("nth", range(1, 6))
def test_what_is_written_while_the_audit_reads_is_no_drift(stage: Stage, run: Run, made: Worker, nth: int) -> None:
    released(made, 1, {"MUG": 1})
    faults = Faults()
    faults.meanwhile("Scan", lambda: released(made, 2, {"MUG": 2, "SET": 1}), nth=nth)
    found = run("--segments", "1")
    faults.mend()
    assert faults.hits == 1
    assert is_clean(found)


@pytest.mark.parametrize(
    ("operation", "nth"), [("Query", 1), ("Query", 2), ("Query", 3), ("Query", 4), ("BatchGetItem", 1)]
)
def test_what_is_written_during_a_second_look_is_no_drift(
    stage: Stage, run: Run, made: Worker, operation: str, nth: int
) -> None:
    released(made, 1, {"MUG": 1})
    faults = Faults()
    faults.meanwhile("Scan", lambda: released(made, 2, {"MUG": 1}), nth=5)
    faults.meanwhile(operation, lambda: released(made, 3, {"MUG": 2}), nth=nth)
    found = run("--segments", "1")
    faults.mend()
    assert (faults.hits, is_clean(found)) == (2, True)


def test_a_sku_that_never_stands_still_is_told_and_not_judged(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    numbers = iter(range(100))
    faults = Faults()

    def receive_one(_: Any) -> None:
        receive("MUG", WEST, next(numbers) + 1)

    faults.before("BatchGetItem", receive_one, times=100)
    stage.put("orders", {"order_id": "broken", "version": "four"})
    for row in movements(stage):
        change("stock_movements", row, entries=[{"order_id": "broken", "quantity": 1, "kind": "COMMIT"}])
    found = run("--repair", "--yes")
    faults.mend()
    assert (found["exit"], found["busy"], found["repaired"]) == (1, ["MUG"], 0)


def test_a_repair_is_not_written_where_the_position_has_changed_meanwhile(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    faults = Faults()
    faults.meanwhile("TransactWriteItems", lambda: change("stock", position(stage), available=6))
    found = run("--repair", "--yes")
    faults.mend()
    assert (found["repaired"], drift(found)["safe"]) == (0, "LEDGER")
    assert position(stage)["available"] == 6
    assert is_clean(run("--repair", "--yes"))


@pytest.mark.parametrize("lost", ["stock", "stock_movements"])
def test_two_audits_at_once_repair_once(stage: Stage, run: Run, made: Worker, lost: str) -> None:
    released(made, 1, {"MUG": 2})
    if lost == "stock":
        change("stock", position(stage), available=9, committed=1)
    else:
        delete("stock_movements", sku="MUG", movement_id=movements(stage, kind="COMMIT")[0]["movement_id"])
    other: list[int] = []
    faults = Faults()
    faults.meanwhile("TransactWriteItems", lambda: other.append(audit_stock.main(["--repair", "--yes"])))
    found = run("--repair", "--yes")
    faults.mend()
    assert (other, is_clean(found), found["repaired"]) == ([0], True, 0)
    assert len(movements(stage, kind="CORRECTION")) == 1


def test_a_repair_whose_answer_was_lost_is_not_made_twice(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    faults = Faults()
    faults.time_out_after(times=1)
    found = run("--repair", "--yes")
    faults.mend()
    assert is_clean(found)
    assert len(movements(stage, kind="CORRECTION")) == 1


def test_orders_that_go_on_during_a_repair_lose_nothing(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    delete("stock_movements", sku="MUG", movement_id=movements(stage, kind="COMMIT")[0]["movement_id"])
    faults = Faults()
    faults.meanwhile("TransactWriteItems", lambda: made.report(report("shipped", order), hours=2))
    run("--repair", "--yes")
    faults.mend()
    assert is_clean(run("--repair", "--yes"))
    assert (position(stage)["on_hand"], position(stage)["committed"]) == (8, 0)


def test_nothing_is_repaired_that_nobody_asked_for(stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    change("stock", position(stage), available=7)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "no")
    assert run("--repair")["repaired"] == 0
    assert run("--repair", "--yes", "--dry-run")["repaired"] == 0
    assert (position(stage)["available"], len(asked)) == (7, 1)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert is_clean(run("--repair"))


def test_one_sku_alone_is_looked_at_for_certain(stage: Stage, run: Run, made: Worker) -> None:
    busy_day(stage)
    found = run("--sku", "MUG")
    assert (is_clean(found), found["looked_at_again"]) == (True, 1)
    change("stock", position(stage, "BOWL"), available=1)
    assert is_clean(run("--sku", "MUG"))
    assert drift(run("--sku", "BOWL"))["sku"] == "BOWL"


def test_positions_over_many_pages_are_all_looked_at_in_every_segment(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        receive(f"SKU-{number:03}", EAST, number + 1)
    change("stock", position(stage, "SKU-123", EAST), available=0)
    scan = client().scan
    monkeypatch.setattr(client(), "scan", lambda **request: scan(**request, Limit=40))
    found = run("--segments", "3")
    assert (found["positions"], found["movements"]) == (304, 304)
    assert drift(found)["sku"] == "SKU-123"


def test_what_programs_are_told_has_a_fixed_shape(stage: Stage, run: Run) -> None:
    assert run() == {
        "exit": 0,
        "stage": "test",
        "movements": 4,
        "orders": 0,
        "reservations": 0,
        "backorders": 0,
        "positions": 4,
        "looked_at_again": 0,
        "repaired": 0,
        "drifts": [],
        "busy": [],
    }
    change("stock", position(stage), available=7)
    assert set(drift(run())) == {
        "kind", "sku", "location_id", "says", "advice", "position", "ledger", "held", "repairs", "safe",
    }  # fmt: skip


def test_a_stage_that_cannot_be_reached_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "who are you"}}, "Scan")

    monkeypatch.setattr(stages.Stage, "client", refuse)
    assert audit_stock.main([]) == 2
    assert "The stage test can't be worked on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--segments", "0"),
        ("--trust", "ledger"),
        ("--trust", "ledger", "--repair"),
        ("--trust", "nobody", "--repair", "--sku", "MUG"),
    ],
)
def test_what_there_is_not_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        audit_stock.main(list(arguments))
    assert ended.value.code == 2
