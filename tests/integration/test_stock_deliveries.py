"""Announced deliveries: what is on its way to a position, and what becomes of it when units arrive."""

from __future__ import annotations

import pytest

from oms.domain.errors import Retryable
from oms.domain.stock import Incoming, StockPosition
from tests.integration.company import at, balance
from tests.integration.desk import LOST, Desk, expect, line, on_its_way, outcomes, units
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk()


def test_a_delivery_is_announced_arrives_in_parts_and_is_gone_from_the_list(stage: Stage, desk: Desk) -> None:
    desk.adjust(expect("PO-1", 10, 1), expect("PO-2", 3, 2))
    assert on_its_way(stage) == {"PO-1": 10, "PO-2": 3}
    assert units(stage) == {"on_hand": 10, "available": 10}
    desk.adjust(line("RECEIVE", 4, reference="PO-1"), document_id="adjustment-2")
    assert (on_its_way(stage), units(stage)) == ({"PO-1": 6, "PO-2": 3}, {"on_hand": 14, "available": 14})
    desk.adjust(line("RECEIVE", 7, reference="PO-1"), document_id="adjustment-3")
    assert (on_its_way(stage), units(stage)) == ({"PO-2": 3}, {"on_hand": 21, "available": 21})
    desk.adjust(line("EXPECT", 0, reference="PO-2"), document_id="adjustment-4")
    assert on_its_way(stage) == {}
    balance(stage)


def test_many_lines_about_deliveries_to_one_position_are_all_booked(stage: Stage, desk: Desk) -> None:
    told = desk.adjust(
        *(expect(f"PO-{number}", number, number) for number in range(1, 9)),
        line("RECEIVE", 2, 9, reference="PO-2"),
        line("RECEIVE", 1, 10),
    )
    assert outcomes(told) == ["BOOKED"] * 10
    assert on_its_way(stage) == {f"PO-{number}": number for number in range(1, 9) if number != 2}
    assert units(stage) == {"on_hand": 13, "available": 13}


def test_an_announcement_told_again_after_its_delivery_arrived_is_not_announced_anew(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    faults.crash_after()
    with pytest.raises(CrashedError):
        desk.adjust(expect("PO-1", 10))
    faults.mend()
    Desk().adjust(line("RECEIVE", 10, reference="PO-1"), document_id="adjustment-2")
    assert outcomes(Desk().adjust(expect("PO-1", 10), hours=1)) == ["DUPLICATE"]
    assert on_its_way(stage) == {}


def test_a_receipt_told_again_lowers_what_is_on_its_way_once(stage: Stage, desk: Desk, faults: Faults) -> None:
    desk.adjust(expect("PO-1", 10))
    receipt = line("RECEIVE", 4, reference="PO-1")
    faults.crash_after()
    with pytest.raises(CrashedError):
        desk.adjust(receipt, document_id="adjustment-2")
    faults.mend()
    assert outcomes(Desk().adjust(receipt, hours=1, document_id="adjustment-2")) == ["DUPLICATE"]
    assert (on_its_way(stage), units(stage)) == ({"PO-1": 6}, {"on_hand": 14, "available": 14})


def test_a_delivery_announced_while_another_is_being_written_is_kept(stage: Stage, desk: Desk, faults: Faults) -> None:
    other = Desk()
    faults.meanwhile("TransactWriteItems", lambda: other.adjust(expect("PO-2", 3), document_id="adjustment-2"))
    assert outcomes(desk.adjust(expect("PO-1", 10))) == ["BOOKED"]
    assert on_its_way(stage) == {"PO-1": 10, "PO-2": 3}


def test_a_position_that_never_stands_still_is_tried_again_later(stage: Stage, desk: Desk, faults: Faults) -> None:
    number = iter(range(2, 1_000))

    def announce() -> None:
        stage.put(
            "stock",
            StockPosition(
                sku="MUG",
                location_id="WH-EAST",
                incoming=(Incoming(reference="PO", quantity=next(number), expected_at=at(9)),),
            ),
        )

    faults.before("TransactWriteItems", lambda _: announce(), times=1_000)
    with pytest.raises(Retryable):
        desk.adjust(expect("PO-1", 10))


def test_what_happened_before_the_shelf_was_counted_changes_nothing_on_hand(stage: Stage, desk: Desk) -> None:
    counted = StockPosition(
        sku="MUG",
        location_id="WH-EAST",
        on_hand=10,
        available=10,
        incoming=(Incoming(reference="PO-1", quantity=4, expected_at=at(9)),),
        snapshot_as_of=at(2),
    )
    stage.put("stock", counted)
    told = desk.adjust(line("RECEIVE", 4, 1, reference="PO-1"), line("ADJUST", -3, 2, reason_code=LOST), hours=1)
    assert outcomes(told) == ["BOOKED", "BOOKED"]
    assert (units(stage), on_its_way(stage)) == ({"on_hand": 10, "available": 10}, {})
    desk.adjust(line("RECEIVE", 4), hours=3, document_id="adjustment-2")
    assert units(stage) == {"on_hand": 14, "available": 14}


def test_a_count_between_reading_and_writing_keeps_an_older_delivery_out_of_on_hand(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    expected = (Incoming(reference="PO-1", quantity=4, expected_at=at(9)),)
    before = StockPosition(sku="MUG", location_id="WH-EAST", on_hand=10, available=10, incoming=expected)
    after = StockPosition(
        sku="MUG", location_id="WH-EAST", on_hand=14, available=14, incoming=expected, snapshot_as_of=at(2)
    )
    stage.put("stock", before)
    faults.meanwhile("TransactWriteItems", lambda: stage.put("stock", after))
    desk.adjust(line("RECEIVE", 4, reference="PO-1"), hours=1)
    assert (units(stage), on_its_way(stage)) == ({"on_hand": 14, "available": 14}, {})
