"""Where an order ships from: promised, explained, and looked at again before it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.company import LONG_SECONDS, PRICE_MINOR, Company, fresh

NEAR, FAR = "WH-ALLENTOWN", "WH-RENO"
HOLD = {"hold_id": "fraud-check", "type": "HIGH_RISK_OF_FRAUD"}


def held_far_away(company: Company) -> tuple[str, str]:
    """(sku, order_id) of an order to the east that only the west could serve, held before its release."""
    sku = company.product()
    company.receive(sku, FAR, 2)
    order_id = company.buy(sku, 2)
    assert company.call("POST", f"/orders/{order_id}/holds", HOLD).status == 200
    company.until_it_has(order_id, status="ALLOCATED")
    return sku, order_id


def routing(company: Company, order_id: str, query: str = "") -> dict[str, Any]:
    answer = company.call("GET", f"/orders/{order_id}/routing{query}")
    assert answer.status == 200, answer.body
    return dict(answer.json())


def test_an_order_says_why_it_ships_from_there_and_what_would_have_had_to_be_true(company: Company) -> None:
    _, order_id = held_far_away(company)
    decision = routing(company, order_id)
    assert [parcel["location_id"] for parcel in decision["parcels"]] == [FAR]
    assert decision["proven"] is True
    why = routing(company, order_id, f"?why_not={NEAR}")["why_not"]
    assert why["reason"] == "NO_STOCK"
    assert company.call("GET", f"/orders/{order_id}/routing?why_not=NOWHERE").status == 422
    company.call("POST", f"/orders/{order_id}/cancellations", {"reason": "TEST"})


def test_an_order_that_waits_moves_to_where_it_ships_cheaper_once_there_is_stock(company: Company) -> None:
    sku, order_id = held_far_away(company)
    promised = company.read(order_id)["promised_by"]
    company.receive(sku, NEAR, 2)
    done = company.invoke("schedule-reroute", {})
    assert done["rerouted"] >= 1
    order = company.read(order_id)
    assert [(one["location_id"], one["work"]) for one in order["fulfillments"]] == [(FAR, "CANCELLED"), (NEAR, "OPEN")]
    assert order["promised_by"] == promised
    assert (company.position(sku, FAR)["available"], company.position(sku, NEAR)["committed"]) == (2, 2)
    (moved,) = [event for event in order["events"] if event["type"] == "OrderRerouted"]
    assert moved["data"]["saved_minor"] > 0
    assert company.invoke("schedule-reroute", {})["failed"] == 0
    assert company.call("DELETE", f"/orders/{order_id}/holds/fraud-check").status == 200
    company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")


def test_a_promise_that_can_be_kept_is_taken_and_another_is_answered_with_alternatives(company: Company) -> None:
    sku = company.product()
    company.receive(sku, NEAR, 5)
    lines = [{"sku": sku, "quantity": 1, "unit_price_minor": PRICE_MINOR}]
    sums = {"lines": lines, "shipping_minor": 0, "total_minor": PRICE_MINOR}
    soon, late = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 24 * 30))
    body = company.direct_order() | sums
    refused = company.call("POST", "/orders", body | {"promised_by": soon.isoformat()}, key=fresh("key"))
    assert refused.status == 409, refused.body
    assert refused.json()["error"]["code"] == "PromiseNotKept"
    assert refused.json()["error"]["details"]["alternatives"]
    taken = company.call("POST", "/orders", body | {"promised_by": late.isoformat()}, key=fresh("key"))
    assert taken.status == 201, taken.body
    company.until_it_has(taken.json()["order_id"], status="ALLOCATED")
