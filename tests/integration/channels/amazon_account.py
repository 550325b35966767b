"""A seller's account at an Amazon in miniature, for the tests of what is asked of it and what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from oms.channels import amazon
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import PulledOrder, Window
from oms.domain.incoming import IncomingOrder
from tests.scripted_server import NOON, OpenLimits, Reply, ScriptedServer, account_api
from tests.unit.amazon_bodies import changed, envelope, sample
from tests.vendor_api import described, served

CREDENTIALS = {"client_id": "amzn1.app.1", "client_secret": "s3cret", "refresh_token": "Atzr|first"}
ROTATED = {**CREDENTIALS, "refresh_token": "Atzr|second"}
WINDOW = Window(since=NOON - timedelta(hours=1), until=NOON)
UNTIL = NOON - timedelta(seconds=amazon.LAG_SECONDS)
SEARCH, SEARCH_V0 = "/orders/2026-01-01/orders", "/orders/v0/orders"
SIGN_IN, RESTRICTED = "/auth/o2/token", "/tokens/2021-03-01/restrictedDataToken"
ORDER_ID = "114-5550003-2220003"
ORDER_V0 = f"{SEARCH_V0}/{ORDER_ID}"


def refusal(status: int, code: str) -> Reply:
    return Reply(status, {"errors": [{"code": code, "message": "told to nobody"}]})


FORBIDDEN = refusal(403, "Unauthorized")


def token(text: str = "Atza|1") -> Reply:
    return Reply(200, {"access_token": text, "token_type": "bearer", "expires_in": 3600})


RESTRICTED_TOKEN = Reply(200, {"restrictedDataToken": "Atz.sprdt|1", "expiresIn": 3600})


def page(*orders: Any, next_token: str = "") -> Reply:
    return Reply(200, {"orders": list(orders), **({"pagination": {"nextToken": next_token}} if next_token else {})})


def page_v0(*orders: Any, next_token: str = "") -> Reply:
    return Reply(200, {"payload": {"Orders": list(orders), **({"NextToken": next_token} if next_token else {})}})


@contextmanager
def amazon_with(
    routes: dict[str, Any], *credentials: dict[str, str], **options: str
) -> Iterator[tuple[ScriptedServer, ChannelApi]]:
    """A seller account at an Amazon that answers like this, and lets everybody in unless the routes say otherwise."""
    with ScriptedServer({SIGN_IN: token(), RESTRICTED: RESTRICTED_TOKEN, **routes}) as server:
        named = {"marketplace_ids": "ATVPDKIKX0DER", "token_url": server.url + SIGN_IN, "seller_id": "A1SELLER"}
        yield server, account_api("amazon", server.url, credentials or (CREDENTIALS,), {**named, **options})


def limits_of(api: ChannelApi) -> OpenLimits:
    assert isinstance(api.limits, OpenLimits)
    return api.limits


def parsed(pulled: PulledOrder) -> IncomingOrder:
    assert pulled.body is not None
    read = amazon.parse(envelope(pulled.body))
    assert isinstance(read, IncomingOrder)
    return read


def order_v0(**changes: Any) -> Any:
    return changed(sample("order_v0")["order"], changes)


def items_v0(*items: Any, next_token: str = "") -> Reply:
    listed = list(items) or sample("order_v0")["items"]
    content = {"AmazonOrderId": ORDER_ID, "OrderItems": listed, **({"NextToken": next_token} if next_token else {})}
    return Reply(200, {"payload": content})


@contextmanager
def amazon_described(name: str, **options: str) -> Iterator[ChannelApi]:
    """A seller account at a server that answers by Amazon's description and refuses what breaks it."""
    with served(described(f"amazon_sp_api/specs/{name}")) as url, ScriptedServer({SIGN_IN: token()}) as door:
        named = {"marketplace_ids": "ATVPDKIKX0DER,A2EUQ1WTGCTBG2", "token_url": door.url + SIGN_IN}
        yield account_api("amazon", url, [CREDENTIALS], {**named, **options})
