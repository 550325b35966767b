"""Amazon's orders for tests: samples made for this project, changed where a test cares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oms.channels import envelopes
from oms.domain.incoming import Envelope

FIXTURES = Path(__file__).parents[1] / "fixtures/amazon"


def sample(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def changed(content: Any, changes: Mapping[str, Any]) -> Any:
    """A copy in which the value at each dotted path is another; None takes it away."""
    copy = deepcopy(content)
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        at = copy
        for step in way:
            at = at[step] if isinstance(step, int) else at.setdefault(step, {})
        if value is None:
            del at[last]
        else:
            at[last] = value
    return copy


def order(**changes: Any) -> Any:
    """The order of 2026-01-01; `fulfillment__fulfillmentStatus="SHIPPED"` changes what is there."""
    return changed(sample("order"), {path.replace("__", "."): value for path, value in changes.items()})


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "USD"}


def fetched(order: Any) -> Envelope:
    return envelope({"api": "2026-01-01", "order": order})


def envelope(body: Any, topic: str = envelopes.FETCHED) -> Envelope:
    return Envelope(
        channel="amazon",
        account="main",
        topic=topic,
        message_id="m-1",
        received_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        body=body if isinstance(body, str) else json.dumps(body),
    )
