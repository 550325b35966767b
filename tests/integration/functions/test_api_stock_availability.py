"""Availability over HTTP: what may be sold of some SKUs and why, on a channel, to a destination, as a basket."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.availability import FORMULA
from oms.domain.catalog import KitComponent, LocationStatus, Product
from oms.domain.changes import Backorder
from oms.domain.projection import UNALLOCATED, OpenLine
from oms.domain.stock import Incoming, StockPosition
from tests.integration.company import at
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.stage import LOCATIONS, Stage

OUTLET = "shopify#main"
RULES = [
    {
        "name": "The west sells nothing on the main account",
        "channel": OUTLET,
        "location_id": "WH-WEST",
        "excluded": True,
    },
    {"name": "Two mugs stay everywhere", "sku": "MUG", "safety_stock": 2},
    {"name": "Half of all bowls", "scope": "NETWORK", "sku": "BOWL", "buffer_percent": 50},
]


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    stage.put("settings", {"kind": "availability", "name": "rules", "rules": RULES})
    return ApiClient(stage, "api_stock")


def ask(api: ApiClient, sku: str, **query: str) -> Reply:
    return api.call("GET", "/availability", query={"sku": sku, **query}, scopes="oms/stock.read")


def figures(reply: Reply) -> dict[str, int]:
    assert reply.status == 200
    return {one["sku"]: one["available_to_sell"] for one in reply.body["skus"]}


def waiting(order_id: str, units: int, backordered: int = 0) -> OpenLine:
    """Kettles that an order wants and no location holds."""
    return OpenLine(
        sku="KETTLE",
        line_key=f"{UNALLOCATED}#{order_id}#L1",
        order_id=order_id,
        line_id="L1",
        quantity=units,
        backordered=backordered,
        released=False,
        channel="shopify",
        account="main",
        source_version=1,
    )


def test_every_term_of_what_may_be_sold_is_told_with_the_formula(api: ApiClient) -> None:
    reply = ask(api, "MUG")
    assert reply.status == 200
    (mug,) = reply.body["skus"]
    east, west = mug["locations"]
    assert east == {
        "location_id": "WH-EAST",
        "on_hand": 10,
        "available": 10,
        "safety_stock": 2,
        "buffer": 0,
        "sellable": 8,
        "rule": "Two mugs stay everywhere",
        "excluded": None,
    }
    assert (west["sellable"], west["safety_stock"]) == (3, 2)
    assert mug["network"] == {
        "sellable": 11,
        "components_make": None,
        "oversold": 0,
        "backordered": 0,
        "unallocated": 0,
        "safety_stock": 0,
        "buffer": 0,
        "raw": 11,
        "rule": None,
        "excluded": False,
    }
    assert (mug["available_to_sell"], reply.body["channel"]) == (11, None)
    assert reply.body["formula"] == dict(FORMULA)
    assert "basket" not in reply.body


def test_a_channel_has_its_own_rules(api: ApiClient) -> None:
    reply = ask(api, "MUG,KETTLE", channel=OUTLET)
    assert figures(reply) == {"MUG": 8, "KETTLE": 0}
    west = reply.body["skus"][0]["locations"][1]
    assert (west["excluded"], west["rule"]) == ("RULE", "The west sells nothing on the main account")
    assert figures(ask(api, "MUG,KETTLE", channel="web#main")) == {"MUG": 11, "KETTLE": 4}


def test_the_sum_of_all_locations_has_rules_too(api: ApiClient) -> None:
    (bowl,) = ask(api, "BOWL").body["skus"]
    assert (bowl["network"]["buffer"], bowl["network"]["rule"], bowl["available_to_sell"]) == (
        2,
        "Half of all bowls",
        1,
    )


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ({"country": "US", "region": "NY"}, {"KETTLE": 4}),
        ({"country": "us"}, {"KETTLE": 4}),
        ({"country": "FR"}, {"KETTLE": 0}),
    ],
)
def test_only_locations_that_ship_there_count(api: ApiClient, place: dict[str, str], left: dict[str, int]) -> None:
    assert figures(ask(api, "KETTLE", **place)) == left


def test_a_location_that_is_closed_sells_nothing(stage: Stage, api: ApiClient) -> None:
    west = next(one for one in stage.rows("locations") if one["location_id"] == LOCATIONS[1].location_id)
    stage.put("locations", west | {"status": LocationStatus.DRAINING.value})
    (kettle,) = ask(api, "KETTLE").body["skus"]
    assert (kettle["available_to_sell"], kettle["locations"][0]["excluded"]) == (0, "NOT_ACTIVE")


def test_units_that_orders_wait_for_are_told_and_not_sold(stage: Stage, api: ApiClient) -> None:
    stage.put("backorders", Backorder(sku="KETTLE", queue_key="5#a", order_id="a", line_id="L1", quantity=2))
    stage.put("open_lines", waiting("a", 2, backordered=2))
    stage.put("open_lines", waiting("b", 1))
    (kettle,) = ask(api, "KETTLE").body["skus"]
    assert (kettle["network"]["backordered"], kettle["network"]["unallocated"]) == (2, 1)
    assert kettle["available_to_sell"] == 1


def test_what_is_promised_twice_shows_as_less_than_nothing_and_sells_nothing(stage: Stage, api: ApiClient) -> None:
    stage.put("stock", StockPosition(sku="KETTLE", location_id="WH-EAST", on_hand=0, available=-6, committed=6))
    (kettle,) = ask(api, "KETTLE").body["skus"]
    assert (kettle["network"]["oversold"], kettle["network"]["raw"], kettle["available_to_sell"]) == (6, -2, 0)


def test_a_kit_is_told_by_what_its_components_make(api: ApiClient) -> None:
    (kit,) = ask(api, "SET").body["skus"]
    assert kit["components"] == {"MUG": 2}
    assert [one["sellable"] for one in kit["locations"]] == [4, 1]
    assert (kit["network"]["components_make"], kit["available_to_sell"]) == (5, 5)


def test_what_is_on_its_way_is_told_where_it_may_be_sold_before_it_arrives(stage: Stage, api: ApiClient) -> None:
    coming = (Incoming(reference="PO-7", quantity=5, expected_at=at(48)),)
    stage.put("stock", StockPosition(sku="KETTLE", location_id="WH-WEST", on_hand=4, available=4, incoming=coming))
    (kettle,) = ask(api, "KETTLE").body["skus"]
    assert kettle["preorder"] == []
    stage.put("products", Product(sku="KETTLE", preorder=True))
    (kettle,) = ApiClient(stage, "api_stock").call("GET", "/availability", query={"sku": "KETTLE"}).body["skus"]
    assert kettle["preorder"] == [
        {
            "expected_at": "2026-03-04T12:00:00Z",
            "location_id": "WH-WEST",
            "reference": "PO-7",
            "quantity": 5,
            "available_to_sell": 9,
        }
    ]


@pytest.mark.parametrize(
    ("skus", "basket"),
    [
        ("KETTLE:4", {"enough": True, "short": {}}),
        ("KETTLE:5", {"enough": False, "short": {"KETTLE": 1}}),
        ("MUG:9,SET:1", {"enough": True, "short": {}}),
        ("MUG:10,SET:1", {"enough": False, "short": {"MUG": 1}}),
        ("MUG:6,MUG:6", {"enough": False, "short": {"MUG": 1}}),
        ("MUG:1,KETTLE", {"enough": True, "short": {}}),
    ],
)
def test_a_basket_is_had_whole_or_says_what_it_lacks(api: ApiClient, skus: str, basket: dict[str, Any]) -> None:
    assert ask(api, skus).body["basket"] == basket


def test_an_unknown_sku_is_not_found_and_named(api: ApiClient) -> None:
    reply = ask(api, "MUG,NOTHING:2,NONE")
    assert (reply.status, reply.error["code"]) == (404, "NotFound")
    assert reply.error["details"] == {"sku": ["NONE", "NOTHING"]}


def test_a_product_that_never_had_stock_is_told_as_nothing(stage: Stage, api: ApiClient) -> None:
    stage.put("products", Product(sku="NEW"))
    stage.put("products", Product(sku="ODD", kit_components=(KitComponent(sku="LOST", quantity=1),)))
    assert figures(ask(api, "NEW,ODD")) == {"NEW": 0, "ODD": 0}


def test_an_account_that_was_never_set_up_is_not_found_and_named(api: ApiClient) -> None:
    reply = ask(api, "MUG", channel="shopify#nobody")
    assert (reply.status, reply.error["details"]) == (404, {"channel": "shopify#nobody"})


def test_a_question_that_makes_no_sense_is_refused_and_says_where(api: ApiClient) -> None:
    for query, field in (({}, "sku"), ({"sku": "MUG:0"}, "sku"), ({"sku": "MUG", "channel": "shopify"}, "channel")):
        reply = api.call("GET", "/availability", query=query)
        assert reply.status == 422
        assert field in str(reply.error["details"])


def test_a_throttled_table_asks_the_caller_to_come_again(stage: Stage, api: ApiClient) -> None:
    stage.fail("dynamodb", "Query", "ProvisionedThroughputExceededException")
    reply = ask(api, "MUG")
    assert (reply.status, reply.error["code"]) == (503, "Throttled")
