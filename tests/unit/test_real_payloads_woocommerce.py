"""Every WooCommerce payload that its docs and captures hold is read, or refused with a reason. `pytest -s` shows the
table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oms.channels import woocommerce
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import totals_difference
from tests.unit.woocommerce_bodies import envelope

PAYLOADS = Path(__file__).parents[3] / "shared/payloads"
FOLDER = PAYLOADS / "woocommerce"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendors' payloads are not beside this project")


class Outcome(NamedTuple):
    """What became of a payload: `order`, `news`, `not followed`, or `refused` with a reason."""

    file: str
    outcome: str
    reason: str


def outcomes() -> list[Outcome]:
    """One row for each document in each file; of a capture its topic decides, all others come as an updated order."""
    files = sorted(FOLDER.rglob("*.json"))
    return [Outcome(name, *_outcome(body, topic)) for file in files for name, body, topic in _messages(file)]


def _messages(file: Path) -> list[tuple[str, Any, str]]:
    name, content = str(file.relative_to(PAYLOADS)), json.loads(file.read_text())
    if "topic" in content and "body" in content:
        return [(name, content["body"], content["topic"])]
    batch = [one for part in ("create", "update", "delete") for one in content.get(part, [])]
    if batch:
        return [(f"{name}#{number}", one, "order.updated") for number, one in enumerate(batch, 1)]
    return [(name, content, "order.updated")]


def _outcome(body: Any, topic: str) -> tuple[str, str]:
    try:
        read = woocommerce.parse(envelope(body, topic))
    except InvalidMessage as error:
        return "refused", f"{error.reason} {error.field}"
    if read is None:
        return "not followed", f"topic {topic}"
    if isinstance(read, OrderNews):
        return "news", f"fetch order {read.channel_order_id}"
    assert isinstance(read, IncomingOrder)
    off_by = totals_difference(read)
    return "order", f"review: off by {off_by} minor" if off_by else f"adds up, {len(read.lines)} lines"


def test_every_payload_is_read_or_refused_with_a_reason() -> None:
    rows = outcomes()
    print("\n".join(f"{row.file:60} {row.outcome:14} {row.reason}" for row in rows))  # noqa: T201 - the table that -s shows
    files = {str(file.relative_to(PAYLOADS)) for file in FOLDER.rglob("*.json")}
    assert {row.file.partition("#")[0] for row in rows} == files
    assert all(row.reason for row in rows)


def test_every_order_of_the_docs_is_read_and_adds_up() -> None:
    rows = [row for row in outcomes() if "/orders__" in row.file]
    assert {row.outcome for row in rows} == {"order", "news"}
    assert all(row.reason.startswith(("adds up", "fetch order 723")) for row in rows)


def test_what_is_no_order_is_refused_and_other_topics_are_not_followed() -> None:
    others = [row for row in outcomes() if "/orders__" not in row.file]
    assert {row.outcome for row in others} == {"refused", "not followed"}
    assert all(row.reason.startswith(("MISSING_FIELD", "topic")) for row in others)
