"""What would have had to be true for a location to ship an order: single changes, each the smallest of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from oms.domain.calendars import opening_times
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Destination, Ineligible, segments_of
from oms.domain.promise import late_days
from oms.domain.routing import route
from oms.domain.routing_policy import Relaxation
from oms.domain.routing_replay import Replay, needed
from oms.domain.routing_terms import ParcelTerms, cost_of
from oms.domain.routing_words import WISHES, money

MAX_SKUS = 10
"""SKUs of which more stock is tried."""

MAX_DAYS_BACK = 10
"""Days whose cut-off is tried for an order that would come too late."""


class WishCode(StrEnum):
    """Kinds of changes, beside the reasons of `Ineligible` that have to go."""

    CHEAPER = "CHEAPER"
    EARLIER_DELIVERY = "EARLIER_DELIVERY"
    MORE_STOCK = "MORE_STOCK"
    EARLIER_RELEASE = "EARLIER_RELEASE"
    CAPACITY = "CAPACITY"
    SEGMENT = "SEGMENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One change, in words and figures: minor units, units of a sku, days, or until when."""

    code: str
    text: str
    amount_minor: int | None = None
    sku: str | None = None
    units: int | None = None
    days: int | None = None
    until: datetime | None = None


def wishes_of(
    replay: Replay,
    location_id: str,
    plan: Sequence[ParcelTerms] | None,
    *,
    reason: str | None = None,
    words: Mapping[str, str] | None = None,
) -> tuple[Wish, ...]:
    """The changes that would have made the location ship: of `plan` where it could have, of what stood against it
    (`reason`, with the `words` to tell it) where it could not."""
    if reason is None:
        return (*(_cheaper(replay, location_id, plan) if plan else ()), *_more_stock(replay, location_id))
    if reason == Ineligible.NO_STOCK:
        return _missing(replay, location_id)
    if reason == Ineligible.TOO_LATE:
        return _in_time(replay, location_id)
    if reason == Ineligible.SEGMENT:
        return _other_segment(replay, location_id)
    told = WISHES.get(Ineligible(reason))
    return (Wish(code=reason, text=told.format_map(words or {})),) if told else ()


def _cheaper(replay: Replay, location_id: str, plan: Sequence[ParcelTerms]) -> tuple[Wish, ...]:
    """Its parcel for so much less, or so many days earlier. Every plan with it has one parcel of its own."""
    least = cost_of(plan) - replay.decision.cost_minor + (0 if _wins_ties(plan, replay.decision.parcels) else 1)
    parcel = next(one for one in plan if one.location_id == location_id)
    wishes: list[Wish] = []
    if 0 < least <= parcel.cost_minor:
        text = f"its parcel must cost {money(least, replay.decision.currency)} less"
        wishes.append(Wish(code=WishCode.CHEAPER, text=text, amount_minor=least))
    if 0 < least <= parcel.late_minor:
        days = -(-least * parcel.late_days // parcel.late_minor)
        text = f"its parcel must arrive {days} day{'s' if days > 1 else ''} earlier"
        wishes.append(Wish(code=WishCode.EARLIER_DELIVERY, text=text, days=days))
    return (*wishes, *_free_place(replay, location_id))


def _wins_ties(plan: Sequence[ParcelTerms], chosen: Sequence[ParcelTerms]) -> bool:
    """Whether of two plans that cost the same this one would be taken: fewer parcels first, one parcel by name."""
    alone = len(plan) == len(chosen) == 1 and plan[0].location_id < chosen[0].location_id
    return alone or len(plan) < len(chosen)


def _more_stock(replay: Replay, location_id: str) -> tuple[Wish, ...]:
    """How many more units of one sku would make it ship: more stock never makes a plan dearer, so halving finds it."""
    wishes = []
    for sku, units in list(needed(replay.order).items())[:MAX_SKUS]:
        short = units - replay.stock.get(sku, {}).get(location_id, 0)
        if short > 0 and _ships_with(replay, location_id, {sku: short}):
            enough, too_few = short, 0
            while enough - too_few > 1:
                middle = (enough + too_few) // 2
                if _ships_with(replay, location_id, {sku: middle}):
                    enough = middle
                else:
                    too_few = middle
            text = f"it must have {enough} more of {sku}"
            wishes.append(Wish(code=WishCode.MORE_STOCK, text=text, sku=sku, units=enough))
    return tuple(wishes)


def _ships_with(replay: Replay, location_id: str, more: Mapping[str, int]) -> bool:
    """Whether the order would have shipped from there if it had so many more units: for less than decided, or without
    giving up what was given up."""
    stock = {sku: dict(there) for sku, there in replay.stock.items()}
    for sku, units in more.items():
        here = stock.setdefault(sku, {})
        here[location_id] = here.get(location_id, 0) + units
    try:
        plan = route(replay.order, replay.network, stock)
    except (NoRoute, OutOfStock):
        return False
    ships = location_id in {one.location_id for one in plan.assignments}
    stricter = len(plan.relaxed) < len(replay.decision.relaxed)
    return ships and (stricter or plan.cost_minor < replay.decision.cost_minor)


def _missing(replay: Replay, location_id: str) -> tuple[Wish, ...]:
    """What it had too little of, and whether it would have shipped with all of it."""
    units = needed(replay.order)
    here = replay.decision.units_at(location_id)
    short = {sku: number - here.get(sku, 0) for sku, number in units.items() if number > here.get(sku, 0)}
    ships = _ships_with(replay, location_id, short)
    ending = "with all it needs it would have shipped" if ships else "even with all it needs it would have been dearer"
    return tuple(
        Wish(
            code=WishCode.MORE_STOCK,
            text=f"it has {here.get(sku, 0)} of {sku}, needs {units[sku]}: {ending}",
            sku=sku,
            units=number,
        )
        for sku, number in list(short.items())[:MAX_SKUS]
    )


def _in_time(replay: Replay, location_id: str) -> tuple[Wish, ...]:
    """By how much it would have been late, and by when the order had to be released to be in time."""
    promised_by = replay.order.promised_by
    arrives = _arrives(replay, location_id)
    if promised_by is None or arrives is None:
        return ()
    days = max(1, late_days(arrives, promised_by))
    text = f"it would arrive {arrives:%Y-%m-%d %H:%M}, promised {promised_by:%Y-%m-%d %H:%M} (UTC)"
    wishes = [Wish(code=WishCode.EARLIER_DELIVERY, text=text, days=days)]
    until = _last_release(replay, location_id, promised_by)
    if until:
        text = f"released by {until:%Y-%m-%d %H:%M} (UTC), its cut-off, it would arrive in time"
        wishes.append(Wish(code=WishCode.EARLIER_RELEASE, text=text, until=until))
    return (*wishes, *_free_place(replay, location_id))


def _arrives(replay: Replay, location_id: str, at: datetime | None = None, *, free: bool = False) -> datetime | None:
    """When its fastest offer would arrive, for an order released `at`; with every day `free` of planned parcels."""
    location = replay.network.locations.get(location_id)
    if location is None:
        return None
    network = replay.network
    if at is not None or free:
        network = replay.network_of(location, at or replay.network.now, free=free)
    destination = Destination.of(replay.order, Relaxation.ANY_SEGMENT in replay.rules.relaxed)
    offers = network.reach(destination, at or replay.decision.release_at).offers.get(location_id, ())
    return min((offer.deliver_by for offer in offers if offer.deliver_by), default=None)


def _last_release(replay: Replay, location_id: str, promised_by: datetime) -> datetime | None:
    """The last cut-off before the release after which it would still have been in time."""
    opening = opening_times(replay.network.locations[location_id])
    day = opening.day_of(replay.decision.release_at)
    for _ in range(MAX_DAYS_BACK):
        cut_off = opening.moment(day, opening.cut_off)
        if opening.days.has(day) and cut_off < replay.decision.release_at:
            arrives = _arrives(replay, location_id, cut_off)
            if arrives is not None and arrives <= promised_by:
                return cut_off
        day -= timedelta(days=1)
    return None


def _free_place(replay: Replay, location_id: str) -> tuple[Wish, ...]:
    """Whether it would have been earlier if its days had not been full."""
    arrives, freely = _arrives(replay, location_id), _arrives(replay, location_id, free=True)
    if arrives is None or freely is None or freely >= arrives:
        return ()
    text = f"its days are full: with a place it would arrive {freely:%Y-%m-%d %H:%M} (UTC)"
    return (Wish(code=WishCode.CAPACITY, text=text, until=freely),)


def _other_segment(replay: Replay, location_id: str) -> tuple[Wish, ...]:
    """Which segments keep the order from it."""
    location = replay.network.locations.get(location_id)
    if location is None:
        return ()
    wishes = []
    for one in segments_of(replay.network.policy, Destination.of(replay.order)):
        if one.only_tags and not set(one.only_tags) & set(location.tags):
            text = f"segment {one.name} of the routing policy asks for one of the tags {', '.join(one.only_tags)}"
            wishes.append(Wish(code=WishCode.SEGMENT, text=text))
        barred = sorted(set(one.never_tags) & set(location.tags))
        if barred:
            text = f"segment {one.name} of the routing policy bars the tags {', '.join(barred)}"
            wishes.append(Wish(code=WishCode.SEGMENT, text=text))
    return tuple(wishes)
