"""A WooCommerce shop and an Amazon seller account in miniature: they hold orders, and remember what they are told.

Each speaks as much of its vendor's API as an order's life needs, checks who calls, and refuses the rest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tools import web

Answer = tuple[int, Any]
"""Status and JSON content; None for no content."""

REFUSED: Answer = (401, {"code": "not_signed_in"})
UNKNOWN: Answer = (404, {"code": "not_found"})
TAX_PERCENT = 8
SOLD_BY_THE_SHOP = ("LANTERN-STEEL",)
"""What the WooCommerce shop counts the stock of."""

SHIPPING_MINOR = 795

Basket = Mapping[str, tuple[int, int]]
"""What is bought: the shop's own sku to quantity and price of one in minor units."""


def _amount(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _tax(minor: int) -> int:
    return (minor * TAX_PERCENT + 50) // 100


@dataclass
class WooCommerceShop:
    """REST API v3 of a shop under `/wp-json/wc/v3`, and its webhooks. Times are the shop's own, in GMT."""

    base_url: str
    account: str
    secret: str
    credentials: Mapping[str, str]
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOLD_BY_THE_SHOP, 0))
    name: str = "woocommerce"
    is_down: bool = False
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time())))

    def place(self, buyer: Mapping[str, Any], basket: Basket, *, is_paid: bool = True) -> str:
        """A customer orders and pays, or is to send the money; the webhook goes out. Returns the order's id.

        Raises ValueError when the webhook is refused, as `edit` and `pay` do.
        """
        number = next(self._numbers)
        order = _woocommerce_order(number, buyer, basket, datetime.now(UTC))
        self.orders[str(number)] = order if is_paid else order | {"status": "on-hold", "date_paid_gmt": None}
        self._tell(str(number), "created")
        return str(number)

    def edit(self, order_id: str, basket: Basket) -> None:
        """The shop changes what was ordered, which it can as long as the order is not paid."""
        self._change(order_id, _woocommerce_goods(basket))

    def pay(self, order_id: str) -> None:
        """The money is there."""
        self._change(order_id, {"status": "processing", "date_paid_gmt": _gmt(datetime.now(UTC))})

    def _change(self, order_id: str, changes: Mapping[str, Any]) -> None:
        self.orders[order_id] |= {**changes, "date_modified_gmt": _gmt(datetime.now(UTC))}
        self._tell(order_id, "updated")

    def _tell(self, order_id: str, event: str) -> None:
        body = json.dumps(self.orders[order_id], separators=(",", ":")).encode()
        address = f"{self.base_url}/webhooks/woocommerce/{self.account}"
        answer = web.send("POST", address, self._headers(event, body), body)
        if answer.status != 200:
            raise ValueError(f"the webhook of order {order_id} was answered {answer.status}")

    def was_told(self, order_id: str, tracking_number: str) -> bool:
        """Whether the tracking number stands on the order: in a note to the customer or among its data."""
        told = [self.orders[order_id].get("meta_data", []), self.notes.get(order_id, [])]
        return tracking_number in json.dumps(told)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer of the shop's REST API."""
        if self.is_down:
            return 503, None
        pair = f"{self.credentials['consumer_key']}:{self.credentials['consumer_secret']}".encode()
        if headers.get("authorization") != f"Basic {base64.b64encode(pair).decode()}":
            return REFUSED
        if method == "GET" and path == "/wp-json/wc/v3/orders":
            return 200, list(self.orders.values())
        if path in ("/wp-json/wc/v3/products", "/wp-json/wc/v3/products/batch"):
            return 200, self._products(json.loads(body)["update"] if method == "POST" else [])
        found = re.fullmatch(r"/wp-json/wc/v3/orders/(\d+)(/notes|/refunds)?", path)
        if found is None or found[1] not in self.orders:
            return UNKNOWN
        return self._of_order(method, found[1], found[2] or "", body)

    def _products(self, updates: list[dict[str, Any]]) -> Any:
        """All products, or what became of an update of theirs, by id."""
        for one in updates:
            self.stock[SOLD_BY_THE_SHOP[one["id"] - 1]] = one["stock_quantity"]
        products = [
            {"id": number, "sku": sku, "manage_stock": True, "stock_quantity": self.stock[sku]}
            for number, sku in enumerate(SOLD_BY_THE_SHOP, start=1)
        ]
        return {"update": products} if updates else products

    def _of_order(self, method: str, order_id: str, part: str, body: bytes) -> Answer:
        if part == "/refunds":
            return 200, []
        if part == "/notes":
            if method == "GET":
                return 200, self.notes.get(order_id, [])
            note = {"id": len(self.notes.get(order_id, [])) + 1, **json.loads(body)}
            self.notes.setdefault(order_id, []).append(note)
            return 201, note
        if method in ("PUT", "POST", "PATCH"):
            self.orders[order_id] |= {**json.loads(body), "date_modified_gmt": _gmt(datetime.now(UTC))}
        return 200, self.orders[order_id]

    def _headers(self, event: str, body: bytes) -> dict[str, str]:
        signature = base64.b64encode(hmac.digest(self.secret.encode(), body, hashlib.sha256)).decode()
        return {
            "content-type": "application/json",
            "user-agent": "WooCommerce/9.9 Hookshot (WordPress/6.9)",
            "x-wc-webhook-source": f"https://{self.account}.example/",
            "x-wc-webhook-topic": f"order.{event}",
            "x-wc-webhook-resource": "order",
            "x-wc-webhook-event": event,
            "x-wc-webhook-id": "7",
            "x-wc-webhook-delivery-id": hashlib.sha256(body).hexdigest()[:32],
            "x-wc-webhook-signature": signature,
        }


@dataclass
class AmazonSeller:
    """Selling Partner API of a seller: sign-in, the search for orders of 2026-01-01, and confirmed shipments."""

    credentials: Mapping[str, str]
    marketplace_id: str = "ATVPDKIKX0DER"
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    confirmed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    name: str = "amazon"
    pulls: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 10) % 10**7))

    def place(self, buyer: Mapping[str, Any], basket: Basket) -> str:
        """A customer orders and pays. Nobody is told: who wants to know must ask. Returns the order's id."""
        order_id = f"114-{next(self._numbers):07d}-{int(time.time()) % 10**7:07d}"
        # as if placed some minutes ago: Amazon shows only what is two minutes old
        self.orders[order_id] = _amazon_order(
            order_id, self.marketplace_id, buyer, basket, datetime.now(UTC) - timedelta(minutes=5)
        )
        return order_id

    def was_told(self, order_id: str, tracking_number: str) -> bool:
        """Whether a shipment with this tracking number was confirmed."""
        return tracking_number in json.dumps(self.confirmed.get(order_id, []))

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer of the Selling Partner API."""
        if path == "/auth/o2/token":
            known = self.credentials["refresh_token"].encode() in body
            token = {"access_token": self._token, "token_type": "bearer", "expires_in": 3600}
            return (200, token) if known else (400, {"error": "invalid_grant"})
        if headers.get("x-amz-access-token") != self._token:
            return 403, {"errors": [{"code": "Unauthorized"}]}
        if method == "GET" and path == "/orders/2026-01-01/orders":
            self.pulls += 1
            return 200, {"orders": list(self.orders.values())}
        if method == "GET" and path.startswith("/orders/2026-01-01/orders/"):
            order = self.orders.get(path.rpartition("/")[2])
            return (200, {"order": order}) if order else UNKNOWN
        confirmed = re.fullmatch(r"/orders/v0/orders/([0-9-]+)/shipmentConfirmation", path)
        if method == "POST" and confirmed and confirmed[1] in self.orders:
            self.confirmed.setdefault(confirmed[1], []).append(json.loads(body))
            return 204, None
        return UNKNOWN

    @property
    def _token(self) -> str:
        return "Atza|" + hashlib.sha256(self.credentials["refresh_token"].encode()).hexdigest()


def _gmt(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _woocommerce_order(number: int, buyer: Mapping[str, Any], basket: Basket, now: datetime) -> dict[str, Any]:
    address = buyer["address"]
    person = {
        "first_name": buyer["first_name"],
        "last_name": buyer["last_name"],
        "company": "",
        "address_1": address["address1"],
        "address_2": address.get("address2") or "",
        "city": address["city"],
        "state": address["province_code"],
        "postcode": address["zip"],
        "country": address["country_code"],
        "phone": buyer["phone"],
    }
    return {
        "id": number,
        "parent_id": 0,
        "number": str(number % 10**6),
        "status": "processing",
        "currency": "USD",
        "prices_include_tax": False,
        "date_created_gmt": _gmt(now),
        "date_modified_gmt": _gmt(now),
        "date_paid_gmt": _gmt(now),
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": _amount(SHIPPING_MINOR),
        "shipping_tax": "0.00",
        "customer_id": buyer["id"],
        "customer_note": "",
        "billing": {**person, "email": buyer["email"]},
        "shipping": person,
        "payment_method": "card",
        "meta_data": [],
        "tax_lines": [],
        "shipping_lines": [
            {
                "id": 900,
                "method_title": "Standard",
                "method_id": "flat_rate",
                "total": _amount(SHIPPING_MINOR),
                "total_tax": "0.00",
            }
        ],
        "fee_lines": [],
        "coupon_lines": [],
        "refunds": [],
        **_woocommerce_goods(basket),
    }


def _woocommerce_goods(basket: Basket) -> dict[str, Any]:
    """The part of an order that its lines decide."""
    goods = sum(quantity * price for quantity, price in basket.values())
    tax = sum(_tax(quantity * price) for quantity, price in basket.values())
    return {
        "line_items": [_woocommerce_line(place, sku, *basket[sku]) for place, sku in enumerate(basket, start=1)],
        "cart_tax": _amount(tax),
        "total_tax": _amount(tax),
        "total": _amount(goods + tax + SHIPPING_MINOR),
    }


def _woocommerce_line(place: int, sku: str, quantity: int, price: int) -> dict[str, Any]:
    amount, tax = _amount(quantity * price), _amount(_tax(quantity * price))
    return {
        "id": place,
        "name": sku,
        "product_id": 100 + place,
        "variation_id": 0,
        "quantity": quantity,
        "subtotal": amount,
        "subtotal_tax": tax,
        "total": amount,
        "total_tax": tax,
        "sku": sku,
        "price": price / 100,
        "meta_data": [],
    }


def _money(minor: int) -> dict[str, str]:
    return {"amount": _amount(minor), "currencyCode": "USD"}


def _amazon_order(
    order_id: str, marketplace_id: str, buyer: Mapping[str, Any], basket: Basket, now: datetime
) -> dict[str, Any]:
    items = [_amazon_item(place, sku, *bought) for place, (sku, bought) in enumerate(basket.items(), start=1)]
    total = sum(quantity * price + _tax(quantity * price) for quantity, price in basket.values())
    at = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    day = now.replace(hour=23, minute=59, second=59, microsecond=0)
    ship_by, deliver_by = ((day + timedelta(days=days)).isoformat().replace("+00:00", "Z") for days in (2, 9))
    address = buyer["address"]
    return {
        "orderId": order_id,
        "createdTime": at,
        "lastUpdatedTime": at,
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": marketplace_id, "marketplaceName": "Amazon.com"},
        "buyer": {"buyerEmail": "a1b2c3@marketplace.example"},
        "recipient": {
            "deliveryAddress": {
                "name": f"{buyer['first_name']} {buyer['last_name']}",
                "addressLine1": address["address1"],
                "city": address["city"],
                "stateOrRegion": address["province_code"],
                "postalCode": address["zip"],
                "countryCode": address["country_code"],
            }
        },
        "proceeds": {"grandTotal": _money(total)},
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {"latestDateTime": ship_by},
            "deliverByWindow": {"latestDateTime": deliver_by},
        },
        "orderItems": items,
    }


def _amazon_item(place: int, sku: str, quantity: int, price: int) -> dict[str, Any]:
    amount = quantity * price
    return {
        "orderItemId": f"{10**13 + place}",
        "quantityOrdered": quantity,
        "product": {"asin": f"B0{place:08d}", "title": sku, "sellerSku": sku, "price": {"unitPrice": _money(price)}},
        "proceeds": {
            "proceedsTotal": _money(amount + _tax(amount)),
            "breakdowns": [
                {"type": "ITEM", "subtotal": _money(amount)},
                {"type": "TAX", "subtotal": _money(_tax(amount))},
            ],
        },
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": quantity},
    }
