"""What a channel calls our goods: mapped by its listings, kept in quarantine until it is, and replayed then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oms.domain.errors import InvalidOrder, UnmappedSku
from oms.domain.order import OrderStatus, Totals
from oms.runtime import clients
from oms.stores.listings import ListingsStore
from oms.stores.reference_data import ProductsStore
from oms.usecases.unmapped import Unmapped
from tests.integration.company import (
    NOON,
    QueueDouble,
    Worker,
    at,
    balance,
    everything,
    held_by_orders,
    incoming,
    line,
    listed,
    order_id,
    released,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage

ACCOUNT = "shopify#main"


def unmapped(queue: QueueDouble, made: Worker) -> Unmapped:
    client: Any = clients.client("dynamodb")
    sending: Any = queue
    return Unmapped(made.quarantine, ListingsStore(client, PREFIX), ProductsStore(client, PREFIX), sending)


def quarantined(made: Worker, number: int, *skus: str) -> None:
    cause = {"reason": "UNMAPPED_SKU", "field": "lines.0.sku", "skus": list(skus)}
    made.quarantine.put(ACCOUNT, f"message-{number}", at(number), cause, {"number": number}, NOON)


def test_a_line_is_for_the_sku_its_listing_names_and_for_our_own_where_there_is_none(stage: Stage) -> None:
    listed(stage, "BIG MUG", "MUG")
    order = worker().take(incoming(lines={"BIG MUG": 2, "BOWL": 1})).order
    assert [(one.sku, one.unit_grams) for one in order.lines] == [("MUG", 350), ("BOWL", 480)]


@pytest.mark.parametrize(
    ("skus", "reason", "field"),
    [
        (("MUG", "BIG MUG"), "UNMAPPED_SKU", "lines.1.sku"),
        (("LOST",), "UNMAPPED_SKU", "lines.0.sku"),
        (("",), "NO_SKU", "lines.0.sku"),
    ],
    ids=["no listing and no product", "a listing of a product that is gone", "no name at all"],
)
def test_an_order_of_goods_nobody_knows_is_refused_and_leaves_nothing(
    stage: Stage, skus: tuple[str, ...], reason: str, field: str
) -> None:
    listed(stage, "LOST", "NOT-SOLD-ANY-MORE")
    before = everything(stage)
    with pytest.raises(InvalidOrder) as refused:
        worker().take(incoming(lines=dict.fromkeys(skus, 1)))
    assert (refused.value.reason, refused.value.field) == (reason, field)
    assert everything(stage) == before


def test_goods_that_do_not_ship_or_were_cancelled_need_no_mapping(stage: Stage) -> None:
    card = replace(line("L2", "GIFT CARD", 1), requires_shipping=False)
    gone = line("L3", "OLD", 1, left=0)
    order = worker().take(replace(incoming(), lines=(line("L1", "MUG", 1), card, gone))).order
    assert [(one.sku, one.shipped, one.cancelled) for one in order.lines] == [
        ("MUG", 0, 0),
        ("GIFT CARD", 1, 0),
        ("OLD", 0, 1),
    ]


def test_an_order_whose_goods_have_all_left_needs_no_mapping(stage: Stage) -> None:
    old = replace(line("L1", "NOT-SOLD-ANY-MORE", 2), fulfilled_quantity=2)
    order = worker().take(replace(incoming(), lines=(old,), totals=Totals(total_minor=2000))).order
    assert (order.status, order.review) == (OrderStatus.DELIVERED, None)
    assert (stage.rows("stock_movements"), stage.rows("quarantine")) == ([], [])


def test_what_is_mapped_now_works_now(stage: Stage) -> None:
    made = worker()
    with pytest.raises(UnmappedSku):
        made.take(incoming(lines={"BIG MUG": 2}))
    listed(stage, "BIG MUG", "MUG")
    assert made.take(incoming(lines={"BIG MUG": 2}), hours=1).order.lines[0].sku == "MUG"


def edited(*skus: str) -> Any:
    lines = tuple(line(f"L{place}", sku, 1) for place, sku in enumerate(("MUG", *skus), start=1))
    made = incoming(lines={"MUG": 1}, channel_updated_at=at(1))
    return replace(made, lines=lines, totals=replace(made.totals, total_minor=1000 * len(lines)))


def test_an_unmapped_line_added_before_release_keeps_the_order_from_leaving_until_it_is_mapped(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"MUG": 1}))
    made.allocate(order_id())
    for hours in (1, 2):
        with pytest.raises(UnmappedSku):
            made.take(edited("BIG BOWL"), hours=hours)
    order = stage.order(order_id())
    assert (order.reason_code, order.channel_updated_at) == ("UNMAPPED_SKU", NOON)
    assert made.lifecycle.evaluate(order_id(), at(3)) == order
    listed(stage, "BIG BOWL", "BOWL")
    made.take(edited("BIG BOWL"), hours=4)
    assert stage.order(order_id()).review is None
    made.allocate(order_id(), hours=4)
    order = made.lifecycle.evaluate(order_id(), at(5)) or order
    assert order.status is OrderStatus.RELEASED
    assert {sku for (sku, _), units in held_by_orders(stage).items() if units} == {"MUG", "BOWL"}
    assert story(stage, order_id()).count("ReviewRequested") == 1
    balance(stage)


def test_an_unmapped_line_added_after_release_is_put_to_a_person_like_any_other(stage: Stage) -> None:
    made = worker()
    released(made, lines={"MUG": 1})
    made.take(edited("BIG BOWL"), hours=1)
    order = stage.order(order_id())
    assert (order.reason_code, order.channel_updated_at) == ("CHANGE_AFTER_RELEASE", at(1))


NAMED = {"MUG": 1, "BIG BOWL": 1}


@pytest.mark.parametrize(
    ("newer", "hours", "ends"),
    [
        ({"lines": NAMED, "cancelled_at": at(1)}, 1, {}),
        ({"lines": NAMED, "cancelled_at": NOON}, 0, {}),
        ({"lines": {"MUG": 1}}, 1, {"MUG": 1}),
        ({"lines": {"MUG": 3, "BIG BOWL": 2}}, 1, {"MUG": 3, "BOWL": 2}),
    ],
    ids=["cancelled", "cancelled in the same second", "without it", "edited"],
)
@pytest.mark.parametrize("later_first", [False, True])
def test_an_order_whose_messages_waited_for_a_mapping_ends_as_the_newest_says(
    stage: Stage, newer: dict[str, Any], hours: float, ends: dict[str, int], later_first: bool
) -> None:
    made, waiting = worker(), []
    for message in (incoming(lines=NAMED), incoming(channel_updated_at=at(hours), **newer)):
        try:
            made.take(message, hours=2)
        except UnmappedSku:
            waiting.append(message)
    listed(stage, "BIG BOWL", "BOWL")
    for message in reversed(waiting) if later_first else waiting:
        made.take(message, hours=3)
    order = stage.order(order_id())
    assert {one.sku: one.unallocated for one in order.lines if one.unallocated} == ends
    assert (order.status is OrderStatus.CANCELLED) == (not ends)


def test_messages_go_back_to_intake_once_everything_in_them_is_known(stage: Stage) -> None:
    made, queue = worker(), QueueDouble()
    quarantined(made, 1, "BIG MUG")
    quarantined(made, 2, "BIG MUG", "BIG BOWL")
    quarantined(made, 3, "KETTLE")
    listed(stage, "BIG MUG", "MUG")
    assert unmapped(queue, made).replay(ACCOUNT, at(5), go_on=lambda: True) == 2
    assert queue.sent == [('{"number":1}', ACCOUNT), ('{"number":3}', ACCOUNT)]
    assert [row["message"]["number"] for row in stage.rows("quarantine")] == [2]


def test_a_replay_that_dies_after_its_message_was_queued_loses_nothing(stage: Stage, faults: Faults) -> None:
    made, queue = worker(), QueueDouble()
    quarantined(made, 1, "MUG")
    faults.crash_before("DeleteItem")
    with pytest.raises(CrashedError):
        unmapped(queue, made).replay(ACCOUNT, at(5), go_on=lambda: True)
    unmapped(queue, made).replay(ACCOUNT, at(6), go_on=lambda: True)
    assert len(queue.sent) == 2
    assert stage.rows("quarantine") == []


def test_an_account_with_much_in_quarantine_does_not_keep_the_others_from_their_turn(stage: Stage) -> None:
    made, queue = worker(), QueueDouble()
    quarantined(made, 1, "MUG")
    for number in range(6):
        time_for_one = iter((True, True, False))
        replay = unmapped(queue, made)
        replay.replay_all(
            ["amazon#1", "amazon#2", ACCOUNT], at(number), go_on=lambda left=time_for_one: next(left, False)
        )
    assert [group for _, group in queue.sent] == [ACCOUNT]


def test_a_replay_stops_when_its_time_is_up(stage: Stage) -> None:
    made, queue = worker(), QueueDouble()
    quarantined(made, 1, "MUG")
    assert unmapped(queue, made).replay(ACCOUNT, at(5), go_on=lambda: False) == 0
    assert len(stage.rows("quarantine")) == 1
