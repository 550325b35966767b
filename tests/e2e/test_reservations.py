"""Carts: their stock is held for a while, and goes to exactly one of the order, time, or whoever gives it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.company import PRICE_MINOR, Company, fresh

HERE, ON_HAND, HELD = "WH-ALLENTOWN", 5, 2
EXPIRE = {"expire": "reservations"}


@pytest.fixture
def sku(company: Company) -> str:
    """A product of which a few units lie at one location."""
    made = company.product()
    company.receive(made, HERE, ON_HAND)
    return made


def hold(company: Company, sku: str) -> str:
    """A cart that holds units for half an hour."""
    body = {"reservation_id": fresh("cart"), "minutes": 30, "lines": [{"sku": sku, "quantity": HELD}]}
    answer = company.call("POST", "/reservations", body)
    assert answer.status == 201, answer.body
    return str(answer.json()["reservation_id"])


def shown(company: Company, sku: str) -> dict[str, int]:
    """The totals that `GET /stock/{sku}` shows."""
    totals: dict[str, int] = company.call("GET", f"/stock/{sku}").json()["totals"]
    return totals


def order_with(company: Company, cart: str, sku: str) -> dict[str, Any]:
    """The body of an order for what the cart holds."""
    line = {"sku": sku, "quantity": HELD, "unit_price_minor": PRICE_MINOR}
    sums = {"lines": [line], "shipping_minor": 0, "total_minor": HELD * PRICE_MINOR}
    return company.direct_order() | sums | {"reservation_id": cart}


def test_a_carts_stock_becomes_the_orders_in_the_moment_it_is_placed(company: Company, sku: str) -> None:
    cart = hold(company, sku)
    assert shown(company, sku).items() >= {"on_hand": ON_HAND, "available": 3, "reserved": HELD}.items()
    key, body = fresh("key"), order_with(company, cart, sku)
    placed = company.call("POST", "/orders", body, key=key)
    assert (placed.status, placed.json()["status"]) == (201, "ALLOCATED"), placed.body
    assert placed.json()["reservation"] == "CONSUMED"
    assert shown(company, sku).items() >= {"available": 3, "reserved": 0, "committed": HELD}.items()
    again = company.call("POST", "/orders", body, key=key)
    assert (again.status, again.json()["order_id"]) == (200, placed.json()["order_id"])
    other = company.call("POST", "/orders", body, key=fresh("key"))
    assert (other.status, other.json()["error"]["code"]) == (409, "ReservationConsumed")
    company.until_it_has(placed.json()["order_id"], status="DELIVERED")
    assert shown(company, sku)["on_hand"] == ON_HAND - HELD


def test_a_carts_stock_is_there_for_everybody_once_its_time_is_over(company: Company, sku: str) -> None:
    cart = hold(company, sku)
    over = datetime.now(UTC) - timedelta(minutes=1)
    (row,) = company.query("reservations", reservation_id=cart)
    past = {"expires_at": f"{over:%Y-%m-%dT%H:%M:%SZ}", "expiry_hour": f"{over:%Y-%m-%dT%H}"}
    company.put("reservations", row | past)
    company.invoke("schedule-expiry", EXPIRE)  # or the schedule has done it: then there is nothing left to do
    assert company.call("GET", f"/reservations/{cart}").json()["status"] == "EXPIRED"
    assert shown(company, sku).items() >= {"available": ON_HAND, "reserved": 0}.items()
    placed = company.call("POST", "/orders", order_with(company, cart, sku), key=fresh("key"))
    assert (placed.status, placed.json()["reservation"]) == (201, "EXPIRED"), placed.body
    company.until_it_has(placed.json()["order_id"], status="DELIVERED")


def test_a_cart_that_is_given_up_holds_nothing_and_one_order_waiting_for_it_is_served(
    company: Company, sku: str
) -> None:
    cart = hold(company, sku)
    order_id = company.buy(sku, ON_HAND)
    company.until("its execution waits for stock", lambda: company.waits_in(order_id) == "AwaitStock")
    assert company.call("DELETE", f"/reservations/{cart}").json()["status"] == "RELEASED"
    company.until_it_has(order_id, status="DELIVERED")
    assert shown(company, sku)["on_hand"] == 0


def test_a_cart_of_more_than_there_is_holds_nothing_at_all(company: Company, sku: str) -> None:
    lines = [{"sku": sku, "quantity": 1}, {"sku": "LAMP-DESK-BRASS", "quantity": 100_000}]
    answer = company.call("POST", "/reservations", {"reservation_id": fresh("cart"), "minutes": 1, "lines": lines})
    assert (answer.status, answer.json()["error"]["code"]) == (409, "OutOfStock")
    assert shown(company, sku)["reserved"] == 0
