"""Every Shopify payload that vendors' code carries is read, or refused with a reason. `pytest -s` shows the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oms.channels import envelopes, shopify
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import totals_difference
from tests.unit.shopify_bodies import envelope

PAYLOADS = Path(__file__).parents[3] / "shared/payloads"
FOLDER = PAYLOADS / "shopify"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendors' payloads are not beside this project")


class Outcome(NamedTuple):
    """What became of a payload: `order`, `order adds up to …`, `news`, `not followed`, or `refused` with a reason."""

    file: str
    outcome: str
    reason: str


def outcomes() -> list[Outcome]:
    """One row for each order in each file; of a captured webhook its topic decides, of an API's answer its content."""
    files = sorted(FOLDER.rglob("*.json"))
    return [Outcome(name, *_outcome(body, topic)) for file in files for name, body, topic in _messages(file)]


def _messages(file: Path) -> list[tuple[str, Any, str]]:
    name, content = str(file.relative_to(PAYLOADS)), json.loads(file.read_text())
    if "topic" in content:
        return [(name, content["body"], content["topic"])]
    if "orders" in content:
        return [(f"{name}#{number}", order, envelopes.FETCHED) for number, order in enumerate(content["orders"])]
    return [(name, content.get("order", content), envelopes.FETCHED)]


def _outcome(body: Any, topic: str) -> tuple[str, str]:
    try:
        parsed = shopify.parse(envelope(body, topic))
    except InvalidMessage as error:
        return "refused", f"{error.reason} {error.field}"
    if parsed is None:
        return "not followed", f"topic {topic}"
    if isinstance(parsed, OrderNews):
        return "news", f"fetch order {parsed.channel_order_id}"
    assert isinstance(parsed, IncomingOrder)
    difference = totals_difference(parsed)
    return "order", f"adds up, {len(parsed.lines)} lines" if not difference else f"review: off by {difference} minor"


def test_every_payload_is_read_or_refused_with_a_reason() -> None:
    rows = outcomes()
    print("\n".join(f"{row.file:86} {row.outcome:14} {row.reason}" for row in rows))  # noqa: T201 - the table that -s shows
    assert {row.file.partition("#")[0] for row in rows} == {
        str(file.relative_to(PAYLOADS)) for file in FOLDER.rglob("*.json")
    }
    assert all(row.reason for row in rows)


def test_every_captured_webhook_of_a_topic_we_follow_is_understood_and_adds_up() -> None:
    captured = {row.file.rsplit("/", 1)[1]: row for row in outcomes() if "/webhooks/" in row.file}
    followed = shopify.TOPICS | shopify.NEWS_TOPICS
    for file, row in captured.items():
        topic = "/".join(file.removesuffix(".json").split(".", 1))
        assert (row.outcome in ("order", "news")) == (topic in followed), row
        assert "review" not in row.reason


def test_a_captured_order_is_read_whole_with_the_ids_that_its_text_kept() -> None:
    for file in FOLDER.glob("webhooks/*/orders.*.json"):
        body = json.loads(file.read_text())["body"]
        if "line_items" not in body:
            continue
        order = shopify.parse(envelope(body))
        assert isinstance(order, IncomingOrder)
        # JavaScript had rounded the numbers in the capture; the text kept the digits
        assert order.channel_order_id == body["admin_graphql_api_id"].rsplit("/", 1)[1] != str(body["id"])
        assert len(order.lines) == len(body["line_items"])
        assert order.contact.ship_to.country == body["shipping_address"]["country_code"]
