"""BigCommerce orders for tests, made for this project: the fixture, with what a test cares about changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oms.channels import bigcommerce, envelopes
from oms.domain.incoming import Envelope, IncomingOrder

FIXTURES = Path(__file__).parents[1] / "fixtures/bigcommerce"


def big_order(**changes: Any) -> dict[str, Any]:
    order: dict[str, Any] = json.loads((FIXTURES / "order.json").read_text())
    return order | changes


def line_item(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of one unit at 10.00, untaxed."""
    amounts = {"total_ex_tax": "10.0000", "total_inc_tax": "10.0000", "total_tax": "0.0000"}
    item = {"id": 900 + number, "sku": f"THING-{number}", "name": f"Thing {number}", "type": "physical", "quantity": 1}
    return {**item, "product_id": 30 + number, "variant_id": 40 + number, **amounts, **changes}


def consigned(
    shipped: list[dict[str, Any]], collected: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """Lines by how they reach the buyer."""
    address = big_order()["consignments"]["shipping"][0]
    pickups = [{"id": 3, "location": {"id": 1, "code": "STORE-1"}, "line_items": collected}] if collected else []
    return {"shipping": [address | {"line_items": shipped}] if shipped else [], "pickups": pickups, **more}


def simple_order(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An order of these lines and nothing else, whose total is the sum of them."""
    lines = list(items) or [line_item()]
    inclusive = changes.get("is_tax_inclusive_pricing", False)
    tax = sum(float(item["total_tax"]) for item in lines)
    total = sum(float(item["total_inc_tax" if inclusive else "total_ex_tax"]) for item in lines)
    bare = dict.fromkeys(("shipping_cost", "handling_cost", "wrapping_cost"), "0.0000")
    costs = {f"{name}_{kind}_tax": cost for name, cost in bare.items() for kind in ("ex", "inc")}
    facts = {"coupon_discount": "0.0000", "discount_amount": "0.0000", "consignments": consigned(lines)}
    totals = {"total_tax": f"{tax:.4f}", "total_inc_tax": f"{total + (0 if inclusive else tax):.4f}"}
    return big_order(**{**costs, **facts, **totals, **changes})


def envelope(body: str | dict[str, Any], topic: str = envelopes.FETCHED) -> Envelope:
    return Envelope(
        channel="bigcommerce",
        account="main",
        topic=topic,
        message_id="1",
        received_at=datetime(2026, 11, 16, 15, 13, tzinfo=UTC),
        body=body if isinstance(body, str) else json.dumps(body),
    )


def callback(scope: str, **data: Any) -> Envelope:
    body = {"scope": scope, "store_id": "1001234", "data": data, "hash": "0f3c", "created_at": 1_794_841_803}
    return envelope(body, topic="")


def order_of(body: dict[str, Any]) -> IncomingOrder:
    order = bigcommerce.parse(envelope(body))
    assert isinstance(order, IncomingOrder)
    return order
