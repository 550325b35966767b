"""A WooCommerce shop over its REST API, played by a scripted server: it has no description that Prism could serve."""

from __future__ import annotations

import base64
import copy
import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.channels import envelopes, woocommerce
from oms.channels.client import ChannelApi
from oms.channels.woocommerce_api import LISTED, PAGE
from oms.domain.channel_messages import CancellationNotice, NoticeLine, PulledOrder, ShipmentNotice, Window
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, NotSupported, Throttled, Unavailable
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.listings import AvailabilityMessage
from oms.runtime.http import MAX_ANSWER_BYTES
from tests.scripted_server import NOON, Asked, Reply, ScriptedServer, account_api, in_order
from tests.unit.woocommerce_bodies import fixture, simple_order, woo_order

ROOT = "/wp-json/wc/v3"
KEYS = {"consumer_key": "ck_sample", "consumer_secret": "cs_sample"}
START = datetime(2026, 11, 16, 14, 0, tzinfo=UTC)
WINDOW = Window(since=START, until=START + timedelta(minutes=10))


def shop_api(server: ScriptedServer, credentials: Sequence[Mapping[str, str]] = (KEYS,), **options: str) -> ChannelApi:
    return account_api("woocommerce", server.url, credentials=credentials, options=options)


def changed(number: int, second: int, **facts: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=second)
    return woo_order(id=number, date_modified_gmt=f"{at:%Y-%m-%dT%H:%M:%S}", **facts)


class Shop:
    """Lists orders as WooCommerce does: by last change, in pages, within exclusive bounds; the bin apart."""

    def __init__(self, orders: list[dict[str, Any]], binned: Sequence[dict[str, Any]] = ()) -> None:
        self.orders, self.binned = orders, list(binned)

    def __call__(self, asked: Asked) -> Reply:
        query = asked.query
        assert (query["dates_are_gmt"], query["orderby"], query["order"]) == ("true", "modified", "asc")
        within = sorted(
            (
                order
                for order in (self.binned if query["status"] == "trash" else self.orders)
                if query["modified_after"] < order["date_modified_gmt"] < query["modified_before"]
            ),
            key=lambda order: (order["date_modified_gmt"], order["id"]),
        )
        size, page = int(query["per_page"]), int(query["page"])
        return Reply(body=within[(page - 1) * size : page * size])


def pulled(api: ChannelApi, window: Window = WINDOW, most_pages: int = 30) -> list[PulledOrder]:
    found: list[PulledOrder] = []
    token: str | None = None
    for _ in range(most_pages):
        page = woocommerce.pull(api, window, token)
        found += page.orders
        token = page.next_token
        if token is None:
            return found
    raise AssertionError("the pull does not end")


def parsed(one: PulledOrder) -> Any:
    facts = {
        "channel": "woocommerce",
        "account": "main",
        "message_id": "1",
        "received_at": NOON,
        "body": one.body or "",
    }
    return woocommerce.parse(Envelope(topic=envelopes.FETCHED, **facts))


def test_a_pull_signs_in_and_asks_for_what_changed_from_the_first_second_on() -> None:
    with ScriptedServer({f"{ROOT}/orders": Shop([changed(1, 0)])}) as server:
        (one,) = pulled(shop_api(server))
        first = server.asked[0]
    assert (one.channel_order_id, one.updated_at) == ("1", START)
    assert first.headers["authorization"] == "Basic " + base64.b64encode(b"ck_sample:cs_sample").decode()
    assert first.query["modified_after"] == "2026-11-16T13:59:59"
    assert first.query["modified_before"] == "2026-11-16T14:10:00"
    assert isinstance(parsed(one), IncomingOrder)


def test_a_pull_of_1_000_orders_brings_each_and_costs_21_calls_and_one_for_the_bin() -> None:
    shop = Shop([changed(number, number // 2) for number in range(1, 1_001)])
    with ScriptedServer({f"{ROOT}/orders": shop}) as server:
        found = {one.channel_order_id for one in pulled(shop_api(server))}
        calls = len(server.asked)
    assert found == {str(number) for number in range(1, 1_001)}
    assert calls == 22


def test_orders_too_large_for_one_answer_are_listed_by_their_ids_and_fetched() -> None:
    large = [{"id": 1, "key": "_invoice", "value": "x" * (MAX_ANSWER_BYTES // 40)}]
    shop = Shop([changed(number, number, meta_data=large) for number in range(1, 61)])

    def with_fields(asked: Asked) -> Reply:
        names, reply = asked.query.get("_fields"), shop(asked)
        thin = [{name: order[name] for name in names.split(",")} for order in reply.body] if names else reply.body
        return Reply(body=thin)

    with ScriptedServer({f"{ROOT}/orders": with_fields}) as server:
        found = pulled(shop_api(server))
    assert {one.channel_order_id for one in found} == {str(number) for number in range(1, 61)}
    assert [one.body is None for one in found[:50]] == [True] * 50
    assert found[-1].body


def test_orders_that_all_changed_in_one_second_are_paged_through() -> None:
    with ScriptedServer({f"{ROOT}/orders": Shop([changed(number, 5) for number in range(1, 251)])}) as server:
        assert len({one.channel_order_id for one in pulled(shop_api(server))}) == 250


def test_an_order_that_changes_while_we_read_makes_us_pass_over_no_other() -> None:
    shop = Shop([changed(number, number) for number in range(1, 251)])
    with ScriptedServer({f"{ROOT}/orders": shop}) as server:
        api = shop_api(server)
        first = woocommerce.pull(api, WINDOW, None)
        for order in shop.orders[:60]:
            order["date_modified_gmt"] = "2026-11-16T15:00:00"
        rest, token = list(first.orders), first.next_token
        while token:
            page = woocommerce.pull(api, WINDOW, token)
            rest, token = rest + list(page.orders), page.next_token
    assert {one.channel_order_id for one in rest} >= {str(number) for number in range(61, 251)}


def test_orders_in_the_bin_are_pulled_as_cancelled() -> None:
    with ScriptedServer({f"{ROOT}/orders": Shop([], [changed(7, 3, status="trash")])}) as server:
        (one,) = pulled(shop_api(server))
        assert [asked.query["status"] for asked in server.asked] == list(LISTED)
    assert parsed(one).cancelled_at == one.updated_at


@pytest.mark.parametrize("facts", [{"refunds": [{"id": 9}]}, {"shipping_lines": [], "shipping": {}}])
def test_an_order_that_a_listing_does_not_tell_whole_is_left_to_be_fetched(facts: dict[str, Any]) -> None:
    with ScriptedServer({f"{ROOT}/orders": Shop([changed(7, 3, **facts)])}) as server:
        (one,) = pulled(shop_api(server))
    assert one.body is None


def test_a_page_that_was_asked_for_twice_is_the_same_page() -> None:
    with ScriptedServer({f"{ROOT}/orders": Shop([changed(number, number) for number in range(1, 151)])}) as server:
        api = shop_api(server)
        token = woocommerce.pull(api, WINDOW, None).next_token
        assert woocommerce.pull(api, WINDOW, token) == woocommerce.pull(api, WINDOW, token)


def test_a_fetched_order_carries_the_units_that_its_refunds_took() -> None:
    order = woo_order(refunds=[{"id": 48300, "total": "-11.45"}])
    routes = {
        f"{ROOT}/orders/48213": Reply(body=order),
        f"{ROOT}/orders/48213/refunds": Reply(body=[fixture("refund")]),
    }
    with ScriptedServer(routes) as server:
        one = woocommerce.fetch(shop_api(server), "48213")
        assert len(server.asked) == 2
    whole = parsed(one)
    assert one.updated_at == whole.channel_updated_at
    assert [line.current_quantity for line in whole.lines] == [1, 1]


def test_an_order_with_nothing_refunded_costs_one_call() -> None:
    with ScriptedServer({f"{ROOT}/orders/48213": Reply(body=woo_order())}) as server:
        assert [line.current_quantity for line in parsed(woocommerce.fetch(shop_api(server), "48213")).lines] == [2, 1]
        assert len(server.asked) == 1


def test_products_of_an_order_without_a_word_on_shipping_are_asked_whether_they_are_virtual() -> None:
    order = woo_order(shipping_lines=[], shipping={})
    routes = {
        f"{ROOT}/orders/48213": Reply(body=order),
        f"{ROOT}/products/4105": Reply(body={"id": 4105, "virtual": True}),
        f"{ROOT}/products/4210": Reply(404, {"code": "woocommerce_rest_product_invalid_id"}),
    }
    with ScriptedServer(routes) as server:
        whole = parsed(woocommerce.fetch(shop_api(server), "48213"))
    assert [line.requires_shipping for line in whole.lines] == [False, True]


def test_an_order_that_was_never_changed_was_last_changed_when_it_was_placed() -> None:
    with ScriptedServer({f"{ROOT}/orders/48213": Reply(body=woo_order(date_modified_gmt=None))}) as server:
        one = woocommerce.fetch(shop_api(server), "48213")
    assert one.updated_at == parsed(one).channel_updated_at == parsed(one).placed_at


def test_amounts_that_a_plugin_wrote_as_numbers_stay_exact() -> None:
    order = simple_order(total="9.87", gift_cards=[{"id": 1, "amount": 0.13}])
    with ScriptedServer({f"{ROOT}/orders/48213": Reply(body=order)}) as server:
        assert parsed(woocommerce.fetch(shop_api(server), "48213")).totals.total_minor == 1000


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, {"code": "woocommerce_rest_shop_order_invalid_id"}), NotFound),
        (Reply(429, headers={"retry-after": "7"}), Throttled),
        (Reply(500), Unavailable),
        (Reply(503), Unavailable),
        (Reply(hangs_up=True), Unavailable),
        (Reply(body=b"<html>maintenance</html>"), Unavailable),
        (Reply(body=[]), Unavailable),
        (Reply(body={"id": 1}), Unavailable),
        (Reply(401, {"code": "woocommerce_rest_cannot_view"}), CredentialsRefused),
        (Reply(403), CredentialsRefused),
        (Reply(400, {"code": "rest_invalid_param"}), ChannelRefused),
    ],
)
def test_whatever_goes_wrong_is_told_in_our_words(reply: Reply, error: type[Exception]) -> None:
    with ScriptedServer({f"{ROOT}/orders": reply}) as server, pytest.raises(error):
        woocommerce.fetch(shop_api(server), "48213")


@pytest.mark.parametrize("body", [{"orders": []}, [[]], [{"id": 1}], [{"id": 1, "date_modified_gmt": "yesterday"}]])
def test_a_listing_of_something_else_is_not_taken_for_an_empty_one(body: Any) -> None:
    with ScriptedServer({f"{ROOT}/orders": Reply(body=body)}) as server, pytest.raises(Unavailable):
        pulled(shop_api(server))


def test_new_keys_are_used_once_the_old_ones_are_refused() -> None:
    newer = {"consumer_key": "ck_new", "consumer_secret": "cs_new"}
    replies = in_order(Reply(401), Reply(body=woo_order()))
    with ScriptedServer({f"{ROOT}/orders": replies}) as server:
        woocommerce.fetch(shop_api(server, credentials=[KEYS, newer]), "48213")
        used = [asked.headers["authorization"] for asked in server.asked]
    assert used[1] == "Basic " + base64.b64encode(b"ck_new:cs_new").decode()


def test_without_keys_nobody_is_asked() -> None:
    with ScriptedServer({}) as server:
        with pytest.raises(CredentialsRefused):
            woocommerce.fetch(shop_api(server, credentials=[{"consumer_key": "ck"}]), "48213")
        assert server.asked == []


class OneOrder:
    """An order of a shop that keeps what it is told: notes (as HTML, like WordPress), meta data, status."""

    def __init__(self, **facts: Any) -> None:
        self.order = woo_order(**facts)
        self.notes: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("/notes"):
            if asked.method == "POST":
                self.notes.append(asked.json | {"note": html.escape(asked.json["note"], quote=False)})
                return Reply(201, asked.json)
            return Reply(body=self.notes)
        if asked.method == "PUT":
            change = copy.deepcopy(asked.json)
            for meta in change.pop("meta_data", []):
                kept = [one for one in self.order["meta_data"] if one["key"] != meta["key"]]
                self.order["meta_data"] = [*kept, meta]
            self.order |= change
        return Reply(body=self.order)

    def parcels(self) -> list[str]:
        return [one["key"] for one in self.order["meta_data"] if one["key"].startswith("_oms_")]


def shipment(**changes: Any) -> ShipmentNotice:
    facts: dict[str, Any] = {
        "message_id": "o-1#7#shipment",
        "order_id": "woocommerce-main-48213",
        "channel_order_id": "48213",
        "shipment_id": "WH-1-P1",
        "carrier": "UPS",
        "service": "Ground",
        "tracking_number": "1Z999AA10123456784",
        "shipped_at": NOON,
        "location_id": "WH-RENO",
        "lines": (NoticeLine(line_id="701", sku="MUG-BLUE", quantity=2),),
        "completes": True,
    }
    return ShipmentNotice(**{**facts, **changes})


def cancellation(**changes: Any) -> CancellationNotice:
    facts: dict[str, Any] = {
        "message_id": "o-1#4#cancellation",
        "order_id": "woocommerce-main-48213",
        "channel_order_id": "48213",
        "reason": "NO_STOCK",
        "cancelled_at": NOON,
        "lines": (NoticeLine(line_id="701", sku="MUG-BLUE", quantity=1),),
        "whole": True,
    }
    return CancellationNotice(**{**facts, **changes})


def test_the_last_parcel_is_noted_and_completes_the_order() -> None:
    shop = OneOrder()
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        woocommerce.confirm_shipment(shop_api(server), shipment())
    (note,) = shop.notes
    assert "1Z999AA10123456784" in note["note"]
    assert note["customer_note"] is False
    assert shop.order["status"] == "completed"
    kept = shop.order["meta_data"][-1]
    assert (kept["key"], kept["value"]["tracking_number"]) == ("_oms_shipment_WH-1-P1", "1Z999AA10123456784")
    assert kept["value"]["lines"] == [{"line_id": "701", "quantity": 2}]


def test_a_parcel_of_several_leaves_the_order_open() -> None:
    shop = OneOrder()
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        api = shop_api(server, customer_notes="true")
        woocommerce.confirm_shipment(api, shipment(completes=False))
        assert shop.order["status"] == "processing"
        woocommerce.confirm_shipment(api, shipment(shipment_id="WH-2-P1"))
    assert shop.order["status"] == "completed"
    assert shop.parcels() == ["_oms_shipment_WH-1-P1", "_oms_shipment_WH-2-P1"]
    assert [note["customer_note"] for note in shop.notes] == [True, True]


def test_a_parcel_told_twice_is_there_once_and_nothing_is_written_again() -> None:
    shop = OneOrder()
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        woocommerce.confirm_shipment(shop_api(server), shipment())
        before = len(server.asked)
        woocommerce.confirm_shipment(shop_api(server), shipment())
        assert {asked.method for asked in server.asked[before:]} == {"GET"}
    assert (len(shop.notes), len(shop.parcels())) == (1, 1)


def test_parcels_whose_ids_begin_alike_are_told_apart() -> None:
    shop = OneOrder()
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        for shipment_id in ("WH-1-P10", "WH-1-P1"):
            woocommerce.confirm_shipment(shop_api(server), shipment(shipment_id=shipment_id))
    assert len(shop.notes) == 2


def test_a_parcel_whose_id_is_written_otherwise_in_html_is_noted_once() -> None:
    shop = OneOrder()
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        for _ in range(2):
            woocommerce.confirm_shipment(shop_api(server), shipment(shipment_id="P&1"))
    assert len(shop.notes) == 1


def test_a_parcel_told_again_after_half_of_it_arrived_is_completed() -> None:
    shop = OneOrder()
    lost = in_order(Reply(body=shop.order), Reply(hangs_up=True))
    routes = {f"{ROOT}/orders/48213": lost, f"{ROOT}/orders/48213/notes": shop}
    with ScriptedServer(routes) as server:
        with pytest.raises(Unavailable):
            woocommerce.confirm_shipment(shop_api(server), shipment())
        assert (len(shop.notes), shop.parcels()) == (1, [])
        server.routes[f"{ROOT}/orders/48213"] = shop
        woocommerce.confirm_shipment(shop_api(server), shipment())
    assert (len(shop.notes), len(shop.parcels()), shop.order["status"]) == (1, 1, "completed")


@pytest.mark.parametrize("status", ["cancelled", "refunded", "trash", "completed"])
def test_a_parcel_brings_no_order_back_that_is_over(status: str) -> None:
    shop = OneOrder(status=status)
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        woocommerce.confirm_shipment(shop_api(server), shipment())
    assert (shop.order["status"], len(shop.notes), len(shop.parcels())) == (status, 1, 1)


@pytest.mark.parametrize("status", ["processing", "on-hold", "pending", "failed", "cancelled"])
def test_a_whole_cancellation_cancels_the_order_once(status: str) -> None:
    shop = OneOrder(status=status)
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        for _ in range(2):
            woocommerce.confirm_cancellation(shop_api(server), cancellation())
        assert len(server.of(ROOT, "PUT")) == (0 if status == "cancelled" else 1)
    assert (shop.order["status"], shop.notes) == ("cancelled", [])


@pytest.mark.parametrize(("status", "whole"), [("processing", False), ("completed", True)])
def test_what_needs_a_refund_is_noted_once_and_left_to_a_person(status: str, whole: bool) -> None:
    shop = OneOrder(status=status)
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        for _ in range(2):
            with pytest.raises(NotSupported):
                woocommerce.confirm_cancellation(shop_api(server), cancellation(whole=whole))
    (note,) = shop.notes
    assert "1 x MUG-BLUE" in note["note"]
    assert (note["customer_note"], shop.order["status"]) == (False, status)


@pytest.mark.parametrize(
    ("status", "then"),
    [("processing", "completed"), ("on-hold", "completed"), ("completed", "completed"), ("refunded", "refunded")],
)
def test_units_that_will_not_ship_after_the_last_parcel_complete_the_order(status: str, then: str) -> None:
    shop = OneOrder(status=status)
    with ScriptedServer({f"{ROOT}/orders/48213": shop}) as server:
        for _ in range(2):
            with pytest.raises(NotSupported):
                woocommerce.confirm_cancellation(shop_api(server), cancellation(whole=False, completes=True))
        assert len(server.of(ROOT, "PUT")) == (status != then)
    assert (shop.order["status"], len(shop.notes)) == (then, 1)


def figure(channel_sku: str, quantity: int) -> AvailabilityMessage:
    return AvailabilityMessage(channel_sku=channel_sku, sku="X", quantity=quantity, version=3, at=NOON)


def updated(asked: Asked) -> Reply:
    return Reply(body={"update": [{"id": item["id"]} for item in asked.json["update"]]})


def test_products_and_variations_are_told_in_one_batch_each_and_unknown_skus_are_named() -> None:
    routes = {
        f"{ROOT}/products": Reply(body=fixture("products")),
        f"{ROOT}/products/batch": updated,
        f"{ROOT}/products/4101/variations/batch": updated,
    }
    with ScriptedServer(routes) as server:
        figures = [figure("MUG-BLUE", 5), figure("COASTER-OAK", 0), figure("GONE", 1)]
        assert woocommerce.publish(shop_api(server), figures) == {"GONE": "NOT_LISTED"}
        lookup, *batches = server.asked
    assert lookup.query == {"sku": "MUG-BLUE,COASTER-OAK,GONE", "per_page": str(PAGE)}
    assert {one.path: one.json["update"] for one in batches} == {
        f"{ROOT}/products/batch": [{"id": 4210, "manage_stock": True, "stock_quantity": 0}],
        f"{ROOT}/products/4101/variations/batch": [{"id": 4105, "manage_stock": True, "stock_quantity": 5}],
    }


def test_skus_with_a_comma_and_products_without_sku_are_looked_up_one_by_one() -> None:
    def products(asked: Asked) -> Reply:
        known = {"A,B": 11, "C": 12}
        return Reply(body=[{"id": known[sku], "sku": sku} for sku in [asked.query["sku"]] if sku in known])

    routes = {
        f"{ROOT}/products": products,
        f"{ROOT}/products/77": Reply(body={"id": 77, "sku": "", "parent_id": 70}),
        f"{ROOT}/products/88": Reply(404, {"code": "woocommerce_rest_product_invalid_id"}),
        f"{ROOT}/products/batch": updated,
        f"{ROOT}/products/70/variations/batch": updated,
    }
    with ScriptedServer(routes) as server:
        figures = [figure("A,B", 1), figure("variant:77", 2), figure("product:88", 3), figure("C", 4)]
        assert woocommerce.publish(shop_api(server), figures) == {"product:88": "NOT_LISTED"}
        told = [item for one in server.of(ROOT, "POST") for item in one.json["update"]]
    assert sorted((item["id"], item["stock_quantity"]) for item in told) == [(11, 1), (12, 4), (77, 2)]


def test_what_a_batch_did_not_take_is_named_with_the_shops_code() -> None:
    error = {"id": 4210, "error": {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}}
    routes = {
        f"{ROOT}/products": Reply(body=fixture("products")),
        f"{ROOT}/products/batch": Reply(body={"update": [error]}),
        f"{ROOT}/products/4101/variations/batch": updated,
    }
    with ScriptedServer(routes) as server:
        refused = woocommerce.publish(shop_api(server), [figure("MUG-BLUE", 5), figure("COASTER-OAK", 1)])
    assert refused == {"COASTER-OAK": "woocommerce_rest_product_invalid_id"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(500), Unavailable), (Reply(429), Throttled), (Reply(400, {"code": "no"}), ChannelRefused)],
)
def test_figures_that_could_not_be_told_are_not_taken_for_told(reply: Reply, error: type[Exception]) -> None:
    routes = {f"{ROOT}/products": Reply(body=fixture("products")), f"{ROOT}/products/batch": reply}
    with ScriptedServer(routes) as server, pytest.raises(error):
        woocommerce.publish(shop_api(server), [figure("COASTER-OAK", 1)])


def test_what_the_shop_believes_is_listed_with_its_variations_as_far_as_it_counts() -> None:
    def products(asked: Asked) -> Reply:
        many = [{"id": n, "sku": f"S-{n}", "manage_stock": True, "stock_quantity": n} for n in range(1, 20)]
        parent = {"id": 20, "sku": "PARENT", "manage_stock": False, "stock_quantity": None, "variations": [31, 32, 33]}
        last = [{"id": 21, "sku": "", "manage_stock": True, "stock_quantity": 4}]
        return Reply(body=[*many, parent] if asked.query["page"] == "1" else last)

    variations = [
        {"id": 31, "sku": "V-1", "manage_stock": True, "stock_quantity": 6},
        {"id": 32, "sku": "V-2", "manage_stock": "parent", "stock_quantity": 6},
        {"id": 33, "sku": "V-3", "manage_stock": True, "stock_quantity": None},
        {"id": 34, "sku": "", "manage_stock": True, "stock_quantity": 8},
    ]
    routes = {f"{ROOT}/products": products, f"{ROOT}/products/20/variations": Reply(body=variations)}
    with ScriptedServer(routes) as server:
        first = woocommerce.listed(shop_api(server), None)
        last = woocommerce.listed(shop_api(server), first.next_token)
    assert first.quantities == {f"S-{n}": n for n in range(1, 20)} | {"V-1": 6, "variant:34": 8}
    assert (last.quantities, last.next_token) == ({"product:21": 4}, None)
