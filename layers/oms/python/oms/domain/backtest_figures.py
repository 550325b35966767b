"""What a backtest finds: figures of each policy, the difference between two, and whether a draft may become active.

The cost of an order is the money that is paid for it: freight, handling, work per unit. What a policy adds as weights
(lateness, full days, preferences) is told apart, it would compare a policy with itself; what is priced in another
currency is worth what each policy says. The two policies routed the same orders, so costs are compared order by
order, over those that both could route:

    difference = mean of d, from  mean - Z * s / sqrt(n)  to  mean + Z * s / sqrt(n)

with d the draft's cost less the active one's, s the standard deviation of d (n - 1), and Z for 95 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from oms.domain.backtesting import Outcome
from oms.domain.policy_versions import Verdict
from oms.domain.routing_policy import Guards
from oms.domain.routing_terms import TERMS

MIN_ORDERS = 30
"""Fewer orders say too little to let a policy go live by them."""

MAX_CHANGES_TOLD = 20
Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a location ships; `share_percent` is of all parcels."""

    parcels: int
    units: int
    share_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a policy made of the orders. Money in minor units of `currency`, over the orders it could route.

    `late_percent` is of these too: later than promised, or than the active policy arrives where nothing was
    promised. `full_days` and `over_days` count days of locations that count their parcels. `terms_minor` are all
    terms of the cost, the weights too.
    """

    version: int
    currency: str
    orders: int
    routed: int
    unrouted: int
    paid_minor: int
    paid_per_order_minor: float
    terms_minor: dict[str, int]
    parcels: int
    split_percent: float
    late_percent: float
    full_days: int
    over_days: int
    why_not: dict[str, int] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What an order costs more by the draft (less: negative), with 95 % between `low_minor` and `high_minor`.

    `percent` is of what the active policy costs; None where that is nothing.
    """

    orders: int
    mean_minor: float
    low_minor: float
    high_minor: float
    percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An order that the draft routes otherwise: from where, to where (nowhere: no route), and what it costs more."""

    order_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    more_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two policies on the same orders. `lost` are orders that the draft does not route and the active one does;
    `changed` are routed otherwise, of which `changes` are those whose cost differs most."""

    active: Figures
    draft: Figures
    difference: Difference
    lost: int
    changed: int
    changes: tuple[Change, ...]

    @property
    def comparable(self) -> bool:
        """Whether both reckon in one currency."""
        return self.active.currency == self.draft.currency


@dataclass(frozen=True, slots=True)
class Pair:
    """What the two policies made of one order."""

    active: Outcome
    draft: Outcome

    @property
    def promised_by(self) -> datetime | None:
        """By when the order was to arrive: as promised, else as the active policy does it."""
        return self.active.promised_by or self.active.deliver_by


def compare(pairs: Sequence[Pair], versions: tuple[int, int], most: int = MAX_CHANGES_TOLD) -> Comparison:
    """The active and the draft policy, of these versions, on the same orders."""
    changes = sorted(_changes(pairs), key=lambda one: (bool(one.after and one.before), -abs(one.more_minor)))
    return Comparison(
        active=_figures(versions[0], [(one.active, one.promised_by) for one in pairs]),
        draft=_figures(versions[1], [(one.draft, one.promised_by) for one in pairs]),
        difference=_difference([one for one in pairs if one.active.is_routed and one.draft.is_routed]),
        lost=sum(one.active.is_routed and not one.draft.is_routed for one in pairs),
        changed=len(changes),
        changes=tuple(changes[:most]),
    )


def judge(found: Comparison, guards: Guards, now: datetime, min_orders: int = MIN_ORDERS) -> Verdict:
    """Whether the draft may become active by these guards, which are its own."""
    violated = tuple(_violated(found, guards, min_orders))
    return Verdict(passed=not violated, violated=violated, summary=_summary(found), backtested_at=now)


def _figures(version: int, outcomes: Sequence[tuple[Outcome, datetime | None]]) -> Figures:
    routed = [one for one, _ in outcomes if one.is_routed]
    parcels = [parcel for one in routed for parcel in one.parcels]
    paid_minor = sum(one.paid_minor for one in routed)
    return Figures(
        version=version,
        currency=next((one.currency for one, _ in outcomes), ""),
        orders=len(outcomes),
        routed=len(routed),
        unrouted=len(outcomes) - len(routed),
        paid_minor=paid_minor,
        paid_per_order_minor=paid_minor / len(routed) if routed else 0.0,
        terms_minor={term: sum(getattr(one, term) for one in parcels) for term in TERMS},
        parcels=len(parcels),
        split_percent=_percent(sum(len(one.parcels) > 1 for one in routed), len(routed)),
        late_percent=_percent(sum(one.is_late(promised_by) for one, promised_by in outcomes), len(routed)),
        full_days=len({day for one in routed for day in one.full}),
        over_days=len({day for one in routed for day in one.over}),
        why_not=dict(sorted(Counter(one.why_not for one, _ in outcomes if one.why_not).items())),
        loads=_loads(routed),
    )


def _loads(routed: Iterable[Outcome]) -> dict[str, Load]:
    """What each location ships, the busiest first."""
    parcels: Counter[str] = Counter()
    units: Counter[str] = Counter()
    for one in routed:
        for parcel in one.parcels:
            parcels[parcel.location_id] += 1
            units[parcel.location_id] += sum(parcel.lines.values())
    total = parcels.total()
    busiest = sorted(parcels, key=lambda one: (-parcels[one], one))
    return {
        one: Load(parcels=parcels[one], units=units[one], share_percent=_percent(parcels[one], total))
        for one in busiest
    }


def _difference(pairs: Sequence[Pair]) -> Difference:
    more = [one.draft.paid_minor - one.active.paid_minor for one in pairs]
    mean = fmean(more) if more else 0.0
    reach = Z * stdev(more) / sqrt(len(more)) if len(more) > 1 else 0.0
    before = sum(one.active.paid_minor for one in pairs)
    return Difference(
        orders=len(more),
        mean_minor=mean,
        low_minor=mean - reach,
        high_minor=mean + reach,
        percent=100 * sum(more) / before if before else None if any(more) else 0.0,
    )


def _changes(pairs: Iterable[Pair]) -> Iterator[Change]:
    for one in pairs:
        if one.active.places != one.draft.places:
            yield Change(
                order_id=one.active.order_id,
                before=one.active.places,
                after=one.draft.places,
                more_minor=one.draft.paid_minor - one.active.paid_minor,
            )


def _violated(found: Comparison, guards: Guards, min_orders: int) -> Iterator[str]:
    """Each guard that is violated, in words, by the name it has in the policy."""
    draft, more = found.draft, found.difference
    if draft.orders < max(1, min_orders):
        yield f"orders: {draft.orders} could be tried, at least {max(1, min_orders)} are needed"
        return
    limit = guards.max_cost_increase_percent
    if limit is not None and not found.comparable:
        yield f"max_cost_increase_percent: costs are in {draft.currency} now, and were in {found.active.currency}"
    elif limit is not None and more.percent is None:
        yield f"max_cost_increase_percent: orders that cost nothing now cost {more.mean_minor:.0f} each"
    elif limit is not None and (more.percent or 0.0) > limit:
        yield f"max_cost_increase_percent: orders cost {more.percent:.2f} % more, at most {limit:g} % are allowed"
    busiest = next(iter(draft.loads), "")
    share = draft.loads[busiest].share_percent if busiest else 0.0
    for name, percent, said in (
        ("max_split_percent", draft.split_percent, "of the orders are split"),
        ("max_late_percent", draft.late_percent, "of the orders arrive late"),
        ("max_location_share_percent", share, f"of the parcels come from {busiest}"),
        ("max_unrouted_percent", _percent(found.lost, draft.orders), "of the orders lose their route"),
    ):
        most = getattr(guards, name)
        if most is not None and percent > most:
            yield f"{name}: {percent:.2f} % {said}, at most {most:g} % may"


def _summary(found: Comparison) -> dict[str, Any]:
    """The figures that are kept with a version."""
    active, draft, more = found.active, found.draft, found.difference
    figures: dict[str, Any] = {
        "orders": draft.orders,
        "against_version": active.version,
        "currency": draft.currency,
        "cost_per_order_minor": {"active": active.paid_per_order_minor, "draft": draft.paid_per_order_minor},
        "cost_difference_minor": {"mean": more.mean_minor, "low": more.low_minor, "high": more.high_minor},
        "cost_change_percent": more.percent,
        "split_percent": {"active": active.split_percent, "draft": draft.split_percent},
        "late_percent": {"active": active.late_percent, "draft": draft.late_percent},
        "unrouted": {"active": active.unrouted, "draft": draft.unrouted},
        "orders_changed": found.changed,
    }
    return {name: _rounded(one) for name, one in figures.items()}


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _rounded(value: Any) -> Any:
    """Figures as a person wants them: two digits after the point."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 2) if isinstance(value, float) else value
