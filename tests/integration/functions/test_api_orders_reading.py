"""Reading orders over HTTP: one whole, why it waits, and lists by the questions people ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain.changes import Context
from oms.domain.decisions import add_note
from oms.domain.order import Order
from oms.runtime import clients
from oms.stores import orders as orders_module
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.functions.test_api_orders import EMAIL, PHONE, order
from tests.integration.stage import POLICY, PREFIX, Stage

WITH_CONTACT = {"query": {"include": "contact"}, "scopes": "oms/orders.read oms/contacts.read"}
LONG_AGO = "2026-03-01T10:00:00Z"


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_orders")


def place(api: ApiClient, number: int, **changes: Any) -> str:
    """An order of Grace, placed `number` minutes after LONG_AGO; returns its id."""
    placed_at = datetime(2026, 3, 1, 10, tzinfo=UTC) + timedelta(minutes=number)
    names = {"channel_order_id": str(number), "order_number": f"#{number}", "placed_at": placed_at.isoformat()}
    reply = api.call("POST", "/orders", order(**(names | changes)), key=f"key-{number}-{changes.get('channel', 'web')}")
    assert reply.status == 201
    return str(reply.body["order_id"])


def listed(api: ApiClient, **query: str) -> list[str]:
    """The ids of one page."""
    reply = api.call("GET", "/orders", query=query)
    assert reply.status == 200
    return [one["order_id"] for one in reply.body["orders"]]


def all_pages(api: ApiClient, **query: str) -> list[str]:
    found, cursor = [], None
    for _ in range(20):
        page = api.call("GET", "/orders", query=query | ({"cursor": cursor} if cursor else {})).body
        found += [one["order_id"] for one in page["orders"]]
        cursor = page["cursor"]
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


def test_a_document_shows_no_person_unless_asked_with_the_right_to(api: ApiClient) -> None:
    order_id = place(api, 1)
    assert "contact" not in api.call("GET", f"/orders/{order_id}").body
    refused = api.call("GET", f"/orders/{order_id}", query={"include": "contact"})
    assert (refused.status, refused.error["code"]) == (403, "Forbidden")
    assert api.call("GET", f"/orders/{order_id}", **WITH_CONTACT).body["contact"]["email"] == EMAIL


def test_the_right_to_read_contacts_must_be_ours(api: ApiClient) -> None:
    order_id = place(api, 1)
    foreign = WITH_CONTACT | {"scopes": "oms/orders.read crm/contacts.read oms/contacts.readers"}
    assert api.call("GET", f"/orders/{order_id}", **foreign).status == 403


def test_a_person_who_was_purged_is_told_as_nobody(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1)
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}contacts", Key={"order_id": {"S": order_id}})
    assert api.call("GET", f"/orders/{order_id}", **WITH_CONTACT).body["contact"] is None


@pytest.mark.parametrize("order_id", ["web-main-404", "Web-Main-1", "x" * 65, "x" * 5_000, "%00", "a b"])
@pytest.mark.parametrize("path", ["", "/explanation"])
def test_an_order_nobody_knows_is_not_found(api: ApiClient, order_id: str, path: str) -> None:
    reply = api.call("GET", f"/orders/{order_id}{path}")
    assert (reply.status, reply.error["code"]) == (404, "OrderNotFound")


def test_an_order_tells_its_whole_story_even_when_it_outgrew_its_document(
    stage: Stage, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = place(api, 1)
    monkeypatch.setattr(orders_module, "MAX_DOCUMENT_BYTES", 2_500)
    dynamodb = clients.client("dynamodb")
    for number in range(12):
        _note(OrdersStore(dynamodb, PREFIX), GroupCommit(dynamodb, PREFIX), order_id, number)
    assert len(stage.rows("order_history")) > 1
    document = api.call("GET", f"/orders/{order_id}").body
    assert [event["sequence"] for event in document["events"]] == list(range(1, 14))
    assert [event["version"] for event in document["events"]] == list(range(1, 14))


def _note(store: OrdersStore, commit: GroupCommit, order_id: str, number: int) -> None:
    stored = store.get(order_id)
    assert stored is not None
    context = Context(now=stored.placed_at, actor="test", policy=POLICY)
    assert commit.commit_one(add_note(stored, f"note {number}", context)).committed


def test_the_explanation_says_what_is_missing_and_who_can_help(api: ApiClient) -> None:
    order_id = place(api, 1, lines=[{"sku": "LAMP", "quantity": 1, "unit_price_minor": 3700}])
    told = api.call("GET", f"/orders/{order_id}/explanation").body
    assert (told["waiting_for"], told["reason_code"], told["overdue"]) == ("REVIEW", "UNKNOWN_SKU", False)
    assert told["cause"] == "It contains a SKU that is not in the catalogue: LAMP."
    assert told["who_can_unblock"] == "OPERATIONS"
    assert told["supported_actions"] == ["CANCEL", "PLACE_HOLD", "CONTINUE_REVIEW", "CANCEL_REVIEW", "ADD_NOTE"]


def test_orders_that_wait_are_listed_the_most_overdue_first(stage: Stage, api: ApiClient) -> None:
    ids = [place(api, number) for number in (1, 2, 3)]
    _due(stage, ids[0], datetime(2026, 3, 1, 12, tzinfo=UTC))
    _due(stage, ids[1], datetime(2026, 3, 1, 11, tzinfo=UTC))
    assert listed(api, waiting_for="ALLOCATION") == [ids[1], ids[0], ids[2]]
    assert all_pages(api, waiting_for="ALLOCATION", overdue="true", limit="1") == [ids[1], ids[0]]
    assert listed(api, waiting_for="HOLD") == []


def _due(stage: Stage, order_id: str, moment: datetime) -> None:
    key = {"order_id": {"S": order_id}}
    values = {":due": {"S": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    clients.client("dynamodb").update_item(
        TableName=f"{PREFIX}orders", Key=key, UpdateExpression="SET due_at = :due", ExpressionAttributeValues=values
    )


def test_a_customers_orders_are_listed_the_newest_first_page_by_page(api: ApiClient) -> None:
    ids = [place(api, number) for number in (1, 2, 3)]
    place(api, 4, customer={"id": "c-2"})
    assert all_pages(api, customer="web#main#c-1", limit="2") == ids[::-1]


def test_a_day_of_an_account_lists_what_was_placed_on_it(api: ApiClient) -> None:
    order_id = place(api, 1)
    place(api, 24 * 60)
    place(api, 2, channel="pos")
    page = api.call("GET", "/orders", query={"account": "web#main", "day": "2026-03-01"}).body
    assert [(one["order_id"], one["channel"], one["account"]) for one in page["orders"]] == [(order_id, "web", "main")]


@pytest.mark.parametrize("number", ["17", "#17", "ORDER#17", " 17 "])
def test_an_order_is_found_by_the_number_people_quote(api: ApiClient, number: str) -> None:
    order_id = place(api, 17)
    assert listed(api, reference=number) == [order_id]


def test_an_order_number_with_a_sign_inside_is_still_a_number(api: ApiClient) -> None:
    order_id = place(api, 17, order_number="SPRING#17")
    assert listed(api, reference="spring#17") == listed(api, reference="SPRING#17") == [order_id]


def test_a_typed_reference_is_looked_up_as_it_was_typed(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1)
    stage.put("order_references", {"reference": "RMA#a-7", "order_id": order_id})
    assert listed(api, reference="RMA#a-7") == [order_id]
    assert listed(api, reference="RMA#A-7") == []


def test_one_number_of_several_shops_pages_without_losing_any(api: ApiClient) -> None:
    ids = [place(api, 17, channel=channel) for channel in ("phone", "pos", "web")]
    assert all_pages(api, reference="17", limit="1") == ids


def test_an_order_is_found_by_the_tracking_number_of_its_parcel(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1)
    stage.put("order_references", {"reference": "TRACKING#ups#1Z9", "order_id": order_id})
    assert listed(api, tracking="UPS:1z9") == [order_id]
    assert listed(api, tracking="fedex:1Z9") == []


@pytest.mark.parametrize("query", [{"email": f" {EMAIL.upper()} "}, {"phone": PHONE}, {"phone": "2015550177"}])
def test_orders_are_found_by_email_and_phone_however_they_are_written(api: ApiClient, query: dict[str, str]) -> None:
    ids = [place(api, number) for number in (1, 2, 3)]
    place(api, 4, customer={"email": "ada@example.com", "phone": "2015550199"})
    assert sorted(all_pages(api, **query, limit="2")) == ids


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "query"),
        ({"customer": "web#main#c-1", "reference": "17"}, "reference"),
        ({"waiting_for": "LUNCH"}, "waiting_for"),
        ({"waiting_for": "HOLD", "limit": "0"}, "limit"),
        ({"waiting_for": "HOLD", "limit": "101"}, "limit"),
        ({"waiting_for": "HOLD", "limit": "many"}, "limit"),
        ({"waiting_for": "HOLD", "sort": "up"}, "sort"),
        ({"waiting_for": "HOLD", "cursor": "no cursor"}, "cursor"),
        ({"waiting_for": "HOLD", "cursor": "bm90IGpzb24="}, "cursor"),
        ({"customer": "c-1"}, "customer"),
        ({"customer": "web#main#c-1", "overdue": "true"}, "overdue"),
        ({"customer": "web#main#c-1", "day": "2026-03-01"}, "day"),
        ({"account": "web#main"}, "day"),
        ({"account": "web#main", "day": "yesterday"}, "day"),
        ({"account": "web", "day": "2026-03-01"}, "account"),
        ({"tracking": "1Z9"}, "tracking"),
        ({"email": "nobody"}, "email"),
        ({"phone": "none"}, "phone"),
    ],
)
def test_a_question_that_can_not_be_answered_is_refused_by_name(
    api: ApiClient, query: dict[str, str], field: str
) -> None:
    reply = api.call("GET", "/orders", query=query)
    assert (reply.status, reply.error["details"]["field"]) == (422, field)


@pytest.mark.parametrize(
    "other", [{"waiting_for": "HOLD"}, {"customer": "web#main#c-1"}, {"reference": "1"}, {"email": EMAIL}]
)
def test_a_cursor_leads_nowhere_but_on_in_its_own_list(api: ApiClient, other: dict[str, str]) -> None:
    for number in (1, 2):
        place(api, number)
    cursor = api.call("GET", "/orders", query={"waiting_for": "ALLOCATION", "limit": "1"}).body["cursor"]
    reply = api.call("GET", "/orders", query=other | {"cursor": cursor})
    assert (reply.status, reply.error["details"]["field"]) == (422, "cursor")


def decide(api: ApiClient, order_id: str, what: str, body: dict[str, Any] | None, method: str = "POST") -> Reply:
    return api.call(method, f"/orders/{order_id}/{what}", body)


def test_a_cancellation_is_done_once_and_says_by_whom_and_why(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1)
    replies = [decide(api, order_id, "cancellations", {"reason": "customer changed-mind"}) for _ in range(2)]
    assert [reply.body["version"] for reply in replies] == [2, 2]
    event = stage.order(order_id).events[-1]
    assert (event.actor, event.data) == ("api:shop", {"reason": "CUSTOMER_CHANGED_MIND"})


def test_a_hold_stays_until_it_is_released_by_its_name(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1)
    for _ in range(2):
        reply = decide(api, order_id, "holds", {"type": "fraud check", "reason": "looks odd"})
        assert (reply.body["hold_id"], reply.body["version"]) == ("fraud-check", 2)
    assert stage.order(order_id).waiting_for == "HOLD"
    assert decide(api, order_id, "holds/fraud-check", None, "DELETE").body["version"] == 3
    assert stage.order(order_id).waiting_for == "ALLOCATION"
    assert decide(api, order_id, "holds/fraud-check", None, "DELETE").status == 404


def test_a_note_is_kept_with_its_author(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1)
    assert decide(api, order_id, "notes", {"text": "Called the shop."}).status == 200
    (note,) = stage.order(order_id).notes
    assert (note.author, note.text) == ("api:shop", "Called the shop.")


def test_a_review_is_decided_once(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1, total_minor=1)
    assert decide(api, order_id, "review", {"decision": "continue"}).body["version"] == 2
    assert _after(stage, order_id).waiting_for == "ALLOCATION"
    assert decide(api, order_id, "review", {"decision": "CONTINUE"}).error["code"] == "IllegalTransition"


def test_a_review_that_cancels_ends_the_order_and_may_come_twice(stage: Stage, api: ApiClient) -> None:
    order_id = place(api, 1, total_minor=1)
    for _ in range(2):
        reply = decide(api, order_id, "review", {"decision": "CANCEL", "reason": "Wrong price"})
        assert reply.body == {"order_id": order_id, "version": 2, "status": "CANCELLED"}
    assert _after(stage, order_id).waiting_for is None


def _after(stage: Stage, order_id: str) -> Order:
    return stage.order(order_id)


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("cancellations", {}, "reason"),
        ("cancellations", {"reason": "because <b>"}, "reason"),
        ("cancellations", {"reason": "OK", "by": "me"}, "by"),
        ("holds", {"reason": "x"}, "type"),
        ("holds", {"type": "FRAUD", "hold_id": "A B"}, "hold_id"),
        ("notes", {"text": "x" * 501}, "text"),
        ("notes", {"text": " "}, "text"),
        ("review", {"decision": "MAYBE"}, "decision"),
        ("review", {}, "decision"),
    ],
)
def test_a_decision_that_is_not_understood_changes_nothing(
    stage: Stage, api: ApiClient, what: str, body: dict[str, str], field: str
) -> None:
    order_id = place(api, 1)
    reply = decide(api, order_id, what, body)
    assert (reply.status, reply.error["details"]["field"]) == (422, field)
    assert stage.order(order_id).version == 1


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("cancellations", {"reason": "X"}),
        ("holds", {"type": "X"}),
        ("notes", {"text": "X"}),
        ("review", {"decision": "CANCEL"}),
    ],
)
@pytest.mark.parametrize("order_id", ["web-main-404", "x" * 5_000])
def test_nothing_is_decided_about_an_order_nobody_knows(
    api: ApiClient, order_id: str, what: str, body: dict[str, str]
) -> None:
    assert decide(api, order_id, what, body).error["code"] == "OrderNotFound"


def test_every_decision_is_made_again_on_the_newer_order_when_somebody_else_writes(
    stage: Stage, api: ApiClient
) -> None:
    order_id = place(api, 1)
    stage.fail("dynamodb", "PutItem", "TransactionConflictException", times=2)
    assert decide(api, order_id, "notes", {"text": "X"}).body["version"] == 2
