"""An open order as the system before ours tells of it: what has shipped, was cancelled, and where the rest lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from oms.domain import ids
from oms.domain.catalog import Product
from oms.domain.incoming import IncomingOrder
from oms.domain.kits import components_of
from oms.domain.order import Method

BEFORE_US = "BEFORE-MIGRATION"
"""The location of units that left before, where the file does not say from where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Units that left before, by line_id. Without `delivered_at` the carrier's news are still waited for."""

    shipment_id: str
    carrier: str = ""
    service: str = ""
    tracking_number: str = ""
    location_id: str = BEFORE_US
    shipped_at: datetime
    delivered_at: datetime | None = None
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedOrder:
    """An order of the old system. `incoming` has its lines with what is left after cancellations.

    `shipped` are units by line_id, `parcels` those of them in a parcel that is known. `allocated` says where units
    still to ship lie: line_id by location_id. `asked` are locations that work on it already. `content` is a digest of
    what was said of the order: another one is another order.
    """

    incoming: IncomingOrder
    content: str
    shipped: Mapping[str, int] = field(default_factory=dict)
    parcels: tuple[Parcel, ...] = ()
    allocated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    @property
    def order_id(self) -> str:
        """The id it has here."""
        return ids.order_id(self.incoming.channel, self.incoming.account, self.incoming.channel_order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an order can't be loaded, by field."""

    field: str
    reason: str
    problem: str


def faults(migrated: MigratedOrder) -> list[Fault]:
    """What of the order can't be: more units than there are, parcels of unknown lines or of one name, nothing open."""
    found: list[Fault] = []
    incoming = migrated.incoming
    if incoming.method is Method.CARRY_OUT:
        found.append(Fault(field="method", reason="NOT_OPEN", problem="what was carried out is not open"))
    lines = {line.line_id: line for line in incoming.lines}
    parcelled = total_of(one.lines for one in migrated.parcels)
    placed = total_of(migrated.allocated.values())
    for number, line in enumerate(incoming.lines):
        shipped, allocated = migrated.shipped.get(line.line_id, 0), placed[line.line_id]
        if shipped + allocated > line.current_quantity or line.current_quantity < 0:
            problem = f"ordered {line.quantity}, not cancelled {line.current_quantity}, shipped {shipped}"
            problem = f"{problem}, allocated {allocated}"
            found.append(Fault(field=f"lines.{number}", reason="TOO_MANY_UNITS", problem=problem))
        if parcelled[line.line_id] > shipped:
            problem = f"parcels hold {parcelled[line.line_id]} units of the line, {shipped} have shipped"
            found.append(Fault(field=f"lines.{number}.shipped", reason="TOO_MANY_UNITS", problem=problem))
        if (shipped or allocated) and not line.requires_shipping:
            problem = "what needs no shipping is neither allocated nor shipped"
            found.append(Fault(field=f"lines.{number}", reason="INVALID_FIELD", problem=problem))
    named = [one.shipment_id for one in migrated.parcels]
    found += [
        Fault(field=f"shipments.{number}.shipment_id", reason="DUPLICATE_SHIPMENT", problem=f"{name} comes twice")
        for number, name in enumerate(named)
        if name in named[:number]
    ]
    unknown = sorted((parcelled.keys() | placed.keys()) - lines.keys())
    if unknown:
        found.append(Fault(field="shipments", reason="UNKNOWN_LINE", problem=f"no line {', '.join(unknown)}"))
    if not found and not _is_open(migrated):
        problem = "nothing of it is left to ship or on its way"
        found.append(Fault(field="lines", reason="NOT_OPEN", problem=problem))
    return found


def places(migrated: MigratedOrder) -> dict[str, str]:
    """The locations that the order names, each with the first field that names it."""
    named: dict[str, str] = {}
    for number, line in enumerate(migrated.incoming.lines):
        for location_id, here in migrated.allocated.items():
            if line.line_id in here:
                named.setdefault(location_id, f"lines.{number}.allocated")
    for number, parcel in enumerate(migrated.parcels):
        if parcel.location_id != BEFORE_US:
            named.setdefault(parcel.location_id, f"shipments.{number}.location_id")
    for name in ("pickup_location_id", "sold_at_location_id"):
        location_id = getattr(migrated.incoming, name)
        if location_id:
            named.setdefault(location_id, name)
    return named


def promised_units(migrated: MigratedOrder, products: Mapping[str, Product]) -> Counter[tuple[str, str]]:
    """Units that the order needs at each position, of kits their components."""
    units: Counter[tuple[str, str]] = Counter()
    skus = {line.line_id: line.sku for line in migrated.incoming.lines}
    for location_id, here in migrated.allocated.items():
        for line_id, quantity in here.items():
            product = products.get(skus[line_id])
            parts = components_of(product) if product else ()
            for sku, each in [(one.sku, one.quantity) for one in parts] or [(skus[line_id], 1)]:
                units[sku, location_id] += each * quantity
    return units


def _is_open(migrated: MigratedOrder) -> bool:
    left = any(
        line.requires_shipping and line.current_quantity > migrated.shipped.get(line.line_id, 0)
        for line in migrated.incoming.lines
    )
    return left or any(one.delivered_at is None for one in migrated.parcels)


def total_of(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Units by line_id, all parts together."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total
