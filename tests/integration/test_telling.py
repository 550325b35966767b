"""Channels hear of parcels, cancellations and figures: each once, the newest, and none waits for another's channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from oms.channels import registry
from oms.domain.catalog import Notice
from oms.domain.events import Event, EventType
from oms.domain.listings import Listing
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.documents import to_document
from oms.stores.reference_data import SettingsStore
from oms.usecases import telling
from oms.usecases.confirmations import Owing
from tests.integration.bazaar import (
    AT_ONCE,
    MAIN,
    OTHER,
    Bazaar,
    Worker,
    bazaar,
    deliveries,
    event,
    open_account,
    parcel,
    pending,
    shipped_order,
    statuses,
)
from tests.integration.company import at
from tests.integration.faults import CrashedError, Faults
from tests.integration.listed import Desk
from tests.integration.stage import PREFIX, LambdaContext, Stage
from tests.scripted_server import Reply

FIRST, SECOND = (f"bazaar-main-7#{number}#shipment" for number in (1, 2))
CHANNEL = f"channel#{MAIN}"


@pytest.fixture
def shop(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bazaar]:
    with bazaar(monkeypatch) as made:
        open_account(stage, made.url)
        yield made


def owing() -> Owing:
    return Owing(deliveries(), SettingsStore(clients.client("dynamodb"), PREFIX), registry.can)


def told_by_the_bus(order: Any, sequence: int) -> dict[str, Any]:
    """An event of the order as the bus tells it."""
    found = next(one for one in order.events if one.sequence == sequence)
    return {
        **to_document(found),
        "order_id": order.order_id,
        "channel": order.channel,
        "account": order.account,
    }


def two_parcels(stage: Stage, **changes: Any) -> Any:
    order = shipped_order({"L1": 2, "L2": 1}, parcel(1, L1=2), parcel(2, L2=1), **changes)
    stage.put("orders", order)
    return order


def owe(stage: Stage, order: Any, *sequences: int) -> list[tuple[str, str]]:
    for sequence in sequences:
        owing().owe(told_by_the_bus(order, sequence), at(1))
    return pending(stage)


# Owing.


def test_an_event_is_owed_once_however_often_and_in_whatever_order_it_comes(stage: Stage, shop: Bazaar) -> None:
    order = two_parcels(stage)
    assert [owing().owe(told_by_the_bus(order, number), at(1)) for number in (2, 1, 2, 1)] == [True, True, False, False]
    assert pending(stage) == [(CHANNEL, FIRST), (CHANNEL, SECOND)]


def test_a_row_names_its_order_and_kind_and_is_deleted_long_after(stage: Stage, shop: Bazaar) -> None:
    owe(stage, two_parcels(stage), 1)
    (row,) = stage.rows("deliveries")
    assert (row["order_id"], row["kind"], row["status"]) == ("bazaar-main-7", "shipment", "PENDING")
    assert row["expires_at"] > at(24 * 80).timestamp()


@pytest.mark.parametrize(
    ("settings", "left_out"),
    [
        pytest.param({"tells": (Notice.AVAILABILITY,)}, (), id="an account that wants no news of parcels"),
        pytest.param({}, ("confirm_shipment",), id="a channel that can't be told of parcels"),
    ],
)
def test_who_does_not_want_it_or_cannot_be_told_is_owed_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    with bazaar(monkeypatch, *left_out) as made:
        open_account(stage, made.url, **settings)
        assert owe(stage, two_parcels(stage), 1) == []


def test_orders_placed_with_us_owe_nobody_anything(stage: Stage) -> None:
    assert owe(stage, two_parcels(stage, channel="web"), 1, 2) == []


# Acknowledging.


ACKNOWLEDGED = "bazaar-main-7#1#acknowledgement"


def received(stage: Stage, *later: Event, **changes: Any) -> Any:
    """An order that came in from the bazaar, and what happened to it since."""
    order = shipped_order({"L1": 2}, **{"events": (event(1, EventType.ORDER_RECEIVED, "bazaar"), *later), **changes})
    stage.put("orders", order)
    return order


def test_an_order_that_came_in_is_acknowledged_once_however_often_its_event_comes(stage: Stage, shop: Bazaar) -> None:
    order = received(stage)
    rows = owe(stage, order, 1, 1)
    assert rows == [(CHANNEL, ACKNOWLEDGED)]
    assert Worker(stage).work(*rows, *rows) == []
    assert [(one.path, one.json) for one in shop.calls] == [("/acknowledgements/7", {"id": ACKNOWLEDGED})]
    assert (owe(stage, order, 1), statuses(stage)) == ([], {ACKNOWLEDGED: "SENT"})


@pytest.mark.parametrize(
    ("settings", "left_out"),
    [
        pytest.param({"tells": (Notice.SHIPMENTS,)}, (), id="an account that wants no orders acknowledged"),
        pytest.param({}, ("acknowledge",), id="a channel that needs none"),
    ],
)
def test_who_wants_no_orders_acknowledged_is_owed_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    with bazaar(monkeypatch, *left_out) as made:
        open_account(stage, made.url, **settings)
        assert owe(stage, received(stage), 1) == []


def test_an_order_is_acknowledged_before_its_parcel_and_its_cancellation_are_told(stage: Stage, shop: Bazaar) -> None:
    left = event(2, EventType.SHIPMENT_SHIPPED, shipment_id="P1")
    gone = event(3, EventType.LINES_CANCELLED, "api", reason="X", lines={"L1": 1})
    came = event(1, EventType.ORDER_RECEIVED, "bazaar")
    order = shipped_order({"L1": 2}, parcel(1, L1=1), cancelled={"L1": 1}, events=(came, left, gone))
    stage.put("orders", order)
    assert Worker(stage).work(*reversed(owe(stage, order, 3, 2, 1))) == []
    assert [one.path.split("/")[1] for one in shop.calls] == ["acknowledgements", "shipments", "cancellations"]


def test_an_order_cancelled_before_it_was_acknowledged_is_only_cancelled(stage: Stage, shop: Bazaar) -> None:
    gone = event(2, EventType.ORDER_CANCELLED, "api", reason="X")
    order = received(stage, gone, lines=shipped_order({"L1": 2}, cancelled={"L1": 2}).lines, status="CANCELLED")
    assert Worker(stage).work(*owe(stage, order, 1, 2)) == []
    assert [one.path for one in shop.calls] == ["/cancellations/7"]
    assert statuses(stage)[ACKNOWLEDGED] == "OBSOLETE"


def test_an_acknowledgement_in_vain_comes_again_and_one_refused_waits_for_a_person(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, received(stage), 1)
    shop.troubles = [Reply(503), Reply(409, {"code": "NotYours"})]
    worker = Worker(stage)
    assert worker.work(*rows) == [0]
    assert worker.later(20).work(*rows, receives=2) == []
    (row,) = stage.rows("deliveries")
    assert (row["status"], row["last_error"]) == ("REFUSED", "ChannelRefused 409 NotYours")


# Telling of parcels and cancellations.


def test_each_parcel_is_told_with_its_tracking_number_oldest_first(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1, 2)
    assert Worker(stage).work(*reversed(rows)) == []
    assert [(one["tracking_number"], one["lines"], one["completes"]) for one in shop.notices] == [
        ("1Z1", {"L1": 2}, False),
        ("1Z2", {"L2": 1}, True),
    ]
    assert statuses(stage) == {FIRST: "SENT", SECOND: "SENT"}


def test_what_was_told_is_not_told_again_by_a_doubled_message(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    worker = Worker(stage)
    assert worker.work(*rows, *rows) == []
    assert worker.work(*rows) == []
    assert Worker(stage).work(*rows) == []
    assert len(shop.notices) == 1
    owe(stage, two_parcels(stage), 1)
    assert pending(stage) == []


def test_what_is_told_is_what_the_order_is_now(stage: Stage, shop: Bazaar) -> None:
    order = two_parcels(stage)
    rows = owe(stage, order, 1, 2)
    (work,) = order.fulfillments
    corrected = replace(work.shipments[0], tracking_number="1Z-CORRECTED")
    stage.put("orders", replace(order, fulfillments=(replace(work, shipments=(corrected, work.shipments[1])),)))
    Worker(stage).work(*rows)
    assert [one["tracking_number"] for one in shop.notices] == ["1Z-CORRECTED", "1Z2"]


def test_events_that_moved_to_the_history_are_told_of_all_the_same(stage: Stage, shop: Bazaar) -> None:
    order = two_parcels(stage)
    moved = {"order_id": order.order_id, "version": 1, "events": [to_document(order.events[0])]}
    rows = owe(stage, order, 1, 2)
    stage.put("orders", replace(order, events=order.events[1:]))
    stage.put("order_history", moved)
    assert Worker(stage).work(*rows) == []
    assert [one["completes"] for one in shop.notices] == [False, True]


@pytest.mark.parametrize("gone", ["order", "parcel", "wish"])
def test_what_nobody_wants_told_any_more_is_obsolete(stage: Stage, shop: Bazaar, gone: str) -> None:
    order = two_parcels(stage)
    rows = owe(stage, order, 1)
    if gone == "order":
        key = {"order_id": {"S": order.order_id}}
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}orders", Key=key)
    elif gone == "parcel":
        stage.put("orders", replace(order, fulfillments=()))
    else:
        open_account(stage, shop.url, tells=())
    assert Worker(stage).work(*rows) == []
    assert (shop.calls, statuses(stage)) == ([], {FIRST: "OBSOLETE"})


def test_units_that_will_not_ship_are_told(stage: Stage, shop: Bazaar) -> None:
    gone = event(1, EventType.LINES_CANCELLED, "allocation", reason="OUT_OF_STOCK", lines={"L1": 1})
    order = shipped_order({"L1": 3}, cancelled={"L1": 1}, events=(gone,))
    stage.put("orders", order)
    Worker(stage).work(*owe(stage, order, 1))
    assert shop.notices == [
        {"id": "bazaar-main-7#1#cancellation", "reason": "NO_STOCK", "lines": {"L1": 1}, "whole": False}
    ]


def cancelled(stage: Stage, sku: str = "MUG", **names: str) -> Any:
    """An order of one unit that we cancelled."""
    made = shipped_order({"L1": 1}, cancelled={"L1": 1}, events=(event(1, EventType.ORDER_CANCELLED, "api"),))
    order = replace(made, lines=(replace(made.lines[0], sku=sku, **names),))
    stage.put("orders", order)
    return order


@pytest.mark.parametrize("names", [{"sku": "mug-000"}, {"sku": "MUG", "channel_sku": "mug-000"}])
def test_a_channel_that_puts_cancelled_units_on_sale_itself_is_told_their_figure_once_more(
    stage: Stage, shop: Bazaar, names: dict[str, str]
) -> None:
    assert Worker(stage).work(*shelves(stage, 2)) == []
    rows = owe(stage, cancelled(stage, **names), 1)
    shop.during = [lambda: shop.stock.update({"mug-000": 16})]
    assert Worker(stage).work(*rows) == []
    assert (shop.stock["mug-000"], pending(stage)) == (16, [(CHANNEL, "availability#mug-000")])
    assert Worker(stage).work(*pending(stage)) == []
    assert (shop.stock["mug-000"], pending(stage)) == (15, [])


def test_the_figure_is_told_once_more_though_the_worker_dies_or_the_table_is_busy(
    stage: Stage, shop: Bazaar, faults: Faults
) -> None:
    assert Worker(stage).work(*shelves(stage, 1)) == []
    rows = owe(stage, cancelled(stage, "mug-000"), 1)
    shop.during = [lambda: shop.stock.update({"mug-000": 16})]
    faults.refuse("UpdateItem", "ThrottlingException", times=10)
    assert Worker(stage).work(*rows) == [0]
    faults.mend()
    faults.crash_before("UpdateItem")
    with pytest.raises(CrashedError):
        Worker(stage).work(*rows)
    faults.mend()
    for _ in range(2):
        assert Worker(stage).work(*rows, *pending(stage)) == []
    assert (shop.stock["mug-000"], pending(stage)) == (15, [])


def test_a_cancellation_of_goods_that_are_not_listed_or_have_no_name_owes_no_figure(stage: Stage, shop: Bazaar) -> None:
    for sku in ("LAMP", ""):
        rows = owe(stage, cancelled(stage, sku), 1)
        assert Worker(stage).work(*rows) == []
    assert set(statuses(stage).values()) == {"SENT"}
    assert stage.rows("listings") == []


@pytest.mark.parametrize("deleted", [True, False])
def test_an_account_that_is_not_set_up_any_more_hears_of_it_once_it_is_again(
    stage: Stage, shop: Bazaar, deleted: bool
) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    if deleted:
        key = {"kind": {"S": "channel_account"}, "name": {"S": MAIN}}
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}settings", Key=key)
        assert Worker(stage).work(*rows) == [0]
        (row,) = stage.rows("deliveries")
        assert (row["status"], row["last_error"]) == ("FAILED", "CredentialsRefused")
        open_account(stage, shop.url)
    assert Worker(stage).work(*rows) == []
    assert (len(shop.notices), statuses(stage)) == (1, {FIRST: "SENT"})


# What fails.


def test_a_refusal_is_left_to_a_person_with_the_channels_own_code(
    stage: Stage, shop: Bazaar, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = owe(stage, two_parcels(stage), 1, 2)
    shop.troubles = [Reply(422, {"errors": [{"code": "AlreadyShipped", "message": "dear Ruth"}]})]
    assert Worker(stage).work(*rows) == []
    refused = next(row for row in stage.rows("deliveries") if row["message_key"] == FIRST)
    assert (refused["status"], refused["last_error"]) == ("REFUSED", "ChannelRefused 422 AlreadyShipped")
    assert refused["failed_destination"] == CHANNEL
    assert statuses(stage)[SECOND] == "SENT", "one that is refused holds up no other"
    assert '"NoticesRefused"' in capsys.readouterr().out
    assert Worker(stage).work(*rows) == []
    assert len(shop.calls) == 2, "refused once is not told again by a repeat"


def test_what_a_channel_offers_no_way_to_do_says_what_a_person_does(stage: Stage, shop: Bazaar) -> None:
    open_account(stage, shop.url, options={"cancels": "never"})
    order = shipped_order({"L1": 1}, cancelled={"L1": 1}, events=(event(1, EventType.ORDER_CANCELLED, "api"),))
    stage.put("orders", order)
    assert Worker(stage).work(*owe(stage, order, 1)) == []
    (row,) = stage.rows("deliveries")
    assert (row["status"], row["last_error"]) == ("BY_HAND", "NotSupported: cancel it in the bazaar's own pages")


def test_a_channel_that_does_not_answer_is_told_later_in_the_right_order(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1, 2)
    shop.troubles = [Reply(503)]
    worker = Worker(stage)
    assert worker.work(*rows) == [0, 1]
    assert (len(shop.calls), statuses(stage)) == (1, {FIRST: "FAILED", SECOND: "FAILED"})
    assert worker.later(20).work(*rows, receives=2) == []
    assert [one["tracking_number"] for one in shop.notices] == ["1Z1", "1Z2"]
    assert statuses(stage) == {FIRST: "SENT", SECOND: "SENT"}


@pytest.mark.parametrize(("retry_after", "waits"), [("240", 240), ("86400", 900), ("1", 10)])
def test_a_channel_comes_again_when_it_asked_to(stage: Stage, shop: Bazaar, retry_after: str, waits: int) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    shop.troubles = [Reply(429, headers={"retry-after": retry_after})]
    worker = Worker(stage)
    assert worker.work(*rows) == [0]
    assert worker.postponed == [waits]


def test_each_attempt_in_vain_waits_longer_but_never_more_than_a_quarter_of_an_hour(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    waits = []
    for receives in range(1, 12):
        shop.troubles = [Reply(503)]
        worker = Worker(stage)
        worker.work(*rows, receives=receives)
        waits += worker.postponed
        stage.mend()
    assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]


def test_an_outage_of_one_account_costs_one_call_and_the_others_nothing(stage: Stage, shop: Bazaar) -> None:
    open_account(stage, shop.url, OTHER)
    away = [
        shipped_order({"L1": 1}, parcel(1, L1=1), order_id=f"bazaar-main-{n}", channel_order_id=f"a{n}")
        for n in range(8)
    ]
    there = [
        shipped_order(
            {"L1": 1}, parcel(1, L1=1), order_id=f"bazaar-other-{n}", account="other", channel_order_id=f"b{n}"
        )
        for n in range(8)
    ]
    rows: list[tuple[str, str]] = []
    for order in (*away, *there):
        stage.put("orders", order)
        rows = owe(stage, order, 1)
    shop.troubles = [Reply(hangs_up=True)]
    worker = Worker(stage)
    assert len(worker.work(*rows)) == 8
    assert [one.path for one in shop.calls] == ["/shipments/a0", *(f"/shipments/b{n}" for n in range(8))]
    worker.later(0.05).work(*rows)
    assert len(shop.calls) == 9, "the worker leaves it alone"
    assert worker.later(30).work(*rows) == []
    assert len(shop.calls) == 17
    assert set(statuses(stage).values()) == {"SENT"}


def test_a_limit_that_is_used_up_for_cancellations_stops_neither_parcels_nor_figures(
    stage: Stage, shop: Bazaar
) -> None:
    rows = shelves(stage, 1)
    for number in range(3):
        name = {"order_id": f"bazaar-main-{number}", "channel_order_id": f"{number}"}
        order = shipped_order({"L1": 1}, parcel(1, L1=1), **name)
        if number < 2:
            gone = event(1, EventType.ORDER_CANCELLED, "api", reason="X")
            order = shipped_order({"L1": 1}, cancelled={"L1": 1}, events=(gone,), **name)
        stage.put("orders", order)
        rows = owe(stage, order, 1)
    shop.troubles = [Reply(429, headers={"retry-after": "120"})]
    worker = Worker(stage)
    assert len(worker.work(*sorted(rows))) == 2
    assert [one.path for one in shop.calls] == ["/cancellations/0", "/shipments/2", "/stock"]
    assert worker.postponed == [120, 120]


def test_a_worker_that_dies_before_it_noted_the_answer_tells_again_and_loses_nothing(
    stage: Stage, shop: Bazaar, faults: Faults
) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    for crash in (faults.crash_before, faults.crash_after):
        stage.put("deliveries", next(iter(stage.rows("deliveries"))) | {"status": "PENDING"})
        crash("UpdateItem")
        with pytest.raises(CrashedError):
            Worker(stage).work(*rows)
        faults.mend()
        assert Worker(stage).work(*rows) == []
        assert statuses(stage) == {FIRST: "SENT"}
    assert {one["id"] for one in shop.notices} == {FIRST}, "the same message id each time"


def test_a_notice_owed_anew_while_it_is_told_is_told_once_more(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    (row,) = stage.rows("deliveries")
    shop.during = [lambda: deliveries().owe_anew(row, at(1.5))]
    assert Worker(stage).work(*rows) == []
    assert statuses(stage) == {FIRST: "PENDING"}
    assert Worker(stage).work(*rows) == []
    assert (len(shop.notices), statuses(stage)) == (2, {FIRST: "SENT"})


def test_a_notice_owed_anew_while_it_is_refused_is_told_once_more(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    (row,) = stage.rows("deliveries")
    shop.during, shop.troubles = [lambda: deliveries().owe_anew(row, at(1.5))], [Reply(422)]
    assert Worker(stage).work(*rows) == []
    assert statuses(stage) == {FIRST: "PENDING"}
    assert Worker(stage).work(*rows) == []
    assert (len(shop.notices), statuses(stage)) == (1, {FIRST: "SENT"})


def test_rows_that_cannot_be_read_come_again(stage: Stage, shop: Bazaar, faults: Faults) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    faults.refuse("BatchGetItem", "ThrottlingException", times=10)
    assert Worker(stage).work(*rows) == [0]
    faults.mend()
    assert Worker(stage).work(*rows) == []


def test_keys_that_name_nothing_end_in_the_dead_letters_and_cost_the_others_nothing(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    bad = [("location#WH-EAST", FIRST), (CHANNEL, "what#is#this"), (CHANNEL, "availability#"), ("channel#", FIRST)]
    assert Worker(stage).work(*bad, *rows) == [0, 1, 2, 3]
    assert len(shop.notices) == 1


def test_without_time_nothing_is_begun_and_all_comes_again(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    worker = Worker(stage)
    assert worker.work(*rows, context=LambdaContext(remaining_millis=5_000)) == [0]
    assert (shop.calls, worker.postponed, statuses(stage)) == ([], [10], {FIRST: "PENDING"})


def test_an_account_that_answers_slowly_holds_up_only_itself(stage: Stage, shop: Bazaar) -> None:
    open_account(stage, shop.url, OTHER)
    for number in range(4):
        for account in ("main", "other"):
            name = {"order_id": f"bazaar-{account}-{number}", "channel_order_id": f"{account}-{number}"}
            order = shipped_order({"L1": 1}, parcel(1, L1=1), account=account, **name)
            stage.put("orders", order)
            owe(stage, order, 1)
    worker = Worker(stage)

    def tick() -> None:
        """The first account takes nine seconds for each answer, the other none."""
        worker.later(0.15 if "main" in shop.calls[-1].path else 0.0)

    shop.during = [tick] * 8
    assert worker.work(*pending(stage)) == []
    assert [one.path.partition("s/")[2] for one in shop.calls[:5]] == ["main-0", *(f"other-{n}" for n in range(4))]


def test_a_message_that_cannot_be_postponed_comes_again_all_the_same(stage: Stage, shop: Bazaar) -> None:
    rows = owe(stage, two_parcels(stage), 1)
    stage.fail("sqs", "ChangeMessageVisibilityBatch", "RequestThrottled")
    shop.troubles = [Reply(503)]
    assert Worker(stage).work(*rows) == [0]


def test_a_bug_in_a_channels_file_costs_its_own_notice(
    stage: Stage, shop: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = owe(stage, two_parcels(stage), 1, 2)

    def broken(*_: Any) -> None:
        raise KeyError("dear Ruth")

    monkeypatch.setattr(registry.module("bazaar"), "confirm_shipment", broken)
    assert Worker(stage).work(*rows) == [0, 1]
    assert {row["last_error"] for row in stage.rows("deliveries")} == {
        "KeyError",
        "an earlier notice of the order failed",
    }


# Figures.


def shelves(stage: Stage, listings: int, account: str = MAIN) -> list[tuple[str, str]]:
    """So many names for mugs of which there are 15; every one is owed its figure."""
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST"))
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=15, available=15))
    for number in range(listings):
        stage.put("listings", Listing(channel_account=account, channel_sku=f"mug-{number:03}", sku="MUG"))
    Desk().publishing.mark_changed(["MUG"], at(1))
    return pending(stage)


def test_250_listings_are_told_in_as_few_calls_as_hold_them(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 250)
    assert len(rows) == 250
    worker = Worker(stage)
    assert worker.work(*rows) == []
    assert [len(one.json) for one in shop.calls] == [AT_ONCE, AT_ONCE, 50]
    assert set(shop.stock.values()) == {15}
    assert len(shop.stock) == 250


def test_a_figure_that_the_channel_refuses_is_left_to_a_person_and_the_others_are_told(
    stage: Stage, shop: Bazaar
) -> None:
    rows = shelves(stage, 3)
    shop.refuses = {"mug-001": "NOT_LISTED"}
    assert Worker(stage).work(*rows) == []
    assert shop.stock == {"mug-000": 15, "mug-002": 15}
    assert statuses(stage)["availability#mug-001"] == "REFUSED"
    shop.refuses.clear()
    Desk().publishing.mark_changed(["MUG"], at(1.5))
    Worker(stage).work(*pending(stage))
    assert shop.stock["mug-001"] == 15, "the next change is told"


def test_a_figure_that_the_channel_could_not_say_it_took_comes_again_and_no_other(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 3)
    shop.refuses = {"mug-001": ""}
    assert Worker(stage).work(*rows) == [1]
    assert [statuses(stage)[f"availability#mug-00{n}"] for n in range(3)] == ["SENT", "FAILED", "SENT"]
    shop.refuses.clear()
    assert Worker(stage, 2.1).work(rows[1], receives=2) == []
    assert shop.stock["mug-001"] == 15


def test_goods_whose_books_do_not_add_up_keep_no_others_from_being_told(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 2)
    stage.put("listings", Listing(channel_account=MAIN, channel_sku="lamp", sku="BOWL"))
    stage.put("stock", {"sku": "BOWL", "location_id": "WH-EAST", "on_hand": 5, "available": 1})
    Desk().publishing.mark_changed(["BOWL"], at(1))
    rows = sorted(pending(stage))
    assert Worker(stage).work(*rows) == [0]
    assert shop.stock == {"mug-000": 15, "mug-001": 15}
    lamp = next(row for row in stage.rows("deliveries") if row["message_key"] == "availability#lamp")
    assert (lamp["status"], lamp["last_error"]) == ("FAILED", "InvariantBroken")


def test_a_listing_that_somebody_spoiled_keeps_no_others_from_being_told(stage: Stage, shop: Bazaar) -> None:
    shelves(stage, 3)
    listing = next(row for row in stage.rows("listings") if row["channel_sku"] == "mug-001")
    stage.put("listings", {name: value for name, value in listing.items() if name != "sku"})
    rows = sorted(pending(stage))
    assert Worker(stage).work(*rows) == [1]
    assert shop.stock == {"mug-000": 15, "mug-002": 15}
    spoiled = next(row for row in stage.rows("deliveries") if row["message_key"] == "availability#mug-001")
    assert (spoiled["status"], spoiled["last_error"]) == ("FAILED", "InvariantBroken")


def test_changes_while_a_channel_is_away_are_one_message_however_many(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 1)
    shop.troubles = [Reply(503)]
    worker = Worker(stage)
    assert worker.work(*rows) == [0]
    for minutes in range(1, 14):
        assert Desk().publishing.mark_changed(["MUG"], at(2 + minutes / 60)) == 0, "its message comes again by itself"
    assert Desk().publishing.mark_changed(["MUG"], at(2.5)) == 1, "nobody has tried it for so long: it is lost"
    assert worker.later(40).work(*pending(stage)) == []
    (row,) = stage.rows("deliveries")
    assert (row["status"], row["attempts"], "last_error" in row) == ("SENT", 1, False)


def test_one_figure_that_spoils_a_whole_call_is_found_and_the_others_are_told(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 9)
    shop.spoiler = "mug-004"
    assert Worker(stage).work(*rows) == []
    assert sorted(shop.stock) == [f"mug-{n:03}" for n in range(9) if n != 4]
    spoiled = next(row for row in stage.rows("deliveries") if row["message_key"] == "availability#mug-004")
    assert (spoiled["status"], spoiled["last_error"]) == ("REFUSED", "ChannelRefused 400 BadSku")
    assert len(shop.calls) <= 9


def test_an_account_that_wants_no_figures_has_them_ready_on_their_rows(stage: Stage, shop: Bazaar) -> None:
    open_account(stage, shop.url, tells=(Notice.SHIPMENTS,))
    assert Worker(stage).work(*shelves(stage, 2)) == []
    assert (shop.calls, set(statuses(stage).values())) == ([], {"READY"})


def test_many_notices_do_not_keep_a_channel_from_hearing_what_is_sold_out(
    stage: Stage, shop: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "NOTICES_FIRST", 2)
    shelves(stage, 1)
    for number in range(4):
        name = {"order_id": f"bazaar-main-{number}", "channel_order_id": f"{number}"}
        order = shipped_order({"L1": 1}, parcel(1, L1=1), **name)
        stage.put("orders", order)
        owe(stage, order, 1)
    assert Worker(stage).work(*sorted(pending(stage))) == []
    told = [one.path for one in shop.calls]
    assert told == ["/shipments/0", "/shipments/1", "/stock", "/shipments/2", "/shipments/3"]


def test_figures_wait_while_their_channel_is_away_and_the_newest_is_told_then(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 3)
    shop.troubles = [Reply(503)]
    worker = Worker(stage)
    assert worker.work(*rows) == [0, 1, 2]
    assert len(shop.calls) == 1
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=4, available=4))
    Desk().publishing.mark_changed(["MUG"], at(1.5))
    assert worker.later(20).work(*rows, receives=2) == []
    assert shop.stock == {f"mug-{n:03}": 4 for n in range(3)}


def test_an_answer_that_was_lost_is_told_again(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 2)
    worker = Worker(stage)
    shop.troubles = [Reply(hangs_up=True)]
    assert worker.work(*rows) == [0, 1]
    assert worker.later(20).work(*rows) == []
    assert shop.stock == {"mug-000": 15, "mug-001": 15}


def test_two_workers_with_one_batch_end_with_the_newest_figures(stage: Stage, shop: Bazaar) -> None:
    rows = shelves(stage, 2)

    def overtake() -> None:
        stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=3, available=3))
        Desk().publishing.mark_changed(["MUG"], at(1.2))

    shop.during = [overtake]
    Worker(stage).work(*rows)
    for _ in range(3):
        Worker(stage).work(*pending(stage))
    assert shop.stock == {"mug-000": 3, "mug-001": 3}
    told = {row["channel_sku"]: row["last_published_quantity"] for row in stage.rows("listings")}
    assert told == shop.stock


def test_how_long_a_channel_has_not_taken_what_it_is_told_is_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with bazaar(monkeypatch) as shop:
        open_account(stage, shop.url)
        shop.troubles = [Reply(503, {})]
        stage.put("orders", shipped_order({"l1": 1}, parcel(1, l1=1)))
        deliveries().owe_once(f"channel#{MAIN}", "bazaar-main-7#1#shipment", "shipment", "bazaar-main-7", at(2))
        assert Worker(stage, hours=5).work(*pending(stage)) == [0]
        assert '"MessagesWaitSeconds":[10800.0]' in capsys.readouterr().out.replace(" ", "")
