"""Shopify orders for tests, made for this project: what a test does not care about is filled in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from oms.domain.incoming import Envelope

RECEIVED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line_item(number: int = 1, **changes: Any) -> dict[str, Any]:
    item = {
        "id": 9_000 + number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{9_000 + number}",
        "sku": f"MUG-{number}",
        "title": f"Mug {number}",
        "quantity": 2,
        "current_quantity": 2,
        "price": "12.50",
        "total_discount": "0.00",
        "discount_allocations": [],
        "tax_lines": [{"price": "2.00", "title": "State tax", "rate": 0.08}],
        "requires_shipping": True,
        "properties": [],
    }
    return item | changes


def shopify_order(**changes: Any) -> dict[str, Any]:
    address = {
        "first_name": "Ada",
        "last_name": "Example",
        "name": "Ada Example",
        "address1": "1 Test Street",
        "city": "Reno",
        "province": "Nevada",
        "province_code": "NV",
        "zip": "89501",
        "country": "United States",
        "country_code": "US",
        "phone": "+1 775 555 0100",
    }
    order = {
        "id": 5_001,
        "admin_graphql_api_id": "gid://shopify/Order/5001",
        "name": "#1001",
        "order_number": 1001,
        "created_at": "2026-03-01T05:00:00-07:00",
        "updated_at": "2026-03-01T05:01:00-07:00",
        "cancelled_at": None,
        "cancel_reason": None,
        "currency": "USD",
        "taxes_included": False,
        "financial_status": "paid",
        "total_price": "34.00",
        "total_discounts": "0.00",
        "total_tax": "2.00",
        "total_tip_received": "0.00",
        "total_shipping_price_set": {"shop_money": {"amount": "7.00", "currency_code": "USD"}},
        "email": "ada@example.com",
        "phone": None,
        "note": None,
        "note_attributes": [],
        "customer": {"id": 77, "admin_graphql_api_id": "gid://shopify/Customer/77"},
        "shipping_address": address,
        "billing_address": address | {"name": "Bill Payer"},
        "line_items": [line_item()],
        "shipping_lines": [{"title": "Standard", "code": "STD", "price": "7.00", "tax_lines": []}],
    }
    return order | changes


def envelope(body: str | dict[str, Any], topic: str = "orders/create", **changes: Any) -> Envelope:
    facts = {
        "channel": "shopify",
        "account": "goods",
        "topic": topic,
        "message_id": "delivery-1",
        "received_at": RECEIVED_AT,
        "body": body if isinstance(body, str) else json.dumps(body),
    }
    return Envelope(**(facts | changes))
