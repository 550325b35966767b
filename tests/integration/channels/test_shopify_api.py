"""Shopify's Admin API: what is asked of it, and what becomes of its moods."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from oms.channels import envelopes, shopify, shopify_reading
from oms.channels.client import ChannelApi
from oms.channels.shopify_models import ShopifyOrder
from oms.domain.channel_messages import Window
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, Throttled, Unavailable
from oms.domain.incoming import Envelope, IncomingOrder
from oms.runtime.http import MAX_ANSWER_BYTES
from tests.integration.channels.shopify_shop import GRAPHQL_PATH, LOCATION_ID
from tests.scripted_server import Asked, OpenLimits, Reply, ScriptedServer, account_api, in_order

FIXTURES = Path(__file__).parents[2] / "fixtures/shopify"
SINCE = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
WINDOW = Window(since=SINCE, until=SINCE + timedelta(hours=1))
TOKEN = {"access_token": "shpat_1"}
ORDERS_PATH = "/admin/api/2026-10/orders"
FIELDS = ",".join(shopify_reading.FIELDS)


def sample(name: str = "order_discounted_everywhere", **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return content | changes


def account(server: ScriptedServer, *credentials: dict[str, str], **options: str) -> ChannelApi:
    return account_api("shopify", server.url, credentials or [TOKEN], {"location_id": LOCATION_ID} | options)


def parsed(body: str | None) -> IncomingOrder:
    assert body is not None
    order = shopify.parse(
        Envelope(
            channel="shopify",
            account="main",
            topic=envelopes.FETCHED,
            message_id="6120000001@2026-11-20T14:15:04+00:00",
            received_at=SINCE,
            body=body,
        )
    )
    assert isinstance(order, IncomingOrder)
    return order


def graphql_answer(**content: Any) -> Reply:
    return Reply(200, content)


def refused(code: str) -> Reply:
    return graphql_answer(errors=[{"message": "about Nadia", "extensions": {"code": code}}])


def test_a_fetched_order_is_read_as_the_webhook_of_it() -> None:
    with ScriptedServer({f"{ORDERS_PATH}/6120000001.json": Reply(200, {"order": sample()})}) as server:
        pulled = shopify.fetch(account(server), "6120000001")
        (asked,) = server.asked
    assert asked.headers["x-shopify-access-token"] == "shpat_1"
    assert (pulled.channel_order_id, pulled.updated_at.isoformat()) == ("6120000001", "2026-11-20T14:15:04+00:00")
    order = parsed(pulled.body)
    assert order.channel_updated_at == pulled.updated_at
    assert order == shopify.parse(
        Envelope(
            channel="shopify",
            account="main",
            topic="orders/updated",
            message_id="1",
            received_at=SINCE,
            body=json.dumps(sample()),
        )
    )


def test_ids_and_amounts_of_a_fetched_order_keep_every_digit() -> None:
    large = 820982911946154508
    body = json.dumps({"order": sample(id=large, admin_graphql_api_id=None)}).replace('"59.18"', "59.18")
    with ScriptedServer({ORDERS_PATH: Reply(200, body.encode())}) as server:
        order = parsed(shopify.fetch(account(server), str(large)).body)
    assert (order.channel_order_id, order.totals.total_minor) == (str(large), 5918)


def test_of_an_order_all_that_is_read_is_asked_for_and_nothing_else() -> None:
    read = {field.alias or name for name, field in ShopifyOrder.model_fields.items()}
    assert read == set(shopify_reading.FIELDS)


def test_an_order_that_shopify_does_not_have_is_not_found() -> None:
    with ScriptedServer({}) as server:
        with pytest.raises(NotFound):
            shopify.fetch(account(server), "6120000001")
        with pytest.raises(NotFound):
            shopify.fetch(account(server), "../shop")
        assert len(server.asked) == 1


def paged(orders: list[dict[str, Any]], size: int) -> Any:
    """A shop that lists its orders page by page; each page names the next one in its Link header."""

    def answer(asked: Asked) -> Reply:
        start = int(asked.query.get("page_info", "p0")[1:])
        end = start + size
        previous = f'<https://elsewhere.example/orders.json?limit={size}&page_info=p0>; rel="previous"'
        following = f'<https://elsewhere.example/orders.json?limit={size}&page_info=p{end}>; rel="next"'
        links = [previous] if start else []
        links += [following] if end < len(orders) else []
        return Reply(200, {"orders": orders[start:end]}, {"link": ", ".join(links)})

    return answer


def test_a_window_is_pulled_page_by_page_to_its_end() -> None:
    moments = [SINCE + timedelta(minutes=minute) for minute in range(5)]
    orders = [sample(id=number, updated_at=moment.isoformat()) for number, moment in enumerate(moments, start=1)]
    seen: list[str] = []
    with ScriptedServer({ORDERS_PATH: paged(orders, 2)}) as server:
        api, token = account(server), None
        for _ in range(10):
            page = shopify.pull(api, WINDOW, token)
            seen += [order.channel_order_id for order in page.orders]
            token = page.next_token
            if token is None:
                break
        first, *others = server.asked
    assert seen == ["1", "2", "3", "4", "5"]
    assert first.query == {
        "status": "any",
        "order": "updated_at asc",
        "updated_at_min": "2026-11-20T14:00:00Z",
        "updated_at_max": "2026-11-20T15:00:00Z",
        "limit": "100",
        "fields": FIELDS,
    }
    assert [asked.query for asked in others] == [
        {"page_info": "p2", "limit": "100", "fields": FIELDS},
        {"page_info": "p4", "limit": "100", "fields": FIELDS},
    ]


def test_a_window_takes_its_first_moment_and_leaves_its_last_to_the_next() -> None:
    moments = [WINDOW.since, WINDOW.until - timedelta(seconds=1), WINDOW.until]
    orders = [sample(id=number, updated_at=moment.isoformat()) for number, moment in enumerate(moments, start=1)]
    with ScriptedServer({ORDERS_PATH: paged(orders, 250)}) as server:
        page = shopify.pull(account(server), WINDOW, None)
    assert [order.channel_order_id for order in page.orders] == ["1", "2"]


def test_orders_too_large_for_one_answer_are_asked_for_fewer_at_a_time() -> None:
    large = {"note": "x" * (MAX_ANSWER_BYTES // 15)}
    orders = [sample(id=number, updated_at=SINCE.isoformat(), **large) for number in range(1, 26)]

    def shop(asked: Asked) -> Reply:
        return cast(Reply, paged(orders, int(asked.query["limit"]))(asked))

    with ScriptedServer({ORDERS_PATH: shop}) as server:
        api, token, seen = account(server), None, []
        for _ in range(10):
            page = shopify.pull(api, WINDOW, token)
            seen += [order.channel_order_id for order in page.orders]
            token = page.next_token
            if token is None:
                break
        sizes = [asked.query["limit"] for asked in server.asked]
    assert seen == [str(number) for number in range(1, 26)]
    assert sizes == ["100", "10", "100", "10", "100"]


def test_a_thousand_orders_cost_ten_calls() -> None:
    orders = [sample("shop_redact", id=number, updated_at=SINCE.isoformat()) for number in range(1, 1001)]
    with ScriptedServer({ORDERS_PATH: paged(orders, shopify_reading.PAGE_SIZES[0])}) as server:
        api, token, seen = account(server), None, 0
        for _ in range(20):
            page = shopify.pull(api, WINDOW, token)
            seen, token = seen + len(page.orders), page.next_token
            if token is None:
                break
        assert (seen, len(server.asked)) == (1000, 10)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b'{"orders": {}}', b'{"orders": [7]}', b'{"orders": [{"id": 1}]}'],
)
def test_an_answer_that_is_no_list_of_orders_is_asked_for_again(body: bytes) -> None:
    with ScriptedServer({ORDERS_PATH: Reply(200, body)}) as server, pytest.raises(Unavailable):
        shopify.pull(account(server), WINDOW, None)


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    with ScriptedServer({ORDERS_PATH: Reply(429, {"errors": "slow"}, {"retry-after": "2.0"})}) as server:
        api = account(server)
        with pytest.raises(Throttled) as caught:
            shopify.pull(api, WINDOW, None)
    assert caught.value.retry_after_seconds == 2.0
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.closed == {"shopify#main#rest": 2.0}


@pytest.mark.parametrize("moods", [[Reply(503)], [Reply(hangs_up=True)], [Reply(502), Reply(hangs_up=True)]])
def test_a_passing_trouble_costs_no_order(moods: list[Reply]) -> None:
    answers = in_order(*moods, Reply(200, {"orders": [sample()]}))
    with ScriptedServer({ORDERS_PATH: answers}) as server:
        assert len(shopify.pull(account(server), WINDOW, None).orders) == 1


@pytest.mark.parametrize("status", [500, 503, 402, 423, 430])
def test_a_shop_that_is_down_locked_or_unpaid_is_tried_again_later(status: int) -> None:
    routes = {ORDERS_PATH: Reply(status), GRAPHQL_PATH: Reply(status)}
    with ScriptedServer(routes) as server:
        with pytest.raises(Unavailable):
            shopify.fetch(account(server), "1")
        with pytest.raises(Unavailable):
            shopify.listed(account(server), None)


def test_a_token_that_was_changed_is_read_anew() -> None:
    def door(asked: Asked) -> Reply:
        is_new = asked.headers["x-shopify-access-token"] == "shpat_2"
        return Reply(200, {"order": sample()}) if is_new else Reply(401, {"errors": "invalid token"})

    with ScriptedServer({ORDERS_PATH: door}) as server:
        assert shopify.fetch(account(server, TOKEN, {"access_token": "shpat_2"}), "6120000001").body
        with pytest.raises(CredentialsRefused):
            shopify.fetch(account(server), "6120000001")


def test_an_app_of_the_developer_dashboard_signs_in_once_and_again_when_its_token_ends() -> None:
    given = in_order(
        Reply(200, {"access_token": "t1", "scope": "read_orders", "expires_in": 86399}),
        Reply(200, {"access_token": "t2", "scope": "read_orders", "expires_in": 86399}),
    )

    def door(asked: Asked) -> Reply:
        is_old = len(server.of(ORDERS_PATH)) > 2 and asked.headers["x-shopify-access-token"] == "t1"
        return Reply(401) if is_old else Reply(200, {"order": sample()})

    with ScriptedServer({"/admin/oauth/access_token": given, ORDERS_PATH: door}) as server:
        api = account(server, {"client_id": "id", "client_secret": "secret"})
        for _ in range(4):
            shopify.fetch(api, "6120000001")
        signed_in = server.of("/admin/oauth/access_token")
        tokens = [asked.headers["x-shopify-access-token"] for asked in server.of(ORDERS_PATH)]
    assert [asked.form for asked in signed_in] == [
        {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    ] * 2
    assert tokens == ["t1", "t1", "t1", "t2", "t2"]


@pytest.mark.parametrize("credentials", [{}, {"client_id": "id"}, {"access_token": ""}])
def test_an_account_without_credentials_asks_nobody(credentials: dict[str, str]) -> None:
    with ScriptedServer({}) as server:
        with pytest.raises(CredentialsRefused, match="neither"):
            shopify.fetch(account_api("shopify", server.url, [credentials]), "1")
        assert server.asked == []


@pytest.mark.parametrize(
    "answer", [Reply(400, {"error": "application_cannot_be_found"}), Reply(401), Reply(403), Reply(404)]
)
def test_an_app_that_shopify_does_not_know_has_wrong_credentials(answer: Reply) -> None:
    with ScriptedServer({"/admin/oauth/access_token": answer}) as server, pytest.raises(CredentialsRefused):
        shopify.fetch(account(server, {"client_id": "id", "client_secret": "wrong"}), "1")


def test_a_shop_is_found_by_its_name_on_myshopify_and_nowhere_else() -> None:
    for name in ("", "shop.example", "evil.example/x.myshopify.com", "Shop.myshopify.com"):
        api = account_api("shopify", "", [TOKEN], {"shop": name})
        with pytest.raises(CredentialsRefused, match="option `shop`"):
            shopify.fetch(api, "1")


@pytest.mark.parametrize(("cost", "seconds"), [(352, 3.0), (60, 1.0), (2, 1.0), (900_000, 60.0)])
def test_a_graphql_call_too_many_waits_until_the_shop_has_the_points_again(cost: int, seconds: float) -> None:
    told = {
        "requestedQueryCost": cost,
        "actualQueryCost": None,
        "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 52, "restoreRate": 100.0},
    }
    throttled = graphql_answer(
        errors=[{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], extensions={"cost": told}
    )
    with ScriptedServer({GRAPHQL_PATH: throttled}) as server:
        api = account(server)
        with pytest.raises(Throttled) as caught:
            shopify.listed(api, None)
    assert caught.value.retry_after_seconds == seconds
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.closed == {"shopify#main#graphql": seconds}


@pytest.mark.parametrize("extensions", [{}, {"cost": {}}, {"cost": {"throttleStatus": {"restoreRate": 0}}}])
def test_without_a_figure_it_waits_a_second(extensions: dict[str, Any]) -> None:
    throttled = graphql_answer(errors=[{"extensions": {"code": "THROTTLED"}}], extensions=extensions)
    with ScriptedServer({GRAPHQL_PATH: throttled}) as server, pytest.raises(Throttled) as caught:
        shopify.listed(account(server), None)
    assert caught.value.retry_after_seconds == 1.0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused("ACCESS_DENIED"), CredentialsRefused),
        (refused("SHOP_INACTIVE"), Unavailable),
        (refused("INTERNAL_SERVER_ERROR"), Unavailable),
        (refused("MAX_COST_EXCEEDED"), ChannelRefused),
        (graphql_answer(errors="odd"), Unavailable),
        (graphql_answer(data=None), Unavailable),
        (Reply(200, []), Unavailable),
        (Reply(200, b"<html>"), Unavailable),
        (Reply(hangs_up=True), Unavailable),
    ],
)
def test_an_error_inside_a_good_answer_is_an_error(answer: Reply, error: type[Exception]) -> None:
    with ScriptedServer({GRAPHQL_PATH: answer}) as server, pytest.raises(error) as caught:
        shopify.listed(account(server), None)
    assert "Nadia" not in f"{caught.value} {caught.value!r}"


def test_what_shopify_refuses_is_told_by_its_code() -> None:
    routes = {GRAPHQL_PATH: refused("MAX_COST_EXCEEDED")}
    with ScriptedServer(routes) as server, pytest.raises(ChannelRefused) as caught:
        shopify.listed(account(server), None)
    assert caught.value.codes == ("MAX_COST_EXCEEDED",)
