"""What eBay is told: parcels, cancellations, stock; told twice it is told once."""

from __future__ import annotations

from typing import Any

import pytest

from oms.channels import ebay
from oms.domain.channel_messages import NoticeLine
from oms.domain.errors import (
    ChannelRefused,
    NotSupported,
    Unavailable,
)
from tests.integration.channels.ebay_seller import (
    CANCELLATION,
    ITEMS_PATH,
    ORDER_PATH,
    PARCELS_PATH,
    STOCK_PATH,
    TOKEN,
    TOKEN_PATH,
    account,
    figure,
    order,
    shipment,
)
from tests.scripted_server import Asked, Reply, ScriptedServer, in_order


class Parcels:
    """What eBay knows of an order's parcels. `refuses`: it takes none; `has_it`: another worker told it meanwhile."""

    def __init__(self, *tracking_numbers: str, refuses: bool = False, has_it: str = "", lists: bool = False) -> None:
        self.known = list(tracking_numbers)
        self.told: list[Any] = []
        self.refuses, self.has_it, self.lists = refuses, has_it, lists

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            found = [{"fulfillmentId": one, "shipmentTrackingNumber": one} for one in self.known if one != "999"]
            found += [{"fulfillmentId": "999", **one} for one in self.told if "trackingNumber" not in one]
            if self.lists:
                found = [
                    {"shipmentTrackingNumber": one.get("trackingNumber"), "lineItems": one["lineItems"]}
                    for one in self.told
                ]
            return Reply(200, {"fulfillments": found, "total": len(found)})
        self.told.append(asked.json)
        if self.refuses:
            self.known += [self.has_it] if self.has_it else []
            return Reply(400, {"errors": [{"errorId": 32210, "message": "Invalid line item"}]})
        self.known.append(asked.json.get("trackingNumber", "999"))
        return Reply(201)


def answered(**statuses: int) -> Reply:
    responses = [
        {"sku": sku, "statusCode": status, "errors": [{"errorId": 25710}] if status >= 400 else []}
        for sku, status in statuses.items()
    ]
    return Reply(207, {"responses": responses})


def test_a_parcel_is_told_with_the_units_that_are_in_it_and_told_twice_is_told_once() -> None:
    parcels = Parcels()
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        api = account(server)
        ebay.confirm_shipment(api, shipment())
        ebay.confirm_shipment(api, shipment())
    assert parcels.told == [
        {
            "lineItems": [{"lineItemId": "10001", "quantity": 1}],
            "shippedDate": "2026-11-23T11:00:00.000Z",
            "shippingCarrierCode": "FedEx",
            "trackingNumber": "794600000001",
        }
    ]


def test_a_parcel_without_a_tracking_number_is_known_again_by_what_is_in_it() -> None:
    parcels = Parcels("1111")
    rest = shipment(tracking_number="", lines=(NoticeLine(line_id="10002", sku="SAUCER-1", quantity=1),))
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        api = account(server)
        for notice in (shipment(tracking_number=""), rest, rest):
            ebay.confirm_shipment(api, notice)
    assert [one["lineItems"][0]["lineItemId"] for one in parcels.told] == ["10001", "10002"]
    assert "shippingCarrierCode" not in parcels.told[0]


def of(line_id: str, so_far: int) -> tuple[NoticeLine, ...]:
    return (NoticeLine(line_id=line_id, sku="MUG-1", quantity=1, so_far=so_far),)


def test_two_parcels_without_a_tracking_number_that_hold_the_same_are_both_told_once() -> None:
    parcels = Parcels()
    first, second = (shipment(tracking_number="", lines=of("10001", units)) for units in (1, 2))
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        api = account(server)
        for notice in (first, first, second, second):
            ebay.confirm_shipment(api, notice)
    assert len(parcels.told) == 2


def test_lines_that_a_known_parcel_got_later_are_told_once() -> None:
    parcels = Parcels(lists=True)
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        api = account(server)
        for line_id in ("10001", "10001", "10002", "10002"):
            ebay.confirm_shipment(api, shipment(lines=of(line_id, 1)))
    assert [one["lineItems"][0]["lineItemId"] for one in parcels.told] == ["10001", "10002"]


def test_a_second_box_of_the_same_line_under_the_same_number_is_told_once() -> None:
    parcels = Parcels(lists=True)
    first = shipment(lines=of("10001", 1))
    second = shipment(lines=of("10001", 2), told_before=of("10001", 1))
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        api = account(server)
        for notice in (first, first, second, second):
            ebay.confirm_shipment(api, notice)
    assert [one["lineItems"] for one in parcels.told] == [[{"lineItemId": "10001", "quantity": 1}]] * 2


def test_the_rest_of_a_line_is_told_in_its_own_parcel() -> None:
    parcels = Parcels("1111")
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        ebay.confirm_shipment(account(server), shipment(tracking_number="2222"))
    assert parcels.known == ["1111", "2222"]


@pytest.mark.parametrize(
    ("ours", "theirs"), [("ups", "UPS"), ("On Trac", "ONTRAC"), ("Pony Express", "PonyExpress"), ("", "Other")]
)
def test_a_carrier_is_called_as_ebay_calls_it(ours: str, theirs: str) -> None:
    parcels = Parcels()
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        ebay.confirm_shipment(account(server), shipment(carrier=ours))
    assert parcels.told[0]["shippingCarrierCode"] == theirs


def test_a_parcel_that_another_worker_told_in_between_is_told() -> None:
    parcels = Parcels(refuses=True, has_it="794600000001")
    with ScriptedServer({TOKEN_PATH: TOKEN, PARCELS_PATH: parcels}) as server:
        ebay.confirm_shipment(account(server), shipment())
    assert len(parcels.told) == 1


def test_a_parcel_that_ebay_refuses_stays_refused_with_its_code() -> None:
    routes = {TOKEN_PATH: TOKEN, PARCELS_PATH: Parcels(refuses=True)}
    with ScriptedServer(routes) as server, pytest.raises(ChannelRefused) as caught:
        ebay.confirm_shipment(account(server), shipment())
    assert caught.value.codes == ("32210",)


def test_a_cancellation_is_a_persons_work_until_ebay_has_it() -> None:
    cancelled = order(cancelStatus={"cancelState": "CANCELED"})
    answers = in_order(Reply(200, order()), Reply(200, cancelled))
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDER_PATH: answers}) as server:
        api = account(server)
        with pytest.raises(NotSupported, match="Seller Hub"):
            ebay.confirm_cancellation(api, CANCELLATION)
        ebay.confirm_cancellation(api, CANCELLATION)


def test_figures_are_told_in_one_call_and_refusals_are_named() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, STOCK_PATH: answered(A=200, B=404, C=500)}) as server:
        refused = ebay.publish(account(server), [figure("A"), figure("B"), figure("C"), figure("D")])
        (told,) = server.of(STOCK_PATH)
    assert refused == {"B": "25710", "C": "", "D": ""}, "what eBay could not say of comes again"
    assert told.json["requests"][0] == {"sku": "A", "shipToLocationAvailability": {"quantity": 7}}


def test_figures_wait_when_none_was_taken() -> None:
    routes = {TOKEN_PATH: TOKEN, STOCK_PATH: answered(A=500, B=503)}
    with ScriptedServer(routes) as server, pytest.raises(Unavailable):
        ebay.publish(account(server), [figure("A"), figure("B")])


def test_one_odd_sku_holds_up_no_other() -> None:
    def answer(asked: Asked) -> Reply:
        skus = [one["sku"] for one in asked.json["requests"]]
        return Reply(400, {"errors": [{"errorId": 25709}]}) if "ODD" in skus else answered(**dict.fromkeys(skus, 200))

    with ScriptedServer({TOKEN_PATH: TOKEN, STOCK_PATH: answer}) as server:
        refused = ebay.publish(account(server), [figure("A"), figure("ODD"), figure("B")])
        assert len(server.of(STOCK_PATH)) == 4
    assert refused == {"ODD": "25709"}


def test_what_ebay_holds_is_listed_page_by_page() -> None:
    def item(sku: str, quantity: int | None) -> dict[str, Any]:
        return {"sku": sku, "availability": {"shipToLocationAvailability": {"quantity": quantity}}}

    first = Reply(200, {"inventoryItems": [item("A", 4), item("B", None)], "next": "/inventory_item?offset=1"})
    last = Reply(200, {"inventoryItems": [{"sku": "C"}]})
    with ScriptedServer({TOKEN_PATH: TOKEN, ITEMS_PATH: in_order(first, last)}) as server:
        api = account(server)
        one = ebay.listed(api, None)
        two = ebay.listed(api, one.next_token)
        assert [asked.query for asked in server.of(ITEMS_PATH)] == [
            {"limit": "200", "offset": "0"},
            {"limit": "200", "offset": "1"},
        ]
    assert (one.quantities, two.quantities) == ({"A": 4, "B": 0}, {"C": 0})
    assert two.next_token is None


def test_an_account_without_items_lists_nothing() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN}) as server:
        assert ebay.listed(account(server), None).quantities == {}
