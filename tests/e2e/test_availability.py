"""What may be sold: told to whoever asks, and made ready for the channels whenever it changes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.e2e.company import LONG_SECONDS, Company

ACCOUNT, SKU = "shopify#main-street-goods", "DUTCH-OVEN-5"
WANTED = 40
"""Units that the sample order asks for, more than there are."""


def figures(company: Company) -> dict[str, Any]:
    answer = company.call("GET", f"/availability?sku={SKU}&channel={quote(ACCOUNT)}&country=US&region=OR")
    assert answer.status == 200, answer.body
    (found,) = answer.json()["skus"]
    return dict(found)


def owed(company: Company) -> dict[str, Any]:
    """The row that tells the channel of this SKU; empty while it was never owed anything."""
    rows = company.query("deliveries", destination=f"channel#{ACCOUNT}")
    return next((row for row in rows if row["message_key"] == f"availability#{SKU}"), {})


def is_ready(company: Company) -> bool:
    """Whether the channel would be told what may be sold now."""
    row = owed(company)
    return row.get("status") == "READY" and row["message"]["quantity"] == figures(company)["available_to_sell"]


def test_units_that_an_order_waits_for_are_sold_on_no_channel_until_it_is_cancelled(company: Company) -> None:
    sent = company.place("more_than_there_is")
    company.until_all([sent], waiting_for="STOCK")
    waited = figures(company)
    assert waited["network"]["backordered"] >= WANTED
    assert waited["available_to_sell"] == 0
    company.until("the channel would be told that there are none", lambda: is_ready(company), LONG_SECONDS)
    told = owed(company)["message"]["version"]
    answer = company.call("POST", f"/orders/{sent.order_id}/cancellations", {"reason": "NO_STOCK"})
    assert answer.status == 200
    company.until_all([sent], status="CANCELLED")
    assert figures(company)["network"]["backordered"] <= waited["network"]["backordered"] - WANTED
    again = lambda: owed(company)["message"]["version"] > told and is_ready(company)  # noqa: E731
    company.until("the channel would be told anew", again, LONG_SECONDS)
