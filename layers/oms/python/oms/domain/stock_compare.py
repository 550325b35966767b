"""Comparing what a channel believes may be sold with what it should believe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from oms.domain.listings import Listing

COMPARED_EVERY = timedelta(days=1)
UNDER_WAY = timedelta(minutes=15)
"""What changed within this time is being told: the channel need not know it yet."""

MAX_NAMED = 20
"""How many names are written down; the others are counted."""


class Phase(StrEnum):
    """What a comparison looks at: the channel's pages, our listings that they did not name or that are in doubt, rows
    never sent."""

    CHANNEL = "CHANNEL"
    LISTINGS = "LISTINGS"
    ROWS = "ROWS"
    DONE = "DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far the comparison of an account is, and what it has found so far. `revision` counts its writes.

    `drifted`: the channel says other than what it was told, `untold`: we have not told it; `units` by how much in all.
    `missing` are listings of ours that the channel does not name, `unlisted` its names that are no listings of ours.
    `unreadable`: what may be sold of them we don't know ourselves. `waits_until`: doubts are not looked at before.
    """

    revision: int = 0
    began_at: datetime
    phase: Phase = Phase.CHANNEL
    token: str = ""
    ended_at: datetime | None = None
    waits_until: datetime | None = None
    compared: int = 0
    drifted: int = 0
    untold: int = 0
    units: int = 0
    missing: int = 0
    unlisted: int = 0
    unreadable: int = 0
    owed_anew: int = 0
    missing_names: tuple[str, ...] = ()
    unlisted_names: tuple[str, ...] = ()
    last_error: str = ""


class Found(StrEnum):
    """What a figure of the channel is, beside the one it should be. DOUBTED: less than it was told, so that it drifted
    or has sold units of which we have not heard yet: told anew, it would sell them twice. UNREADABLE: our own books of
    the goods do not add up, or our listing can't be read."""

    RIGHT = "RIGHT"
    DOUBTED = "DOUBTED"
    DRIFTED = "DRIFTED"
    UNTOLD = "UNTOLD"
    UNREADABLE = "UNREADABLE"


def is_due(last: Comparison | None, now: datetime) -> bool:
    """Whether the account is to be compared now: one that was begun is finished first."""
    return last is None or last.phase is not Phase.DONE or now >= last.began_at + COMPARED_EVERY


def judge(listing: Listing, believed: int | None, wanted: int, now: datetime) -> Found:
    """What the channel's figure is (None: the channel can't be asked) beside what may be sold now.

    What is under way to the channel is no drift.
    """
    told = listing.last_published_quantity
    known = told if believed is None else believed
    if known == wanted or (listing.changed_at is not None and now < listing.changed_at + UNDER_WAY):
        return Found.RIGHT
    if told != wanted:
        return Found.UNTOLD
    return Found.DOUBTED if believed is not None and believed < wanted else Found.DRIFTED


def judge_doubt(listing: Listing, wanted: int) -> Found:
    """What a figure in doubt was, by what may be sold now: a sale would have changed it, and been told since."""
    if listing.doubted_version != listing.change_version or listing.doubted_quantity == wanted:
        return Found.RIGHT
    return Found.DRIFTED


def is_waiting(comparison: Comparison, now: datetime) -> bool:
    """Whether it is too early to tell doubts from drift."""
    waits_until = comparison.waits_until
    return comparison.phase is Phase.LISTINGS and waits_until is not None and now < waits_until


def is_heard_of(comparison: Comparison, read_until: datetime | None) -> bool:
    """Whether what was sold before doubts arose is known here, where the channel's orders are read until then."""
    doubted_until = comparison.waits_until - UNDER_WAY if comparison.waits_until else comparison.began_at
    return read_until is not None and read_until >= doubted_until


def counted(comparison: Comparison, found: Mapping[str, Found], units: int, now: datetime) -> Comparison:
    """The comparison with what was found on one page."""
    verdicts = list(found.values())
    return replace(
        comparison,
        compared=comparison.compared + len(verdicts),
        drifted=comparison.drifted + verdicts.count(Found.DRIFTED),
        untold=comparison.untold + verdicts.count(Found.UNTOLD),
        unreadable=comparison.unreadable + verdicts.count(Found.UNREADABLE),
        units=comparison.units + units,
        waits_until=now + UNDER_WAY if Found.DOUBTED in verdicts else comparison.waits_until,
    )


def named(names: tuple[str, ...], more: list[str]) -> tuple[str, ...]:
    """The first names of all that were found."""
    return (*names, *more)[:MAX_NAMED]
