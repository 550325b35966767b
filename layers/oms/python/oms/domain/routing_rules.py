"""The policy's constraints, and what is given up one after the other when nothing fits them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from oms.domain.routing_policy import MAX_PARCELS_EVER, Constraints, Lateness, LineSplit, Relaxation, RoutingPolicy


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy's constraints without what was given up."""

    constraints: Constraints
    relaxed: tuple[Relaxation, ...] = ()


FREE = Rules(Constraints(max_parcels=MAX_PARCELS_EVER, line_split=LineSplit.ALWAYS))
"""Whatever could be shipped at all can be shipped by these."""


def ever_laxer(policy: RoutingPolicy) -> Iterator[Rules]:
    """The constraints as they are, then with more and more given up; what changes nothing is no step."""
    rules = Rules(policy.constraints)
    yield rules
    for one in policy.fallbacks:
        laxer = _without(rules.constraints, one)
        if laxer != rules.constraints:
            rules = Rules(laxer, (*rules.relaxed, one))
            yield rules


def _without(constraints: Constraints, given_up: Relaxation) -> Constraints:
    match given_up:
        case Relaxation.ALLOW_LATE:
            return replace(constraints, lateness=Lateness.PENALISED)
        case Relaxation.SPLIT_LINES:
            return replace(constraints, line_split=LineSplit.ALWAYS)
        case Relaxation.MORE_PARCELS:
            return replace(constraints, max_parcels=MAX_PARCELS_EVER)
        case Relaxation.ANY_SEGMENT:
            return replace(constraints, segments=())
