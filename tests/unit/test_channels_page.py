"""docs/channels.md: its example works as it stands there, and its table says what the code can do."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from oms.channels import envelopes, registry
from oms.domain.channel_messages import NoticeLine, ShipmentNotice
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.intake import totals_difference
from tests.scripted_server import Reply, ScriptedServer, account_api

PAGE = (Path(__file__).parents[2] / "docs/channels.md").read_text()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORDER = {
    "id": "L-1",
    "placed_at": "2026-11-23T11:00:00+00:00",
    "changed_at": "2026-11-23T11:05:00+00:00",
    "currency": "USD",
    "total_minor": 3600,
    "lines": [{"sku": "MUG-STONE-350", "quantity": 2, "price_minor": 1800}],
    "ship_to": {"name": "Ruth", "address1": "418 Alder Street", "city": "Portland", "region": "OR", "country": "US"},
}


@pytest.fixture
def lantern(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's example, as if its file lay among the channels."""
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    module = ModuleType("oms.channels.lantern")
    exec(compile(source, "lantern.py", "exec"), module.__dict__)  # noqa: S102 - our own page, tried as it stands
    monkeypatch.setitem(sys.modules, "oms.channels.lantern", module)
    monkeypatch.setattr(registry, "CHANNELS", registry.CHANNELS | {"lantern"})
    return module


def told(body: object) -> Envelope:
    return Envelope(
        channel="lantern", account="main", topic="order", message_id="m-1", received_at=NOW, body=json.dumps(body)
    )


def test_the_pages_example_takes_an_order_that_adds_up(lantern: ModuleType) -> None:
    order = registry.module("lantern").parse(told(ORDER))
    assert isinstance(order, IncomingOrder)
    assert (order.channel_order_id, order.lines[0].sku, totals_difference(order)) == ("L-1", "MUG-STONE-350", 0)


def test_the_pages_example_refuses_what_is_no_order(lantern: ModuleType) -> None:
    with pytest.raises(InvalidMessage):
        registry.module("lantern").parse(told({"id": "L-1"}))


def test_the_pages_example_knows_its_own_signature_only(lantern: ModuleType) -> None:
    body = json.dumps(ORDER).encode()
    signature = hmac.new(b"newest", body, hashlib.sha256).hexdigest()
    channel = registry.verifier("lantern")
    assert channel.verify({"x-lantern-signature": signature}, body, ["newest", "before"])
    assert not channel.verify({"x-lantern-signature": signature}, body + b" ", ["newest", "before"])
    assert not channel.verify({}, body, ["newest"])


def test_the_pages_example_tells_of_a_parcel(lantern: ModuleType) -> None:
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


def test_the_example_can_do_what_its_file_defines_and_no_more(lantern: ModuleType) -> None:
    assert registry.can("lantern", "confirm_shipment")
    assert not registry.can("lantern", "pull")
    assert envelopes.FETCHED not in lantern.HEADERS


OPERATIONS = ("verify", "pull", "fetch", "confirm_shipment", "confirm_cancellation", "publish", "listed")


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
