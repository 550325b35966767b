"""A seller at eBay: what it is answered, and what it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from oms.channels.client import ChannelApi
from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice, Window
from oms.domain.listings import AvailabilityMessage
from tests.scripted_server import Reply, ScriptedServer, account_api

FIXTURES = Path(__file__).parents[2] / "fixtures/ebay"
SINCE = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
WINDOW = Window(since=SINCE, until=SINCE + timedelta(hours=1))
CREDENTIALS = {"client_id": "id", "client_secret": "secret", "refresh_token": "v^1.1#r"}
TOKEN_PATH = "/identity/v1/oauth2/token"
TOKEN = Reply(200, {"access_token": "t1", "expires_in": 7200, "token_type": "User Access Token"})
ORDER_ID = "12-00001-10001"
ORDERS_PATH = "/sell/fulfillment/v1/order"
ORDER_PATH = f"{ORDERS_PATH}/{ORDER_ID}"
PARCELS_PATH = f"{ORDER_PATH}/shipping_fulfillment"
STOCK_PATH = "/sell/inventory/v1/bulk_update_price_quantity"
ITEMS_PATH = "/sell/inventory/v1/inventory_item"


def order(**changes: Any) -> dict[str, Any]:
    return {**json.loads((FIXTURES / "order.json").read_text()), **changes}


def account(server: ScriptedServer) -> ChannelApi:
    return account_api("ebay", server.url, [CREDENTIALS])


def shipment(**changes: Any) -> ShipmentNotice:
    notice = ShipmentNotice(
        message_id="m1",
        order_id="ord_1",
        channel_order_id=ORDER_ID,
        shipment_id="shp_1",
        carrier="FEDEX",
        service="GROUND",
        tracking_number="7946 0000-0001",
        shipped_at=SINCE,
        location_id="WH-RENO",
        lines=(NoticeLine(line_id="10001", sku="MUG-1", quantity=1),),
        completes=False,
    )
    return replace(notice, **changes)


CANCELLATION = CancellationNotice(
    message_id="m2",
    order_id="ord_1",
    channel_order_id=ORDER_ID,
    reason="NO_STOCK",
    cancelled_at=SINCE,
    lines=(NoticeLine(line_id="10001", sku="MUG-1", quantity=2),),
    whole=True,
)


def figure(sku: str, quantity: int = 7) -> AvailabilityMessage:
    return AvailabilityMessage(channel_sku=sku, sku=sku, quantity=quantity, version=3, at=SINCE)
