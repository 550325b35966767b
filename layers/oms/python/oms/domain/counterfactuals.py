"""Why not that location? What a recorded decision says of it, and what would have had to be true for it to ship.

A location that was left out has a reason. One that could have shipped has a cheapest plan that uses it: every such
plan has a piece of some item there, so each item in turn is bound to the location and the rest is solved freely. The
cheapest of these plans is the answer, exact as far as each search is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from oms.domain.network import Destination
from oms.domain.routing_model import Instance, Item, Site, Solution
from oms.domain.routing_replay import Replay
from oms.domain.routing_search import solve
from oms.domain.routing_terms import ParcelTerms, arrival_of, cost_of, differences, parcels_of
from oms.domain.routing_wishes import Wish, wishes_of
from oms.domain.routing_words import REASONS, money, terms_in_words, words_for

MAX_BOUND_ITEMS = 20
"""Items that are bound to the location in turn; of orders with more, plans that use it may be overlooked."""


class Verdict(StrEnum):
    """What became of the location in the decision."""

    CHOSEN = "CHOSEN"
    ELIMINATED = "ELIMINATED"
    DEARER = "DEARER"
    AS_CHEAP = "AS_CHEAP"
    """Equal costs are decided by fewer parcels, then by name."""
    CHEAPER_ALONE = "CHEAPER_ALONE"
    """Cheaper for this order; it was routed together with others, the search was cut short, or data has changed."""
    NO_PLAN = "NO_PLAN"
    """It had something, and no plan within the rules uses it."""
    NOT_TOLD = "NOT_TOLD"
    """There were more candidates than the record names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The answer about one location: in words, and what the cheapest plan with it would have cost, and why more.

    `differences` are by term, less is negative. Of `wishes` each alone would have made it ship, as far as is known.
    """

    location_id: str
    verdict: Verdict
    reason: str | None = None
    text: str
    cost_minor: int | None = None
    difference_minor: int | None = None
    differences: dict[str, int] = field(default_factory=dict)
    deliver_by: datetime | None = None
    parcels: tuple[ParcelTerms, ...] = ()
    wishes: tuple[Wish, ...] = ()
    reference_data_changed: bool = False


def why_not(replay: Replay, location_id: str) -> Counterfactual:
    """What the decision says of this location."""
    found = _why_not(replay, location_id)
    return replace(found, reference_data_changed=replay.changed)


def _why_not(replay: Replay, location_id: str) -> Counterfactual:
    decision = replay.decision
    chosen = tuple(one for one in decision.parcels if one.location_id == location_id)
    if chosen:
        text = f"{location_id} was chosen: it ships {_lines(chosen)} for {_money(replay, cost_of(chosen))}."
        return Counterfactual(
            location_id=location_id, verdict=Verdict.CHOSEN, text=text, cost_minor=cost_of(chosen), parcels=chosen
        )
    reason = decision.why_eliminated(location_id)
    if reason:
        return _eliminated(replay, location_id, reason)
    site = next((one for one in replay.problem.instance.sites if one.location_id == location_id), None)
    if site is None:
        return _not_told(replay, location_id)
    plan = cheapest_with(replay.problem.instance, site)
    if plan is None:
        text = f"{location_id} had some of it, but no plan of at most {replay.problem.instance.max_parcels} parcels"
        wishes = wishes_of(replay, location_id, None)
        return Counterfactual(location_id=location_id, verdict=Verdict.NO_PLAN, text=f"{text} uses it.", wishes=wishes)
    return _compared(replay, location_id, plan)


def _eliminated(replay: Replay, location_id: str, reason: str) -> Counterfactual:
    needs = [need for line in replay.order.lines for need in line.needs]
    words = words_for(Destination.of(replay.order), needs)
    wishes = wishes_of(replay, location_id, None, reason=reason, words=words)
    text = f"{location_id} was left out: {REASONS[reason].format_map(words)}."
    return Counterfactual(location_id=location_id, verdict=Verdict.ELIMINATED, reason=reason, text=text, wishes=wishes)


def _not_told(replay: Replay, location_id: str) -> Counterfactual:
    decision = replay.decision
    text = f"The record does not tell of {location_id}: it names {len(decision.stock)} of {decision.candidates}"
    text += " locations that had some of it, and at most a hundred for each reason to be left out."
    return Counterfactual(location_id=location_id, verdict=Verdict.NOT_TOLD, text=text)


def _compared(replay: Replay, location_id: str, plan: tuple[ParcelTerms, ...]) -> Counterfactual:
    decision = replay.decision
    cost_minor = cost_of(plan)
    more = cost_minor - decision.cost_minor
    by_term = differences(decision.parcels, plan)
    verdict = Verdict.DEARER if more > 0 else Verdict.AS_CHEAP if more == 0 else Verdict.CHEAPER_ALONE
    text = f"The cheapest plan with {location_id} costs {_money(replay, cost_minor)}"
    text += {
        Verdict.DEARER: f", {_money(replay, more)} more",
        Verdict.AS_CHEAP: ", the same: fewer parcels win, then the first by name",
        Verdict.CHEAPER_ALONE: f", {_money(replay, -more)} less: {_why_not_taken(replay)}",
    }[verdict]
    if by_term:
        text += f" ({terms_in_words(by_term, decision.currency)})"
    return Counterfactual(
        location_id=location_id,
        verdict=verdict,
        text=f"{text}.",
        cost_minor=cost_minor,
        difference_minor=more,
        differences=by_term,
        deliver_by=arrival_of(plan),
        parcels=plan,
        wishes=wishes_of(replay, location_id, plan) if more >= 0 else (),
    )


def _why_not_taken(replay: Replay) -> str:
    """Why the cheapest plan for this order alone was not the one."""
    if replay.changed:
        return "locations, rates or the policy have changed since"
    if replay.decision.in_wave:
        return "orders that were routed at once pay less together"
    return "the search was cut short" if not replay.decision.proven else "it was not found"


def cheapest_with(instance: Instance, site: Site) -> tuple[ParcelTerms, ...] | None:
    """The parcels of the cheapest plan that ships something from the site; None where none was found."""
    best: tuple[Solution, Instance] | None = None
    here = [at for at, pieces in enumerate(site.room) if pieces][:MAX_BOUND_ITEMS]
    for at in here:
        bound = _bound_to(instance, site.location_id, at)
        found = solve(bound)
        if found and (best is None or found.cost_minor < best[0].cost_minor):
            best = found, bound
    return parcels_of(best[1].items, best[0].parcels) if best else None


def _bound_to(instance: Instance, location_id: str, at: int) -> Instance:
    """The instance with one piece of the item at this location, wherever its other pieces go."""
    item = instance.items[at]
    items: list[Item] = [*instance.items]
    items[at] = replace(item, pieces=1)
    left = item.pieces - 1
    if left:
        items.append(replace(item, pieces=left))
    sites = [_with_room(one, at, left, is_bound=one.location_id == location_id) for one in instance.sites]
    return Instance(items=items, sites=sites, max_parcels=instance.max_parcels, shared=instance.shared)


def _with_room(site: Site, at: int, left: int, *, is_bound: bool) -> Site:
    room = [*site.room]
    rest = (room[at] - 1) if is_bound else room[at]
    room[at] = 1 if is_bound else 0
    return replace(site, room=(*room, min(rest, left)) if left else tuple(room))


def _lines(parcels: Sequence[ParcelTerms]) -> str:
    units: Mapping[str, int] = {line_id: number for one in parcels for line_id, number in one.lines.items()}
    return ", ".join(f"{number} of line {line_id}" for line_id, number in units.items())


def _money(replay: Replay, minor: int) -> str:
    return money(minor, replay.decision.currency)
