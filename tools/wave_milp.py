"""A wave as one integer programme for HiGHS: all orders at once, from the formula in `routing_model` only.

A column is a load of an order at a site by its cheapest offer, listed one by one; HiGHS chooses columns so that every
piece is in one, no site sends an order two parcels, and all orders together use no more than there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from time import process_time

from oms.domain.routing_model import Instance, Site, contents, fits
from tools.routing_milp import Answer, Model
from tools.wave_instances import Wave

Row = tuple[str, ...]


@dataclass(slots=True)
class _Rows:
    """Rows by name: their terms, and what the sum may be."""

    terms: dict[Row, dict[int, float]] = field(default_factory=dict)
    limits: dict[Row, tuple[float, float]] = field(default_factory=dict)

    def add(self, row: Row, column: int, value: float, lower: float, upper: float) -> None:
        """Adds the column to a row, which is made if it is not there."""
        self.terms.setdefault(row, {})[column] = value
        self.limits[row] = (lower, upper)


def joint_optimum(wave: Wave, seconds: float) -> tuple[Answer, float]:
    """The cheapest joint plan of a wave as far as HiGHS comes in this time, and the processor time in seconds."""
    began = process_time()
    model, rows = Model(), _Rows()
    for order in wave.orders:
        for site, pieces, cost in _columns(order.instance):
            column = model.column(float(cost), 1.0)
            _enter(rows, column, order.key, order.instance, site, pieces)
            _enter_use(rows, column, order.instance, site, pieces, wave)
    for row, terms in rows.terms.items():
        model.row(terms, *rows.limits[row])
    answer = model.solve(seconds)
    return answer, process_time() - began


def _columns(instance: Instance) -> Iterator[tuple[Site, tuple[int, ...], int]]:
    """Every load at every site that has room for it, by its cheapest offer."""
    for site in instance.sites:
        rooms = [min(room, item.pieces) for room, item in zip(site.room, instance.items, strict=True)]
        for pieces in product(*(range(room + 1) for room in rooms)):
            if any(pieces) and fits(instance.items, pieces, site.stock):
                grams, cm3, goods, needs = contents(instance.items, pieces)
                prices = [offer.price_minor(grams, cm3, needs) for offer in site.offers]
                carried = [price for price in prices if price is not None]
                if carried:
                    yield site, pieces, min(carried) + site.unit_minor * goods


def _enter(rows: _Rows, column: int, key: str, instance: Instance, site: Site, pieces: Sequence[int]) -> None:
    """What the order itself asks: each piece once, one parcel per site, so many parcels."""
    for at, (item, number) in enumerate(zip(instance.items, pieces, strict=True)):
        if number:
            rows.add(("piece", key, str(at)), column, number, item.pieces, item.pieces)
    rows.add(("site", key, site.location_id), column, 1, 0, 1)
    rows.add(("parcels", key), column, 1, 0, instance.max_parcels)


def _enter_use(rows: _Rows, column: int, instance: Instance, site: Site, pieces: Sequence[int], wave: Wave) -> None:
    """What all orders share: units at the location, and places in its day."""
    used: dict[str, int] = {}
    for item, number in zip(instance.items, pieces, strict=True):
        for sku, units in item.stock.items() if number else ():
            used[sku] = used.get(sku, 0) + units * number
    for sku, units in used.items():
        rows.add(("stock", sku, site.location_id), column, units, 0, wave.stock[sku][site.location_id])
    day = site.offers[0].capacity_day
    if day and (site.location_id, day) in wave.places:
        rows.add(("day", site.location_id, day), column, 1, 0, wave.places[site.location_id, day])
