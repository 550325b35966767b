"""By when something would arrive, over HTTP: what routing would choose, what is faster, why not, what was assumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.changes import Backorder
from oms.domain.network import Network
from oms.usecases import sourcing
from tests.integration.functions.api_client import ApiClient
from tests.integration.stage import LOCATIONS, Stage
from tests.unit.rate_cards import small_card, small_service

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday. From WH-EAST it is in New York on Wednesday, from WH-WEST on Friday."""

SET_UP: dict[str, Any] = {
    "time_zone": "UTC",
    "working_days": (1, 2, 3, 4, 5),
    "opens_at": "08:00",
    "closes_at": "18:00",
    "cut_off": "14:00",
    "pickups": {"ups": ("17:00",)},
}
WORKING: dict[str, Any] = {"working_days": (1, 2, 3, 4, 5)}
EXPRESS = small_service(service="AIR", service_levels=("EXPRESS",), transit_days=(1, 1, 1))
FAST = replace(EXPRESS, service="NEXT-DAY", service_levels=(), extra_kg_minor=(900, 900, 900))


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return asking(stage)


def asking(stage: Stage) -> ApiClient:
    client = ApiClient(stage, "api_stock")
    client.app.now = lambda: NOON  # type: ignore[attr-defined]
    return client


def told(api: ApiClient, sku: str, **query: str) -> dict[str, Any]:
    place = {"country": "US", "region": "NY", "postal_code": "10001"}
    reply = api.call("GET", "/availability", query={"sku": sku} | place | query, scopes="oms/stock.read")
    assert reply.status == 200
    return reply.body


def set_up(stage: Stage, **card: Any) -> None:
    """Both warehouses and the carrier say all there is to say."""
    for one in LOCATIONS:
        stage.put("locations", replace(one, **SET_UP))
    stage.put("settings", small_card(**WORKING | card), kind="rate_card", name="small#1")


def test_a_product_says_by_when_it_would_arrive_from_where_and_what_that_costs_us(stage: Stage, api: ApiClient) -> None:
    set_up(stage)
    body = told(api, "MUG")
    assert body["promise"] == {
        "deliver_by": "2026-03-04T23:59:59Z",
        "service": "GROUND",
        "cost_minor": 700,
        "currency": "USD",
        "carrier": "ups",
        "location_ids": ["WH-EAST"],
        "parcels": 1,
        "warnings": [],
    }
    assert body["why"] is None
    assert body["skus"][0]["promise"] == body["promise"]


def test_without_a_country_nothing_is_said_of_when(api: ApiClient) -> None:
    body = api.call("GET", "/availability", query={"sku": "MUG"}, scopes="oms/stock.read").body
    assert not {"promise", "why"} & (body.keys() | body["skus"][0].keys())


def test_a_basket_arrives_as_one_order_and_each_product_by_itself(stage: Stage, api: ApiClient) -> None:
    body = told(api, "MUG:2,KETTLE")
    whole, (mug, kettle) = body["promise"], [one["promise"] for one in body["skus"]]
    assert (whole["deliver_by"], whole["location_ids"], whole["parcels"]) == ("2026-03-06T23:59:59Z", ["WH-WEST"], 1)
    assert (mug["deliver_by"], mug["location_ids"]) == ("2026-03-04T23:59:59Z", ["WH-EAST"])
    assert (kettle["deliver_by"], kettle["location_ids"]) == ("2026-03-06T23:59:59Z", ["WH-WEST"])
    assert mug["cost_minor"] + kettle["cost_minor"] > whole["cost_minor"]


def test_numbers_of_one_product_are_added_up(api: ApiClient) -> None:
    assert told(api, "MUG:8,MUG:7")["promise"]["parcels"] == 2
    assert told(api, "MUG:8,MUG:8")["why"] == {"code": "OUT_OF_STOCK", "shortages": {"MUG": 1}}


def test_a_faster_plan_is_told_with_its_cost(stage: Stage) -> None:
    dear = replace(FAST, bands=tuple(replace(one, prices_minor=(3000, 3000, 3000)) for one in FAST.bands))
    set_up(stage, services=(small_service(), dear))
    promise = told(asking(stage), "MUG")["promise"]
    assert promise["deliver_by"] == "2026-03-04T23:59:59Z"
    assert promise["fastest"] == {
        "deliver_by": "2026-03-03T23:59:59Z",
        "service": "NEXT-DAY",
        "cost_minor": 3000,
        "currency": "USD",
    }


def test_a_service_level_chooses_among_the_carriers_services(stage: Stage) -> None:
    set_up(stage, services=(replace(small_service(), service_levels=("STANDARD",)), EXPRESS))
    api = asking(stage)
    assert told(api, "MUG")["promise"]["service"] == "GROUND"
    promise = told(api, "MUG", service_level="express")["promise"]
    assert (promise["service"], promise["deliver_by"]) == ("AIR", "2026-03-03T23:59:59Z")


@pytest.mark.parametrize("wrong", [{"service_level": "TELEPORT", "country": "US"}, {"service_level": "EXPRESS"}])
def test_a_service_level_nobody_knows_or_to_nowhere_is_refused(api: ApiClient, wrong: dict[str, str]) -> None:
    reply = api.call("GET", "/availability", query={"sku": "MUG"} | wrong)
    assert reply.status == 422


@pytest.mark.parametrize(
    ("sku", "query", "why"),
    [
        ("KETTLE:5", {}, {"code": "OUT_OF_STOCK", "shortages": {"KETTLE": 1}}),
        ("MUG", {"country": "FR"}, {"code": "NO_ROUTE", "reasons": {"WH-EAST": "NO_RATE", "WH-WEST": "NO_RATE"}}),
        ("HAMPER", {}, {"code": "KIT_ORDERED", "detail": "SET in HAMPER"}),
    ],
)
def test_where_nothing_can_be_promised_the_answer_says_why(
    api: ApiClient, sku: str, query: dict[str, str], why: dict[str, Any]
) -> None:
    body = told(api, sku, **query)
    assert (body["promise"], body["why"]) == (None, why)


def test_one_product_that_is_missing_does_not_hide_when_the_others_would_come(api: ApiClient) -> None:
    body = told(api, "MUG,KETTLE:5")
    assert (body["promise"], body["why"]["shortages"]) == (None, {"KETTLE": 1})
    assert body["skus"][0]["promise"]["location_ids"] == ["WH-EAST"]
    assert body["skus"][1]["promise"] is None


def test_whoever_asks_stands_behind_all_that_wait(stage: Stage, api: ApiClient) -> None:
    first = "5#2026-03-01T12:00:00Z#a#L1"
    stage.put("backorders", Backorder(sku="KETTLE", queue_key=first, order_id="a", line_id="L1", quantity=3))
    assert told(api, "KETTLE")["promise"] is not None
    assert told(api, "KETTLE:2")["why"]["shortages"] == {"KETTLE": 1}


def test_what_is_not_set_up_is_assumed_and_told_in_words_and_leaves_nobody_out(api: ApiClient) -> None:
    promise = told(api, "MUG")["promise"]
    assert promise["location_ids"] == ["WH-EAST"]
    says = {one["code"]: one["says"] for one in promise["warnings"]}
    assert {one["location_id"] for one in promise["warnings"]} == {"WH-EAST"}
    assert says["TIME_ZONE_MISSING"] == "no time zone, UTC is used: set time_zone of the location"
    assert says["CARRIER_CALENDAR_MISSING"].endswith("set working_days and holidays on the rate card")


def test_what_could_be_offered_is_worked_out_once_for_a_whole_page(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def counting(*facts: Any, **more: Any) -> Any:
        made.append(facts)
        return Network(*facts, **more)

    monkeypatch.setattr(sourcing, "Network", counting)
    told(api, "MUG,BOWL,KETTLE,SET")
    assert len(made) == 1
