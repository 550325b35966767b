"""What must not get in, what must not get lost, and what a person must look at: over real HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.company import Change, Company, Sent, fresh
from tools import web
from tools.shop import Message

SOURCE = "shopify#main-street-goods"
LARGEST_MESSAGE = 1_500_000

# webhooks that are refused at the door


def send_to(company: Company, path: str, message: Message) -> web.Answer:
    return web.send("POST", f"{company.system.description['base_url']}{path}", message.headers, message.body)


def test_a_forged_webhook_is_refused_and_makes_no_order(company: Company) -> None:
    sent = company.order("two_lines")
    answer = company.system.world.shop.send(sent.message.forged())
    assert answer.status == 401
    assert answer.json()["error"]["code"] == "Unauthorized"
    assert company.document(sent) == {}


def test_a_webhook_of_an_account_nobody_knows_is_refused_like_a_forged_one(company: Company) -> None:
    sent = company.order("two_lines")
    unknown = send_to(company, "/webhooks/shopify/never-heard-of", sent.message)
    forged = company.system.world.shop.send(sent.message.forged())
    assert unknown.status == forged.status == 401
    assert _without_request_id(unknown) == _without_request_id(forged)


def test_a_webhook_above_the_largest_size_is_refused(company: Company) -> None:
    sent = company.order("two_lines")
    body = sent.message.body + b" " * (LARGEST_MESSAGE + 1 - len(sent.message.body))
    answer = company.system.world.shop.send(company.signed(sent.message, body))
    assert answer.status == 413
    assert company.document(sent) == {}


@pytest.mark.parametrize(
    "path", ["/webhooks/warehouses/WH-RENO", "/webhooks/warehouses/WH-NOWHERE", "/webhooks/carriers/easypost/main"]
)
def test_an_unsigned_report_is_refused(company: Company, path: str) -> None:
    answer = send_to(company, path, Message(b"{}", {"content-type": "application/json"}))
    assert answer.status == 401
    assert "Traceback" not in answer.body.decode()


def test_the_caller_is_never_shown_how_we_failed(company: Company) -> None:
    sent = company.order("two_lines")
    answers = [
        company.system.world.shop.send(sent.message.forged()),
        company.call("POST", "/orders", {"lines": "none"}, key=fresh("key")),
        company.call("GET", "/orders/no-such-order"),
        company.call("GET", "/orders"),
    ]
    for answer in answers:
        assert set(answer.json()["error"]) >= {"code", "message", "request_id"}
        assert "Traceback" not in answer.body.decode()
        assert ".py" not in answer.body.decode()


# webhooks that are taken in although nobody can understand them


def _malformed(sent: Sent) -> bytes:
    return sent.message.body[:-1]


def _not_text(sent: Sent) -> bytes:
    return sent.message.body.replace(b"Stoneware", b"Stone\xff\xfe")


def _without_any_units(sent: Sent) -> bytes:
    body = json.loads(sent.message.body)
    body["line_items"][0] |= {"quantity": 0, "current_quantity": 0}
    return json.dumps(body).encode()


def _too_long(sent: Sent) -> bytes:
    body = json.loads(sent.message.body)
    line = body["line_items"][0]
    body["line_items"] = [line | {"id": line["id"] * 1000 + place} for place in range(501)]
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("spoil", "reason", "field"),
    [
        pytest.param(_malformed, "MALFORMED_JSON", "body", id="half a message"),
        pytest.param(_not_text, "NOT_UTF8", "body", id="bytes that are no text"),
        pytest.param(_without_any_units, "QUANTITY_NOT_POSITIVE", "line_items.0.quantity", id="a line of no units"),
        pytest.param(_too_long, "TOO_MANY_LINES", "line_items", id="501 lines"),
    ],
)
def test_what_cannot_be_understood_is_thanked_for_and_kept_with_its_cause(
    company: Company, spoil: Any, reason: str, field: str
) -> None:
    sent = company.order("two_lines")
    message = company.signed(sent.message, spoil(sent))
    # The gateway hands on as bytes what does not call itself text; what does, it may mend, and break the signature.
    message = replace(message, headers=message.headers | {"content-type": "application/octet-stream"})
    company.deliver(message)
    message_id = message.headers["x-shopify-webhook-id"]
    company.until("it was quarantined", lambda: company.quarantined(SOURCE, message_id) is not None)
    row = company.quarantined(SOURCE, message_id)
    assert row is not None
    assert row["reason"] == reason
    assert field in row.get("field", "")
    assert row["message"]["message_id"] == message_id
    assert company.document(sent) == {}


def test_a_webhook_that_is_delivered_again_is_thanked_for_and_changes_nothing(company: Company) -> None:
    sent = company.place("two_lines", _in_another_currency)
    company.until_all([sent], waiting_for="REVIEW")
    before = company.document(sent)
    for _ in range(3):
        company.deliver(sent.message)
    company.until("all are taken in", lambda: company.system.world.queue_is_idle("intake"))
    assert company.document(sent) == before


# orders that a person must look at


def _in_another_currency(body: dict[str, Any]) -> None:
    body["currency"] = "EUR"


def _with_a_wrong_sum(body: dict[str, Any]) -> None:
    body["total_price"] = "1.00"


@pytest.mark.parametrize(
    ("case", "change", "reason"),
    [
        pytest.param("two_lines", _in_another_currency, "WRONG_CURRENCY", id="foreign currency"),
        pytest.param("two_lines", _with_a_wrong_sum, "TOTALS_MISMATCH", id="sums that do not add up"),
    ],
)
def test_an_order_that_breaks_a_rule_waits_in_review_and_is_promised_nothing(
    company: Company, case: str, change: Change, reason: str
) -> None:
    sent = company.place(case, change)
    company.until_all([sent], waiting_for="REVIEW", reason_code=reason)
    document = company.document(sent)
    assert document["review"]["reason"] == reason
    assert document.get("fulfillments", []) == []
    assert all(line["unallocated"] == line["ordered"] for line in document["lines"])
    assert not [row for line in document["lines"] for row in _movements(company, line["sku"], sent)]


def _movements(company: Company, sku: str, sent: Sent) -> list[dict[str, Any]]:
    rows = company.query("stock_movements", sku=sku)
    return [row for row in rows if any(one.get("order_id") == sent.order_id for one in row["entries"])]


# the API


def test_a_request_without_a_token_or_with_a_forged_one_is_refused(company: Company) -> None:
    url = f"{company.system.description['base_url']}/orders/some-order"
    assert web.send("GET", url, {}).status == 401
    assert web.send("GET", url, {"authorization": "Bearer e30.e30.e30"}).status == 401


def test_a_token_without_the_scope_is_refused(company: Company) -> None:
    assert company.call("GET", "/orders/some-order", client="warehouse").status == 403
    assert company.call("POST", "/orders", {}, client="readonly", key=fresh("key")).status == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"currency": "dollars"}, "currency", id="no currency"),
        pytest.param({"lines": []}, "lines", id="no lines"),
        pytest.param(
            {"lines": [{"sku": "MUG-STONE-350", "quantity": 0, "unit_price_minor": 1}]}, "quantity", id="none"
        ),
        pytest.param({"surprise": 1}, "surprise", id="a field nobody knows"),
    ],
)
def test_an_api_order_with_a_bad_field_is_refused_by_the_fields_name(
    company: Company, change: dict[str, Any], field: str
) -> None:
    answer = company.call("POST", "/orders", company.direct_order() | change, key=fresh("key"))
    assert answer.status == 422
    assert field in json.dumps(answer.json()["error"]["details"])


def test_an_order_nobody_placed_is_not_found(company: Company) -> None:
    for path in ("/orders/shopify-main-street-goods-1", "/orders/shopify-main-street-goods-1/explanation"):
        answer = company.call("GET", path)
        assert answer.status == 404
        assert answer.json()["error"]["code"] == "OrderNotFound"


def _without_request_id(answer: web.Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.json()["error"].items() if name != "request_id"}
