"""The main job: orders that come in by signed webhooks and end as they should, seen from outside."""

from __future__ import annotations

import pytest

from tests.e2e.company import Company
from tools import demonstration
from tools.demonstration import Outcome
from tools.world import Story

MAX_STATE_ENTRIES = 5
MAX_WRU_ORDER_DOCUMENT = 36


@pytest.fixture(scope="module")
def outcome(company: Company) -> Outcome:
    """What `make run` shows, run once."""
    running = company.system
    return demonstration.run(running.world, running.outside, running.log)


@pytest.fixture
def story(company: Company, outcome: Outcome, request: pytest.FixtureRequest) -> Story:
    """The demonstration's order that shows what the test asks for by its parameter."""
    return next(one for one in company.system.world.stories if one.shows == request.param)


def of(shows: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("story", [shows], indirect=True, ids=[""])


def types(story: Story) -> list[str]:
    assert story.document is not None
    return [event["type"] for event in story.document["events"]]


def test_everything_the_demonstration_checks_is_so(outcome: Outcome) -> None:
    assert [check.says for check in outcome.checks if not check.holds] == []
    assert outcome.is_right


def test_the_figures_of_the_demonstration_add_up(company: Company, outcome: Outcome) -> None:
    summary = demonstration.summary(company.system.world, outcome)
    assert summary["orders"] == len(company.system.world.stories)
    assert summary["orders"] == summary["delivered"] + summary["waiting_for_stock"] + summary["cancelled"]
    assert summary["duplicates_ignored"] >= 1
    assert summary["forged_rejected"] >= 1


def test_a_two_line_order_costs_no_more_than_its_budget(outcome: Outcome) -> None:
    assert 0 < outcome.figures["state_entries"] <= MAX_STATE_ENTRIES
    assert 0 < outcome.figures["wru_order_document"] <= MAX_WRU_ORDER_DOCUMENT
    assert outcome.figures["wru"] >= outcome.figures["wru_order_document"]


@of("two lines")
def test_a_two_line_order_goes_from_received_to_delivered(story: Story) -> None:
    told = types(story)
    assert told[0] == "OrderReceived"
    assert told[-1] == "ShipmentDelivered"
    for earlier, later in (
        ("OrderReceived", "OrderAllocated"),
        ("OrderAllocated", "OrderReleased"),
        ("OrderReleased", "ShipmentShipped"),
        ("ShipmentShipped", "ShipmentDelivered"),
    ):
        assert told.index(earlier) < told.index(later)
    assert story.document is not None
    assert story.document["status"] == "DELIVERED"
    assert "waiting_for" not in story.document
    assert "work_queue" not in story.document


@of("two lines")
def test_an_orders_events_are_numbered_without_a_gap(story: Story) -> None:
    assert story.document is not None
    events = story.document["events"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [event["version"] for event in events] == sorted(event["version"] for event in events)
    assert events[-1]["version"] <= story.document["version"]


@of("two lines")
def test_no_persons_data_is_in_the_order_document_or_on_the_bus(company: Company, story: Story) -> None:
    written = str(story.document)
    person = story.buyer
    for private in (person["email"], person["phone"], person["last_name"], person["address"]["address1"]):
        assert private not in written
    assert company.query("contacts", order_id=story.order_id)[0]["email"] == person["email"]


@of("must be split")
def test_what_no_one_location_has_is_shipped_from_two(story: Story) -> None:
    assert story.document is not None
    fulfillments = story.document["fulfillments"]
    assert {one["location_id"] for one in fulfillments} == {"WH-RENO", "WH-ALLENTOWN"}
    assert all(len(one["shipments"]) == 1 for one in fulfillments)


@of("more than there is")
def test_an_order_for_more_than_there_is_has_what_is_there_and_waits_for_the_rest(
    company: Company, story: Story
) -> None:
    assert story.document is not None
    assert (story.document["status"], story.document["waiting_for"]) == ("PARTIALLY_ALLOCATED", "STOCK")
    assert "OrderReleased" not in types(story)
    (line,) = story.document["lines"]
    assert company.committed("DUTCH-OVEN-5") == line["ordered"] - line["backordered"] > 0
    assert company.waiting("DUTCH-OVEN-5") == [(story.order_id, line["backordered"])]


@of("cancelled before release")
def test_an_order_cancelled_before_release_gives_its_stock_back(company: Company, story: Story) -> None:
    assert story.document is not None
    assert "OrderReleased" not in types(story)
    assert all(line["cancelled"] == line["ordered"] for line in story.document["lines"])
    moved = company.moved(story.order_id, "THROW-WOOL")
    assert moved["COMMIT"] == moved["RELEASE"]
    assert bool(moved["COMMIT"]) == ("OrderAllocated" in types(story))
    assert moved["SHIP"] == 0


def test_every_unit_of_every_position_is_accounted_for(company: Company, outcome: Outcome) -> None:
    buckets = ("available", "committed", "reserved", "damaged", "quality_control")
    pages = company.client("dynamodb").get_paginator("scan").paginate(TableName=company.table("stock"))
    positions = [item for page in pages for item in page["Items"]]
    assert positions
    for item in positions:
        held = {name: int(item.get(name, {"N": "0"})["N"]) for name in ("on_hand", *buckets)}
        assert held["on_hand"] == sum(held[name] for name in buckets), item
        assert held["available"] >= 0
