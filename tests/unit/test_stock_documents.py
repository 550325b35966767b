"""Stock documents: what each line does to a position, and what is told of it afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from oms.domain.stock import Bucket, Disposition, MoveKind, net
from oms.domain.stock_documents import (
    DocumentStatus,
    LineOutcome,
    LineResult,
    Source,
    answered,
    api_document_id,
    change_of,
    happened_at,
    outside,
    report_document_id,
    settled,
    to_book,
)
from oms.domain.stock_lines import (
    AdjustmentReason,
    DocumentLine,
    LineType,
    NotBooked,
)
from tests.unit.stock_lines import LATER, NOON, PO_1, SOON, arrived, document, expect, line, position

BUCKETS = {bucket.value: bucket for bucket in Bucket}


EFFECTS: list[tuple[DocumentLine, dict[str, int]]] = [
    (line("RECEIVE"), {"on_hand": 5, "available": 5}),
    (line("RETURN", disposition=Disposition.SELLABLE), {"on_hand": 5, "available": 5}),
    (line("RETURN", disposition=Disposition.QUALITY_CONTROL), {"on_hand": 5, "quality_control": 5}),
    (line("RETURN", disposition=Disposition.DAMAGED), {"on_hand": 5, "damaged": 5}),
    (line("ADJUST", 5), {"on_hand": 5, "available": 5}),
    (line("ADJUST", -5), {"on_hand": -5, "available": -5}),
    (line("MARK_DAMAGED"), {"available": -5, "damaged": 5}),
    (line("SCRAP"), {"on_hand": -5, "damaged": -5}),
    (line("QUALITY_HOLD"), {"available": -5, "quality_control": 5}),
    (line("QUALITY_PASS"), {"quality_control": -5, "available": 5}),
    (line("QUALITY_FAIL"), {"quality_control": -5, "damaged": 5}),
    (line("EXPECT", reference="PO-1", expected_at=SOON), {}),
]


@pytest.mark.parametrize(("told", "deltas"), EFFECTS, ids=[f"{one.type} {one.quantity}" for one, _ in EFFECTS])
def test_a_line_moves_its_units_between_these_buckets(told: DocumentLine, deltas: dict[str, int]) -> None:
    (move,) = change_of(document(), told, None, NOON).moves
    assert move.deltas == {BUCKETS[name]: units for name, units in deltas.items()}
    assert (move.sku, move.location_id, move.effective_at) == ("MUG", "WH-EAST", NOON)


def test_every_type_of_line_is_in_the_table_above_or_is_a_transfer() -> None:
    assert {told.type for told, _ in EFFECTS} | {LineType.TRANSFER} == set(LineType)


def test_a_transfer_takes_here_what_it_brings_there() -> None:
    moves = change_of(document(), line("TRANSFER", to_location_id="WH-WEST"), None, NOON).moves
    assert [(move.location_id, move.deltas[Bucket.ON_HAND]) for move in moves] == [("WH-EAST", -5), ("WH-WEST", 5)]
    assert net(moves) == {}


def test_a_change_is_named_by_its_document_and_line_and_says_when_it_happened_and_why() -> None:
    told = line("ADJUST", -1, number=7, reason_code=AdjustmentReason.THEFT)
    change = change_of(document(effective_at=NOON), told, None, LATER)
    assert (change.change_id, change.effective_at, change.at) == ("adjustment-1#7", NOON, LATER)
    assert (change.actor, change.reason_code, change.expectation) == ("api:shop", "THEFT", None)


def test_a_delivery_that_arrived_before_the_shelf_was_counted_is_in_the_count_already() -> None:
    counted = position(on_hand=20, available=20, incoming=(PO_1,), snapshot_as_of=NOON + timedelta(hours=1))
    change = change_of(document(effective_at=NOON), arrived("PO-1", 10), counted, LATER)
    assert net(change.moves) == {}
    assert change.expectation
    assert change.expectation.after == ()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, NOON),
        (NOON - timedelta(days=3), NOON - timedelta(days=3)),
        (NOON + timedelta(minutes=4), NOON),
        (NOON - timedelta(microseconds=1), NOON - timedelta(seconds=1)),
    ],
)
def test_nothing_happens_ahead_of_us(told: datetime | None, expected: datetime) -> None:
    assert happened_at(told, NOON) == expected


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        (None, False),
        (NOON + timedelta(minutes=5), False),
        (NOON + timedelta(minutes=5, seconds=1), True),
        (NOON - timedelta(days=366), False),
        (NOON - timedelta(days=366, seconds=1), True),
    ],
)
def test_a_client_may_tell_of_the_last_year_and_of_a_clock_slightly_ahead(told: datetime | None, refused: bool) -> None:
    assert bool(outside(told, NOON)) == refused


def test_documents_of_different_clients_messages_and_parts_never_meet() -> None:
    ids = {
        api_document_id("a", "bc"),
        api_document_id("ab", "c"),
        report_document_id("WH-1", "m1", 1),
        report_document_id("WH-1", "m1", 2),
        report_document_id("WH-2", "m1", 1),
    }
    assert len(ids) == 5


def results(*outcomes: LineOutcome, first: int = 1) -> list[LineResult]:
    return [
        LineResult(line=number, outcome=outcome, why=refusal(number) if outcome is LineOutcome.REFUSED else None)
        for number, outcome in enumerate(outcomes, start=first)
    ]


def refusal(number: int) -> NotBooked:
    return NotBooked(line=number, reason="NOT_ENOUGH")


BOOKED, DUPLICATE, REFUSED = LineOutcome.BOOKED, LineOutcome.DUPLICATE, LineOutcome.REFUSED


def test_a_document_is_booked_once_all_its_lines_had_their_turn() -> None:
    done = settled(document(), results(BOOKED, REFUSED, DUPLICATE), LATER)
    assert (done.version, done.status, done.booked, done.booked_at) == (2, DocumentStatus.BOOKED, 2, LATER)
    assert done.not_booked == (refusal(2),)
    assert settled(document(), results(BOOKED), LATER) == document()


def test_a_refused_line_that_is_booked_later_no_longer_counts_as_refused() -> None:
    done = settled(document(), results(BOOKED, REFUSED, REFUSED), LATER)
    again = settled(done, results(BOOKED, first=3), LATER)
    assert (again.booked, again.not_booked, again.version) == (2, (refusal(2),), 3)
    assert settled(again, results(REFUSED, first=1), LATER) is again


def test_a_repeat_is_told_what_the_document_says_whatever_the_stock_is_now() -> None:
    done = settled(document(), results(BOOKED, REFUSED, BOOKED), LATER)
    assert to_book(done, [line(number=1), line(number=2), line(number=3)]) == []
    assert [one.outcome for one in answered(done, ())] == [DUPLICATE, REFUSED, DUPLICATE]
    assert [one.outcome for one in answered(done, results(BOOKED))] == [BOOKED, REFUSED, DUPLICATE]


def test_what_a_location_told_and_nobody_could_book_is_tried_again_when_it_is_told_again() -> None:
    done = settled(document(source=Source.LOCATION), results(BOOKED, REFUSED, BOOKED), LATER)
    assert to_book(done, [line(number=1), line(number=2), line(number=3)]) == [line(number=2)]


def test_an_expectation_moves_nothing_and_stands_in_the_ledger() -> None:
    (move,) = change_of(document(), expect("PO-1", 40), position(), NOON).moves
    assert (move.kind, move.quantity, move.deltas) == (MoveKind.EXPECT, 40, {})
