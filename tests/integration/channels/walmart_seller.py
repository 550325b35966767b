"""A seller at Walmart: what it is answered, and what it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from oms.channels.client import ChannelApi
from oms.domain.channel_messages import (
    AcknowledgementNotice,
    CancellationNotice,
    NoticeLine,
    ShipmentNotice,
    Window,
)
from oms.domain.listings import AvailabilityMessage
from tests.scripted_server import Reply, ScriptedServer, account_api

FIXTURES = Path(__file__).parents[2] / "fixtures/walmart"
SINCE = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
WINDOW = Window(since=SINCE, until=SINCE + timedelta(hours=1))
CREDENTIALS = {"client_id": "id", "client_secret": "secret"}
TOKEN = Reply(200, {"access_token": "t1", "token_type": "Bearer", "expires_in": 900})
ORDER_ID = "2087000000101"
ORDER_PATH = f"/v3/orders/{ORDER_ID}"


def sample(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def account(server: ScriptedServer, **options: str) -> ChannelApi:
    return account_api("walmart", server.url, [CREDENTIALS], options)


def order(**changes: Any) -> dict[str, Any]:
    return {**sample("order.json"), **changes}


ACKNOWLEDGEMENT = AcknowledgementNotice(message_id="m0", order_id="ord_1", channel_order_id=ORDER_ID)


def shipment(**changes: Any) -> ShipmentNotice:
    notice = ShipmentNotice(
        message_id="m1",
        order_id="ord_1",
        channel_order_id=ORDER_ID,
        shipment_id="shp_1",
        carrier="FEDEX",
        service="GROUND",
        tracking_number="794600000001",
        shipped_at=SINCE,
        location_id="WH-RENO",
        lines=(NoticeLine(line_id="1", sku="MUG-1", quantity=2),),
        completes=False,
    )
    return replace(notice, **changes)


def cancellation(reason: str = "NO_STOCK", units: int = 1, *, whole: bool = False) -> CancellationNotice:
    return CancellationNotice(
        message_id="m2",
        order_id="ord_1",
        channel_order_id=ORDER_ID,
        reason=reason,
        cancelled_at=SINCE,
        lines=(NoticeLine(line_id="1", sku="MUG-1", quantity=units),),
        whole=whole,
    )


def figure(sku: str, quantity: int = 7) -> AvailabilityMessage:
    return AvailabilityMessage(channel_sku=sku, sku=sku, quantity=quantity, version=3, at=SINCE)
