"""A recorded decision as an account a person can read: what was chosen, what it cost and why, what else there was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from oms.domain.counterfactuals import Counterfactual
from oms.domain.network import Destination, Ineligible
from oms.domain.promise_words import SAYS
from oms.domain.routing import SplitReason
from oms.domain.routing_policy import Relaxation
from oms.domain.routing_record import Alternative, Decision
from oms.domain.routing_terms import ParcelTerms, arrival_of, differences
from oms.domain.routing_words import GIVEN_UP, REASONS, money, terms_in_words, words_for


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSummary:
    """One of the order's decisions, as a list shows it."""

    decision_id: str
    decided_at: datetime
    policy_version: int
    cost_minor: int
    location_ids: tuple[str, ...]
    lines: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeAccount:
    """The cheapest plan that does `without` one of the locations, and how much more it costs, by term."""

    without: str
    text: str
    cost_minor: int
    difference_minor: int
    differences: dict[str, int]
    proven: bool
    deliver_by: datetime | None = None
    parcels: tuple[ParcelTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateAccount:
    """A location that had some of it: units by sku, and what it would cost to ship all from there, where it could."""

    location_id: str
    stock: dict[str, int]
    alone_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elimination:
    """Locations that were left out for one reason; `count` may be more than are named."""

    reason: str
    text: str
    count: int
    location_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something that had to be assumed of a location."""

    location_id: str
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingAccount:
    """One decision whole. Money in minor units of `currency`; of `candidates` locations those in `told` are named."""

    order_id: str
    decision_id: str
    decided_at: datetime
    text: str
    policy_version: int
    currency: str
    cost_minor: int
    bound_minor: int
    proven: bool
    in_wave: bool
    deliver_by: datetime | None = None
    promised_by: datetime | None = None
    split_reason: SplitReason | None = None
    relaxed: tuple[Relaxation, ...]
    lines: dict[str, int]
    parcels: tuple[ParcelTerms, ...]
    alternative: AlternativeAccount | None = None
    candidates: int
    told: tuple[CandidateAccount, ...]
    eliminated: tuple[Elimination, ...]
    warnings: tuple[Caution, ...]
    places: dict[str, dict[str, int]]
    rate_cards: tuple[str, ...]
    decisions: tuple[DecisionSummary, ...]
    why_not: Counterfactual | None = None


def account_of(decision: Decision, all_of_them: Iterable[Decision], why_not: Counterfactual | None) -> RoutingAccount:
    """The account of a decision, beside the other decisions of its order."""
    return RoutingAccount(
        order_id=decision.order_id,
        decision_id=decision.decision_id,
        decided_at=decision.decided_at,
        text=_in_words(decision),
        policy_version=decision.policy_version,
        currency=decision.currency,
        cost_minor=decision.cost_minor,
        bound_minor=decision.bound_minor,
        proven=decision.proven,
        in_wave=decision.in_wave,
        deliver_by=decision.deliver_by,
        promised_by=decision.promised_by,
        split_reason=decision.split_reason,
        relaxed=decision.relaxed,
        lines=decision.lines,
        parcels=decision.parcels,
        alternative=_alternative(decision, decision.alternative) if decision.alternative else None,
        candidates=decision.candidates,
        told=_told(decision),
        eliminated=tuple(_elimination(decision, reason, named) for reason, named in decision.eliminated.items()),
        warnings=tuple(
            Caution(location_id=one, code=code, text=SAYS.get(code, code))
            for one, codes in decision.warnings.items()
            for code in codes
        ),
        places=decision.places,
        rate_cards=decision.cards,
        decisions=tuple(_summary(one) for one in all_of_them),
        why_not=why_not,
    )


def _summary(decision: Decision) -> DecisionSummary:
    return DecisionSummary(
        decision_id=decision.decision_id,
        decided_at=decision.decided_at,
        policy_version=decision.policy_version,
        cost_minor=decision.cost_minor,
        location_ids=tuple(one.location_id for one in decision.parcels),
        lines=decision.lines,
    )


def _alternative(decision: Decision, other: Alternative) -> AlternativeAccount:
    more = other.cost_minor - decision.cost_minor
    by_term = differences(decision.parcels, other.parcels)
    named = " and ".join(one.location_id for one in other.parcels)
    text = f"Without {other.without} the cheapest is {named} for {money(other.cost_minor, decision.currency)}"
    text += f": {terms_in_words(by_term, decision.currency)}." if by_term else ", the same."
    return AlternativeAccount(
        without=other.without,
        text=text,
        cost_minor=other.cost_minor,
        difference_minor=more,
        differences=by_term,
        proven=other.bound_minor >= other.cost_minor,
        deliver_by=arrival_of(other.parcels),
        parcels=other.parcels,
    )


def _told(decision: Decision) -> tuple[CandidateAccount, ...]:
    """The candidates the record names; locations that had not enough of any line are none."""
    short = set(decision.eliminated.get(Ineligible.NO_STOCK, ()))
    return tuple(
        CandidateAccount(location_id=one, stock=decision.units_at(one), alone_minor=decision.alone_minor.get(one))
        for one in decision.stock
        if one not in short
    )


def _elimination(decision: Decision, reason: str, named: tuple[str, ...]) -> Elimination:
    destination = Destination(
        ship_to=decision.ship_to,
        method=decision.method,
        service_level=decision.service_level,
        pickup_location_id=decision.pickup_location_id,
    )
    return Elimination(
        reason=reason,
        text=REASONS[reason].format_map(words_for(destination)),
        count=decision.eliminated_counts.get(reason, len(named)),
        location_ids=named,
    )


def _in_words(decision: Decision) -> str:
    """`WH-A and WH-B ship it for 12.00 USD, proved to be the cheapest; split because …`."""
    named = [one.location_id for one in decision.parcels]
    text = f"{' and '.join(named)} {'ships' if len(named) == 1 else 'ship'} it"
    text += f" for {money(decision.cost_minor, decision.currency)}"
    if decision.in_wave:
        text += ", chosen together with orders that were routed at once and pay less together"
    elif decision.proven:
        text += ", proved to be the cheapest"
    else:
        text += f"; no plan costs less than {money(decision.bound_minor, decision.currency)}"
    if decision.split_reason is SplitReason.CHEAPER:
        text += "; split because that is cheaper than one parcel"
    elif decision.split_reason is SplitReason.NO_LOCATION_HAS_ALL:
        text += "; split because no location has all of it"
    if decision.relaxed:
        text += f"; given up: {', '.join(GIVEN_UP[one] for one in decision.relaxed)}"
    return f"{text}."
