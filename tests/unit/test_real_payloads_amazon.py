"""Amazon's own examples, sandbox answers and notification: each is read, or refused with a named reason.

The description of Orders 2026-01-01 is beside this project without its examples: for it there is Prism.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oms.channels import amazon
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import totals_difference
from tests.unit.amazon_bodies import envelope

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"
SANDBOX = PAYLOADS / "amazon_sp_api/sandbox_cases/ordersV0"
NOTIFICATIONS = PAYLOADS / "amazon_sp_api/notification_examples"
pytestmark = pytest.mark.skipif(not SANDBOX.is_dir(), reason="the vendors' payloads are not beside this project")


def payload_of(path: Path) -> Any:
    """What an answer of the sandbox holds; None for one that refuses something, or says only that it was done."""
    return json.loads(path.read_text())["response"].get("payload")


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every order of the sandbox, put together as a fetch would: with the items and the address of its own kind."""
    for path in sorted(SANDBOX.glob("get_*orders*_200_*.json")):
        payload, kind = payload_of(path), path.stem.rpartition("_")[2]
        kind = kind if kind == "ex" else "0"
        items = payload_of(SANDBOX / f"get_orders_v0_orders_orderId_orderItems_200_{kind}.json")["OrderItems"]
        address = payload_of(SANDBOX / f"get_orders_v0_orders_orderId_address_200_{kind}.json")
        for number, order in enumerate(payload.get("Orders", [payload]), 1):
            if "OrderStatus" in order:
                name = f"{path.relative_to(PAYLOADS)}#{number}"
                yield name, {"api": "v0", "order": order, "items": items, "address": address}


def outcomes() -> list[tuple[str, str, str]]:
    """Of each order, notification and other answer: the file, what became of it, and why."""
    rows = [(name, *_outcome(body, "fetched")) for name, body in bodies()]
    for path in sorted(NOTIFICATIONS.glob("*.json")):
        rows.append((str(path.relative_to(PAYLOADS)), *_outcome(json.loads(path.read_text()), "ORDER_CHANGE")))
    seen = {name.partition("#")[0] for name, *_ in rows}
    for path in sorted(SANDBOX.glob("*.json")):
        name = str(path.relative_to(PAYLOADS))
        if name not in seen:
            rows.append((name, "not followed", _kind(path)))
    return rows


def _outcome(body: Any, topic: str) -> tuple[str, str]:
    try:
        read = amazon.parse(envelope(body, topic))
    except InvalidMessage as error:
        return "refused", f"{error.reason} {error.field}"
    if read is None:
        return "not followed", "fulfilled by Amazon"
    if isinstance(read, OrderNews):
        return "accepted", f"fetch {read.channel_order_id}"
    assert isinstance(read, IncomingOrder)
    off_by = totals_difference(read)
    return "accepted", f"total off by {off_by}" if off_by else ""


def _kind(path: Path) -> str:
    if path.stem.startswith(("post_", "patch_")):
        return "an answer to what we tell"
    return "a refusal" if "_400_" in path.stem else "a part of an order, or of one under review"


def test_every_file_of_amazons_has_an_outcome() -> None:
    files = {str(path.relative_to(PAYLOADS)) for folder in (SANDBOX, NOTIFICATIONS) for path in folder.glob("*.json")}
    assert {name.partition("#")[0] for name, *_ in outcomes()} == files


@pytest.mark.parametrize(("name", "outcome", "why"), outcomes())
def test_an_example_of_amazons_is_read_or_refused_by_name(name: str, outcome: str, why: str) -> None:
    assert outcome in ("accepted", "refused", "not followed")
    assert why or outcome == "accepted"


EXPECTED = {
    "get_orders_v0_orders_200_0.json#1": ("accepted", ""),
    "get_orders_v0_orders_200_0.json#2": ("accepted", ""),
    "get_orders_v0_orders_orderId_200_0.json#1": ("accepted", ""),
    "get_orders_v0_orders_orderId_200_1.json#1": ("not followed", "fulfilled by Amazon"),
    # 25.99 JPY: yen have no hundredths
    "get_orders_v0_orders_orderId_200_ex.json#1": ("refused", "INVALID_FIELD items.0.ItemPrice"),
}


def test_amazons_examples_come_out_as_they_should() -> None:
    rows = {name.rpartition("/")[2]: (outcome, why) for name, outcome, why in outcomes()}
    assert {name: rows[name] for name in EXPECTED} == EXPECTED
    assert rows["OrderChangeNotification_0.json"] == ("accepted", "fetch 903-8868176-2219830")
