"""Lines of stock documents: what they may hold, and what they leave on its way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.changes import Expectation
from oms.domain.stock import Disposition, Incoming
from oms.domain.stock_documents import (
    change_of,
)
from oms.domain.stock_lines import (
    MAX_DELIVERY_LINES,
    MAX_INCOMING,
    AdjustmentReason,
    DocumentLine,
    NotBooked,
    expected_after,
    expects_too_many,
    faults,
    not_enough,
    too_many_deliveries,
    unknown,
)
from tests.unit.stock_lines import LATER, NOON, PO_1, PO_2, SOON, arrived, document, expect, incoming, line, position


@pytest.mark.parametrize(
    ("before", "told", "after"),
    [
        ((), expect("PO-1", 10, SOON), (PO_1,)),
        ((PO_2,), expect("PO-1", 10, SOON), (PO_1, PO_2)),
        ((PO_1,), expect("PO-1", 7), (incoming("PO-1", 7, LATER),)),
        ((PO_1, PO_2), expect("PO-1", 0, None), (PO_2,)),
        ((PO_2,), expect("PO-1", 0), (PO_2,)),
        ((PO_1, PO_2), arrived("PO-1", 4), (incoming("PO-1", 6), PO_2)),
        ((PO_1, PO_2), arrived("PO-1", 10), (PO_2,)),
        ((PO_1, PO_2), arrived("PO-1", 12), (PO_2,)),
        ((PO_1,), arrived("PO-9", 3), (PO_1,)),
    ],
    ids=[
        "announced", "announced beside another", "announced anew", "called off", "called off twice",
        "part arrived", "all arrived", "more arrived than was announced", "arrived unannounced",
    ],
)  # fmt: skip
def test_what_is_still_on_its_way(
    before: tuple[Incoming, ...], told: DocumentLine, after: tuple[Incoming, ...]
) -> None:
    assert expected_after(before, told) == after
    change = change_of(document(), told, position(incoming=before), NOON)
    changed = Expectation(sku="MUG", location_id="WH-EAST", before=before, after=after)
    assert change.expectation == (changed if after != before else None)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ABC"), st.integers(1, 20)), max_size=12))
def test_announcements_and_arrivals_in_any_order_never_expect_less_than_nothing(
    told: list[tuple[bool, str, int]],
) -> None:
    after: tuple[Incoming, ...] = ()
    for is_announced, reference, units in told:
        after = expected_after(after, expect(reference, units) if is_announced else arrived(reference, units))
    assert all(one.quantity > 0 for one in after)
    assert len({one.reference for one in after}) == len(after)


def test_a_delivery_too_many_is_refused_and_one_announced_anew_is_not() -> None:
    full = position(incoming=tuple(incoming(f"PO-{number}", 1) for number in range(MAX_INCOMING)))
    refused = expects_too_many(full, expect("PO-NEW", 1))
    assert refused == NotBooked(line=1, reason="TOO_MANY_EXPECTED", found=MAX_INCOMING)
    assert expects_too_many(full, expect("PO-7", 5)) is None


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        (line("RECEIVE"), {}),
        (line("RECEIVE", reference="PO-1"), {}),
        (line("RECEIVE", 0), {"quantity": "not_allowed"}),
        (line("RECEIVE", -1), {"quantity": "not_allowed"}),
        (line("RECEIVE", expected_at=SOON), {"expected_at": "not_allowed"}),
        (line("ADJUST", -3, reason_code=AdjustmentReason.LOST), {}),
        (line("ADJUST", 0, reason_code=AdjustmentReason.LOST), {"quantity": "not_allowed"}),
        (line("ADJUST", 3), {"reason_code": "missing"}),
        (line("SCRAP", reference="PO-1"), {"reference": "not_allowed"}),
        (line("RETURN"), {"disposition": "missing"}),
        (line("RETURN", disposition=Disposition.DAMAGED), {}),
        (line("QUALITY_PASS", disposition=Disposition.DAMAGED), {"disposition": "not_allowed"}),
        (line("TRANSFER"), {"to_location_id": "missing"}),
        (line("TRANSFER", to_location_id="WH-EAST"), {"to_location_id": "not_allowed"}),
        (line("TRANSFER", to_location_id="WH-WEST"), {}),
        (line("MARK_DAMAGED", to_location_id="WH-WEST"), {"to_location_id": "not_allowed"}),
        (line("EXPECT"), {"reference": "missing", "expected_at": "missing"}),
        (line("EXPECT", 0, reference="PO-1"), {}),
        (line("EXPECT", -1, reference="PO-1", expected_at=SOON), {"quantity": "not_allowed"}),
    ],
)
def test_a_line_has_what_its_type_needs_and_nothing_else(told: DocumentLine, wrong: dict[str, str]) -> None:
    found = list(faults(told, "lines", 0))
    assert {fault["loc"][-1]: fault["type"] for fault in found} == wrong
    assert all(fault["loc"][:2] == ("lines", 0) for fault in found)


def test_deliveries_to_one_position_are_bounded_per_document() -> None:
    lines = [line("EXPECT", 1, number, reference=f"PO-{number}") for number in range(1, MAX_DELIVERY_LINES + 2)]
    assert too_many_deliveries(lines) == lines[-1]
    assert too_many_deliveries(lines[:-1]) is None
    assert too_many_deliveries([replace(one, sku=f"SKU-{one.line}") for one in lines]) is None


def test_unknown_skus_and_locations_are_named_one_by_one() -> None:
    told = [line(number=1), line(number=2, sku="CUP"), line("TRANSFER", number=3, to_location_id="WH-MOON")]
    found = list(unknown(told, {"MUG"}, {"WH-EAST"}))
    named = [(fault["field"], fault["reason"]) for fault in found]
    assert named == [("lines.1.sku", "UNKNOWN_SKU"), ("lines.2.to_location_id", "UNKNOWN_LOCATION")]


@pytest.mark.parametrize(
    ("told", "stands", "found"),
    [
        (line("TRANSFER", to_location_id="WH-WEST"), {"on_hand": 2, "available": 2}, ("available", 2)),
        (line("SCRAP"), {"on_hand": 1, "damaged": 1}, ("damaged", 1)),
        (line("QUALITY_PASS"), {"on_hand": 9, "available": 9}, ("quality_control", 0)),
    ],
)
def test_a_refused_line_says_what_there_is(told: DocumentLine, stands: dict[str, int], found: tuple[str, int]) -> None:
    why = not_enough(told, [position(**stands)])
    assert (why.reason, why.bucket, why.found) == ("NOT_ENOUGH", *found)
    assert not_enough(told, []).found == 0
