"""Stock documents against the tables: each line booked once, whatever comes twice, late, or is cut off half way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oms.domain.errors import InvalidMessage, KeyReused, Retryable
from oms.domain.stock import Disposition
from oms.domain.stock_lines import DocumentLine
from oms.runtime import clients
from tests.integration.company import balance
from tests.integration.desk import LOST, Desk, kinds, line, outcomes, units
from tests.integration.faults import CrashedError, Faults, refusal
from tests.integration.stage import PREFIX, Stage

MIXED = (
    line("RECEIVE", 4, 1),
    line("ADJUST", -1, 2, reason_code=LOST),
    line("TRANSFER", 2, 3, to_location_id="WH-WEST"),
    line("RETURN", 1, 4, sku="BOWL", disposition=Disposition.DAMAGED),
    line("QUALITY_HOLD", 1, 5, sku="KETTLE", location_id="WH-WEST"),
)


def after_mixed(stage: Stage) -> None:
    """Every line of MIXED is booked, and booked once."""
    assert units(stage) == {"on_hand": 11, "available": 11}
    assert units(stage, "MUG", "WH-WEST") == {"on_hand": 7, "available": 7}
    assert units(stage, "BOWL") == {"on_hand": 4, "available": 3, "damaged": 1}
    assert units(stage, "KETTLE", "WH-WEST") == {"on_hand": 4, "available": 3, "quality_control": 1}
    assert kinds(stage) == dict.fromkeys(
        ("RECEIVE", "ADJUST", "TRANSFER_OUT", "TRANSFER_IN", "RETURN", "QUALITY_HOLD"), 1
    )
    balance(stage)


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk()


def test_a_document_moves_what_its_lines_say_and_the_ledger_explains_it(stage: Stage, desk: Desk) -> None:
    told = desk.adjust(*MIXED)
    assert outcomes(told) == ["BOOKED"] * 5
    after_mixed(stage)
    (lost,) = [row for row in stage.rows("stock_movements") if row["kinds"] == ["ADJUST"]]
    assert (lost["reason_code"], lost["actor"], lost["change_id"]) == ("LOST", "api:shop", "adjustment-1#2")
    (row,) = stage.rows("stock_documents")
    assert (row["part"], row["status"], row["lines"], row["booked"]) == ("HEADER", "BOOKED", 5, 5)
    assert "open_status" not in row


def test_a_document_told_again_later_books_nothing_and_is_told_the_same(stage: Stage, desk: Desk) -> None:
    desk.adjust(*MIXED)
    before = stage.rows("stock"), stage.rows("stock_movements"), stage.rows("stock_documents")
    again = Desk().adjust(*MIXED, hours=5)
    assert outcomes(again) == ["DUPLICATE"] * 5
    assert (stage.rows("stock"), stage.rows("stock_movements"), stage.rows("stock_documents")) == before


def test_the_same_key_with_other_content_is_refused_for_ever(stage: Stage, desk: Desk) -> None:
    desk.adjust(line("RECEIVE", 4))
    with pytest.raises(KeyReused):
        Desk().adjust(line("RECEIVE", 5), hours=24 * 300, content_hash="something else")
    assert units(stage) == {"on_hand": 14, "available": 14}


FAULTS: dict[str, Callable[[Faults], None]] = {
    "before the header is written": lambda faults: faults.crash_before("PutItem"),
    "after the header is written": lambda faults: faults.crash_after("PutItem"),
    "before the lines are written": lambda faults: faults.crash_before(),
    "after the lines are written": lambda faults: faults.crash_after(),
    "before the header is closed": lambda faults: faults.crash_before("PutItem", nth=2),
    "after the header is closed": lambda faults: faults.crash_after("PutItem", nth=2),
}


@pytest.mark.parametrize("crash", FAULTS)
def test_a_document_whose_worker_died_is_booked_once_when_it_comes_again(
    stage: Stage, desk: Desk, faults: Faults, crash: str
) -> None:
    FAULTS[crash](faults)
    with pytest.raises(CrashedError):
        desk.adjust(*MIXED)
    faults.mend()
    told = Desk().adjust(*MIXED, hours=1)
    assert {one.outcome.value for one in told.lines} <= {"BOOKED", "DUPLICATE"}
    after_mixed(stage)
    assert [row["status"] for row in stage.rows("stock_documents")] == ["BOOKED"]


@pytest.mark.parametrize("died", [1, 2])
def test_a_crash_between_two_lines_leaves_the_rest_to_the_repeat(
    stage: Stage, desk: Desk, faults: Faults, monkeypatch: pytest.MonkeyPatch, died: int
) -> None:
    monkeypatch.setattr("oms.usecases.stock_documents.MAX_PER_COMMIT", 2)
    faults.crash_before(nth=died + 1)
    with pytest.raises(CrashedError):
        desk.adjust(*MIXED)
    faults.mend()
    assert sum(kinds(stage).values()) > 0
    again = Desk().adjust(*MIXED, hours=1)
    assert outcomes(again)[: 2 * died] == ["DUPLICATE"] * 2 * died
    assert outcomes(again)[2 * died :] == ["BOOKED"] * (5 - 2 * died)
    after_mixed(stage)


def test_a_line_written_by_a_try_that_nobody_heard_of_is_not_written_again(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    faults.time_out_after()
    assert outcomes(desk.adjust(*MIXED)) == ["BOOKED"] * 5
    after_mixed(stage)


def test_a_throttled_line_comes_again_and_holds_up_no_other(stage: Stage, desk: Desk, faults: Faults) -> None:
    def busy(request: Any) -> Any:
        return refusal(request, "ThrottlingException") if b"KETTLE" in request.body else None

    faults.before("TransactWriteItems", busy, times=1_000)
    one_by_one(desk)
    with pytest.raises(Retryable):
        desk.adjust(*MIXED)
    faults.mend()
    assert sum(kinds(stage).values()) == 5
    assert outcomes(Desk().adjust(*MIXED, hours=1)) == ["DUPLICATE"] * 4 + ["BOOKED"]
    after_mixed(stage)


def one_by_one(desk: Desk) -> None:
    """Commits each change in a transaction of its own."""
    together = desk.commit.commit
    desk.commit.commit = lambda changes: [together([one])[0] for one in changes]  # type: ignore[assignment,method-assign,misc]


def test_a_line_that_finds_too_little_is_refused_and_says_what_there_is(stage: Stage, desk: Desk) -> None:
    told = desk.adjust(
        line("TRANSFER", 11, 1, to_location_id="WH-WEST"),
        line("SCRAP", 1, 2),
        line("QUALITY_PASS", 1, 3),
        line("TRANSFER", 1, 4, sku="KETTLE", to_location_id="WH-WEST"),
        line("RECEIVE", 1, 5, sku="BOWL"),
    )
    assert outcomes(told) == ["REFUSED"] * 4 + ["BOOKED"]
    found = [(one.why.reason, one.why.bucket, one.why.found) for one in told.lines if one.why]
    assert found == [
        ("NOT_ENOUGH", "available", 10),
        ("NOT_ENOUGH", "damaged", 0),
        ("NOT_ENOUGH", "quality_control", 0),
        ("NOT_ENOUGH", "available", 0),
    ]
    balance(stage)


def test_a_line_may_take_what_another_line_of_the_document_brings(stage: Stage, desk: Desk) -> None:
    told = desk.adjust(line("TRANSFER", 12, 1, to_location_id="WH-WEST"), line("RECEIVE", 2, 2))
    assert outcomes(told) == ["BOOKED", "BOOKED"]
    assert units(stage) == {}
    balance(stage)


def test_of_two_lines_that_want_the_last_units_the_first_has_them(stage: Stage, desk: Desk) -> None:
    told = desk.adjust(*(line("TRANSFER", 6, number, to_location_id="WH-WEST") for number in (1, 2)))
    assert outcomes(told) == ["BOOKED", "REFUSED"]
    assert told.lines[1].why
    assert told.lines[1].why.found == 4


def test_a_refused_line_stays_refused_for_a_repeat_though_there_is_enough_now(stage: Stage, desk: Desk) -> None:
    want = line("TRANSFER", 11, to_location_id="WH-WEST")
    desk.adjust(want)
    desk.adjust(line("RECEIVE", 20), document_id="adjustment-2")
    assert outcomes(desk.adjust(want)) == ["REFUSED"]
    assert units(stage, "MUG", "WH-WEST") == {"on_hand": 5, "available": 5}


def test_unknown_skus_and_locations_are_named_and_nothing_is_booked(stage: Stage, desk: Desk) -> None:
    with pytest.raises(InvalidMessage) as refused:
        desk.adjust(
            line("RECEIVE", 1, 1),
            line("RECEIVE", 1, 2, sku="CUP"),
            line("TRANSFER", 1, 3, to_location_id="WH-MOON"),
        )
    assert (refused.value.field, refused.value.reason) == ("lines.1.sku", "UNKNOWN_SKU")
    assert len(refused.value.details["faults"]) == 2  # type: ignore[arg-type]
    assert stage.rows("stock_movements") == stage.rows("stock_documents") == []


def test_a_product_taken_off_the_list_does_not_keep_a_repeat_from_being_told(stage: Stage, desk: Desk) -> None:
    desk.adjust(line("RECEIVE", 1))
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}products", Key={"sku": {"S": "MUG"}})
    assert outcomes(Desk().adjust(line("RECEIVE", 1))) == ["DUPLICATE"]


SURE = st.sampled_from(("RECEIVE", "ADJUST", "RETURN", "MARK_DAMAGED", "QUALITY_HOLD"))


CUTS = st.lists(st.tuples(st.sampled_from(("crash_before", "crash_after", "time_out_after")), st.integers(1, 4)))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.tuples(SURE, st.sampled_from(("MUG", "BOWL")), st.integers(1, 9)), min_size=1, max_size=6),
    cuts=CUTS,
)
def test_however_often_a_document_is_cut_off_each_line_is_booked_exactly_once(
    stage: Stage, faults: Faults, told: list[tuple[str, str, int]], cuts: list[tuple[str, int]]
) -> None:
    lines = tuple(
        line(kind, quantity, number, sku, reason_code=LOST, disposition=Disposition.SELLABLE)
        for number, (kind, sku, quantity) in enumerate(told, start=1)
    )
    name = f"adjustment-{uuid4()}"
    before = ledger(stage)
    for hours, (cut, nth) in enumerate(cuts):
        operation = "PutItem" if nth > 2 else "TransactWriteItems"
        if cut == "time_out_after":
            faults.time_out_after(operation)
        else:
            getattr(faults, cut)(operation, nth=(nth + 1) // 2)
        with suppress(CrashedError, Retryable):
            Desk().adjust(*lines, hours=hours, document_id=name)
        faults.mend()
    assert "REFUSED" not in outcomes(Desk().adjust(*lines, hours=99, document_id=name))
    changes = Counter({key: units - before[key] for key, units in ledger(stage).items() if units != before[key]})
    assert changes == expected_changes(lines)
    balance(stage)


def ledger(stage: Stage) -> Counter[tuple[str, str]]:
    """The sum of all movements by sku and bucket."""
    total: Counter[tuple[str, str]] = Counter()
    for row in stage.rows("stock_movements"):
        for bucket, delta in row["changes"].items():
            total[row["sku"], bucket] += delta
    return total


def expected_changes(lines: Sequence[DocumentLine]) -> Counter[tuple[str, str]]:
    """What lines change that are booked once each."""
    total: Counter[tuple[str, str]] = Counter()
    for one in lines:
        into = {"MARK_DAMAGED": "damaged", "QUALITY_HOLD": "quality_control"}.get(one.type)
        total[one.sku, "available"] += -one.quantity if into else one.quantity
        total[one.sku, into or "on_hand"] += one.quantity
    return Counter({key: units for key, units in total.items() if units})
