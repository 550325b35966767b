"""Short of stock: who has waited longest is served first, as soon as goods arrive, and nobody has to look."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.company import LONG_SECONDS, Company, Sent, fresh

HERE, ELSEWHERE = "WH-ALLENTOWN", "WH-COLUMBUS"
LONG_AGO = "2026-01-01T00:00:00Z"
"""Longer than any policy lets an order wait."""


def waits_for_stock(company: Company, sku: str, units: int, hours_ago: int = 0) -> str:
    """An order of units that are not there, placed so many hours ago, whose execution waits for stock."""
    placed_at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    order_id = company.buy(sku, units, placed_at=placed_at)
    company.until("its execution waits for stock", lambda: company.waits_in(order_id) == "AwaitStock")
    company.until_it_has(order_id, waiting_for="STOCK")
    return order_id


def forty_of(company: Company, sku: str) -> Sent:
    """A customer's order for forty units, of which none are there."""

    def of_the_sku(body: dict[str, Any]) -> None:
        body["line_items"][0]["sku"] = sku

    sent = company.place("more_than_there_is", of_the_sku)
    company.until_all([sent], waiting_for="STOCK")
    return sent


def test_goods_that_arrive_are_sent_to_whoever_waited_longest_and_no_sweep_is_needed(company: Company) -> None:
    sku = company.product()
    with company.nobody_sweeps():
        younger, older = waits_for_stock(company, sku, 2), waits_for_stock(company, sku, 3, hours_ago=1)
        assert company.waiting(sku) == [(older, 3), (younger, 2)]
        company.receive(sku, HERE, 4)
        company.until_it_has(older, LONG_SECONDS, status="DELIVERED")
        assert company.read(younger)["waiting_for"] == "STOCK"
        assert company.waiting(sku) == [(younger, 2)]
        company.receive(sku, HERE, 1)
        company.until_it_has(younger, LONG_SECONDS, status="DELIVERED")
    assert company.waiting(sku) == []
    assert company.position(sku, HERE)["on_hand"] == 0


def test_what_arrived_for_an_older_order_is_sold_to_a_younger_one_only_once_the_older_is_cancelled(
    company: Company,
) -> None:
    sku = company.product()
    older = waits_for_stock(company, sku, 3, hours_ago=1)
    company.receive(sku, HERE, 2)
    younger = waits_for_stock(company, sku, 1)
    company.sweep()
    assert company.position(sku, HERE)["available"] == 2
    with company.nobody_sweeps():
        assert company.call("POST", f"/orders/{older}/cancellations", {"reason": "NO_STOCK"}).status == 200
        company.until_it_has(younger, LONG_SECONDS, status="DELIVERED")
    assert company.position(sku, HERE)["available"] == 1


def test_an_order_has_what_is_there_and_is_sent_together_with_the_rest(company: Company) -> None:
    sku = company.product()
    company.receive(sku, HERE, 2)
    order_id = waits_for_stock(company, sku, 5)
    assert company.read(order_id)["status"] == "PARTIALLY_ALLOCATED"
    assert company.committed(sku) == 2
    assert company.waiting(sku) == [(order_id, 3)]
    company.receive(sku, HERE, 3)
    company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")
    assert len(company.read(order_id)["fulfillments"][0]["shipments"]) == 1


def test_what_the_oldest_waits_for_is_kept_though_nobody_looks_after_it_and_only_the_rest_is_sold(
    company: Company,
) -> None:
    sku = company.product()
    older = forty_of(company, sku)
    company.until("its execution waits for stock", lambda: company.waits_in(older.order_id) == "AwaitStock")
    assert company.stop_executions([older]) == 1
    company.receive(sku, HERE, 30)
    company.receive(sku, ELSEWHERE, 13)
    younger = company.buy(sku, 2)
    company.until_it_has(younger, LONG_SECONDS, status="DELIVERED")
    cart = {"minutes": 30, "lines": [{"sku": sku, "quantity": 1}]}
    answers = [company.call("POST", "/reservations", cart | {"reservation_id": fresh("cart")}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 409]
    company.sweep_until("it is delivered", lambda: company.all_have([older], status="DELIVERED"))
    assert [company.position(sku, place)["available"] for place in (HERE, ELSEWHERE)] == [0, 0]


def test_an_order_that_its_customer_makes_smaller_waits_for_less(company: Company) -> None:
    sku = company.product()
    sent = forty_of(company, sku)
    body = json.loads(sent.message.body)
    (line,) = body["line_items"]
    line["current_quantity"] = 3
    body["updated_at"] = (sent.identity.placed_at + timedelta(seconds=5)).isoformat()
    headers = sent.message.headers | {"x-shopify-topic": "orders/updated", "x-shopify-webhook-id": f"smaller-{sku}"}
    company.deliver(company.signed(replace(sent.message, headers=headers), json.dumps(body).encode()))
    company.until("it waits for three", lambda: company.waiting(sku) == [(sent.order_id, 3)])
    company.until("its execution waits for stock", lambda: company.waits_in(sent.order_id) == "AwaitStock")
    company.receive(sku, HERE, 3)
    company.until_all([sent], LONG_SECONDS, status="DELIVERED")


@pytest.mark.parametrize("noticed_by", ["the stream", "the sweep"])
def test_an_order_that_has_waited_too_long_goes_to_a_person_and_stands_in_nobodys_way(
    company: Company, noticed_by: str
) -> None:
    sku = company.product()
    older, younger = waits_for_stock(company, sku, 3, hours_ago=1), waits_for_stock(company, sku, 2)
    with company.nobody_wakes() if noticed_by == "the sweep" else nullcontext():
        company.put("orders", company.read(older) | {"backordered_since": LONG_AGO})
        if noticed_by == "the sweep":
            company.sweep_until("it is noticed", lambda: company.read(older)["waiting_for"] == "REVIEW")
        company.until_it_has(older, waiting_for="REVIEW", reason_code="BACKORDER_LIMIT")
    assert company.waiting(sku) == [(younger, 2)]
    company.receive(sku, HERE, 2)
    company.until_it_has(younger, LONG_SECONDS, status="DELIVERED")
    assert company.call("POST", f"/orders/{older}/review", {"decision": "CANCEL"}).status == 200
    company.until_it_has(older, status="CANCELLED")
