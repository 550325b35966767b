"""Orders and queues that say other than the stock, and rows that nobody can read, are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integration.company import Worker, incoming, released, report
from tests.integration.stage import PREFIX, Stage
from tests.integration.tools.audit_stock.ledger import (
    Row,
    Run,
    change,
    client,
    delete,
    drift,
    is_clean,
    movements,
    position,
)
from tools import audit_stock


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
    old = [one for one in order.events if one.version < order.version]
    kept = order.events[len(old) :]
    stage.put("orders", replace(order, events=kept))
    assert drift(run())["kind"] == "UNKNOWN_VERSION"
    history = [{"version": one.version, "sequence": one.sequence} for one in old]
    stage.put("order_history", {"order_id": order.order_id, "version": order.version, "events": history})
    assert is_clean(run())


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
