"""Edits before release: what an order is to be, staged as one versioned change; only the difference moves stock.

`stage` computes it and writes nothing: what it returns can be shown to a person first, and is committed as it is, under
the version it was staged on. Units taken out are free at once, units added look for stock, the rest keeps what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oms.domain.cancellation import free, moves_back
from oms.domain.capacity import given_back
from oms.domain.catalog import Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, queue_rows, touches
from oms.domain.errors import IllegalTransition
from oms.domain.events import EventType
from oms.domain.kits import product_facts
from oms.domain.order import MAX_LINES, Line, Method, Order, ShippingLine, ShipTo, Totals
from oms.domain.progress import Happening, step, was_released

MAX_FORMERLY = 40
"""Goods that a line remembers it was for; who changes it more often must ask a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineEdit:
    """A line as it is to be: `wanted` of the `ordered` units, the others are cancelled, `by_channel` of them by the
    channel itself. Money as in Line. A line of an unknown id is added, one of another sku is for other goods from now
    on."""

    line_id: str
    sku: str
    channel_sku: str = ""
    title: str = ""
    ordered: int
    wanted: int
    by_channel: int = 0
    unit_price_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    requires_shipping: bool = True
    together: str = ""

    @classmethod
    def of(cls, line: Line) -> LineEdit:
        """The line as it is: the edit that changes nothing."""
        return cls(
            line_id=line.line_id,
            sku=line.sku,
            channel_sku=line.channel_sku,
            title=line.title,
            ordered=line.ordered,
            wanted=line.ordered - line.cancelled,
            by_channel=line.cancelled_by_channel,
            unit_price_minor=line.unit_price_minor,
            discount_minor=line.discount_minor,
            tax_minor=line.tax_minor,
            requires_shipping=line.requires_shipping,
            together=line.together,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the order costs the customer, all in all."""

    totals: Totals
    shipping_lines: tuple[ShippingLine, ...] = ()
    presentment_currency: str = ""
    presentment_total_minor: int = 0

    @classmethod
    def of(cls, order: Order) -> Money:
        """The order's as it is."""
        return cls(
            totals=order.totals,
            shipping_lines=order.shipping_lines,
            presentment_currency=order.presentment_currency,
            presentment_total_minor=order.presentment_total_minor,
        )

    def facts(self) -> dict[str, Any]:
        """The fields of the order that say so."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How the goods reach the customer."""

    service_level: str
    method: Method
    pickup_location_id: str | None = None

    @classmethod
    def of(cls, order: Order) -> Service:
        """The order's as it is."""
        return cls(service_level=order.service_level, method=order.method, pickup_location_id=order.pickup_location_id)

    def facts(self) -> dict[str, Any]:
        """The fields of the order that say so."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be different; lines not named and parts left out stay as they are.

    `ship_to` is given where the address changed, though it may lie in the same place for the parcel.
    """

    lines: tuple[LineEdit, ...] = ()
    money: Money | None = None
    service: Service | None = None
    ship_to: ShipTo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What an edit changes: units and goods of lines, and whether prices, the address or the way of the parcel do."""

    added: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    exchanged: dict[str, str] = field(default_factory=dict)
    repriced: bool = False
    readdressed: bool = False
    rerouted: bool = False

    def __bool__(self) -> bool:
        parts = (self.added, self.removed, self.exchanged, self.repriced, self.readdressed, self.rerouted)
        return any(parts)

    @property
    def looks_anew(self) -> bool:
        """Whether stock must be looked for again."""
        return bool(self.added or self.exchanged or self.rerouted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """An edit as it would be committed, to be looked at first. `change` is None where nothing differs, and where
    it is `too_large` for one change. `total_minor_*` are the order's total before and after."""

    change: OrderChange | None
    difference: Difference
    total_minor_before: int
    total_minor_after: int
    too_large: bool = False


def stage(order: Order, edit: Edit, products: Mapping[str, Product], context: Context, reason: str) -> Staged:
    """The edit of an order that was not released. `products` are those of the goods added, and of their components;
    `reason` is told of units that are cancelled by it.

    Raises IllegalTransition once work was released: then only the locations can say what can still be changed.
    """
    if was_released(order):
        raise IllegalTransition("a location works on this order already", status=order.status.value)
    grown = _with_new_lines(order, edit, products)
    difference = _difference(grown, edit)
    change = _change(grown, edit, difference, products, context, reason) if difference else None
    return Staged(
        change=change,
        difference=difference,
        total_minor_before=order.totals.total_minor,
        total_minor_after=(edit.money or Money.of(order)).totals.total_minor,
        too_large=bool(difference) and change is None,
    )


def _with_new_lines(order: Order, edit: Edit, products: Mapping[str, Product]) -> Order:
    """The order with the lines that are added, at no units yet; a line that nothing is left of is as good as new."""
    edits = {one.line_id: one for one in edit.lines}
    known = tuple(_renewed(line, edits.get(line.line_id), products) for line in order.lines)
    ids = {line.line_id for line in order.lines}
    new = tuple(_new_line(one, products) for one in edit.lines if one.line_id not in ids and one.wanted)
    return replace(order, lines=(*known, *new))


def _renewed(line: Line, edit: LineEdit | None, products: Mapping[str, Product]) -> Line:
    begins_anew = edit is not None and edit.wanted and line.cancelled == line.ordered
    if not begins_anew or edit is None or edit.sku not in products:
        return line
    return _of_other_goods(line, edit, products)


def _of_other_goods(line: Line, edit: LineEdit, products: Mapping[str, Product]) -> Line:
    """Who could not ship the old goods may well ship the new ones."""
    unknown: dict[str, Any] = {"unit_grams": 0, "unit_cm3": 0, "needs": (), "components": ()}
    names: dict[str, Any] = {"sku": edit.sku, "channel_sku": edit.channel_sku, "title": edit.title or line.title}
    other = replace(line, **names, excluded_locations=(), **(unknown | product_facts(edit.sku, products)))
    before = dict.fromkeys((*line.formerly, *line.stock_units(1)))
    return replace(other, formerly=tuple(sku for sku in before if sku not in other.stock_units(1)))


def _new_line(edit: LineEdit, products: Mapping[str, Product]) -> Line:
    return Line(
        line_id=edit.line_id,
        sku=edit.sku,
        channel_sku=edit.channel_sku,
        title=edit.title,
        ordered=0,
        together=edit.together,
        requires_shipping=edit.requires_shipping,
        **product_facts(edit.sku, products),
    )


def _difference(order: Order, edit: Edit) -> Difference:
    live = {line.line_id: line.ordered - line.cancelled for line in order.lines}
    more = {one.line_id: one.wanted - live[one.line_id] for one in edit.lines if one.line_id in live}
    lines = {line.line_id: line for line in order.lines}
    repriced = any(_price(lines[one.line_id]) != _price(one) for one in edit.lines if one.line_id in lines)
    ship_to, service = edit.ship_to or order.ship_to, edit.service or Service.of(order)
    return Difference(
        added={line_id: units for line_id, units in more.items() if units > 0},
        removed={line_id: -units for line_id, units in more.items() if units < 0},
        exchanged={
            one.line_id: one.sku
            for one in edit.lines
            if one.wanted and live.get(one.line_id) and lines[one.line_id].sku != one.sku
        },
        repriced=repriced or (edit.money or Money.of(order)) != Money.of(order),
        readdressed=edit.ship_to is not None,
        rerouted=ship_to != order.ship_to or service != Service.of(order),
    )


def _price(line: Line | LineEdit) -> tuple[int, int, int]:
    return line.unit_price_minor, line.discount_minor, line.tax_minor


def _change(
    order: Order,
    edit: Edit,
    difference: Difference,
    products: Mapping[str, Product],
    context: Context,
    reason: str,
) -> OrderChange | None:
    """The one change that does it; None where it touches more than one change may."""
    taken = _to_free(order, difference)
    freed, fulfillments = free(order, taken, MAX_POSITIONS_PER_CHANGE)
    lines = _edited_lines(order, edit, difference, freed, products)
    if freed != taken or len(lines) > MAX_LINES or any(len(line.formerly) > MAX_FORMERLY for line in lines):
        return None
    facts: dict[str, Any] = {"lines": lines, "fulfillments": fulfillments}
    facts |= edit.money.facts() if edit.money else {}
    facts |= edit.service.facts() if edit.service else {}
    facts |= {"ship_to": edit.ship_to} if edit.ship_to else {}
    facts |= {"unroutable_since": None} if difference.looks_anew else {}
    facts |= {"review": None} if _all_cancelled(lines) else {}
    changed = step(order, context, *_news(order, lines, edit, difference, reason), **facts)
    put, deleted = queue_rows(order, changed)
    change = OrderChange(
        order=changed,
        moves=moves_back(order, fulfillments),
        capacity=given_back(order, changed),
        backorders_added=put,
        backorders_removed=deleted,
    )
    return change if touches(change) <= MAX_POSITIONS_PER_CHANGE else None


def _to_free(order: Order, difference: Difference) -> dict[str, int]:
    """Units per line that locations give back: all where the parcels go another way or the goods are others, else what
    is taken out beyond what no location holds yet."""
    if difference.rerouted:
        return {line.line_id: line.in_fulfillment for line in order.lines if line.in_fulfillment}
    held = {
        line.line_id: line.in_fulfillment
        if line.line_id in difference.exchanged
        else min(line.in_fulfillment, difference.removed.get(line.line_id, 0) - line.unallocated)
        for line in order.lines
    }
    return {line_id: units for line_id, units in held.items() if units > 0}


def _edited_lines(
    order: Order, edit: Edit, difference: Difference, freed: Mapping[str, int], products: Mapping[str, Product]
) -> tuple[Line, ...]:
    edits = {one.line_id: one for one in edit.lines}
    lines = (_edited(line, edits.get(line.line_id), freed, difference.looks_anew) for line in order.lines)
    return tuple(
        _of_other_goods(line, edits[line.line_id], products) if line.line_id in difference.exchanged else line
        for line in lines
    )


def _edited(line: Line, edit: LineEdit | None, freed: Mapping[str, int], looks_anew: bool) -> Line:
    """The line as it is to be. Where the order looks for stock again, what was known to be short is found out again:
    until then it stands in no queue, and then gets back the place it had."""
    wanted = edit.wanted if edit else line.ordered - line.cancelled
    ordered = max(edit.ordered, wanted) if edit else line.ordered
    held = line.in_fulfillment - freed.get(line.line_id, 0)
    looking = wanted - held if line.requires_shipping else 0
    changed = replace(
        line,
        ordered=ordered,
        unallocated=looking,
        in_fulfillment=held,
        shipped=0 if line.requires_shipping else wanted,
        cancelled=ordered - wanted,
        backordered=0 if looks_anew else min(line.backordered, looking),
    )
    if edit is None:
        return changed
    return replace(
        changed,
        cancelled_by_channel=min(edit.by_channel, changed.cancelled),
        unit_price_minor=edit.unit_price_minor,
        discount_minor=edit.discount_minor,
        tax_minor=edit.tax_minor,
    )


def _all_cancelled(lines: tuple[Line, ...]) -> bool:
    return all(line.cancelled == line.ordered for line in lines)


def _news(
    order: Order, lines: tuple[Line, ...], edit: Edit, difference: Difference, reason: str
) -> tuple[Happening, ...]:
    news: list[Happening] = []
    if difference.removed and _all_cancelled(lines):
        return ((EventType.ORDER_CANCELLED, {"reason": reason}),)
    if difference.removed:
        news.append((EventType.LINES_CANCELLED, {"reason": reason, "lines": difference.removed}))
    service_changed = edit.service is not None and edit.service != Service.of(order)
    if difference.added or difference.exchanged or difference.repriced or service_changed:
        news.append((EventType.ORDER_EDITED, edited_data(order, edit, difference)))
    if difference.readdressed:
        news.append((EventType.ADDRESS_CHANGED, {"routed_again": difference.rerouted}))
    return tuple(news)


def edited_data(order: Order, edit: Edit, difference: Difference) -> dict[str, Any]:
    """What OrderEdited says: units added and removed per line, the goods of lines and the total before and after where
    they changed."""
    before, after = order.totals.total_minor, (edit.money or Money.of(order)).totals.total_minor
    skus = {line.line_id: line.sku for line in order.lines}
    exchanged = {line_id: {"before": skus[line_id], "after": sku} for line_id, sku in difference.exchanged.items()}
    data: dict[str, Any] = {"added": difference.added, "removed": difference.removed, "exchanged": exchanged}
    data |= {"total_minor": {"before": before, "after": after}} if before != after else {}
    return {name: value for name, value in data.items() if value}
