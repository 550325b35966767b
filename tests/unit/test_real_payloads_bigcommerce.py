"""Every BigCommerce payload that its docs and captures hold is read, or refused with a reason. `pytest -s` shows the
table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oms.channels import bigcommerce, envelopes
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage
from tests.unit.bigcommerce_bodies import envelope

PAYLOADS = Path(__file__).parents[3] / "shared/payloads"
FOLDER = PAYLOADS / "bigcommerce"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendors' payloads are not beside this project")


class Outcome(NamedTuple):
    """What became of a payload: `order`, `news`, `not followed`, or `refused` with a reason."""

    file: str
    outcome: str
    reason: str


def outcomes() -> list[Outcome]:
    """One row for each file: callbacks as they come, examples of the API as if an order had been fetched."""
    return [Outcome(str(file.relative_to(PAYLOADS)), *_outcome(file)) for file in sorted(FOLDER.rglob("*.json"))]


def _outcome(file: Path) -> tuple[str, str]:
    content: Any = json.loads(file.read_text())
    body = content.get("body", content) if isinstance(content, dict) else content
    is_callback = isinstance(body, dict) and "scope" in body and "data" in body
    try:
        read = bigcommerce.parse(envelope(json.dumps(body), topic="" if is_callback else envelopes.FETCHED))
    except InvalidMessage as error:
        return "refused", f"{error.reason} {error.field}"
    if read is None:
        return "not followed", f"scope {body['scope']}"
    assert isinstance(read, OrderNews)
    return "news", f"fetch order {read.channel_order_id}"


def test_every_payload_is_read_or_refused_with_a_reason() -> None:
    rows = outcomes()
    print("\n".join(f"{row.file:110} {row.outcome:14} {row.reason}" for row in rows))  # noqa: T201 - the table that -s shows
    assert len(rows) == len(list(FOLDER.rglob("*.json")))
    assert all(row.reason for row in rows)


def test_every_callback_about_an_order_or_a_shipment_leads_to_fetching_the_order() -> None:
    rows = {row.file.rsplit("/", 1)[1]: row for row in outcomes() if "/examples_" not in row.file}
    assert {name for name, row in rows.items() if row.outcome == "news"} == {
        "store.channel.1.order.updated.json",
        "store.order.created.json",
        "store.order.statusUpdated.json",
        "store.shipment.created.json",
        "store_order_archived.json",
        "store_order_statusUpdated.json",
        "store_shipment_deleted.json",
    }
    assert {row.outcome for row in rows.values()} == {"news", "not followed"}


def test_what_is_no_order_is_refused() -> None:
    assert {row.outcome for row in outcomes() if "/examples_" in row.file} == {"refused"}
