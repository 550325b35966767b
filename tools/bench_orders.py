"""What the stock benchmark sells: three workloads, the same on every machine, as intake makes their orders."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from oms.domain import intake
from oms.domain.catalog import ChannelAccount, Location, LocationStatus, Policy, Product
from oms.domain.changes import Context
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import Order, ShippingLine, Totals
from oms.domain.stock import StockPosition
from tools import seed

SEED = 20_261_122
ON_SHELF = 1_000_000
PRICE_MINOR = 1_499
SOLD_OUT = "SOLD-OUT"
BASKET_SKUS = 2_000
STOCKED_AT = 0.4
ZIPF_EXPONENT = 1.1
SECOND_LINE = 0.1
CARRIER = "ups"
REGIONS = (
    *("NV", "CA", "WA", "CO", "AZ", "TX", "OK", "MN", "MO", "IL"),
    *("OH", "KY", "TN", "GA", "FL", "NC", "PA", "NJ", "NY", "MA"),
)
"""Where the 20 locations are; the customers live there too."""

Basket = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """One of the benchmark's cases: what lies where, and what the n-th order asks for."""

    name: str
    says: str
    positions: tuple[tuple[str, str], ...]
    basket: Callable[[int], Basket]
    default_orders: int

    @property
    def skus(self) -> set[str]:
        """Everything that is sold, sold out or not."""
        return {sku for sku, _ in self.positions} | {SOLD_OUT}

    def stock(self) -> Iterator[StockPosition]:
        """The positions as they are at first."""
        for sku, location_id in self.positions:
            yield StockPosition(sku=sku, location_id=location_id, on_hand=ON_SHELF, available=ON_SHELF)


def location_id(number: int) -> str:
    """The id of the n-th location."""
    return f"WH-{number % len(REGIONS):02}"


def locations() -> list[Location]:
    """One location in each region."""
    return [
        Location(
            location_id=location_id(number),
            status=LocationStatus.ACTIVE,
            country="US",
            region=region,
            carriers=(CARRIER,),
        )
        for number, region in enumerate(REGIONS)
    ]


def rate_cards() -> dict[str, dict[str, Any]]:
    """The demonstration's rate cards of the carrier that all locations ship by, as they are stored, by name."""
    cards: dict[str, dict[str, Any]] = seed.load("settings")["rate_card"]
    return {name: card for name, card in cards.items() if card["carrier"] == CARRIER}


def hot_sku(orders: int) -> Workload:
    """Everybody wants one unit of the same thing."""
    return Workload("hot_sku", "one-line orders of one SKU", (("HOT", location_id(0)),), lambda _: ("HOT",), orders)


def baskets(orders: int) -> Workload:
    """A shop's day: 9 in 10 orders have one line, few SKUs sell much and many little."""
    chance = random.Random(SEED)
    skus = [f"SKU-{number:04}" for number in range(BASKET_SKUS)]
    positions = [
        (sku, location_id(place))
        for number, sku in enumerate(skus)
        for place in range(len(REGIONS))
        if place == number % len(REGIONS) or chance.random() < STOCKED_AT
    ]
    shares = list(accumulate(rank**-ZIPF_EXPONENT for rank in range(1, BASKET_SKUS + 1)))

    def basket(number: int) -> Basket:
        taste = random.Random(SEED + number)
        lines = 2 if taste.random() < SECOND_LINE else 1
        return tuple(dict.fromkeys(taste.choices(skus, cum_weights=shares, k=lines)))

    says = f"9 in 10 one-line, Zipf over {BASKET_SKUS} SKUs x {len(REGIONS)} locations"
    return Workload("baskets", says, tuple(positions), basket, orders)


def apart(orders: int) -> Workload:
    """Two lines each, and no two orders want the same."""
    positions = ((f"A-{number:05}-{part}", location_id(number)) for number in range(orders) for part in "12")
    return Workload(
        "apart",
        "two-line orders without overlap",
        tuple(positions),
        lambda number: (f"A-{number % orders:05}-1", f"A-{number % orders:05}-2"),
        orders,
    )


def received(name: str, number: int, basket: Basket, now: datetime) -> Order:
    """The document that intake makes of an order for one unit of each SKU in the basket."""
    placed_at = now - timedelta(seconds=3_600) + timedelta(milliseconds=number)
    lines = tuple(
        IncomingLine(
            line_id=str(866_550_311_766_000_000 + 10 * number + place),
            sku=sku,
            title=f"Stoneware, sand, {sku}",
            quantity=1,
            current_quantity=1,
            unit_price_minor=PRICE_MINOR,
        )
        for place, sku in enumerate(basket)
    )
    goods = PRICE_MINOR * len(lines)
    incoming = IncomingOrder(
        channel="shopify",
        account="main-street-goods",
        channel_order_id=f"{name}-{number}",
        order_number=f"#{number}",
        placed_at=placed_at,
        channel_updated_at=placed_at,
        currency="USD",
        totals=Totals(goods_minor=goods, shipping_minor=500, total_minor=goods + 500),
        lines=lines,
        shipping_lines=(ShippingLine(title="Standard", price_minor=500),),
        payment_status="PAID",
        customer_id=str(number),
        contact=Contact(ship_to=Address(country="US", region=REGIONS[number % len(REGIONS)], postal_code="97201")),
    )
    products = {sku: Product(sku=sku, grams=350) for sku in basket}
    context = Context(now=now, actor="shopify", policy=Policy())
    order = intake.receive(intake.in_whole_seconds(incoming), products, ChannelAccount(), context).order
    if order.review:
        raise ValueError(f"the benchmark's orders must be in order: {order.review}")
    return order
