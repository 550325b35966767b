"""A shop at Etsy: what it is answered, and what it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from oms.channels import etsy
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice, Window
from oms.domain.listings import AvailabilityMessage
from tests.scripted_server import Asked, Reply, ScriptedServer, account_api

FIXTURES = Path(__file__).parents[2] / "fixtures/etsy"
SINCE = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
WINDOW = Window(since=SINCE, until=SINCE + timedelta(hours=1))
CREDENTIALS = {"api_key": "keystring:shared", "refresh_token": "88001.r"}
TOKEN_PATH = "/v3/public/oauth/token"
TOKEN = Reply(200, {"access_token": "88001.t1", "token_type": "Bearer", "expires_in": 3600})
RECEIPT_ID, LISTING_ID = "3300000001", "5500000001"
SHOP_PATH = "/v3/application/shops/99001"
RECEIPTS_PATH = f"{SHOP_PATH}/receipts"
RECEIPT_PATH = f"{RECEIPTS_PATH}/{RECEIPT_ID}"
LISTINGS_PATH = f"{SHOP_PATH}/listings"
INVENTORY_PATH = f"/v3/application/listings/{LISTING_ID}/inventory"
BLUE, RED = f"{LISTING_ID}:MUG-BLUE", f"{LISTING_ID}:MUG-RED"


def sample(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def receipt(**changes: Any) -> dict[str, Any]:
    return {**sample("receipt.json"), **changes}


def account(server: ScriptedServer) -> ChannelApi:
    return account_api("etsy", server.url, [CREDENTIALS], {"shop_id": "99001"})


def shipment(**changes: Any) -> ShipmentNotice:
    notice = ShipmentNotice(
        message_id="m1",
        order_id="ord_1",
        channel_order_id=RECEIPT_ID,
        shipment_id="shp_1",
        carrier="USPS",
        service="GROUND",
        tracking_number="9400 1000 0001",
        shipped_at=SINCE,
        location_id="WH-RENO",
        lines=(NoticeLine(line_id="4400000001", sku="MUG-1", quantity=2),),
        completes=True,
    )
    return replace(notice, **changes)


CANCELLATION = CancellationNotice(
    message_id="m2",
    order_id="ord_1",
    channel_order_id=RECEIPT_ID,
    reason="NO_STOCK",
    cancelled_at=SINCE,
    lines=(NoticeLine(line_id="4400000001", sku="MUG-1", quantity=2),),
    whole=False,
)


def figure(channel_sku: str, quantity: int = 7) -> AvailabilityMessage:
    return AvailabilityMessage(channel_sku=channel_sku, sku="MUG", quantity=quantity, version=3, at=SINCE)


def told(inventory: Any, *figures: AvailabilityMessage) -> tuple[dict[str, str], list[Asked]]:
    listing = Reply(200, {"listing_id": int(LISTING_ID)})
    with ScriptedServer({TOKEN_PATH: TOKEN, INVENTORY_PATH: inventory, LISTINGS_PATH: listing}) as server:
        return dict(etsy.publish(account(server), figures)), server.asked
