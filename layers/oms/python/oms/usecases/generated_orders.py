"""Orders made up from a seed, for a company that has none yet: what it sells, to where it ships, spread over days.

The same seed and the same company give the same orders. Few products sell much and many little; most orders have one
line. Stock is what there is now, and nothing comes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from oms.domain.backtesting import Company, PastDecision
from oms.domain.catalog import LocationStatus, Product
from oms.domain.kits import cm3_of, components_of, grams_of, needs_of
from oms.domain.order import Line, Order, ShipTo, Totals
from oms.domain.routing_items import Stock

LINES = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
QUANTITIES = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
ACCOUNT = ("generated", "backtest")
STANDARD = "STANDARD"
OTHER_SERVICE_LEVEL = 0.1
"""Share of orders with a service level that some rate card names, other than the standard one."""

MAX_PLACES = 20_000
"""Destinations that orders are drawn from."""

_POSTAL_PREFIX_LENGTH = 3


def generated(
    number: int,
    random: Random,
    company: Company,
    products: Mapping[str, Product],
    stock: Stock,
    start: datetime,
    span: timedelta,
) -> Iterator[PastDecision]:
    """So many orders, evenly over a span of time; none where nothing can be sold or nowhere is shipped to."""
    skus = [sku for sku in sorted(products) if _is_there(products[sku], stock)]
    places, levels = _places(company), _service_levels(company)
    if not skus or not places:
        return
    random.shuffle(skus)
    shares = list(accumulate(1 / rank for rank in range(1, len(skus) + 1)))
    for at in range(number):
        decided_at = (start + span * at / number).replace(microsecond=0)
        wanted = dict.fromkeys(random.choices(skus, cum_weights=shares, k=random.choice(LINES)))
        lines = tuple(
            _line(f"L{place}", products[sku], random.choice(QUANTITIES), products)
            for place, sku in enumerate(wanted, start=1)
        )
        level = random.choice(levels) if levels and random.random() < OTHER_SERVICE_LEVEL else STANDARD
        order = _order(at + 1, decided_at, random.choice(places), level, lines)
        needed = {sku for line in lines for sku in line.stock_units(1)}
        yield PastDecision(order=order, decided_at=decided_at, stock={sku: stock.get(sku, {}) for sku in needed})


def _is_there(product: Product, stock: Stock) -> bool:
    """Whether there is any of it, or of each thing it is made of."""
    if product.kit_components and not components_of(product):
        return False
    parts = [one.sku for one in components_of(product)] or [product.sku]
    return all(any(units > 0 for units in stock.get(sku, {}).values()) for sku in parts)


def _places(company: Company) -> Sequence[ShipTo]:
    """Where the rate cards say that parcels can go: the regions they name, and the areas of their zone tables."""
    regions = {area for card in company.cards for area in card.areas}
    regions |= {f"{one.country}-{one.region}" for one in company.locations if one.status is LocationStatus.ACTIVE}
    places = {ShipTo(country=one[:2], region=one[3:]) for one in regions if len(one) > 3}
    used = {card.zone_table for card in company.cards}
    for table in (table for name, table in company.zone_tables.items() if name in used):
        for row in table.rows:
            firsts = (stretch.partition("-")[0][:_POSTAL_PREFIX_LENGTH] for stretch in row.ranges)
            places |= {ShipTo(country=table.country, postal_prefix=first) for first in firsts}
    return sorted(places, key=lambda one: (one.country, one.region, one.postal_prefix))[:MAX_PLACES]


def _service_levels(company: Company) -> Sequence[str]:
    named = {level for card in company.cards for service in card.services for level in service.service_levels}
    return sorted(named - {STANDARD})


def _line(line_id: str, product: Product, quantity: int, products: Mapping[str, Product]) -> Line:
    return Line(
        line_id=line_id,
        sku=product.sku,
        ordered=quantity,
        unallocated=quantity,
        unit_grams=grams_of(product, products),
        unit_cm3=cm3_of(product, products),
        needs=needs_of(product, products),
        components=components_of(product),
    )


def _order(number: int, at: datetime, ship_to: ShipTo, service_level: str, lines: tuple[Line, ...]) -> Order:
    channel, account = ACCOUNT
    return Order(
        order_id=f"{channel}-{account}-{number}",
        version=1,
        channel=channel,
        account=account,
        channel_order_id=str(number),
        channel_updated_at=at,
        placed_at=at,
        updated_at=at,
        release_after=at,
        currency="",
        totals=Totals(),
        ship_to=ship_to,
        service_level=service_level,
        lines=lines,
    )
