"""The intake queue: what its messages make of orders, and where those go that nobody can understand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.domain.catalog import ChannelAccount
from oms.domain.order import OrderStatus, WaitingFor
from oms.stores.group_commit import MAX_UNANSWERED
from tests.integration.company import balance, everything, held_by_orders
from tests.integration.faults import Faults
from tests.integration.samples import ALLOCATED, ORDER_ID, PLACED, RELEASED, MainStreet, inbox_body, replays_the_same
from tests.integration.stage import LambdaContext, Stage, cases, sample
from tests.unit.shopify_bodies import line_item, shopify_order

INBOX_KEY = "inbox/shopify/main-street-goods/2026-11-16/sample"
TO_BE_CANCELLED = (("queue_intake", "to_be_cancelled"),)
BEFORE: dict[str, Any] = {
    "address_changed": ALLOCATED,
    "cancelled": TO_BE_CANCELLED,
    "customer_to_forget": PLACED,
    "edited": ALLOCATED,
    "paid": (("queue_intake", "payment_pending"),),
    "stale_update": PLACED,
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    body = json.loads(sample("queue_intake", "two_lines")["Records"][0]["body"])["body"]
    made = MainStreet(stage)
    inbox_body(INBOX_KEY, body)
    return made


def message(body: dict[str, Any] | str, number: int = 1, **changes: Any) -> dict[str, Any]:
    """A record with an order of the account `main` of the test stage in it."""
    envelope = {
        "channel": "shopify",
        "account": "main",
        "topic": "orders/create",
        "message_id": f"delivery-{number}",
        "received_at": "2026-11-16T14:00:00+00:00",
        "headers": {},
        "is_base64": False,
        "body": body if isinstance(body, str) else json.dumps(body),
    }
    return {"messageId": f"message-{number}", "body": json.dumps(envelope | changes)}


def from_inbox(key: str) -> dict[str, Any]:
    """A record whose body lies in the inbox bucket."""
    record = message("")
    envelope = json.loads(record["body"]) | {"body_s3_key": key}
    del envelope["body"]
    return record | {"body": json.dumps(envelope)}


def hand_in(company: MainStreet, *records: dict[str, Any]) -> list[str]:
    """Has the function take these records; returns those that come again."""
    answer = company.function("queue_intake").handler({"Records": list(records)}, LambdaContext())
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def mug_order(**changes: Any) -> dict[str, Any]:
    return shopify_order(**{"line_items": [line_item(sku="MUG")]} | changes)


@pytest.mark.parametrize("case", cases("queue_intake"))
def test_each_sample_is_taken_and_taking_it_twice_changes_nothing(company: MainStreet, case: str) -> None:
    answer = replays_the_same(company, "queue_intake", case, BEFORE.get(case, ()))
    assert answer == {"batchItemFailures": []}


def test_an_order_is_stored_with_its_references_and_its_person_apart(company: MainStreet) -> None:
    company.play_all(*PLACED)
    order = company.stage.order(ORDER_ID)
    assert (order.status, order.waiting_for) == (OrderStatus.RECEIVED, WaitingFor.ALLOCATION)
    assert [(line.sku, line.ordered) for line in order.lines] == [("MUG-STONE-350", 2), ("TOWEL-LINEN-2", 1)]
    references = {row["reference"] for row in company.stage.rows("order_references")}
    assert references == {"ORDER#100241", "ORDER#5710000100241"}
    (person,) = company.stage.rows("contacts")
    assert person["purge_day"] == "2026-12-07"
    assert "Calloway" not in json.dumps(company.stage.rows("orders"))


def test_a_message_that_comes_twice_in_a_batch_is_one_order(company: MainStreet) -> None:
    company.play_all(("queue_intake", "two_lines_delivered_twice"))
    assert company.stage.order(ORDER_ID).version == 1


def test_an_older_state_of_the_order_is_passed_over(company: MainStreet) -> None:
    company.play_all(*PLACED)
    before = everything(company.stage)
    company.play_all(("queue_intake", "stale_update"))
    assert everything(company.stage) == before


def test_a_repeat_told_in_fractions_of_a_second_changes_nothing(company: MainStreet) -> None:
    record = message(mug_order(updated_at="2026-03-01T05:01:00.750-07:00"))
    assert hand_in(company, record) == []
    before = everything(company.stage)
    assert hand_in(company, record) == []
    assert everything(company.stage) == before


def test_a_cancellation_before_release_gives_the_stock_back(company: MainStreet) -> None:
    company.play_all(*TO_BE_CANCELLED, ("queue_allocation", "three_orders"))
    assert sum(held_by_orders(company.stage).values()) == 3
    company.play_all(("queue_intake", "cancelled"))
    order = company.stage.order("shopify-main-street-goods-5710000100289")
    assert order.status is OrderStatus.CANCELLED
    assert sum(held_by_orders(company.stage).values()) == 0
    assert all(row.get("committed", 0) == 0 for row in company.stage.rows("stock"))


def test_a_new_address_before_release_moves_with_the_person_and_may_route_again(company: MainStreet) -> None:
    company.play_all(*ALLOCATED, ("queue_intake", "address_changed"))
    events = company.stage.order(ORDER_ID).events
    assert events[-1].type == "AddressChanged"
    body = json.loads(json.loads(sample("queue_intake", "address_changed")["Records"][0]["body"])["body"])
    (person,) = company.stage.rows("contacts")
    assert person["ship_to"]["address1"] == body["shipping_address"]["address1"]


def test_a_change_after_release_is_put_to_a_person_once(company: MainStreet) -> None:
    company.play_all(*RELEASED, ("queue_intake", "address_changed"), ("queue_intake", "address_changed"))
    order = company.stage.order(ORDER_ID)
    assert order.review is not None
    assert (order.review.reason, order.review.detail) == ("CHANGE_AFTER_RELEASE", "change address")
    assert [event.type for event in order.events].count("ReviewRequested") == 1


def test_what_is_not_paid_yet_is_held_until_it_is(company: MainStreet) -> None:
    company.play_all(("queue_intake", "payment_pending"))
    name = "shopify-main-street-goods-5710000100304"
    assert [hold.type for hold in company.stage.order(name).holds] == ["AWAITING_PAYMENT"]
    company.play_all(("queue_intake", "paid"))
    assert company.stage.order(name).holds == ()


def test_a_body_too_large_for_the_queue_is_fetched_from_the_inbox(company: MainStreet) -> None:
    company.play_all(("queue_intake", "body_in_the_inbox"))
    assert company.stage.order(ORDER_ID).status is OrderStatus.RECEIVED


def test_a_body_that_is_gone_from_the_inbox_is_kept_as_such(company: MainStreet) -> None:
    assert hand_in(company, from_inbox("inbox/nothing-here")) == []
    (row,) = company.stage.rows("quarantine")
    assert (row["reason"], row["message"]["body_s3_key"]) == ("BODY_GONE", "inbox/nothing-here")


@pytest.mark.parametrize(
    ("lines", "currency", "reason"),
    [
        ([{"sku": "HAMPER"}], "USD", "KIT_ORDERED"),
        ([{"sku": "MUG"}], "EUR", "WRONG_CURRENCY"),
        ([{"sku": "MUG", "price": "12.51"}], "USD", "TOTALS_MISMATCH"),
    ],
)
def test_an_order_that_breaks_a_rule_is_kept_for_a_person_and_gets_no_stock(
    company: MainStreet, lines: list[dict[str, Any]], currency: str, reason: str
) -> None:
    items = [line_item(number, **changes) for number, changes in enumerate(lines, start=1)]
    assert hand_in(company, message(shopify_order(line_items=items, currency=currency))) == []
    order = company.stage.order("shopify-main-5001")
    assert order.review is not None
    assert order.review.reason == reason
    question = {"order_id": order.order_id, "generation": 1, "task_token": "token"}
    company.function("queue_allocation").handler(
        {"Records": [{"messageId": "m", "body": json.dumps(question)}]}, LambdaContext()
    )
    assert company.told["token"] == [{"error": "InReview"}]
    assert company.stage.rows("stock_movements") == []


def test_an_order_in_review_can_be_cancelled_by_its_channel(company: MainStreet) -> None:
    unknown = mug_order(line_items=[line_item(sku="UNHEARD-OF")])
    gone = unknown | {"cancelled_at": "2026-03-01T06:00:00-07:00", "updated_at": "2026-03-01T06:00:00-07:00"}
    assert hand_in(company, message(unknown), message(gone, 2, topic="orders/cancelled")) == []
    assert company.stage.order("shopify-main-5001").status is OrderStatus.CANCELLED


@pytest.mark.parametrize("topic", ["orders/updated", "orders/cancelled"])
def test_an_update_that_overtakes_the_order_makes_it(company: MainStreet, topic: str) -> None:
    body = mug_order(cancelled_at="2026-03-01T05:01:00-07:00" if topic == "orders/cancelled" else None)
    assert hand_in(company, message(body, topic=topic), message(mug_order(), 2)) == []
    expected = OrderStatus.CANCELLED if topic == "orders/cancelled" else OrderStatus.RECEIVED
    assert company.stage.order("shopify-main-5001").status is expected


@pytest.mark.parametrize(
    ("case", "reason"),
    [("malformed_json", "MALFORMED_JSON"), ("not_utf8", "NOT_UTF8"), ("quantity_of_zero", "QUANTITY_NOT_POSITIVE")],
)
def test_what_can_not_be_understood_is_kept_as_it_came_with_its_cause(
    company: MainStreet, case: str, reason: str
) -> None:
    company.play_all(("queue_intake", case))
    (row,) = company.stage.rows("quarantine")
    assert (row["source"], row["reason"]) == ("shopify#main-street-goods", reason)
    assert row["message"] == json.loads(sample("queue_intake", case)["Records"][0]["body"])
    assert company.stage.rows("orders") == []


def test_an_order_of_501_lines_is_kept_with_its_cause(company: MainStreet) -> None:
    items = [line_item(number, sku="MUG") for number in range(501)]
    assert hand_in(company, message(mug_order(line_items=items))) == []
    (row,) = company.stage.rows("quarantine")
    assert (row["reason"], row["field"]) == ("TOO_MANY_LINES", "line_items")


@pytest.mark.parametrize(
    ("record", "named"),
    [
        pytest.param(message(mug_order(), account="elsewhere"), "5001", id="refused after it was read"),
        pytest.param(
            message("{", topic="fetched", message_id="727@2026-03-02T11:59:00+00:00"), "727", id="fetched, not readable"
        ),
        pytest.param(message("{"), None, id="nobody knows whose it is"),
    ],
)
def test_what_is_kept_names_its_order_where_that_is_known(
    company: MainStreet, record: dict[str, Any], named: str | None
) -> None:
    assert hand_in(company, record) == []
    (row,) = company.stage.rows("quarantine")
    assert row.get("channel_order_id") == named


def test_an_order_too_large_for_a_document_is_kept_with_its_cause(company: MainStreet) -> None:
    items = [line_item(number, sku="MUG", title="Ü" * 255) for number in range(500)]
    inbox_body("inbox/large", json.dumps(mug_order(line_items=items)))
    assert hand_in(company, from_inbox("inbox/large")) == []
    (row,) = company.stage.rows("quarantine")
    assert (row["reason"], row["field"]) == ("TOO_LARGE", "lines")
    assert row["message"]["body_s3_key"] == "inbox/large"


def test_of_a_batch_only_what_failed_for_now_comes_again(company: MainStreet, faults: Faults) -> None:
    records = [message(mug_order(id=5000 + n, admin_graphql_api_id=None), n) for n in (1, 3)]
    faults.refuse("TransactWriteItems", "InternalServerError", times=MAX_UNANSWERED)
    assert hand_in(company, records[0], message("not an order", 2), records[1]) == ["message-1"]
    assert len(company.stage.rows("quarantine")) == 1
    assert [row["order_id"] for row in company.stage.rows("orders")] == ["shopify-main-5003"]
    assert hand_in(company, records[0]) == []
    assert len(company.stage.rows("orders")) == 2


def test_two_workers_that_take_the_same_message_at_once_make_one_order(company: MainStreet, faults: Faults) -> None:
    rival = company.function("queue_intake")
    event = sample("queue_intake", "two_lines")
    faults.meanwhile("TransactWriteItems", lambda: rival.handler(event, LambdaContext()))
    company.play_all(*PLACED)
    assert faults.hits == 1
    assert company.stage.order(ORDER_ID).version == 1
    assert company.stage.rows("quarantine") == []
    balance_of_nothing_committed(company)


def balance_of_nothing_committed(company: MainStreet) -> None:
    assert company.stage.rows("stock_movements") == []
    assert {row.get("committed", 0) for row in company.stage.rows("stock")} == {0}


def test_an_order_whose_answer_was_lost_is_there_once(company: MainStreet, faults: Faults) -> None:
    faults.time_out_after()
    record = message(mug_order())
    assert hand_in(company, record) == []
    assert hand_in(company, record) == []
    assert company.stage.order("shopify-main-5001").version == 1
    balance(company.stage, opening_of(company))


def opening_of(company: MainStreet) -> dict[tuple[str, str], int]:
    return {(row["sku"], row["location_id"]): row.get("on_hand", 0) for row in company.stage.rows("stock")}


def is_called(company: MainStreet, account: str) -> None:
    settings = ChannelAccount(currencies=("USD",), options={"shop": "main-street"})
    company.stage.put("settings", settings, kind="channel_account", name=account)


def test_a_message_that_tells_too_little_has_its_order_fetched(company: MainStreet) -> None:
    is_called(company, "shopify#main-street-goods")
    company.play_all(("queue_intake", "edited_without_the_order"))
    assert company.stage.messages("poll") == [
        {"task": "fetch", "channel_account": "shopify#main-street-goods", "channel_order_ids": ["5710000100241"]}
    ]
    assert company.stage.rows("orders") == []


def test_an_order_that_was_fetched_is_edited_as_its_channel_says(company: MainStreet) -> None:
    company.play_all(*ALLOCATED, ("queue_intake", "edited"))
    order = company.stage.order(ORDER_ID)
    assert [(line.sku, line.in_fulfillment, line.unallocated) for line in order.lines] == [
        ("MUG-STONE-350", 2, 1),
        ("TOWEL-LINEN-2", 1, 0),
    ]
    assert (order.review, order.events[-1].type) == (None, "PaymentChanged")


def test_a_message_that_tells_too_little_waits_for_a_person_where_nobody_can_be_asked(company: MainStreet) -> None:
    company.play_all(("queue_intake", "edited_without_the_order"))
    (row,) = company.stage.rows("quarantine")
    assert (row["reason"], row["field"]) == ("NOT_CALLED", "account")
    assert row["channel_order_id"] == "5710000100241"
    assert company.stage.messages("poll") == []


def test_of_two_states_of_one_second_the_later_message_holds_where_nobody_can_be_asked(company: MainStreet) -> None:
    pending = mug_order(financial_status="pending")
    assert hand_in(company, message(pending), message(mug_order(), 2, topic="orders/paid")) == []
    assert company.stage.messages("poll") == []
    assert company.stage.order("shopify-main-5001").holds == ()


def test_two_states_of_one_second_are_settled_by_asking_the_channel(company: MainStreet) -> None:
    is_called(company, "shopify#main")
    pending = mug_order(financial_status="pending")
    assert hand_in(company, message(mug_order()), message(pending, 2, topic="orders/updated")) == []
    (asked,) = company.stage.messages("poll")
    assert asked["channel_order_ids"] == ["5001"]
    assert company.stage.order("shopify-main-5001").holds == ()
    assert hand_in(company, message(pending, 3, topic="fetched")) == []
    assert [hold.type for hold in company.stage.order("shopify-main-5001").holds] == ["AWAITING_PAYMENT"]


def test_an_order_of_goods_nobody_knows_waits_for_its_mapping_with_their_names(company: MainStreet) -> None:
    company.play_all(("queue_intake", "not_mapped"))
    (row,) = company.stage.rows("quarantine")
    assert (row["reason"], row["field"], row["skus"]) == ("UNMAPPED_SKU", "lines.0.sku", ["STONEWARE-MUG"])
    body = json.loads(row["message"]["body"])
    assert row["channel_order_id"] == str(body["id"])
    listing = {"channel_account": "shopify#main-street-goods", "channel_sku": "STONEWARE-MUG", "sku": "MUG-STONE-350"}
    company.stage.put("listings", listing)
    company.play_all(("queue_intake", "not_mapped"))
    (order,) = company.stage.rows("orders")
    assert order["lines"][0]["sku"] == "MUG-STONE-350"


def test_a_person_is_forgotten_when_the_order_has_ended_and_not_before(company: MainStreet) -> None:
    company.play_all(*PLACED, ("queue_intake", "customer_to_forget"))
    (person,) = company.stage.rows("contacts")
    assert person["purge_day"] == "2026-11-17"
    company.play_all(("queue_intake", "address_changed"))
    (person,) = company.stage.rows("contacts")
    assert person["purge_day"] == "2026-11-17"
    body = json.loads(json.loads(sample("queue_intake", "two_lines")["Records"][0]["body"])["body"])
    gone = body | {"cancelled_at": "2026-11-16T14:50:00+00:00", "updated_at": "2026-11-16T14:50:00+00:00"}
    assert hand_in(company, message(gone, topic="orders/cancelled", account="main-street-goods")) == []
    company.play_all(("queue_intake", "customer_to_forget"))
    assert company.stage.rows("contacts") == []


def test_what_a_person_must_answer_about_peoples_data_is_a_row_of_its_own(company: MainStreet) -> None:
    company.play_all(*PLACED, ("queue_intake", "customer_asks_for_data"))
    (row,) = company.stage.rows("quarantine")
    assert (row["source"], row["reason"]) == ("privacy#shopify#main-street-goods", "DATA_REQUEST")
    assert len(company.stage.rows("contacts")) == 1
