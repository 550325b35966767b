"""The file of open orders that `tools/migrate_orders.py` loads: one JSON object per line (docs/importing-orders.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from oms.channels import registry
from oms.channels.direct import canonical
from oms.channels.direct_models import MAX_UNITS, DirectLine, LocationId, Name, OrderBody, OrderName, Text, Time
from oms.domain.errors import InvalidMessage
from oms.domain.ids import short_hash
from oms.domain.incoming import IncomingLine, IncomingOrder
from oms.domain.migrated import BEFORE_US, MigratedOrder, Parcel
from oms.domain.order import MAX_LINES
from oms.domain.validation import invalid_message

MAX_PARCELS = 200
MAX_EXTERNAL_IDS = 20

_PERSONAL = {"ship_to", "bill_to", "customer", "note"}
"""Left out of the digest of what was said: bare digests of people's data could be guessed."""

Quantity = Annotated[int, Field(ge=1, le=MAX_UNITS)]
Left = Annotated[int, Field(ge=0, le=MAX_UNITS)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, str_strip_whitespace=True
    )


class AllocatedUnits(_Model):
    """Units of a line that lie at a location for the order. `asked`: the location works on them already."""

    location_id: LocationId
    quantity: Quantity
    asked: bool = False


class OpenLine(DirectLine):
    """A line of the order with what became of its units; what is left and allocated nowhere is routed."""

    shipped: Left = 0
    cancelled: Left = 0
    allocated: Annotated[list[AllocatedUnits], Field(max_length=100)] = Field(default=[])


class ParcelLine(_Model):
    """Units of a line in a parcel."""

    line_id: Annotated[str, Field(min_length=1, max_length=64)]
    quantity: Quantity


class OpenParcel(_Model):
    """A parcel that left. Without `delivered_at` the carrier's news of it are waited for."""

    shipment_id: Name
    carrier: Text = ""
    service: Text = ""
    tracking_number: Text = ""
    location_id: LocationId | None = None
    shipped_at: Time
    delivered_at: Time | None = None
    lines: Annotated[list[ParcelLine], Field(min_length=1, max_length=MAX_LINES)]


class OpenOrder(OrderBody):
    """An open order. `lines` have the line ids of the channel, so that its later messages find them."""

    channel_order_id: OrderName
    placed_at: Time
    channel_updated_at: Time | None = None
    ship_by: Time | None = None
    # a list may not be narrowed, but nobody ever adds to this one
    lines: Annotated[list[OpenLine], Field(min_length=1, max_length=MAX_LINES)]  # type: ignore[assignment]
    shipments: Annotated[list[OpenParcel], Field(max_length=MAX_PARCELS)] = Field(default=[])
    external_ids: Annotated[dict[str, Text], Field(max_length=MAX_EXTERNAL_IDS)] = Field(default={})


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file: the order in it, or why it can't be read."""

    number: int
    name: str
    migrated: MigratedOrder | None = None
    error: InvalidMessage | None = None


def rows(lines: Iterable[str]) -> Iterator[Row]:
    """Every line that is not empty."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text:
            yield _row(number, text)


def _row(number: int, text: str) -> Row:
    try:
        order = OpenOrder.model_validate_json(text)
    except ValidationError as error:
        return Row(number, "", error=invalid_message(error.errors(include_url=False, include_input=False)))
    try:
        migrated = _migrated(order)
    except InvalidMessage as error:
        return Row(number, order.channel_order_id, error=error)
    return Row(number, order.channel_order_id, migrated)


def _migrated(order: OpenOrder) -> MigratedOrder:
    """The order in our words. Raises InvalidMessage."""
    if not registry.is_known(order.channel) and order.channel not in registry.DIRECT:
        raise InvalidMessage(f"no channel {order.channel!r}", field="channel", reason="UNKNOWN_CHANNEL")
    _check_names(order)
    incoming = canonical(order, order.channel_order_id, order.placed_at)
    names = [line.line_id for line in incoming.lines]
    asked = _asked(order)
    allocated: dict[str, dict[str, int]] = {}
    for name, line in zip(names, order.lines, strict=True):
        for units in line.allocated:
            here = allocated.setdefault(units.location_id, {})
            here[name] = here.get(name, 0) + units.quantity
    return MigratedOrder(
        incoming=_with_its_past(order, incoming),
        content=short_hash(order.model_dump_json(exclude_unset=True, exclude=_PERSONAL), length=16),
        shipped={name: line.shipped for name, line in zip(names, order.lines, strict=True) if line.shipped},
        parcels=tuple(_parcel(one) for one in order.shipments),
        allocated=allocated,
        asked=frozenset(location_id for location_id, is_asked in asked.items() if is_asked),
    )


def _check_names(order: OpenOrder) -> None:
    """A channel's later messages go by its own names of the lines: under others, every line would look cancelled, and
    new ones added."""
    unnamed = [number for number, line in enumerate(order.lines) if line.line_id is None]
    if unnamed and order.channel not in registry.DIRECT:
        message = f"{order.channel} has a name for each line"
        raise InvalidMessage(message, field=f"lines.{unnamed[0]}.line_id", reason="MISSING_FIELD")


def _asked(order: OpenOrder) -> dict[str, bool]:
    """Whether each location works on its units already: on all of them, or a part would never be asked for."""
    asked: dict[str, bool] = {}
    for number, line in enumerate(order.lines):
        for units in line.allocated:
            if asked.setdefault(units.location_id, units.asked) is not units.asked:
                message = f"{units.location_id} is asked for some units and not for others"
                raise InvalidMessage(message, field=f"lines.{number}.allocated", reason="ASKED_IN_PART")
    return asked


def _with_its_past(order: OpenOrder, incoming: IncomingOrder) -> IncomingOrder:
    return replace(
        incoming,
        channel_updated_at=order.channel_updated_at or order.placed_at,
        ship_by=order.ship_by,
        external_ids=dict(order.external_ids),
        lines=tuple(_left(line, body) for line, body in zip(incoming.lines, order.lines, strict=True)),
    )


def _left(line: IncomingLine, body: OpenLine) -> IncomingLine:
    return replace(line, current_quantity=line.quantity - body.cancelled)


def _parcel(parcel: OpenParcel) -> Parcel:
    units: Counter[str] = Counter()
    for line in parcel.lines:
        units[line.line_id] += line.quantity
    return Parcel(
        shipment_id=parcel.shipment_id,
        carrier=parcel.carrier,
        service=parcel.service,
        tracking_number=parcel.tracking_number,
        location_id=parcel.location_id or BEFORE_US,
        shipped_at=parcel.shipped_at,
        delivered_at=parcel.delivered_at,
        lines=dict(units),
    )
