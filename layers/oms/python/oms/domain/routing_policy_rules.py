"""The rules of a routing policy: what no version may say, and what is allowed but looks like a mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from oms.domain.calendars import is_time_zone
from oms.domain.routing_policy import MAX_PARCELS_EVER, RoutingPolicy, Segment
from oms.domain.routing_policy_form import Problem

if TYPE_CHECKING:
    from oms.domain.catalog import Location
    from oms.domain.rates import RateCard

MAX_VERSION = 999_999
"""Versions are named by six digits, so that names sort as numbers."""

MAX_AMOUNT_MINOR = 1_000_000_000
MAX_HOURS = 90 * 24
MAX_TRANSIT_DAYS = 60
MAX_RECORD_DAYS = 3_650
MAX_SEGMENTS = 50
MAX_NAMED = 2_000
"""Channels, countries, service levels and tags of all segments together."""

MAX_ENTRIES = 250
"""Of `preferences_minor` and of `exchange_rates`."""

MAX_NAME = 64

BOUNDS: tuple[tuple[str, int, int], ...] = (
    ("version", 0, MAX_VERSION),
    ("constraints.max_parcels", 1, MAX_PARCELS_EVER),
    ("costs.late_day_minor", 0, MAX_AMOUNT_MINOR),
    ("costs.capacity_minor", 0, MAX_AMOUNT_MINOR),
    # From 100 on there would be nothing left to rise over: a cost of nothing is said by capacity_minor.
    ("costs.capacity_from_percent", 0, 99),
    ("cancel_after_hours", 1, MAX_HOURS),
    ("reroute_saving_minor", 0, MAX_AMOUNT_MINOR),
    ("default_transit_days", 0, MAX_TRANSIT_DAYS),
    ("record_days", 1, MAX_RECORD_DAYS),
    ("guards.max_cost_increase_percent", 0, 100),
    ("guards.max_split_percent", 0, 100),
    ("guards.max_late_percent", 0, 100),
    ("guards.max_location_share_percent", 0, 100),
    ("guards.max_unrouted_percent", 0, 100),
)
"""Every number at a fixed place, its least and its most."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_NAMES = ("channels", "countries", "service_levels", "only_tags", "never_tags")


def check(policy: RoutingPolicy) -> list[Problem]:
    """Everything this policy must not say; empty for a sound one. Raises nothing."""
    found = chain(
        _numbers(policy),
        _time_zone(policy),
        _currencies(policy),
        _preferences(policy),
        _segments(policy),
        _fallbacks(policy),
    )
    return list(found)


def warnings(policy: RoutingPolicy, locations: Iterable[Location], cards: Iterable[RateCard]) -> list[Problem]:
    """What is allowed and looks like a mistake, given where stock lies and what carriers charge."""
    known = {tag for location in locations for tag in location.tags}
    found = [_problem(path, f"no location has the tag {tag}") for path, tag in _tags(policy) if tag not in known]
    for number, segment in enumerate(policy.constraints.segments):
        if not segment.only_tags and not segment.never_tags:
            found.append(_problem(f"constraints.segments.{number}", "names no tags: it keeps no location out"))
    for currency in sorted({card.currency for card in cards} - {policy.currency, *policy.costs.exchange_rates}):
        reason = f"rate cards charge in {currency}: without a rate their services can't be used"
        found.append(_problem(f"costs.exchange_rates.{currency}", reason))
    return found


def _time_zone(policy: RoutingPolicy) -> Iterator[Problem]:
    if policy.time_zone and not is_time_zone(policy.time_zone):
        yield _problem("time_zone", "must be a name of the IANA time zone database, like America/New_York")


def _numbers(policy: RoutingPolicy) -> Iterator[Problem]:
    for path, least, most in BOUNDS:
        value = attrgetter(path)(policy)
        if value is not None and not least <= value <= most:
            yield _problem(path, f"must be from {least} to {most}")


def _currencies(policy: RoutingPolicy) -> Iterator[Problem]:
    missing = policy.version > 0 and not policy.currency
    if missing or (policy.currency and not _CURRENCY.fullmatch(policy.currency)):
        yield _problem("currency", "must be three capital letters (ISO 4217), such as USD")
    rates = policy.costs.exchange_rates
    if len(rates) > MAX_ENTRIES:
        yield _problem("costs.exchange_rates", f"at most {MAX_ENTRIES}")
    for currency, rate in rates.items():
        path = f"costs.exchange_rates.{currency[:MAX_NAME]}"
        if not _CURRENCY.fullmatch(currency):
            yield _problem(path, "must be named by three capital letters (ISO 4217)")
        elif currency == policy.currency:
            yield _problem(path, "is the policy's own currency: leave it out")
        if not 1 <= rate <= MAX_AMOUNT_MINOR:
            yield _problem(path, f"must be from 1 to {MAX_AMOUNT_MINOR}")


def _preferences(policy: RoutingPolicy) -> Iterator[Problem]:
    preferences = policy.costs.preferences_minor
    if len(preferences) > MAX_ENTRIES:
        yield _problem("costs.preferences_minor", f"at most {MAX_ENTRIES}")
    for tag, minor in preferences.items():
        path = f"costs.preferences_minor.{tag[:MAX_NAME]}"
        yield from _name(path, tag)
        if not 0 <= minor <= MAX_AMOUNT_MINOR:
            reason = f"must be from 0 to {MAX_AMOUNT_MINOR}: to prefer a tag, let the others cost more"
            yield _problem(path, reason)


def _segments(policy: RoutingPolicy) -> Iterator[Problem]:
    segments = policy.constraints.segments
    if len(segments) > MAX_SEGMENTS:
        yield _problem("constraints.segments", f"at most {MAX_SEGMENTS}")
    if sum(len(getattr(segment, name)) for segment in segments for name in _NAMES) > MAX_NAMED:
        yield _problem("constraints.segments", f"all together name more than {MAX_NAMED} channels, countries and tags")
    names = [segment.name for segment in segments]
    for number, segment in enumerate(segments):
        path = f"constraints.segments.{number}"
        if segment.name in names[:number]:
            yield _problem(f"{path}.name", "is the name of another segment too")
        yield from _segment(path, segment)


def _segment(path: str, segment: Segment) -> Iterator[Problem]:
    yield from _name(f"{path}.name", segment.name)
    for name in _NAMES:
        yield from _listed(f"{path}.{name}", getattr(segment, name))
    for number, country in enumerate(segment.countries):
        if not _COUNTRY.fullmatch(country):
            yield _problem(f"{path}.countries.{number}", "must be two capital letters (ISO 3166), such as US")
    both = sorted({*segment.only_tags} & {*segment.never_tags})
    if both:
        yield _problem(f"{path}.never_tags", f"{', '.join(both)} can't be in only_tags too")


def _listed(path: str, names: Sequence[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, name in enumerate(names):
        yield from _name(f"{path}.{number}", name)
        if name in seen:
            yield _problem(f"{path}.{number}", "is listed twice")
        seen.add(name)


def _name(path: str, name: str) -> Iterator[Problem]:
    if not name.strip() or len(name) > MAX_NAME:
        yield _problem(path, f"must be 1 to {MAX_NAME} characters")


def _fallbacks(policy: RoutingPolicy) -> Iterator[Problem]:
    for number, fallback in enumerate(policy.fallbacks):
        if fallback in policy.fallbacks[:number]:
            yield _problem(f"fallbacks.{number}", f"{fallback} is listed twice")


def _tags(policy: RoutingPolicy) -> Iterator[tuple[str, str]]:
    """Every tag the policy chooses locations by, and where it says so."""
    for number, segment in enumerate(policy.constraints.segments):
        path = f"constraints.segments.{number}"
        yield from ((f"{path}.only_tags", tag) for tag in segment.only_tags)
        yield from ((f"{path}.never_tags", tag) for tag in segment.never_tags)
    yield from ((f"costs.preferences_minor.{tag}", tag) for tag in policy.costs.preferences_minor)


def _problem(path: str, reason: str) -> Problem:
    return Problem(field=path, reason=reason)
