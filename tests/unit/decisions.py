"""Routing decisions for tests: an order routed on this stock, with its record and the record put again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oms.domain.network import Network
from oms.domain.order import Order
from oms.domain.rates import RateCard
from oms.domain.routing import route
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_record import Decision, record
from oms.domain.routing_replay import Reference, Replay, replay
from oms.stores.documents import from_document, to_document
from tests.unit.builders import Candidate, network, stock_of
from tests.unit.rate_cards import small_card


def decided(
    order: Order,
    candidates: Sequence[Candidate],
    *cards: RateCard,
    policy: RoutingPolicy | None = None,
    planned: Mapping[tuple[str, str], int] | None = None,
) -> Decision:
    """The record of routing the order on this stock, as it is read again."""
    known = network((one.location for one in candidates), *cards, policy=policy, planned=planned)
    return recorded(order, known, stock_of(candidates))


def recorded(order: Order, known: Network, stock: Mapping[str, Mapping[str, int]]) -> Decision:
    """The record of routing the order, written and read again."""
    decision = record(order, route(order, known, stock), known, stock)
    assert decision is not None
    document: dict[str, Any] = to_document(decision)
    return from_document(Decision, document)


def again(
    decision: Decision,
    order: Order,
    candidates: Sequence[Candidate],
    *cards: RateCard,
    policy: RoutingPolicy | None = None,
) -> Replay:
    """The decision put again, with reference data as it is in these candidates."""
    reference = Reference(
        locations=[one.location for one in candidates],
        cards=cards or (small_card(),),
        policy=policy or RoutingPolicy(),
    )
    return replay(decision, order, reference)
