"""Amazon by its own word: its sandbox, its descriptions served by Prism, and what a pull costs of its limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.channels import amazon, amazon_pull
from oms.channels.client import Limit
from oms.domain.errors import Unavailable
from oms.domain.intake import totals_difference
from oms.runtime.http import HttpAnswer
from tests.integration.channels.amazon_account import (
    SEARCH,
    SEARCH_V0,
    WINDOW,
    amazon_described,
    amazon_with,
    items_v0,
    limits_of,
    order_v0,
    page,
    page_v0,
    parsed,
)
from tests.scripted_server import Asked, Reply, in_order
from tests.unit.amazon_bodies import order
from tests.vendor_api import described


def sandbox(name: str) -> Any:
    folder = described("amazon_sp_api/sandbox_cases/ordersV0")
    return json.loads((folder / f"get_orders_v0_{name}.json").read_text())


def test_amazons_own_sandbox_is_paged_to_its_end() -> None:
    first, second = sandbox("orders_200_1"), sandbox("orders_200_2")

    def answer(asked: Asked) -> Reply:
        wanted = second["request"]["parameters"]["NextToken"]["value"]
        return Reply(200, second["response"] if asked.query.get("NextToken") == wanted else first["response"])

    with amazon_with({SEARCH_V0: answer}, orders_api="v0") as (_, api):
        page_one = amazon.pull(api, WINDOW, None)
        page_two = amazon.pull(api, WINDOW, page_one.next_token)
    assert [one.channel_order_id for one in page_one.orders + page_two.orders] == ["902-3159896-1390916"] * 2
    assert page_two.next_token is None


def test_amazons_own_sandbox_order_is_fetched_and_read() -> None:
    order_id = "902-1845936-5435065"
    path = f"{SEARCH_V0}/{order_id}"
    routes = {
        path: Reply(200, sandbox("orders_orderId_200_0")["response"]),
        f"{path}/orderItems": Reply(200, sandbox("orders_orderId_orderItems_200_0")["response"]),
        f"{path}/address": Reply(200, sandbox("orders_orderId_address_200_0")["response"]),
    }
    with amazon_with(routes, orders_api="v0") as (_, api):
        read = parsed(amazon.fetch(api, order_id))
    assert (read.totals.total_minor, totals_difference(read)) == (1101, 0)
    assert read.cancel_requested == "Found cheaper somewhere else."
    assert read.contact.ship_to.postal_code == "98121-2778"


def test_amazons_description_of_2026_01_01_accepts_our_pulls_and_fetches() -> None:
    with amazon_described("orders_2026-01-01.noexamples.json") as api:
        first = amazon.pull(api, WINDOW, None)
        assert len(first.orders) == 1
        assert first.next_token is not None
        amazon.pull(api, WINDOW, first.next_token)
        assert amazon.fetch(api, "114-5550001-2220001").body
        assert amazon_pull.state(api, "114-5550001-2220001").status


def test_amazons_description_of_v0_accepts_our_pulls_and_fetches() -> None:
    with amazon_described("ordersV0.json", orders_api="v0") as api:
        api._tokens["restricted"] = ("Atz.sprdt|1", float("inf"))  # the tokens' description is another one
        first = amazon.pull(api, WINDOW, None)
        assert [one.channel_order_id for one in first.orders] == ["902-3159896-1390916"]
        amazon.pull(api, WINDOW, first.next_token)
        with pytest.raises(Unavailable, match="pages of items"):  # its example always has a next page
            amazon.fetch(api, "902-3159896-1390916")
        taken = limits_of(api).taken
        assert taken.count("amazon#main#order-v0-items") == amazon_pull.MAX_ITEM_PAGES


def test_amazons_description_of_v0_accepts_our_asking_for_an_address() -> None:
    order_id = "902-3159896-1390916"
    without = {"payload": {**order_v0(AmazonOrderId=order_id), "ShippingAddress": None}}
    with amazon_described("ordersV0.json", orders_api="v0") as api:
        api._tokens["restricted"] = ("Atz.sprdt|1", float("inf"))
        request = api.http.request

        def routed(method: str, url: str, **sent: Any) -> Any:
            """Its example of an order has an address, and its example of items never ends: these two are ours."""
            if url.endswith(order_id):
                return HttpAnswer(200, {}, json.dumps(without).encode())
            if url.endswith("/orderItems"):
                return HttpAnswer(200, {}, json.dumps(items_v0().body).encode())
            return request(method, url, **sent)

        api.http.request = routed  # type: ignore[method-assign]
        body = json.loads(amazon.fetch(api, order_id).body or "")
    assert body["address"]["ShippingAddress"]["City"]


def test_amazons_description_of_tokens_accepts_what_we_ask_to_see() -> None:
    from oms.channels.amazon_signin import signed_for_people

    with amazon_described("tokens_2021-03-01.json") as api:
        assert signed_for_people(api)["x-amz-access-token"]


def seconds_for(calls: int, limit: Limit) -> float:
    """How long so many calls take at the least, from a full bucket."""
    return max(0, calls - limit.burst) / limit.per_second


def test_a_pull_of_a_thousand_orders_costs_eleven_calls() -> None:
    pages = [
        page(
            *(order(orderId=f"{number}-{one}") for one in range(100)), next_token=f"p{number + 1}" if number < 9 else ""
        )
        for number in range(10)
    ]
    with amazon_with({SEARCH: in_order(*pages)}) as (server, api):
        orders, next_token = 0, None
        for _ in range(20):
            found = amazon.pull(api, WINDOW, next_token)
            orders, next_token = orders + len(found.orders), found.next_token
            if next_token is None:
                break
    assert orders == 1000
    assert len(server.asked) == 11
    assert seconds_for(10, amazon_pull.SEARCH) == 0  # the bucket holds 20


def test_a_pull_of_a_thousand_orders_in_v0_costs_two_thousand_calls_more() -> None:
    listed = [order_v0(AmazonOrderId=f"{number}") for number in range(20)]

    def one_order(asked: Asked) -> Reply:
        return items_v0() if asked.path.endswith("/orderItems") else Reply(200, {"payload": order_v0()})

    routes = {SEARCH_V0: page_v0(*listed), f"{SEARCH_V0}/": one_order}
    with amazon_with(routes, orders_api="v0") as (server, api):
        found = amazon.pull(api, WINDOW, None)
        for one in found.orders:
            amazon.fetch(api, one.channel_order_id)
    assert len(server.asked) == 2 + 1 + 2 * 20  # two tokens, one page of at most 100, two calls an order
    assert seconds_for(1000, amazon_pull.ORDER_V0) == 1940
    assert seconds_for(10, amazon_pull.SEARCH_V0) == 0
