"""Placing orders over HTTP: once per key, whatever is repeated, raced or lost, and told by field when it is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from oms.domain.catalog import ChannelAccount, Location, Policy, Product
from oms.domain.reservations import reserve
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.contacts import ContactsStore
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.stage import HASH_KEY, PREFIX, Stage, cases, sample

EMAIL, PHONE = "grace@example.com", "+1 (201) 555-0177"


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_orders")


def order(**changes: Any) -> dict[str, Any]:
    """Two mugs for Grace, 41.00 dollars."""
    facts: dict[str, Any] = {
        "channel": "web",
        "account": "main",
        "channel_order_id": "7001",
        "order_number": "#W7001",
        "currency": "USD",
        "lines": [{"sku": "MUG", "quantity": 2, "unit_price_minor": 1800, "tax_minor": 100}],
        "shipping_minor": 400,
        "total_minor": 4100,
        "ship_to": {"name": "Grace", "address1": "1 Dock Road", "city": "Hoboken", "region": "NJ", "country": "US"},
        "customer": {"id": "c-1", "name": "Grace", "email": EMAIL, "phone": PHONE},
    }
    return facts | changes


def place(api: ApiClient, key: str = "key-1", **changes: Any) -> Reply:
    return api.call("POST", "/orders", order(**changes), key=key)


def test_an_order_that_is_placed_can_be_read_at_once(stage: Stage, api: ApiClient) -> None:
    reply = place(api)
    assert (reply.status, reply.headers["Location"]) == (201, "/orders/web-main-7001")
    assert reply.body == {"order_id": "web-main-7001", "version": 1, "status": "RECEIVED"}
    stored = stage.order("web-main-7001")
    assert (stored.waiting_for, stored.events[0].actor, stored.trace_id) == ("ALLOCATION", "api:shop", "request-1")
    assert (stored.totals.goods_minor, stored.totals.tax_minor, stored.totals.total_minor) == (3600, 100, 4100)
    assert [row["reference"] for row in stage.rows("order_references")] == ["ORDER#7001", "ORDER#W7001"]


def test_a_persons_data_lies_in_contacts_and_nowhere_else(stage: Stage, api: ApiClient) -> None:
    place(api, note="Please ring twice")
    (contact,) = stage.rows("contacts")
    assert (contact["email"], contact["free_text"]) == (EMAIL, {"note": "Please ring twice"})
    for table in ("orders", "order_references", "idempotency"):
        everything = json.dumps(stage.rows(table))
        assert not [text for text in ("Grace", EMAIL, "Dock Road", "ring twice", "0177") if text in everything]


def test_a_repeat_with_the_same_key_gets_the_same_order_and_writes_nothing(stage: Stage, api: ApiClient) -> None:
    place(api)
    before = stage.rows("orders")
    again = place(api)
    assert (again.status, again.body["order_id"]) == (200, "web-main-7001")
    assert stage.rows("orders") == before


def test_a_repeat_tells_how_the_order_is_now(api: ApiClient) -> None:
    place(api)
    api.call("POST", "/orders/web-main-7001/cancellations", {"reason": "CHANGED_MIND"})
    assert place(api).body == {"order_id": "web-main-7001", "version": 2, "status": "CANCELLED"}


def test_the_same_key_with_another_body_is_refused(stage: Stage, api: ApiClient) -> None:
    place(api)
    reply = place(api, channel_order_id="7002")
    assert (reply.status, reply.error["code"]) == (422, "KeyReused")
    assert reply.error["details"]["field"] == "Idempotency-Key"
    assert len(stage.rows("orders")) == 1


def test_the_same_key_of_another_client_is_another_key(stage: Stage, api: ApiClient) -> None:
    place(api)
    till = ApiClient(stage, "api_orders", client_id="till")
    assert place(till, channel="pos").status == 201


def test_another_key_for_an_order_that_exists_changes_nothing(stage: Stage, api: ApiClient) -> None:
    place(api)
    before = stage.rows("orders")
    reply = place(api, key="key-2", lines=[{"sku": "BOWL", "quantity": 1, "unit_price_minor": 3700}])
    assert (reply.status, reply.error["code"]) == (409, "OrderExists")
    assert reply.error["details"] == {"order_id": "web-main-7001"}
    assert stage.rows("orders") == before


def test_two_keys_that_race_for_one_order_make_it_once_and_unchanged(stage: Stage, api: ApiClient) -> None:
    rival = ApiClient(stage, "api_orders")
    won: list[Reply] = []

    def rival_is_faster(**_: Any) -> None:
        if not won:
            won.append(Reply(0, {}, {}))
            won[0] = place(rival, key="key-2", lines=[{"sku": "MUG", "quantity": 1, "unit_price_minor": 3700}])

    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", rival_is_faster)
    reply = place(api)
    assert (won[0].status, reply.status, reply.error["code"]) == (201, 409, "OrderExists")
    assert (stage.order("web-main-7001").version, stage.order("web-main-7001").lines[0].ordered) == (1, 1)


def test_a_request_that_is_still_being_worked_on_is_told_so(stage: Stage, api: ApiClient) -> None:
    impatient: list[Reply] = []

    def ask_again(**_: Any) -> None:
        if not impatient:
            impatient.append(place(ApiClient(stage, "api_orders")))

    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", ask_again)
    assert place(api).status == 201
    assert (impatient[0].status, impatient[0].error["code"]) == (409, "RequestInProgress")


class WorkerDied(BaseException):
    """The worker is gone: no line of code after this one runs."""


def test_a_worker_that_dies_after_the_order_is_written_leaves_one_order_for_the_retry(
    stage: Stage, api: ApiClient
) -> None:
    def die(**_: Any) -> None:
        raise WorkerDied

    api.context.remaining_millis = -1_000  # its time is over when the retry comes
    stage.hook("dynamodb", "before-call.dynamodb.UpdateItem", die)
    with pytest.raises(WorkerDied):
        place(api)
    stage.mend()
    assert stage.rows("idempotency")[0]["status"] == "INPROGRESS"
    reply = place(ApiClient(stage, "api_orders"))
    assert (reply.status, reply.body["order_id"], reply.body["version"]) == (200, "web-main-7001", 1)
    assert len(stage.rows("orders")) == 1


def test_an_order_whose_commit_was_not_heard_of_is_found_at_once(stage: Stage, api: ApiClient) -> None:
    stage.lose_answer("dynamodb", "TransactWriteItems")
    assert place(api).status == 201
    assert (place(api).status, len(stage.rows("orders"))) == (200, 1)


def test_an_order_that_is_written_is_told_even_if_its_key_can_not_be_noted(stage: Stage, api: ApiClient) -> None:
    stage.fail("dynamodb", "UpdateItem", "InternalServerError")
    assert place(api).status == 201


def test_nothing_is_placed_while_keys_can_not_be_noted(stage: Stage, api: ApiClient) -> None:
    stage.fail("dynamodb", "PutItem", "ThrottlingException")
    assert place(api).status == 503
    assert stage.rows("orders") == []


def test_a_key_that_was_forgotten_still_finds_its_order(stage: Stage, api: ApiClient) -> None:
    place(api)
    (kept,) = stage.rows("idempotency")
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}idempotency", Key={"id": {"S": kept["id"]}})
    assert place(api).status == 200
    assert place(api, total_minor=4200).error["code"] == "KeyReused"


def test_the_key_names_an_order_that_brings_no_name(stage: Stage, api: ApiClient) -> None:
    body = order()
    del body["channel_order_id"]
    order_id = api.call("POST", "/orders", body, key="key-1").body["order_id"]
    assert stage.order(order_id).channel_order_id == "key-1"


def test_an_unpaid_order_is_held_and_a_wrong_sum_is_reviewed(stage: Stage, api: ApiClient) -> None:
    stage.put("settings", Policy(cancel_window_seconds=0), kind="policy", name="active")
    place(api, payment_status="pending")
    assert stage.order("web-main-7001").waiting_for == "HOLD"
    reply = place(api, key="key-2", channel_order_id="7002", total_minor=1)
    assert (reply.status, reply.body["review"]["reason"]) == (201, "TOTALS_MISMATCH")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"coupon": "X"}, "coupon"),
        ({"channel": "shopify"}, "channel"),
        ({"account": "never-set-up"}, "account"),
        ({"currency": "usd"}, "currency"),
        ({"placed_at": "2026-03-01T10:00:00"}, "placed_at"),
        ({"total_minor": None}, "total_minor"),
        ({"total_minor": 41.5}, "total_minor"),
        ({"total_minor": "4100"}, "total_minor"),
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": 1}] * 501}, "lines"),
        ({"lines": [{"sku": "MUG", "quantity": 0, "unit_price_minor": 1}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "MUG", "quantity": True, "unit_price_minor": 1}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": -1}]}, "lines.0.unit_price_minor"),
        ({"lines": [{"sku": "", "quantity": 1, "unit_price_minor": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": 1, "colour": "red"}]}, "lines.0.colour"),
        ({"lines": [{"sku": "MUG", "line_id": "2", "quantity": 1, "unit_price_minor": 1}] * 2}, "lines.0.line_id"),
        ({"ship_to": None}, "ship_to"),
        ({"ship_to": {"city": "Hoboken", "country": "US"}}, "ship_to.address1"),
        ({"ship_to": {"address1": "1 Dock Road", "city": "Hoboken", "country": "Germany"}}, "ship_to.country"),
        ({"customer": {"email": "nobody"}}, "customer.email"),
        ({"service_level": "TELEPORT"}, "service_level"),
    ],
)
def test_a_bad_order_is_refused_by_the_name_of_its_field(
    stage: Stage, api: ApiClient, changes: dict[str, Any], field: str
) -> None:
    reply = place(api, **changes)
    assert (reply.status, reply.error["details"]["field"]) == (422, field)
    assert stage.rows("orders") == stage.rows("idempotency") == []


def test_every_bad_field_is_named_at_once_and_none_of_it_repeated(api: ApiClient) -> None:
    reply = place(api, currency="?", total_minor=-1, customer={"email": "grace at home", "phone": "none"})
    named = [fault["field"] for fault in reply.error["details"]["faults"]]
    assert sorted(named) == ["currency", "customer.email", "customer.phone", "total_minor"]
    assert "grace at home" not in json.dumps(reply.body)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"a": NaN', b"\xff\xfe{}", "[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(api: ApiClient, body: str | bytes) -> None:
    reply = api.call("POST", "/orders", body, key="key-1")
    assert (reply.status, reply.error["details"]["field"]) == (422, "body")


def test_a_body_that_is_not_even_base64_is_refused(api: ApiClient) -> None:
    event = api.event("POST", "/orders", b"", key="key-1") | {"body": "%%%"}
    assert api.send(event).status == 422


def test_a_body_above_the_bound_is_refused_unread(api: ApiClient) -> None:
    assert place(api, note="x" * 200_000).status == 413


@pytest.mark.parametrize("key", [None, "x" * 256, "two words", "żółw"])
def test_an_order_without_a_usable_key_is_refused(api: ApiClient, key: str | None) -> None:
    reply = api.call("POST", "/orders", order(), key=key)
    assert (reply.status, reply.error["details"]["field"]) == (422, "Idempotency-Key")


def test_a_key_is_read_whatever_the_case_of_its_header_and_a_body_in_base64_too(api: ApiClient) -> None:
    body = json.dumps(order()).encode()
    assert api.call("POST", "/orders", body, headers={"IDEMPOTENCY-KEY": "key-1"}).status == 201
    assert place(api).status == 200


def test_a_bug_is_told_without_its_inside(stage: Stage, api: ApiClient, log: StringIO) -> None:
    stage.fail("dynamodb", "TransactWriteItems", "ValidationException")
    reply = place(api)
    assert (reply.status, reply.error["code"], reply.error["request_id"]) == (500, "InternalError", "request-1")
    assert "Traceback" not in json.dumps(reply.body)
    assert "InvariantBroken" in log.getvalue()


def test_no_log_line_holds_a_persons_data(api: ApiClient, log: StringIO) -> None:
    place(api)
    place(api, key="key-2", channel_order_id="7002", coupon=EMAIL)
    api.call("GET", "/orders", query={"email": EMAIL})
    api.call("GET", "/orders/web-main-7001", query={"include": "contact"}, scopes="oms/orders.read oms/contacts.read")
    lines = log.getvalue().splitlines()
    assert [line for line in lines if '"contact read"' in line and '"client_id":"shop"' in line]
    assert not [line for line in lines if "Grace" in line or EMAIL in line or "0177" in line]
    assert max(len(line) for line in lines) <= 300


def test_a_contact_is_found_by_keyed_hashes_only(stage: Stage, api: ApiClient) -> None:
    place(api)
    (contact,) = stage.rows("contacts")
    store = ContactsStore(clients.client("dynamodb"), PREFIX, lambda: HASH_KEY)
    assert contact["email_hash"] == store.keyed_hash(EMAIL)


SAMPLES = ["create_order", "create_order_base64", "create_wrong_sum", "place_hold", "add_note"]


@pytest.mark.parametrize("case", cases("api_orders"))
def test_each_sample_event_may_come_twice(stage: Stage, api: ApiClient, case: str) -> None:
    """What is naturally done once answers the second time as the first, or that there is nothing left to do."""
    stage.put("settings", ChannelAccount(), kind="channel_account", name="web#main-street-goods")
    stage.put("settings", ChannelAccount(), kind="channel_account", name="phone#main-street-goods")
    stage.put("settings", ChannelAccount(), kind="channel_account", name="pos#main-street-goods")
    stage.put("locations", Location(location_id="STORE-SEATTLE"))
    for sku in ("MUG-STONE-350", "BOWL-STONE-16"):
        stage.put("products", Product(sku=sku, grams=400))
        stage.put("stock", StockPosition(sku=sku, location_id="WH-EAST", on_hand=9, available=9))
    stage.put("reservations", reserve("cart-5f1c", (), minutes=30, content_hash="", now=datetime.now(UTC)))
    for needed in SAMPLES:
        if not case.startswith("create"):
            assert api.send(sample("api_orders", needed)).status in (200, 201)
    first, again = api.send(sample("api_orders", case)), api.send(sample("api_orders", case))
    refused = {one: 422 for one in cases("api_orders") if one.startswith("refused_")}
    created = {one: 201 for one in cases("api_orders") if one.startswith("create_")}
    never_routed = dict.fromkeys(("explain_routing", "explain_routing_elsewhere"), 404)
    assert first.status == (refused | created | never_routed | {"read_unknown_order": 404}).get(case, 200)
    repeated = {"release_hold": 404, "continue_review": 409} | dict.fromkeys(created, 200)
    assert again.status == repeated.get(case, first.status)
