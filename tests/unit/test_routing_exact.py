"""The search's plans are the cheapest there are: compared, order by order, with what HiGHS says of the same model."""

from __future__ import annotations

import pytest

from oms.domain.routing_search import solve
from tools.routing_check import wrong
from tools.routing_instances import SIZES, case
from tools.routing_milp import solved

DEAR = "dear together"
"""Orders whose parcels cost less the smaller they are: few of these take more work than an order is given."""

PLACES_AT_MOST = 20
ORDERS = [seed for seed in range(2_000) if SIZES[seed % len(SIZES)][1] <= PLACES_AT_MOST][:500]
"""Of all kinds and sizes but the largest, which `make prove-routing` has: HiGHS takes long over those."""


@pytest.mark.parametrize("start", range(0, len(ORDERS), 50))
def test_no_plan_is_cheaper_than_the_one_found_and_none_is_missed(start: int) -> None:
    for seed in ORDERS[start : start + 50]:
        order = case(seed)
        found, answer = solve(order.instance), solved(order.instance)
        assert (found.cost_minor if found else None) == answer.cost_minor, f"order {seed}, {order.kind}"
        if found:
            assert wrong(order.instance, found) == []
            assert found.proven or order.kind == DEAR, f"order {seed}, {order.kind}"
