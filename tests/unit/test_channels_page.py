"""The README's channel works as it stands there, and the table of docs/channels.md says what the code can do."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from oms.channels import ebay_api, envelopes, registry, shopify, shopify_api, woocommerce
from oms.domain.channel_messages import NoticeLine, ShipmentNotice
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.intake import totals_difference
from tests.lantern import ORDER, add
from tests.scripted_server import Reply, ScriptedServer, account_api

PAGE = (Path(__file__).parents[2] / "docs/channels.md").read_text()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def lantern(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return add(monkeypatch)


def told(body: object) -> Envelope:
    return Envelope(
        channel="lantern", account="main", topic="order", message_id="m-1", received_at=NOW, body=json.dumps(body)
    )


def test_the_readmes_channel_takes_an_order_that_adds_up(lantern: ModuleType) -> None:
    order = registry.module("lantern").parse(told(ORDER))
    assert isinstance(order, IncomingOrder)
    assert (order.channel_order_id, order.lines[0].sku, totals_difference(order)) == ("L-1", "MUG-STONE-350", 0)


def test_the_readmes_channel_refuses_what_is_no_order(lantern: ModuleType) -> None:
    with pytest.raises(InvalidMessage):
        registry.module("lantern").parse(told({"id": "L-1"}))


def test_the_readmes_channel_knows_its_own_signature_only(lantern: ModuleType) -> None:
    body = json.dumps(ORDER).encode()
    signature = hmac.new(b"newest", body, hashlib.sha256).hexdigest()
    channel = registry.verifier("lantern")
    assert channel.verify({"x-lantern-signature": signature}, body, ["newest", "before"])
    assert not channel.verify({"x-lantern-signature": signature}, body + b" ", ["newest", "before"])
    assert not channel.verify({}, body, ["newest"])


def test_the_readmes_channel_tells_of_a_parcel(lantern: ModuleType) -> None:
    notice = ShipmentNotice(
        message_id="m",
        order_id="lantern-main-l-1",
        channel_order_id="L-1",
        shipment_id="P-1",
        carrier="ups",
        service="ground",
        tracking_number="1Z1",
        shipped_at=NOW,
        location_id="WH-RENO",
        lines=(NoticeLine(line_id="1", sku="MUG-STONE-350", quantity=2),),
        completes=True,
    )
    with ScriptedServer({"/orders/L-1/parcels/P-1": Reply(204)}) as server:
        registry.operation("lantern", "confirm_shipment")(
            account_api("lantern", server.url, [{"token": "secret"}]), notice
        )
        (asked,) = server.asked
    assert (asked.method, asked.json["tracking_number"]) == ("PUT", "1Z1")
    assert asked.headers["authorization"] == "Bearer secret"


def test_the_readmes_channel_can_do_what_its_file_defines_and_no_more(lantern: ModuleType) -> None:
    assert registry.can("lantern", "confirm_shipment")
    assert not registry.can("lantern", "pull")
    assert envelopes.FETCHED not in lantern.HEADERS


OPERATIONS = (
    "verify",
    "pull",
    "fetch",
    "acknowledge",
    "confirm_shipment",
    "confirm_cancellation",
    "publish",
    "listed",
)


def test_the_pages_table_says_what_each_channel_can_do() -> None:
    told = {
        cells[0]: tuple(cell == "yes" for cell in cells[1:])
        for cells in (
            [cell.strip() for cell in row.strip("|").split("|")] for row in PAGE.splitlines() if row[:1] == "|"
        )
        if cells[0] in registry.CHANNELS and len(cells) == 1 + len(OPERATIONS)
    }
    assert told == {
        channel: tuple(registry.can(channel, operation) for operation in OPERATIONS) for channel in registry.CHANNELS
    }


@pytest.mark.parametrize(
    "topic",
    sorted(
        shopify.TOPICS
        | shopify.NEWS_TOPICS
        | shopify.PRIVACY_TOPICS.keys()
        | woocommerce.TOPICS
        | {scope.rpartition("/")[2] for scope in ebay_api.SCOPES.split()}
        | set(re.findall(r"(?:read|write)_[a-z_]+", shopify_api.__doc__ or ""))
    ),
)
def test_the_page_names_all_that_is_to_be_registered_at_a_channel(topic: str) -> None:
    assert f"`{topic}`" in PAGE
