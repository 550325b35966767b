"""Walmart's own samples: every order in them is read, or refused with a reason. `pytest -s` shows the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oms.channels import envelopes, walmart
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope
from oms.domain.intake import totals_difference

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"
SAMPLES = PAYLOADS / "walmart/examples/us_mp_orders"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the vendors' payloads are not beside this project")


class Outcome(NamedTuple):
    """What became of an order: `order`, `not followed`, or `refused`, and why."""

    file: str
    outcome: str
    reason: str


def orders_in(document: Any) -> Iterator[dict[str, Any]]:
    """The orders of an answer. What sellers send to Walmart has no customer, and is no order."""
    if isinstance(document, dict):
        if "purchaseOrderId" in document and "customerOrderId" in document:
            yield document
        else:
            for value in document.values():
                yield from orders_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from orders_in(value)


def outcomes() -> list[Outcome]:
    """One row for each order in each sample; what a seller sends, and answers about other things, hold none."""
    return [
        Outcome(f"{path.relative_to(PAYLOADS)}#{number}", *_outcome(order))
        for path in sorted(SAMPLES.glob("*.json"))
        for number, order in enumerate(orders_in(json.loads(path.read_text())))
    ]


def _outcome(order: dict[str, Any]) -> tuple[str, str]:
    envelope = Envelope(
        channel="walmart",
        account="main",
        topic=envelopes.FETCHED,
        message_id="sample",
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
        body=json.dumps(order),
    )
    try:
        read = walmart.parse(envelope)
    except InvalidMessage as error:
        return "refused", f"{error.reason} {error.field}"
    if read is None:
        return "not followed", f"shipped by others: {order['shipNode']['type']}"
    difference = totals_difference(read)
    return "order", f"adds up, {len(read.lines)} lines" if not difference else f"review: off by {difference} minor"


def test_every_order_in_walmarts_samples_is_read_and_adds_up() -> None:
    rows = outcomes()
    print("\n".join(f"{row.file:86} {row.outcome:14} {row.reason}" for row in rows))  # noqa: T201 - the table that -s shows
    assert len(rows) == 26
    assert [row.reason for row in rows if row.outcome != "order"] == ["shipped by others: 3PLFulfilled"]
    assert not [row for row in rows if "review" in row.reason]
