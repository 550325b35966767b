"""A BigCommerce store over its APIs: played by a scripted server, and by Prism from BigCommerce's own descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import pytest

from oms.channels import bigcommerce, envelopes
from oms.channels.bigcommerce_api import call
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import CancellationNotice, NoticeLine, PulledOrder, ShipmentNotice, Window
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, NotSupported, Throttled, Unavailable
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.listings import AvailabilityMessage
from oms.runtime.http import MAX_ANSWER_BYTES
from tests.scripted_server import NOON, Asked, Reply, ScriptedServer, account_api
from tests.unit.bigcommerce_bodies import big_order
from tests.vendor_api import described, served

TOKEN = {"access_token": "token-sample"}
START = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)
WINDOW = Window(since=START, until=START + timedelta(minutes=10))
ORDER, SHIPMENTS, PRODUCTS = "/v2/orders/2107", "/v2/orders/2107/shipments", "/v2/orders/2107/products"
ABSOLUTE = "/v3/inventory/adjustments/absolute"


def store_api(url: str, credentials: Sequence[Mapping[str, str]] = (TOKEN,), **options: str) -> ChannelApi:
    return account_api("bigcommerce", url, credentials=credentials, options=options)


def changed(number: int, second: int) -> dict[str, Any]:
    return big_order(id=number, date_modified=format_datetime(START + timedelta(seconds=second)))


class Store:
    """Lists orders as BigCommerce does: by id, within the dates asked for, nothing at all where there are none."""

    def __init__(self, orders: list[dict[str, Any]]) -> None:
        self.orders = orders

    def __call__(self, asked: Asked) -> Reply:
        query = asked.query
        earliest, latest = (datetime.fromisoformat(query[f"{end}_date_modified"]) for end in ("min", "max"))
        within = [
            order
            for order in sorted(self.orders, key=lambda one: int(one["id"]))
            if earliest <= parsedate_to_datetime(order["date_modified"]) <= latest
            and order["id"] >= int(query.get("min_id", "0"))
        ][: int(query["limit"])]
        return Reply(body=within) if within else Reply(204)


def pulled(api: ChannelApi, most_pages: int = 30) -> list[PulledOrder]:
    found: list[PulledOrder] = []
    token: str | None = None
    for _ in range(most_pages):
        page = bigcommerce.pull(api, WINDOW, token)
        found += page.orders
        token = page.next_token
        if token is None:
            return found
    raise AssertionError("the pull does not end")


def parsed(one: PulledOrder) -> Any:
    facts = {
        "channel": "bigcommerce",
        "account": "main",
        "message_id": "1",
        "received_at": NOON,
        "body": one.body or "",
    }
    return bigcommerce.parse(Envelope(topic=envelopes.FETCHED, **facts))


def test_a_pull_signs_in_and_brings_orders_whole() -> None:
    with ScriptedServer({"/v2/orders": Store([changed(5, 0), changed(6, 700)])}) as server:
        (one,) = pulled(store_api(server.url))
        (asked,) = server.asked
    assert (one.channel_order_id, one.updated_at) == ("5", START)
    assert (asked.headers["x-auth-token"], asked.headers["accept"]) == ("token-sample", "application/json")
    assert asked.query["include"] == "consignments.line_items,fees"
    order = parsed(one)
    assert isinstance(order, IncomingOrder)
    assert (len(order.lines), order.channel_updated_at) == (2, START)


def test_a_pull_of_1_000_orders_brings_each_and_costs_21_calls() -> None:
    with ScriptedServer({"/v2/orders": Store([changed(number, number % 500) for number in range(1, 1_001)])}) as server:
        found = [one.channel_order_id for one in pulled(store_api(server.url))]
        assert len(server.asked) == 21
    assert found == [str(number) for number in range(1, 1_001)]


def test_orders_too_large_for_one_answer_are_asked_for_fewer_at_a_time() -> None:
    large = "x" * (MAX_ANSWER_BYTES // 10)
    store = Store([changed(number, number) | {"customer_message": large} for number in range(1, 18)])
    with ScriptedServer({"/v2/orders": store}) as server:
        found = [one.channel_order_id for one in pulled(store_api(server.url))]
        sizes = [asked.query["limit"] for asked in server.asked]
    assert found == [str(number) for number in range(1, 18)]
    assert sizes == ["50", "5", "50", "5", "50"]


def test_a_window_without_orders_is_empty() -> None:
    with ScriptedServer({"/v2/orders": Store([])}) as server:
        assert pulled(store_api(server.url)) == []


def test_an_order_that_changes_while_we_read_makes_us_pass_over_no_other() -> None:
    store = Store([changed(number, 5) for number in range(1, 251)])
    with ScriptedServer({"/v2/orders": store}) as server:
        api = store_api(server.url)
        first = bigcommerce.pull(api, WINDOW, None)
        for order in store.orders[:60]:
            order["date_modified"] = format_datetime(START + timedelta(hours=1))
        rest, token = list(first.orders), first.next_token
        while token:
            page = bigcommerce.pull(api, WINDOW, token)
            rest, token = rest + list(page.orders), page.next_token
    assert {one.channel_order_id for one in rest} >= {str(number) for number in range(61, 251)}


def test_a_listing_in_another_order_than_we_rely_on_is_not_believed() -> None:
    backwards = Reply(body=[changed(9, 1), changed(8, 1)])
    with ScriptedServer({"/v2/orders": backwards}) as server, pytest.raises(Unavailable):
        pulled(store_api(server.url))


def test_a_fetched_order_costs_one_call_and_keeps_its_amounts_exact() -> None:
    with ScriptedServer({ORDER: Reply(body=big_order(coupon_discount=3.2))}) as server:
        one = bigcommerce.fetch(store_api(server.url), "2107")
        assert len(server.asked) == 1
    assert (one.channel_order_id, parsed(one).totals.discounts_minor) == ("2107", 320)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, [{"status": 404, "message": "The requested resource was not found."}]), NotFound),
        (Reply(204), NotFound),
        (Reply(429, headers={"x-rate-limit-time-reset-ms": "3000"}), Throttled),
        (Reply(500), Unavailable),
        (Reply(503), Unavailable),
        (Reply(hangs_up=True), Unavailable),
        (Reply(body=b"<xml/>"), Unavailable),
        (Reply(body=[]), Unavailable),
        (Reply(body={"id": "x"}), Unavailable),
        (Reply(body={"id": 1, "date_modified": "soon"}), Unavailable),
        (Reply(401), CredentialsRefused),
        (Reply(400), ChannelRefused),
    ],
)
def test_whatever_goes_wrong_is_told_in_our_words(reply: Reply, error: type[Exception]) -> None:
    with ScriptedServer({ORDER: reply}) as server, pytest.raises(error):
        bigcommerce.fetch(store_api(server.url), "2107")


def test_without_a_token_nobody_is_asked() -> None:
    with ScriptedServer({}) as server:
        with pytest.raises(CredentialsRefused):
            bigcommerce.fetch(store_api(server.url, credentials=[{}]), "2107")
        assert server.asked == []


def test_without_an_address_of_its_own_a_store_is_at_bigcommerces() -> None:
    api = account_api("bigcommerce", "", credentials=[TOKEN], options={"store_hash": "sample0h"})
    asked: list[str] = []

    class Refusing:
        def request(self, _method: str, url: str, **_: Any) -> Any:
            asked.append(url)
            raise Unavailable("not in a test")

    api.http = Refusing()  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        bigcommerce.fetch(api, "2107")
    assert asked[0].startswith("https://api.bigcommerce.com/stores/sample0h/v2/orders/2107?")


def shipment(**changes: Any) -> ShipmentNotice:
    facts: dict[str, Any] = {
        "message_id": "o-1#7#shipment",
        "order_id": "bigcommerce-main-2107",
        "channel_order_id": "2107",
        "shipment_id": "WH-1-P1",
        "carrier": "UPS",
        "service": "Ground",
        "tracking_number": "1Z999AA10123456784",
        "shipped_at": NOON,
        "location_id": "WH-RENO",
        "lines": (NoticeLine(line_id="902", sku="CUP-SAND", quantity=2),),
        "completes": False,
    }
    return ShipmentNotice(**{**facts, **changes})


def cancellation(**changes: Any) -> CancellationNotice:
    facts: dict[str, Any] = {
        "message_id": "o-1#4#cancellation",
        "order_id": "bigcommerce-main-2107",
        "channel_order_id": "2107",
        "reason": "NO_STOCK",
        "cancelled_at": NOON,
        "lines": (NoticeLine(line_id="902", sku="CUP-SAND", quantity=3),),
        "whole": True,
    }
    return CancellationNotice(**{**facts, **changes})


class Shipments:
    """What a store keeps of parcels; `loses` answers of the first POST never arrive, though it was done."""

    def __init__(self, loses: bool = False) -> None:
        self.kept: list[dict[str, Any]] = []
        self.loses = loses

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            page, size = int(asked.query["page"]), int(asked.query["limit"])
            shown = self.kept[(page - 1) * size : page * size]
            return Reply(body=shown) if shown else Reply(204)
        self.kept.append(asked.json)
        if self.loses:
            self.loses = False
            return Reply(hangs_up=True)
        return Reply(201, {"id": len(self.kept), **asked.json})


def products_of_the_order() -> Reply:
    return Reply(body=big_order()["consignments"]["shipping"][0]["line_items"])


def test_a_parcel_becomes_a_shipment_to_the_lines_address() -> None:
    shipments = Shipments()
    with ScriptedServer({SHIPMENTS: shipments, PRODUCTS: products_of_the_order()}) as server:
        bigcommerce.confirm_shipment(store_api(server.url), shipment())
    assert shipments.kept == [
        {
            "order_address_id": 61,
            "tracking_number": "1Z999AA10123456784",
            "shipping_method": "UPS Ground",
            "shipping_provider": "ups",
            "tracking_carrier": "ups",
            "comments": "parcel WH-1-P1",
            "items": [{"order_product_id": 902, "quantity": 2}],
        }
    ]


@pytest.mark.parametrize("loses", [False, True], ids=["told twice", "told again after the answer was lost"])
def test_a_parcel_is_there_once(loses: bool) -> None:
    shipments = Shipments(loses)
    with ScriptedServer({SHIPMENTS: shipments, PRODUCTS: products_of_the_order()}) as server:
        api = store_api(server.url)
        if loses:
            with pytest.raises(Unavailable):
                bigcommerce.confirm_shipment(api, shipment())
        for _ in range(2):
            bigcommerce.confirm_shipment(api, shipment(shipment_id="WH-1-P1"))
    assert len(shipments.kept) == 1


def test_parcels_whose_ids_begin_alike_are_told_apart() -> None:
    shipments = Shipments()
    with ScriptedServer({SHIPMENTS: shipments, PRODUCTS: products_of_the_order()}) as server:
        for shipment_id in ("WH-1-P10", "WH-1-P1"):
            bigcommerce.confirm_shipment(store_api(server.url), shipment(shipment_id=shipment_id))
    assert [one["comments"] for one in shipments.kept] == ["parcel WH-1-P10", "parcel WH-1-P1"]


def test_a_parcel_is_found_beyond_the_first_page_of_shipments() -> None:
    shipments = Shipments()
    items = [{"order_product_id": line.line_id, "quantity": line.quantity} for line in shipment().lines]
    shipments.kept = [{"id": number, "comments": f"parcel {number}", "items": items} for number in range(260)]
    with ScriptedServer({SHIPMENTS: shipments, PRODUCTS: products_of_the_order()}) as server:
        bigcommerce.confirm_shipment(store_api(server.url), shipment(shipment_id="255"))
    assert len(shipments.kept) == 260


def test_a_parcel_that_is_told_in_parts_is_told_whole() -> None:
    shipments = Shipments()
    others = (NoticeLine(line_id="903", sku="BOWL", quantity=1),)
    products = Reply(body=[{"id": number, "order_address_id": 61} for number in (902, 903)])
    with ScriptedServer({SHIPMENTS: shipments, PRODUCTS: products}) as server:
        for lines in (shipment().lines, others, shipment().lines, others):
            bigcommerce.confirm_shipment(store_api(server.url), shipment(lines=lines))
    assert [[item["order_product_id"] for item in one["items"]] for one in shipments.kept] == [[902], [903]]


def test_a_parcel_that_another_worker_tells_at_the_same_time_is_no_refusal() -> None:
    shipments = Shipments()

    def first_told_by_another(asked: Asked) -> Reply:
        reply = shipments(asked)
        return Reply(400, [{"status": 400, "message": "nothing left"}]) if asked.method == "POST" else reply

    with ScriptedServer({SHIPMENTS: first_told_by_another, PRODUCTS: products_of_the_order()}) as server:
        bigcommerce.confirm_shipment(store_api(server.url), shipment())
    assert len(shipments.kept) == 1


@pytest.mark.parametrize(
    ("carrier", "provider", "slug"),
    [
        ("FedEx", "fedex", "fedex"),
        ("canada_post", "canadapost", "canada-post"),
        ("Australia Post", "auspost", "australia-post"),
        ("royal_mail", "royalmail", "royal-mail"),
        ("OnTrac", "", "ontrac"),
        ("dhl_express", "", "dhl"),
        ("Own van", "", ""),
        ("", "", ""),
    ],
)
def test_a_carrier_is_called_as_bigcommerce_knows_it_and_by_nothing_else(
    carrier: str, provider: str, slug: str
) -> None:
    shipments = Shipments()
    with ScriptedServer({SHIPMENTS: shipments, PRODUCTS: products_of_the_order()}) as server:
        bigcommerce.confirm_shipment(store_api(server.url), shipment(carrier=carrier, tracking_number="D" * 60))
    (kept,) = shipments.kept
    method = f"{carrier} Ground".strip()
    assert (kept["shipping_provider"], kept["tracking_carrier"], kept["shipping_method"]) == (provider, slug, method)
    assert len(kept["tracking_number"]) == 50


def test_a_parcel_of_lines_that_the_store_does_not_list_is_for_a_person() -> None:
    with ScriptedServer({SHIPMENTS: Shipments(), PRODUCTS: Reply(body=[])}) as server, pytest.raises(ChannelRefused):
        bigcommerce.confirm_shipment(store_api(server.url), shipment())


@pytest.mark.parametrize(("status_id", "puts"), [(11, 1), (7, 1), (5, 0), (4, 0), (6, 0)])
def test_a_whole_cancellation_cancels_an_order_that_is_not_over(status_id: int, puts: int) -> None:
    with ScriptedServer({ORDER: Reply(body=big_order(status_id=status_id))}) as server:
        bigcommerce.confirm_cancellation(store_api(server.url), cancellation())
        assert [asked.json for asked in server.of(ORDER, "PUT")] == [{"status_id": 5}] * puts


@pytest.mark.parametrize(("status_id", "whole"), [(11, False), (2, True), (3, True), (10, True)])
def test_what_needs_a_refund_is_left_to_a_person(status_id: int, whole: bool) -> None:
    with ScriptedServer({ORDER: Reply(body=big_order(status_id=status_id))}) as server:
        with pytest.raises(NotSupported):
            bigcommerce.confirm_cancellation(store_api(server.url), cancellation(whole=whole))
        assert server.of(ORDER, "PUT") == []


def figure(channel_sku: str, quantity: int) -> AvailabilityMessage:
    return AvailabilityMessage(channel_sku=channel_sku, sku="X", quantity=quantity, version=3, at=NOON)


def test_figures_are_told_in_one_call_for_the_accounts_location() -> None:
    with ScriptedServer({ABSOLUTE: Reply(body={"transaction_id": "t"})}) as server:
        figures = [figure("TRAY-ASH", 4), figure("variant:430", 0), figure("product:9", 2)]
        assert bigcommerce.publish(store_api(server.url, location_id="7"), figures) == {}
        (asked,) = server.asked
    assert asked.method == "PUT"
    assert asked.json["items"] == [
        {"location_id": 7, "sku": "TRAY-ASH", "quantity": 4},
        {"location_id": 7, "variant_id": 430, "quantity": 0},
        {"location_id": 7, "product_id": 9, "quantity": 2},
    ]


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(500), Unavailable), (Reply(429), Throttled), (Reply(422, {"status": 422, "title": "No"}), ChannelRefused)],
)
def test_figures_that_could_not_be_told_are_not_taken_for_told(reply: Reply, error: type[Exception]) -> None:
    with ScriptedServer({ABSOLUTE: reply}) as server, pytest.raises(error):
        bigcommerce.publish(store_api(server.url), [figure("TRAY-ASH", 4)])


def test_what_the_store_has_is_listed_page_by_page() -> None:
    def items(asked: Asked) -> Reply:
        first = 1 if asked.query["page"] == "1" else 251
        numbers = range(first, min(first + int(asked.query["limit"]), 261))
        data = [
            {"identity": {"sku": f"S-{n}"}, "available_to_sell": n - 1, "total_inventory_onhand": n} for n in numbers
        ]
        unnamed = [{"identity": {"sku": "", "variant_id": 12}, "total_inventory_onhand": 3}, {"identity": {}}, {}]
        return Reply(body={"data": data if first == 1 else data + unnamed})

    with ScriptedServer({"/v3/inventory/locations/1/items": items}) as server:
        api = store_api(server.url)
        first = bigcommerce.listed(api, None)
        last = bigcommerce.listed(api, first.next_token)
    assert first.quantities | last.quantities == {f"S-{n}": n for n in range(1, 261)} | {"variant:12": 3}
    assert last.next_token is None


@pytest.fixture(scope="module")
def orders_v2() -> Iterator[str]:
    with served(described("bigcommerce/specs/orders.v2.oas2.yml")) as url:
        yield url


@pytest.fixture(scope="module")
def inventory_v3() -> Iterator[str]:
    with served(described("bigcommerce/specs/inventory.v3.yml")) as url:
        yield url


class Versioned:
    """Prism serves one version at its root: what our calls name the version by is taken off."""

    def __init__(self, api: ChannelApi, prefix: str) -> None:
        self.inner, self.prefix, self.statuses = api.http, prefix, []

    def request(self, method: str, url: str, **kept: Any) -> Any:
        answer = self.inner.request(method, url.replace(self.prefix, "/", 1), **kept)
        self.statuses.append(answer.status)
        return answer


def described_api(url: str, prefix: str) -> tuple[ChannelApi, Versioned]:
    api = store_api(url)
    api.http = versioned = Versioned(api, prefix)  # type: ignore[assignment]
    return api, versioned


def test_pulling_and_fetching_is_as_bigcommerce_describes_it(orders_v2: str) -> None:
    api, asked = described_api(orders_v2, "/v2/")
    page = bigcommerce.pull(api, WINDOW, None)
    assert page.orders
    bigcommerce.pull(api, WINDOW, "17")
    assert bigcommerce.fetch(api, "118").updated_at.tzinfo is UTC
    assert asked.statuses == [200, 200, 200]


def test_telling_of_a_parcel_is_as_bigcommerce_describes_it(orders_v2: str) -> None:
    api, asked = described_api(orders_v2, "/v2/")
    (product, *_) = call(api, "GET", "v2/orders/118/products")
    line_id = str(product["id"])
    lines = (NoticeLine(line_id=line_id, sku="X", quantity=1),)
    bigcommerce.confirm_shipment(api, shipment(channel_order_id="118", lines=lines))
    assert asked.statuses == [200, 200, 200, 201]


def test_cancelling_is_as_bigcommerce_describes_it(orders_v2: str) -> None:
    api, asked = described_api(orders_v2, "/v2/")
    bigcommerce.confirm_cancellation(api, cancellation(channel_order_id="118"))
    assert asked.statuses == [200, 200]


def test_stock_is_told_and_listed_as_bigcommerce_describes_it(inventory_v3: str) -> None:
    api, asked = described_api(inventory_v3, "/v3/")
    assert bigcommerce.publish(api, [figure("RE-130", 4), figure("variant:78", 1)]) == {}
    assert bigcommerce.listed(api, None).quantities
    assert asked.statuses == [200, 200]


def test_prism_refuses_what_bigcommerce_would(orders_v2: str) -> None:
    api, _ = described_api(orders_v2, "/v2/")
    with pytest.raises(ChannelRefused):
        call(api, "POST", "v2/orders/118/shipments", body={"items": "all of them"})
