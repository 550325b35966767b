"""The audit of stock: do positions, movements, orders and carts say the same, and if not, who is to be believed.

Four things stand side by side for a sku at a location: its position, the sum of its movements, what open orders hold
there, and what carts hold there. Three of them name units promised or held, so two that agree outvote the third.
A commit changes position and ledger by the same, so no commit makes them meet again once they are apart: a repair
changes one of the two, beside a movement that says so. History is never edited.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from oms.domain import audit_words as words
from oms.domain.audit_facts import (
    HELD,
    NOTHING,
    Entry,
    Figures,
    Holder,
    Movement,
    Picture,
    adds_up,
    held_by_cart,
    held_by_order,
    queue_of,
)
from oms.domain.changes import Backorder
from oms.domain.order import Order
from oms.domain.stock import Bucket


class DriftKind(StrEnum):
    """What does not agree."""

    UNREADABLE = "UNREADABLE"
    UNBALANCED = "UNBALANCED"
    LEDGER_DIFFERS = "LEDGER_DIFFERS"
    HOLDERS_DIFFER = "HOLDERS_DIFFER"
    UNEVEN_MOVEMENT = "UNEVEN_MOVEMENT"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNKNOWN_VERSION = "UNKNOWN_VERSION"
    QUEUE_DIFFERS = "QUEUE_DIFFERS"


class Trust(StrEnum):
    """Who is believed: the rest is made to say the same."""

    LEDGER = "LEDGER"
    POSITION = "POSITION"
    ORDERS = "ORDERS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Units that the movements say a holder has, and those its own document says."""

    holder: Holder
    bucket: Bucket
    in_ledger: int
    in_document: int

    @property
    def missing(self) -> int:
        """Units that the ledger lacks; below zero, has too many of."""
        return self.in_document - self.in_ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What makes all agree with `trust`: units to add to the position and to the ledger, and whose those are."""

    trust: Trust
    position: Figures
    ledger: Figures
    shares: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Something that does not agree, in words for an operator. `safe` is the repair that a machine may choose."""

    kind: DriftKind
    sku: str = ""
    location_id: str = ""
    says: str
    advice: str
    position: Figures = field(default_factory=dict)
    ledger: Figures = field(default_factory=dict)
    held: Figures = field(default_factory=dict)
    orders: tuple[str, ...] = ()
    movements: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    safe: Repair | None = None


def examine(picture: Picture) -> list[Drift]:
    """Everything about the sku that does not agree: location by location, then the history of its movements."""
    ledger: dict[str, Counter[Bucket]] = defaultdict(Counter)
    rows = Counter(movement.location_id for movement in picture.movements)
    for movement in picture.movements:
        ledger[movement.location_id].update(movement.changes)
    apart = _disagreements(picture)
    held = _held(picture)
    places = sorted({*picture.positions, *ledger, *(place for place, _ in held), *apart})
    views = [
        _View(
            sku=picture.sku,
            location_id=place,
            stands=_full(picture.positions.get(place, {})),
            ledger=_full(ledger.get(place, {})),
            held={bucket: held[place, bucket] for bucket in HELD},
            apart=tuple(apart.get(place, ())),
            movements=rows[place],
            unreadable=tuple(sorted(picture.unreadable)),
        )
        for place in places
    ]
    return [_drift(view) for view in views if not view.is_sound] + _history(picture)


def examine_queue(order_id: str, order: Order | None, rows: Iterable[Backorder]) -> list[Drift]:
    """Rows of the queues that do not say what the order says."""
    wanted = {(row.sku, row.queue_key): row for row in (queue_of(order) if order else ())}
    found = {(row.sku, row.queue_key): row for row in rows}
    return [
        Drift(
            kind=DriftKind.QUEUE_DIFFERS,
            sku=key[0],
            orders=(order_id,),
            says=words.queue_row(order_id, key, _quantity(found.get(key)), _quantity(wanted.get(key))),
            advice=words.queue_advice(key, _quantity(wanted.get(key))),
        )
        for key in sorted({*wanted, *found})
        if wanted.get(key) != found.get(key)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One position beside all that should say the same."""

    sku: str
    location_id: str
    stands: Figures
    ledger: Figures
    held: Figures
    apart: tuple[Disagreement, ...]
    movements: int
    unreadable: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return self.stands == self.ledger and self.is_trusted(self.stands) and not self.apart

    def is_trusted(self, figures: Figures) -> bool:
        """Whether figures add up, and promise and hold what orders and carts have."""
        return adds_up(figures) and all(figures[bucket] == self.held[bucket] for bucket in HELD)

    @property
    def missing(self) -> Figures:
        """What the ledger lacks of the position."""
        return {bucket: self.stands[bucket] - self.ledger[bucket] for bucket in Bucket}

    @property
    def shares(self) -> tuple[Disagreement, ...]:
        """Whose the missing units are, where that accounts for all of them."""
        lacking = Counter(dict.fromkeys(HELD, 0))
        for one in self.apart:
            lacking[one.bucket] += one.missing
        return self.apart if all(lacking[bucket] == self.missing[bucket] for bucket in HELD) else ()

    def repairs(self) -> dict[Trust, Repair]:
        """What could be done, whoever decides it."""
        made = []
        if self.stands != self.ledger:
            if adds_up(self.ledger):
                lowered = {bucket: -units for bucket, units in self.missing.items()}
                made.append(Repair(trust=Trust.LEDGER, position=lowered, ledger=NOTHING))
            if adds_up(self.stands):
                made.append(Repair(trust=Trust.POSITION, position=NOTHING, ledger=self.missing, shares=self.shares))
        elif adds_up(self.stands):
            moved = {bucket: self.held[bucket] - self.stands[bucket] for bucket in HELD}
            both = {**NOTHING, **moved, Bucket.AVAILABLE: -sum(moved.values())}
            made.append(Repair(trust=Trust.ORDERS, position=both, ledger=both, shares=self.apart))
        return {one.trust: one for one in made if not self.unreadable}

    def safe(self) -> Trust | None:
        """Whom a machine may believe: the ledger if the orders bear it out, else the position if they do."""
        if self.stands == self.ledger:
            return None
        if self.is_trusted(self.ledger) and not self.apart:
            if not self.movements:
                return Trust.POSITION if self.is_trusted(self.stands) else None
            return Trust.LEDGER if min(self.ledger.values()) >= 0 else None
        explained = bool(self.shares) or not self.apart
        return Trust.POSITION if self.is_trusted(self.stands) and explained else None


def _drift(view: _View) -> Drift:
    if not adds_up(view.stands):
        kind = DriftKind.UNBALANCED
    else:
        kind = DriftKind.LEDGER_DIFFERS if view.stands != view.ledger else DriftKind.HOLDERS_DIFFER
    repairs, trust = view.repairs(), view.safe()
    safe = repairs.get(trust) if trust else None
    told = [words.holder(*one.holder, one.bucket, one.in_ledger, one.in_document) for one in view.apart]
    facts = words.position(view.sku, view.location_id, view.stands, view.ledger, view.held, bool(view.movements))
    return Drift(
        kind=kind,
        sku=view.sku,
        location_id=view.location_id,
        says=" ".join([facts, *told]),
        advice=words.advice(view.sku, safe.trust if safe else None, list(repairs), view.unreadable),
        position=view.stands,
        ledger=view.ledger,
        held=view.held,
        orders=tuple(sorted({one.holder.order_id for one in view.apart if one.holder.order_id})),
        repairs=tuple(repairs.values()),
        safe=safe,
    )


def _disagreements(picture: Picture) -> dict[str, list[Disagreement]]:
    """By location, whose units the ledger and their own documents do not agree on."""
    documents: Counter[tuple[str, Holder, Bucket]] = Counter()
    ledger: Counter[tuple[str, Holder, Bucket]] = Counter()
    for holder, bucket, place, units in _holdings(picture):
        documents[place, holder, bucket] += units
    for movement in picture.movements:
        for one in movement.entries:
            ledger[movement.location_id, one.holder, Bucket.COMMITTED] += one.committed
            ledger[movement.location_id, _cart_of(one.holder, picture), Bucket.RESERVED] += one.reserved
    apart: dict[str, list[Disagreement]] = defaultdict(list)
    for key in sorted({*documents, *ledger}):
        place, holder, bucket = key
        if documents[key] != ledger[key] and not picture.unreadable & set(holder):
            apart[place].append(
                Disagreement(holder=holder, bucket=bucket, in_ledger=ledger[key], in_document=documents[key])
            )
    return apart


def _cart_of(holder: Holder, picture: Picture) -> Holder:
    """The cart whose units an order gave back as it took them over."""
    order = picture.orders.get(holder.order_id)
    return Holder(reservation_id=order.reservation_id) if order and order.reservation_id else holder


def _holdings(picture: Picture) -> Iterable[tuple[Holder, Bucket, str, int]]:
    """(holder, bucket, location_id, units) of the sku, by the documents."""
    for order in filter(None, picture.orders.values()):
        for (sku, place), units in held_by_order(order).items():
            if sku == picture.sku:
                yield Holder(order_id=order.order_id), Bucket.COMMITTED, place, units
    for reservation in picture.reservations.values():
        for (sku, place), units in held_by_cart(reservation).items():
            if sku == picture.sku:
                yield Holder(reservation_id=reservation.reservation_id), Bucket.RESERVED, place, units


def _held(picture: Picture) -> Counter[tuple[str, Bucket]]:
    held: Counter[tuple[str, Bucket]] = Counter()
    for _, bucket, place, units in _holdings(picture):
        held[place, bucket] += units
    return held


def _history(picture: Picture) -> list[Drift]:
    """Movements that do not add up in themselves, or name an order or a version of it that there never was."""
    uneven = [one for one in picture.movements if not one.is_even]
    drifts = [_of_history(DriftKind.UNEVEN_MOVEMENT, picture.sku, "", [one]) for one in uneven]
    named: dict[tuple[DriftKind, str], list[Movement]] = defaultdict(list)
    for movement in picture.movements:
        for one in movement.entries:
            fault = _fault_of(one, picture)
            if fault:
                named[fault, one.holder.order_id].append(movement)
    return drifts + [_of_history(kind, picture.sku, order, rows) for (kind, order), rows in sorted(named.items())]


def _fault_of(entry: Entry, picture: Picture) -> DriftKind | None:
    order_id = entry.holder.order_id
    if order_id not in picture.orders or order_id in picture.unreadable:
        return None
    order = picture.orders[order_id]
    if order is None:
        return DriftKind.UNKNOWN_ORDER
    unknown = entry.version > order.version or entry.version not in picture.told.get(order_id, frozenset())
    return DriftKind.UNKNOWN_VERSION if entry.version and unknown else None


def _of_history(kind: DriftKind, sku: str, order_id: str, movements: list[Movement]) -> Drift:
    ids = tuple(one.movement_id for one in movements)
    return Drift(
        kind=kind,
        sku=sku,
        location_id=movements[0].location_id,
        says=words.history(kind, sku, order_id, ids),
        advice=words.history_advice(kind),
        orders=(order_id,) if order_id else (),
        movements=ids,
    )


def _full(figures: Figures) -> Figures:
    return {bucket: figures.get(bucket, 0) for bucket in Bucket}


def _quantity(row: Backorder | None) -> int:
    return row.quantity if row else 0
