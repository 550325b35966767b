"""The projection queue: samples of what the bus tells, each of which ends with rows that say what the order says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from oms.domain.projection import open_lines
from tests.integration.bazaar import bazaar, open_account
from tests.integration.company import everything
from tests.integration.faults import Faults
from tests.integration.samples import ALLOCATED, ORDER_ID, PLACED, RELEASED, SHIPPED, MainStreet, Steps
from tests.integration.stage import LambdaContext, Stage, cases, sample, template

FUNCTION = "queue_projection"
BEFORE: dict[str, Steps] = {
    "order_received": PLACED,
    "order_allocated": ALLOCATED,
    "order_released": RELEASED,
    "shipment_shipped": SHIPPED,
    "five_events_of_two_orders": RELEASED,
    "not_an_event": PLACED,
    "order_cancelled_by_us": PLACED,
    "lines_cancelled_for_a_buyer": PLACED,
    "unknown_order": (),
}
LOOKED_FOR = {"UNALLOCATED": (3, False)}
EXPECTED: dict[str, dict[str, tuple[int, bool]]] = {
    "order_received": LOOKED_FOR,
    "order_allocated": {"WH-RENO": (3, False)},
    "order_released": {"WH-RENO": (3, True)},
    "shipment_shipped": {},
    "five_events_of_two_orders": {"WH-RENO": (3, True)},
    "not_an_event": LOOKED_FOR,
    "order_cancelled_by_us": LOOKED_FOR,
    "lines_cancelled_for_a_buyer": LOOKED_FOR,
    "unknown_order": {},
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def shown(company: MainStreet) -> dict[str, tuple[int, bool]]:
    """Place to (units, released) of all open rows."""
    places: dict[str, tuple[int, bool]] = {}
    for row in company.stage.rows("open_lines"):
        place = row["line_key"].split("#")[0]
        if row["quantity"]:
            places[place] = (places.get(place, (0, False))[0] + row["quantity"], row["released"])
    return places


def spoiled(case: str) -> list[str]:
    """The messages of a sample that are no event of an order."""
    return [one["messageId"] for one in sample(FUNCTION, case)["Records"] if "detail" not in json.loads(one["body"])]


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_ends_with_what_the_order_says_and_its_repeat_changes_nothing(
    company: MainStreet, case: str
) -> None:
    company.play_all(*BEFORE[case])
    answer = company.play(FUNCTION, case)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == spoiled(case)
    assert shown(company) == EXPECTED[case]
    left = everything(company.stage), company.stage.rows("open_lines")
    assert company.play(FUNCTION, case) == answer
    assert (everything(company.stage), company.stage.rows("open_lines")) == left


def test_the_samples_in_any_order_end_the_same(company: MainStreet) -> None:
    for steps in (SHIPPED, ()):
        company.play_all(*steps)
        for case in ("shipment_shipped", "order_received", "order_released", "order_allocated"):
            company.play(FUNCTION, case)
        assert shown(company) == {}


def test_an_order_is_read_once_however_many_of_its_events_are_in_the_batch(company: MainStreet) -> None:
    company.play_all(*RELEASED)
    asked: list[Any] = []
    company.stage.hook(
        "dynamodb",
        "before-call.dynamodb.BatchGetItem",
        lambda params, **_: asked.append(json.loads(params["body"])["RequestItems"]),
    )
    company.play(FUNCTION, "five_events_of_two_orders")
    orders = [table for request in asked for table in request if table.endswith("-orders")]
    assert len(orders) == 2, "once before the rows are written, once after"
    assert len(asked[0]["oms-test-orders"]["Keys"]) == 2


def test_all_messages_of_an_order_that_could_not_be_written_come_again(company: MainStreet, faults: Faults) -> None:
    company.play_all(*RELEASED)
    faults.refuse("PutItem", "ThrottlingException", times=10)
    failed = company.play(FUNCTION, "five_events_of_two_orders")["batchItemFailures"]
    records = sample(FUNCTION, "five_events_of_two_orders")["Records"]
    assert [one["itemIdentifier"] for one in failed] == [
        one["messageId"] for one in records if json.loads(one["body"])["detail"]["order_id"] == ORDER_ID
    ]
    faults.mend()
    assert company.play(FUNCTION, "five_events_of_two_orders") == {"batchItemFailures": []}
    assert shown(company) == EXPECTED["five_events_of_two_orders"]


def test_a_batch_writes_one_short_line_to_the_log(company: MainStreet, log: StringIO) -> None:
    company.play_all(*ALLOCATED)
    log.truncate(0)
    log.seek(0)
    company.play(FUNCTION, "order_allocated")
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["rows"] == 2
    assert len(line) < 300


def wanted_events() -> set[str]:
    pattern = template()["Resources"]["ProjectionRule"]["Properties"]["EventPattern"]
    return set(pattern["detail-type"])


STORY: Steps = (
    ("queue_intake", "two_lines"),
    ("queue_allocation", "two_lines"),
    ("task_await", "fulfill"),
    ("queue_fulfillment", "accepted"),
    ("queue_fulfillment", "short_picked"),
    ("queue_fulfillment", "rejected"),
    ("queue_allocation", "two_lines"),
)


@pytest.mark.parametrize("story", [STORY, (*SHIPPED, ("queue_fulfillment", "delivered"))])
def test_the_events_of_the_rule_are_all_that_is_needed_to_follow_an_order(company: MainStreet, story: Steps) -> None:
    """After every step only what the rule lets through is heard, and the rows still say what the order says."""
    heard = 0
    for step in story:
        company.play_all(step)
        order = company.stage.order(ORDER_ID)
        news = [event for event in order.events if event.sequence > heard]
        heard = order.last_sequence
        if any(event.type.value in wanted_events() for event in news):
            company.function(FUNCTION).projection.project([ORDER_ID], company.now)
        stands = {row["line_key"]: (row["quantity"], row["released"]) for row in company.stage.rows("open_lines")}
        says = {row.line_key: (row.quantity, row.released) for row in open_lines(order) if row.quantity}
        assert {key: row for key, row in stands.items() if row[0]} == says, step


def test_what_a_projection_costs_is_counted(company: MainStreet) -> None:
    """Write units of open_lines over the life of a two-line order that nobody had to wait for."""
    written: list[Any] = []
    company.stage.hook(
        "dynamodb", "before-call.dynamodb.PutItem", lambda params, **_: written.append(json.loads(params["body"]))
    )
    for step, case in (
        (ALLOCATED, "order_allocated"),
        (RELEASED[2:], "order_released"),
        (SHIPPED[3:], "shipment_shipped"),
    ):
        company.play_all(*step)
        company.play(FUNCTION, case)
    rows = [one["Item"] for one in written if one["TableName"].endswith("open_lines")]
    assert len(rows) == 6
    assert all(len(json.dumps(row)) < 1024 for row in rows), "one write unit each"


# What the channel of an order is owed.


def at_the_bazaar(company: MainStreet, case: str) -> Any:
    """The sample, as if the order had come from an account of the bazaar."""
    event = sample(FUNCTION, case)
    for record in event["Records"]:
        record["body"] = record["body"].replace('"shopify"', '"bazaar"')
    return company.function(FUNCTION).handler(event, LambdaContext())


@pytest.fixture
def told(company: MainStreet, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainStreet]:
    """The company, whose account at the bazaar is told everything."""
    with bazaar(monkeypatch) as shop:
        open_account(company.stage, shop.url, "bazaar#main-street-goods")
        yield company


def owed(company: MainStreet) -> list[tuple[str, str, str]]:
    rows = (row for row in company.stage.rows("deliveries") if row["destination"].startswith("channel#"))
    return [(row["destination"], row["message_key"], row["status"]) for row in rows]


@pytest.mark.parametrize(
    ("case", "notices"),
    [
        ("order_received", [f"{ORDER_ID}#1#acknowledgement"]),
        ("shipment_shipped", [f"{ORDER_ID}#7#shipment"]),
        ("order_released", []),
        ("order_cancelled_by_us", [f"{ORDER_ID}#4#cancellation"]),
        ("lines_cancelled_for_a_buyer", [f"{ORDER_ID}#4#cancellation"]),
    ],
)
def test_a_channel_is_owed_a_notice_once_however_often_the_event_comes(
    told: MainStreet, case: str, notices: list[str]
) -> None:
    for _ in range(2):
        assert at_the_bazaar(told, case) == {"batchItemFailures": []}
    assert owed(told) == [("channel#bazaar#main-street-goods", key, "PENDING") for key in notices]


def test_an_account_that_is_told_nothing_is_owed_nothing(company: MainStreet) -> None:
    company.play(FUNCTION, "shipment_shipped")
    assert owed(company) == []


def test_an_event_whose_notice_could_not_be_written_comes_again(told: MainStreet, faults: Faults) -> None:
    faults.refuse("PutItem", "ThrottlingException", times=10)
    assert len(at_the_bazaar(told, "shipment_shipped")["batchItemFailures"]) == 1
    faults.mend()
    assert at_the_bazaar(told, "shipment_shipped") == {"batchItemFailures": []}
    assert len(owed(told)) == 1


def test_settings_that_cannot_be_read_cost_their_own_account_its_notices_and_nobody_a_row(told: MainStreet) -> None:
    told.play_all(*SHIPPED)
    unreadable = {"kind": "channel_account", "name": "bazaar#main-street-goods", "tells": "EVERYTHING"}
    told.stage.put("settings", unreadable)
    assert len(at_the_bazaar(told, "shipment_shipped")["batchItemFailures"]) == 1
    assert shown(told) == {}
    assert told.play(FUNCTION, "five_events_of_two_orders") == {"batchItemFailures": []}
