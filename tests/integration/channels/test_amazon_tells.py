"""What Amazon is told of its orders: parcels, and orders that will not ship."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from oms.channels import amazon
from oms.channels.amazon_shipments import LARGEST_NUMBER, package_number
from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice
from oms.domain.errors import ChannelRefused, NotFound, NotSupported, Throttled, Unavailable
from tests.integration.channels.amazon_account import (
    FORBIDDEN,
    SEARCH,
    SEARCH_V0,
    amazon_described,
    amazon_with,
    limits_of,
    refusal,
)
from tests.scripted_server import NOON, Asked, Reply, ScriptedServer, in_order
from tests.unit.amazon_bodies import changed, order

ORDER_ID = "114-5550001-2220001"
ORDER = f"{SEARCH}/{ORDER_ID}"
CONFIRMED = f"{SEARCH_V0}/{ORDER_ID}/shipmentConfirmation"
DOCUMENTS, FEEDS = "/feeds/2021-06-30/documents", "/feeds/2021-06-30/feeds"
LISTINGS = "/listings/2021-08-01/items/A1SELLER"
DONE = Reply(204)
LINES = (NoticeLine(line_id="70112233445566", sku="MSG-MUG-350-SLATE", quantity=2),)


def shipment(**changes: Any) -> ShipmentNotice:
    facts = {
        "message_id": "m",
        "order_id": "o",
        "channel_order_id": ORDER_ID,
        "shipment_id": "shp-1",
        "carrier": "ups",
        "service": "Ground",
        "tracking_number": "1Z999",
        "shipped_at": datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        "location_id": "WH-RENO",
        "lines": LINES,
        "completes": False,
    }
    return ShipmentNotice(**{**facts, **changes})


def cancellation(**changes: Any) -> CancellationNotice:
    facts = {
        "message_id": "m",
        "order_id": "o",
        "channel_order_id": ORDER_ID,
        "reason": "NO_STOCK",
        "cancelled_at": NOON,
        "lines": LINES,
        "whole": True,
    }
    return CancellationNotice(**{**facts, **changes})


def order_reply(**changes: Any) -> Reply:
    return Reply(200, {"order": changed(order(), changes)})


# parcels


def test_a_parcel_is_told_with_its_carrier_number_and_units() -> None:
    with amazon_with({CONFIRMED: DONE}) as (server, api):
        amazon.confirm_shipment(api, shipment())
    (told,) = server.of(CONFIRMED)
    assert (told.method, told.json["marketplaceId"]) == ("POST", "ATVPDKIKX0DER")
    assert told.json["packageDetail"] == {
        "packageReferenceId": package_number("shp-1"),
        "carrierCode": "UPS",
        "shippingMethod": "Ground",
        "trackingNumber": "1Z999",
        "shipDate": "2026-11-23T09:30:00.000Z",
        "orderItems": [{"orderItemId": "70112233445566", "quantity": 2}],
    }
    assert not server.of(SEARCH)


def test_a_parcel_told_twice_has_the_same_number_and_two_parcels_have_two() -> None:
    with amazon_with({CONFIRMED: DONE}) as (server, api):
        for shipment_id in ("shp-1", "shp-1", "shp-2"):
            amazon.confirm_shipment(api, shipment(shipment_id=shipment_id))
    first, again, other = [one.json["packageDetail"]["packageReferenceId"] for one in server.of(CONFIRMED)]
    assert first == again != other


def test_the_number_of_a_parcel_is_one_that_amazon_takes() -> None:
    numbers = {int(package_number(f"shp-{one}")) for one in range(2000)}
    assert len(numbers) == 2000
    assert all(1 <= number <= LARGEST_NUMBER for number in numbers)


@pytest.mark.parametrize(
    ("carrier", "code", "name"),
    [
        ("fedex", "FedEx", None),
        ("USPS", "USPS", None),
        ("Royal Mail", "Royal Mail", None),
        ("royal_mail", "Royal Mail", None),
        ("canadapost", "Canada Post", None),
        ("DHL e-Commerce", "DHL eCommerce", None),
        ("bikes4u", "Other", "bikes4u"),
        ("", "Other", "Unknown"),
    ],
)
def test_a_carrier_goes_by_amazons_code_or_by_its_name(carrier: str, code: str, name: str | None) -> None:
    with amazon_with({CONFIRMED: DONE}) as (server, api):
        amazon.confirm_shipment(api, shipment(carrier=carrier))
    told = server.of(CONFIRMED)[0].json["packageDetail"]
    assert (told["carrierCode"], told.get("carrierName")) == (code, name)


@pytest.mark.parametrize("orders_api", ["2026-01-01", "v0"])
def test_an_account_that_sells_in_several_places_asks_where_the_order_was_sold(orders_api: str) -> None:
    routes = {
        CONFIRMED: DONE,
        ORDER: order_reply(**{"salesChannel.marketplaceId": "A2EUQ1WTGCTBG2"}),
        f"{SEARCH_V0}/{ORDER_ID}": Reply(200, {"payload": {"MarketplaceId": "A2EUQ1WTGCTBG2"}}),
    }
    markets = "ATVPDKIKX0DER,A2EUQ1WTGCTBG2"
    with amazon_with(routes, marketplace_ids=markets, orders_api=orders_api) as (server, api):
        amazon.confirm_shipment(api, shipment())
    assert server.of(CONFIRMED)[0].json["marketplaceId"] == "A2EUQ1WTGCTBG2"


@pytest.mark.parametrize(
    "package", [{"packageReferenceId": package_number("shp-1")}, {"packageReferenceId": "7", "trackingNumber": "1Z999"}]
)
def test_a_refusal_is_no_matter_where_amazon_has_the_parcel(package: dict[str, str]) -> None:
    routes = {CONFIRMED: refusal(400, "InvalidInput"), ORDER: order_reply(packages=[package])}
    with amazon_with(routes) as (server, api):
        amazon.confirm_shipment(api, shipment())
    assert server.of(ORDER)[0].query["includedData"] == "FULFILLMENT,PACKAGES"


@pytest.mark.parametrize("orders_api", ["2026-01-01", "v0"])
def test_any_other_refusal_goes_to_a_person_with_amazons_code(orders_api: str) -> None:
    routes = {
        CONFIRMED: refusal(400, "InvalidInput"),
        ORDER: order_reply(packages=[{"packageReferenceId": "7", "trackingNumber": "1Z000"}]),
        f"{SEARCH_V0}/{ORDER_ID}": Reply(200, {"payload": {"OrderStatus": "Shipped"}}),
    }
    with amazon_with(routes, orders_api=orders_api) as (_, api), pytest.raises(ChannelRefused) as caught:
        amazon.confirm_shipment(api, shipment())
    assert (caught.value.status, caught.value.codes) == (400, ("InvalidInput",))


def test_parcels_without_a_number_are_not_taken_for_each_other() -> None:
    routes = {CONFIRMED: refusal(400, "InvalidInput"), ORDER: order_reply(packages=[{"packageReferenceId": "7"}])}
    with amazon_with(routes) as (_, api), pytest.raises(ChannelRefused):
        amazon.confirm_shipment(api, shipment(tracking_number=""))


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(429), Throttled), (Reply(500), Unavailable), (Reply(hangs_up=True), Unavailable), (Reply(404), NotFound)],
)
def test_a_parcel_that_could_not_be_told_is_told_later(reply: Reply, error: type[Exception]) -> None:
    with amazon_with({CONFIRMED: reply}) as (server, api), pytest.raises(error):
        amazon.confirm_shipment(api, shipment())
    assert len(server.of(CONFIRMED)) == 1


# cancelled orders

CANCELLED = f"{ORDER}/cancellation"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("NO_STOCK", "NO_INVENTORY"),
        ("BUYER_REQUEST", "BUYER_CANCELLED"),
        ("UNDELIVERABLE", "SHIPPING_ADDRESS_UNDELIVERABLE"),
        ("something else", "NO_INVENTORY"),
    ],
)
def test_a_cancelled_order_is_told_at_once_with_one_of_amazons_codes(reason: str, code: str) -> None:
    with amazon_with(feeds(**{CANCELLED: Reply(204)})) as (server, api):
        amazon.confirm_cancellation(api, cancellation(reason=reason))
    assert [(one.method, one.json) for one in server.of(CANCELLED)] == [("PUT", {"cancelReasonCode": code})]
    assert not server.of("/feeds")


def test_a_reason_that_only_the_feed_knows_is_told_by_the_feed() -> None:
    with amazon_with(feeds(**{CANCELLED: Reply(204)})) as (server, api):
        amazon.confirm_cancellation(api, cancellation(reason="FRAUD"))
    assert (len(server.of(CANCELLED)), len(server.of(FEEDS))) == (0, 1)


@pytest.mark.parametrize("not_offered", [Reply(404), FORBIDDEN])
def test_an_account_that_may_not_cancel_at_once_cancels_by_a_feed(not_offered: Reply) -> None:
    with amazon_with(feeds(**{CANCELLED: not_offered})) as (server, api):
        amazon.confirm_cancellation(api, cancellation())
    assert len(server.of(FEEDS)) == 1


def test_a_cancellation_that_amazon_refuses_is_a_persons_work_unless_it_has_it_already() -> None:
    refused = Reply(400, {"errors": [{"code": "InvalidInput"}]})
    with amazon_with(feeds(**{CANCELLED: refused})) as (server, api), pytest.raises(ChannelRefused) as caught:
        amazon.confirm_cancellation(api, cancellation())
    assert (caught.value.codes, server.of("/feeds")) == (("InvalidInput",), [])
    gone = in_order(order_reply(), order_reply(**{"fulfillment.fulfillmentStatus": "CANCELLED"}))
    with amazon_with(feeds(**{CANCELLED: refused, ORDER: gone})) as (server, api):
        amazon.confirm_cancellation(api, cancellation())
    assert not server.of("/feeds")


def test_an_account_that_was_told_to_keep_to_the_old_api_cancels_by_a_feed() -> None:
    old = Reply(200, {"payload": {"OrderStatus": "Unshipped", "MarketplaceId": "A2EUQ1WTGCTBG2"}})
    routes = feeds(**{CANCELLED: Reply(204), f"{SEARCH_V0}/{ORDER_ID}": old})
    with amazon_with(routes, orders_api="v0") as (server, api):
        amazon.confirm_cancellation(api, cancellation())
    assert (len(server.of(CANCELLED)), len(server.of(FEEDS))) == (0, 1)


def feeds(**changes: Any) -> dict[str, Any]:
    """Routes of an Amazon that takes a feed's document under `/upload` of the server it is at, and offers this account
    no other way to cancel."""

    def place(asked: Asked) -> Reply:
        return Reply(201, {"feedDocumentId": "doc-1", "url": f"http://{asked.headers['host']}/upload?signed=1"})

    made = {DOCUMENTS: place, "/upload": Reply(200), FEEDS: Reply(202, {"feedId": "7"}), ORDER: order_reply()}
    return {**made, CANCELLED: Reply(404), **changes}


@pytest.mark.parametrize(
    ("reason", "why"),
    [("NO_STOCK", "NoInventory"), ("BUYER_REQUEST", "BuyerCanceled"), ("whatever <else> & more", "NoInventory")],
)
def test_a_cancelled_order_is_told_by_a_feed_that_says_why(reason: str, why: str) -> None:
    with amazon_with(feeds()) as (server, api):
        amazon.confirm_cancellation(api, cancellation(reason=reason))
    (document,) = server.of(DOCUMENTS)
    assert document.json == {"contentType": "text/xml; charset=UTF-8"}
    (upload,) = server.of("/upload")
    assert (upload.method, upload.headers["content-type"]) == ("PUT", "text/xml; charset=UTF-8")
    assert "x-amz-access-token" not in upload.headers
    told = ET.fromstring(upload.body)  # noqa: S314 - our own document
    assert told.findtext("Header/MerchantIdentifier") == "A1SELLER"
    assert told.findtext("MessageType") == "OrderAcknowledgement"
    message = told.find("Message/OrderAcknowledgement")
    assert message is not None
    assert [(one.tag, one.text) for one in message][:2] == [("AmazonOrderID", ORDER_ID), ("StatusCode", "Failure")]
    assert message.findtext("Item/AmazonOrderItemCode") == "70112233445566"
    assert message.findtext("Item/CancelReason") == why
    (feed,) = server.of(FEEDS)
    assert feed.json == {
        "feedType": "POST_ORDER_ACKNOWLEDGEMENT_DATA",
        "marketplaceIds": ["ATVPDKIKX0DER"],
        "inputFeedDocumentId": "doc-1",
    }


def test_an_order_that_amazon_has_cancelled_already_needs_no_feed() -> None:
    cancelled = order_reply(**{"fulfillment.fulfillmentStatus": "CANCELLED"})
    with amazon_with(feeds(**{ORDER: cancelled})) as (server, api):
        amazon.confirm_cancellation(api, cancellation())
    assert not server.of("/feeds")


@pytest.mark.parametrize("status", ["PARTIALLY_SHIPPED", "SHIPPED", "UNFULFILLABLE"])
def test_an_order_that_was_shipped_in_part_is_left_to_a_person(status: str) -> None:
    with (
        amazon_with(feeds(**{ORDER: order_reply(**{"fulfillment.fulfillmentStatus": status})})) as (server, api),
        pytest.raises(NotSupported, match="Seller Central"),
    ):
        amazon.confirm_cancellation(api, cancellation())
    assert not server.of("/feeds")


def test_a_part_of_an_order_is_left_to_a_person() -> None:
    with amazon_with(feeds()) as (server, api), pytest.raises(NotSupported, match="Seller Central"):
        amazon.confirm_cancellation(api, cancellation(whole=False))
    assert not server.asked


def test_whoever_set_up_the_account_hears_that_the_sellers_id_is_missing() -> None:
    with amazon_with(feeds(), seller_id="") as (server, api), pytest.raises(NotSupported, match="seller_id"):
        amazon.confirm_cancellation(api, cancellation())
    assert not server.of("/feeds")


@pytest.mark.parametrize(("status", "fed"), [("Unshipped", 1), ("Canceled", 0)])
def test_orders_of_v0_are_cancelled_just_the_same(status: str, fed: int) -> None:
    old = Reply(200, {"payload": {"OrderStatus": status, "MarketplaceId": "A2EUQ1WTGCTBG2"}})
    routes = feeds(**{ORDER: FORBIDDEN, f"{SEARCH_V0}/{ORDER_ID}": old})
    with amazon_with(routes) as (server, api):
        amazon.confirm_cancellation(api, cancellation())
    assert [one.json["marketplaceIds"] for one in server.of(FEEDS)] == [["A2EUQ1WTGCTBG2"]] * fed


@pytest.mark.parametrize(
    "broken",
    [
        {"/upload": Reply(403)},
        {"/upload": Reply(hangs_up=True)},
        {DOCUMENTS: Reply(201, {"feedDocumentId": "doc-1"})},
        {DOCUMENTS: Reply(503)},
    ],
)
def test_a_document_that_does_not_get_there_makes_no_feed(broken: dict[str, Reply]) -> None:
    with amazon_with(feeds(**broken)) as (server, api), pytest.raises(Unavailable):
        amazon.confirm_cancellation(api, cancellation())
    assert not server.of(FEEDS)


# by Amazon's descriptions


def test_amazons_description_accepts_our_parcels() -> None:
    with amazon_described("ordersV0.json", orders_api="v0", marketplace_ids="ATVPDKIKX0DER") as api:
        amazon.confirm_shipment(api, shipment())
        amazon.confirm_shipment(api, shipment(carrier="bikes4u"))
        assert limits_of(api).taken.count("amazon#main#confirm-shipment") == 2


def test_amazons_description_accepts_our_feeds() -> None:
    routes = {SEARCH: order_reply(), "/storage": Reply(200), CANCELLED: Reply(404)}
    with (
        amazon_described("feeds_2021-06-30.json", seller_id="A1SELLER") as api,
        ScriptedServer(routes) as other,
    ):
        request, described_at = api.http.request, api.settings.base_url

        def routed(method: str, url: str, **sent: Any) -> Any:
            """Orders are in another description, and documents go to Amazon's storage, which has none."""
            if url.startswith(f"{described_at}/orders"):
                url = url.replace(described_at, other.url)
            elif method == "PUT":
                url = f"{other.url}/storage"
            return request(method, url, **sent)

        api.http.request = routed  # type: ignore[method-assign]
        amazon.confirm_cancellation(api, cancellation())
        assert limits_of(api).taken[-2:] == ["amazon#main#feed-document", "amazon#main#feed"]
    assert [one.method for one in other.asked] == ["GET", "PUT", "PUT"]
