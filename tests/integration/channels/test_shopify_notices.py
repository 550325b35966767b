"""Parcels and cancellations told to a Shopify shop: once, whole or in part, and after a crash as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.channels import shopify
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice
from oms.domain.errors import ChannelRefused, NotFound, NotSupported, Unavailable
from tests.integration.channels.shopify_shop import GRAPHQL_PATH, ORDER_ID, Fulfillment, FulfillmentOrder, Shop
from tests.scripted_server import Asked, Reply, ScriptedServer, account_api

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND_LOCATION = "gid://shopify/Location/71000002"


@contextmanager
def selling(shop: Shop, **options: str) -> Iterator[ChannelApi]:
    with ScriptedServer({GRAPHQL_PATH: shop}) as server:
        yield account_api("shopify", server.url, [{"access_token": "t"}], options)


def shipment(units: dict[str, int], **changes: Any) -> ShipmentNotice:
    notice = ShipmentNotice(
        message_id="m1",
        order_id="ord_1",
        channel_order_id=ORDER_ID,
        shipment_id="shp_1",
        carrier="ups",
        service="GROUND",
        tracking_number="1Z999",
        shipped_at=AT,
        location_id="WH-RENO",
        lines=tuple(NoticeLine(line_id=line_id, sku="S", quantity=quantity) for line_id, quantity in units.items()),
        completes=False,
    )
    return replace(notice, **changes)


def cancellation(**changes: Any) -> CancellationNotice:
    notice = CancellationNotice(
        message_id="m2",
        order_id="ord_1",
        channel_order_id=ORDER_ID,
        reason="NO_STOCK",
        cancelled_at=AT,
        lines=(),
        whole=True,
    )
    return replace(notice, **changes)


def to_fulfill(units: dict[str, int], number: int = 1, **facts: Any) -> FulfillmentOrder:
    return FulfillmentOrder(number=number, units=Counter(units), **facts)


def test_a_parcel_is_told_with_its_carrier_and_number() -> None:
    shop = Shop([to_fulfill({"11": 2, "12": 1})])
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 2, "12": 1}))
    (told,) = shop.fulfillments
    assert (told.tracking, told.units) == ({"company": "UPS", "number": "1Z999"}, {"11": 2, "12": 1})
    assert not told.is_notified


@pytest.mark.parametrize(
    ("carrier", "company"),
    [
        ("USPS", "USPS"),
        ("fedex", "FedEx"),
        ("CANADA POST", "Canada Post"),
        ("dhl-express", "DHL Express"),
        ("dhl_ecommerce", "DHL eCommerce"),
        ("australia_post", "Australia Post"),
        ("Own van", "Own van"),
    ],
)
def test_a_carrier_has_the_name_that_shopify_knows_it_by(carrier: str, company: str) -> None:
    shop = Shop([to_fulfill({"11": 1})])
    with selling(shop, notify_customer="true") as api:
        shopify.confirm_shipment(api, shipment({"11": 1}, carrier=carrier))
    assert (shop.fulfillments[0].tracking["company"], shop.fulfillments[0].is_notified) == (company, True)


def test_a_parcel_that_is_told_twice_is_there_once() -> None:
    shop = Shop([to_fulfill({"11": 5})])
    with selling(shop) as api:
        for _ in range(3):
            shopify.confirm_shipment(api, shipment({"11": 2}))
    assert shop.shipped() == [("1Z999", {"11": 2})]
    assert shop.fulfillment_orders[0].units["11"] == 3


def test_two_parcels_of_one_line_are_two() -> None:
    shop = Shop([to_fulfill({"11": 5})])
    with selling(shop) as api:
        for number in ("1Z1", "1Z2", "1Z1"):
            shopify.confirm_shipment(api, shipment({"11": 2}, tracking_number=number))
    assert shop.shipped() == [("1Z1", {"11": 2}), ("1Z2", {"11": 2})]


def test_units_that_shopify_gave_to_two_locations_are_told_at_both_though_we_die_in_between() -> None:
    shop = Shop([to_fulfill({"11": 2}), to_fulfill({"12": 1, "11": 1}, 2, location=SECOND_LOCATION)])
    notice = shipment({"11": 3, "12": 1})
    with selling(shop) as api:
        shop.interfere = _dies_at_the_second_call()
        with pytest.raises(ChannelRefused):
            shopify.confirm_shipment(api, notice)
        assert shop.shipped() == [("1Z999", {"11": 2})]
        shop.interfere = lambda: None
        for _ in range(2):
            shopify.confirm_shipment(api, notice)
    assert shop.shipped() == [("1Z999", {"11": 2}), ("1Z999", {"12": 1, "11": 1})]


def _dies_at_the_second_call() -> Any:
    calls: list[int] = []

    def interfere() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("killed")

    return interfere


def test_an_order_of_many_lines_and_fulfillment_orders_is_read_to_its_end() -> None:
    lines = {str(number): 1 for number in range(100, 230)}
    orders = [to_fulfill({str(number): 1}, number) for number in range(11)] + [to_fulfill(lines, 99)]
    shop = Shop(orders)
    with selling(shop) as api:
        for _ in range(2):
            shopify.confirm_shipment(api, shipment(lines))
    assert shop.shipped() == [("1Z999", lines)]


@pytest.mark.parametrize("status", ["ON_HOLD", "SCHEDULED"])
def test_units_that_shopify_holds_back_are_refused_with_its_status_and_the_rest_is_told(status: str) -> None:
    shop = Shop([to_fulfill({"11": 1}), to_fulfill({"12": 1}, 2, status=status)])
    with selling(shop) as api, pytest.raises(ChannelRefused) as caught:
        shopify.confirm_shipment(api, shipment({"11": 1, "12": 1}))
    assert caught.value.codes == (status,)
    assert shop.shipped() == [("1Z999", {"11": 1})]


def test_units_that_somebody_fulfilled_there_are_refused() -> None:
    by_hand = Fulfillment(number=1, units=Counter({"11": 1}), tracking={})
    shop = Shop([to_fulfill({"11": 0}, status="CLOSED")], [by_hand])
    with selling(shop) as api, pytest.raises(ChannelRefused) as caught:
        shopify.confirm_shipment(api, shipment({"11": 1}))
    assert caught.value.codes == ("NOTHING_LEFT_TO_FULFILL",)


def test_a_fulfillment_that_was_cancelled_there_does_not_count_as_told() -> None:
    gone = Fulfillment(number=1, units=Counter({"11": 1}), tracking={"number": "1Z999"}, status="CANCELLED")
    shop = Shop([to_fulfill({"11": 1})], [gone])
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 1}))
    assert len(shop.fulfillments) == 2


@pytest.mark.parametrize("number", ["", "1Z999"], ids=["without a number", "with one number"])
def test_two_parcels_that_no_number_tells_apart_are_two_however_often_they_are_told(number: str) -> None:
    first = shipment({"11": 2}, tracking_number=number)
    second = replace(first, told_before=first.lines)
    shop = Shop([to_fulfill({"11": 7})])
    with selling(shop) as api:
        for notice in (first, first, second, second, first):
            shopify.confirm_shipment(api, notice)
    assert shop.shipped() == [(number, {"11": 2}), (number, {"11": 2})]


def test_a_parcel_without_a_number_that_somebody_fulfilled_there_is_told_already() -> None:
    by_hand = Fulfillment(number=1, units=Counter({"11": 2}), tracking={})
    shop = Shop([to_fulfill({"11": 3})], [by_hand])
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 2}, tracking_number=""))
    assert shop.shipped() == [("", {"11": 2})]


def test_blanks_around_a_number_do_not_make_it_another() -> None:
    shop = Shop([to_fulfill({"11": 5})])
    with selling(shop) as api:
        for _ in range(2):
            shopify.confirm_shipment(api, shipment({"11": 2}, tracking_number=" 1Z999\n"))
    assert shop.shipped() == [("1Z999", {"11": 2})]


def test_a_parcel_that_another_worker_tells_at_the_same_time_is_told_once() -> None:
    shop = Shop([to_fulfill({"11": 2})])

    def told_by_another() -> None:
        if not shop.fulfillments:
            shop.fulfillment_orders[0].units["11"] = 0
            shop.fulfillments.append(Fulfillment(number=1, units=Counter({"11": 2}), tracking={"number": "1Z999"}))

    shop.interfere = told_by_another
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 2}))
    assert shop.shipped() == [("1Z999", {"11": 2})]


@pytest.mark.parametrize("number", [1, 99])
def test_of_a_parcel_that_two_workers_told_in_the_same_moment_the_older_fulfillment_stands(number: int) -> None:
    shop = Shop([to_fulfill({"11": 9})])

    def told_by_another() -> None:
        if not shop.fulfillments:
            shop.fulfillment_orders[0].units["11"] -= 2
            told = Fulfillment(number=number, units=Counter({"11": 2}), tracking={"number": "1Z999"})
            shop.fulfillments.append(told)

    shop.interfere = told_by_another
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 2}))
    standing = [one.number for one in shop.fulfillments if one.status == "SUCCESS"]
    # ours is number 2: it is taken back unless the other worker's is younger, who takes back its own
    assert standing == ([1] if number == 1 else [99, 2])


def test_a_refusal_is_told_without_what_shopify_wrote() -> None:
    shop = Shop([to_fulfill({"11": 2})], refuses=True)
    with selling(shop) as api, pytest.raises(ChannelRefused) as caught:
        shopify.confirm_shipment(api, shipment({"11": 2}))
    assert caught.value.codes == ("fulfillment",)
    assert "Nadia" not in f"{caught.value} {caught.value.details}"


def test_units_that_are_held_back_just_as_they_are_told_are_refused_with_their_status() -> None:
    shop = Shop([to_fulfill({"11": 2})])
    shop.interfere = lambda: setattr(shop.fulfillment_orders[0], "status", "ON_HOLD")
    with selling(shop) as api, pytest.raises(ChannelRefused) as caught:
        shopify.confirm_shipment(api, shipment({"11": 2}))
    assert caught.value.codes == ("ON_HOLD",)


def test_units_that_somebody_moves_to_another_location_as_they_are_told_are_told_there() -> None:
    shop = Shop([to_fulfill({"11": 2})])

    def moved() -> None:
        if len(shop.fulfillment_orders) == 1:
            shop.fulfillment_orders[0].status = "CLOSED"
            shop.fulfillment_orders.append(to_fulfill({"11": 2}, 2, location=SECOND_LOCATION))
            shop.fulfillment_orders[0].units.clear()

    shop.interfere = moved
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 2}))
    assert shop.shipped() == [("1Z999", {"11": 2})]


def test_an_order_that_is_another_each_time_comes_again_later() -> None:
    shop = Shop([to_fulfill({"11": 2})])

    def moved() -> None:
        shop.fulfillment_orders[0].units.clear()
        shop.fulfillment_orders.insert(0, to_fulfill({"11": 2}, len(shop.fulfillment_orders) + 1))

    shop.interfere = moved
    with selling(shop) as api, pytest.raises(Unavailable):
        shopify.confirm_shipment(api, shipment({"11": 2}))
    assert shop.shipped() == []


def test_a_parcel_that_another_worker_has_told_in_half_is_told_to_its_end() -> None:
    shop = Shop([to_fulfill({"11": 2}), to_fulfill({"12": 1}, 2, location=SECOND_LOCATION)])
    shop.interfere = lambda: _told_by_another(shop, {"11": 2}) if not shop.fulfillments else None
    with selling(shop) as api:
        shopify.confirm_shipment(api, shipment({"11": 2, "12": 1}))
    assert shop.shipped() == [("1Z999", {"11": 2}), ("1Z999", {"12": 1})]


def test_a_parcel_that_another_worker_tells_while_we_look_is_no_refusal() -> None:
    shop = Shop([to_fulfill({"11": 2})])

    def after_our_first_look(asked: Asked) -> Reply:
        reply = shop(asked)
        if not shop.fulfillments:
            _told_by_another(shop, {"11": 2})
        return reply

    with ScriptedServer({GRAPHQL_PATH: after_our_first_look}) as server:
        shopify.confirm_shipment(account_api("shopify", server.url, [{"access_token": "t"}]), shipment({"11": 2}))
    assert shop.shipped() == [("1Z999", {"11": 2})]


def _told_by_another(shop: Shop, units: dict[str, int]) -> None:
    shop.fulfillment_orders[0].units.subtract(units)
    shop.fulfillments.append(Fulfillment(number=1, units=Counter(units), tracking={"number": "1Z999"}))


def test_a_parcel_told_double_that_can_not_be_taken_back_is_for_a_person() -> None:
    shop = Shop([to_fulfill({"11": 9})])

    def told_by_another() -> None:
        if not shop.fulfillments:
            _told_by_another(shop, {"11": 2})

    def no_taking_back(asked: Asked) -> Reply:
        shop.refuses = "fulfillmentCancel" in asked.json["query"]
        return shop(asked)

    shop.interfere = told_by_another
    with (
        ScriptedServer({GRAPHQL_PATH: no_taking_back}) as server,
        pytest.raises(NotSupported, match="cancel the later"),
    ):
        shopify.confirm_shipment(account_api("shopify", server.url, [{"access_token": "t"}]), shipment({"11": 2}))


def test_an_order_that_shopify_does_not_have_is_not_found() -> None:
    with selling(Shop()) as api:
        with pytest.raises(NotFound):
            shopify.confirm_shipment(api, shipment({"11": 1}, channel_order_id="7"))
        with pytest.raises(NotFound):
            shopify.confirm_cancellation(api, cancellation(channel_order_id="7"))


def test_an_order_is_cancelled_once_without_refund_and_without_putting_stock_back() -> None:
    shop = Shop()
    with selling(shop) as api:
        for _ in range(2):
            shopify.confirm_cancellation(api, cancellation())
    (told,) = shop.cancelled_with
    assert told == {
        "orderId": f"gid://shopify/Order/{ORDER_ID}",
        "reason": "INVENTORY",
        "refundMethod": {"originalPaymentMethodsRefund": False},
        "restock": False,
        "notifyCustomer": False,
    }


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("BUYER_REQUEST", "CUSTOMER"), ("NO_STOCK", "INVENTORY"), ("FRAUD", "FRAUD"), ("STOCK_LOST", "OTHER")],
)
def test_why_it_was_cancelled_is_told_in_shopifys_words_and_money_goes_back_where_that_is_set(
    ours: str, theirs: str
) -> None:
    shop = Shop()
    with selling(shop, refund_on_cancel="true", notify_customer="true") as api:
        shopify.confirm_cancellation(api, cancellation(reason=ours))
    (told,) = shop.cancelled_with
    assert told["reason"] == theirs
    assert (told["refundMethod"], told["notifyCustomer"]) == ({"originalPaymentMethodsRefund": True}, True)


def test_an_order_that_somebody_cancels_at_the_same_time_is_no_refusal() -> None:
    shop = Shop()
    shop.interfere = lambda: setattr(shop, "cancelled_at", "2026-11-23T11:59:59Z")
    with selling(shop) as api:
        shopify.confirm_cancellation(api, cancellation())
    assert shop.cancelled_with == []


def test_a_part_of_an_order_is_for_a_person_to_take_out_there() -> None:
    shop = Shop()
    with selling(shop) as api, pytest.raises(NotSupported, match="remove these units"):
        shopify.confirm_cancellation(api, cancellation(whole=False))
    assert shop.cancelled_with == []


@pytest.mark.parametrize(
    ("code", "error"), [("INVALID", ChannelRefused), ("NOT_FOUND", ChannelRefused), ("INTERNAL_ERROR", Unavailable)]
)
def test_a_cancellation_that_shopify_will_not_have_is_refused_by_its_code(code: str, error: type[Exception]) -> None:
    errors = [{"code": code, "field": ["orderId"], "message": "Nadia"}]
    data = {"order": {"cancelledAt": None}, "orderCancel": {"job": None, "orderCancelUserErrors": errors}}
    with ScriptedServer({GRAPHQL_PATH: Reply(200, {"data": data})}) as server, pytest.raises(error) as caught:
        shopify.confirm_cancellation(account_api("shopify", server.url, [{"access_token": "t"}]), cancellation())
    if isinstance(caught.value, ChannelRefused):
        assert caught.value.codes == (code,)
