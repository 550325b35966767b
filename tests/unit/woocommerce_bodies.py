"""WooCommerce orders for tests, made for this project: the fixtures, with what a test cares about changed."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oms.channels import envelopes, woocommerce
from oms.domain.channel_messages import OrderNews
from oms.domain.incoming import Envelope, IncomingOrder

FIXTURES = Path(__file__).parents[1] / "fixtures/woocommerce"


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def woo_order(**changes: Any) -> dict[str, Any]:
    return fixture("order") | changes


def line_item(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of one unit at 10.00 without tax."""
    amounts = {"subtotal": "10.00", "subtotal_tax": "0.00", "total": "10.00", "total_tax": "0.00"}
    item = {"id": 800 + number, "name": f"Thing {number}", "sku": f"THING-{number}", "quantity": 1, "meta_data": []}
    return {**item, "product_id": 50 + number, "variation_id": 0, **amounts, **changes}


def simple_order(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An order of these lines and nothing else, whose total is the sum of them, sent to an address."""
    lines = list(items) or [line_item()]
    total = sum(float(item["total"]) + float(item["total_tax"]) for item in lines)
    tax = sum(float(item["total_tax"]) for item in lines)
    bare = {"shipping_lines": [], "coupon_lines": [], "fee_lines": [], "customer_note": ""}
    return woo_order(**{**bare, "line_items": lines, "total": f"{total:.2f}", "total_tax": f"{tax:.2f}", **changes})


def envelope(body: str | dict[str, Any], topic: str = "order.created", **changes: Any) -> Envelope:
    facts = {
        "channel": "woocommerce",
        "account": "main",
        "topic": topic,
        "message_id": "delivery-1",
        "received_at": datetime(2026, 11, 16, 14, 5, 10, tzinfo=UTC),
        "body": body if isinstance(body, str) else json.dumps(body),
    }
    return Envelope(**(facts | changes))


def fetched(
    order: dict[str, Any], refunds: list[dict[str, Any]] | None = None, virtual: list[str] | None = None
) -> Envelope:
    body = {"order": copy.deepcopy(order), "refunds": refunds or [], "virtual": virtual or []}
    return envelope(body, envelopes.FETCHED)


def order_of(body: dict[str, Any] | Envelope) -> IncomingOrder:
    order = woocommerce.parse(body if isinstance(body, Envelope) else envelope(body))
    assert isinstance(order, IncomingOrder)
    return order


def news_of(body: dict[str, Any] | Envelope) -> str:
    news = woocommerce.parse(body if isinstance(body, Envelope) else envelope(body))
    assert isinstance(news, OrderNews)
    return news.channel_order_id
