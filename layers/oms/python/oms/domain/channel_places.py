"""What a channel calls our locations, as its account's options say: `location:<the channel's name>` is our location_id.

Where a customer collects, a name that no option has is taken for our own; it is planned, and who knows no such place
asks a person. What was carried out from a till that no option names left no shelf of ours: that shop keeps its own
books, or is none of our locations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oms.domain.incoming import IncomingOrder
from oms.domain.order import Method

OPTION = "location:"


def at_our_locations(incoming: IncomingOrder, options: Mapping[str, str]) -> IncomingOrder:
    """The order with our name for the place that the channel names; the order as it is where it names none."""
    named = incoming.channel_location
    if not named:
        return incoming
    ours = options.get(OPTION + named, "")
    if incoming.method is Method.PICKUP:
        return replace(incoming, pickup_location_id=ours or named)
    if incoming.method is not Method.CARRY_OUT:
        return incoming
    return replace(incoming, sold_at_location_id=ours) if ours else _left_elsewhere(incoming)


def _left_elsewhere(incoming: IncomingOrder) -> IncomingOrder:
    lines = tuple(replace(line, fulfilled_quantity=line.current_quantity) for line in incoming.lines)
    return replace(incoming, method=Method.SHIP, lines=lines)
