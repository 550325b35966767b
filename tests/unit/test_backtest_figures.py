"""What a backtest finds: figures of two policies, their difference, and whether a draft may become active."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import sqrt
from random import Random
from statistics import stdev
from typing import Any

import pytest

from oms.domain.backtest_figures import Comparison, Pair, compare, judge
from oms.domain.backtesting import Outcome
from oms.domain.routing_policy import Guards
from oms.domain.routing_terms import ParcelTerms
from tests.unit.builders import NOON

NO_GUARDS = Guards(max_cost_increase_percent=None, max_unrouted_percent=None)


def outcome(number: int, *places: str, minor: int = 0, days: int | None = None, **facts: Any) -> Outcome:
    """What a policy makes of an order; the parcels cost so much together and arrive so many days after NOON."""
    each = minor // max(1, len(places))
    return Outcome(
        **{
            "order_id": f"order-{number}",
            "promised_by": None,
            "currency": "USD",
            "parcels": tuple(ParcelTerms(location_id=one, lines={"L1": 2}, freight_minor=each) for one in places),
            "deliver_by": None if days is None else NOON + timedelta(days=days),
            "why_not": "" if places else "NO_ROUTE",
        }
        | facts
    )


def compared(before: list[Outcome], after: list[Outcome]) -> Comparison:
    return compare([Pair(*both) for both in zip(before, after, strict=True)], (1, 2))


def test_the_figures_of_a_policy() -> None:
    before = [
        outcome(1, "EAST", minor=500, days=2),
        outcome(2, "EAST", "WEST", minor=1500, days=3),
        outcome(3, "EAST", minor=400, days=5, promised_by=NOON + timedelta(days=4)),
        outcome(4),
    ]
    found = compared(before, before)
    figures = found.active
    assert (figures.orders, figures.routed, figures.unrouted) == (4, 3, 1)
    assert (figures.paid_minor, figures.paid_per_order_minor) == (2400, 800)
    assert figures.terms_minor["freight_minor"] == 2400
    assert figures.split_percent == pytest.approx(100 / 3)
    assert figures.late_percent == pytest.approx(100 / 3)
    assert figures.why_not == {"NO_ROUTE": 1}
    assert {one: (load.parcels, load.units, load.share_percent) for one, load in figures.loads.items()} == {
        "EAST": (3, 6, 75.0),
        "WEST": (1, 2, 25.0),
    }
    assert (found.changed, found.lost, found.difference.mean_minor) == (0, 0, 0)


def test_late_is_later_than_promised_or_than_the_active_policy_where_nothing_was() -> None:
    promised_by = NOON + timedelta(days=5)
    before = [outcome(1, "EAST", days=2), outcome(2, "EAST", days=6, promised_by=promised_by)]
    after = [outcome(1, "WEST", days=3), outcome(2, "WEST", days=5, promised_by=promised_by)]
    found = compared(before, after)
    assert (found.active.late_percent, found.draft.late_percent) == (50, 50)


def test_costs_are_compared_order_by_order_with_an_interval() -> None:
    more = [100, -50, 0, 30, 20]
    before = [outcome(number, "EAST", minor=1000) for number in range(5)] + [outcome(5)]
    after = [outcome(number, "EAST", minor=1000 + one) for number, one in enumerate(more)]
    found = compared(before, [*after, outcome(5, "EAST", minor=9000)]).difference
    reach = 1.959964 * stdev(more) / sqrt(5)
    assert (found.orders, found.mean_minor) == (5, 20)
    assert found.percent == pytest.approx(2.0)
    assert (found.low_minor, found.high_minor) == (pytest.approx(20 - reach), pytest.approx(20 + reach))


def test_the_interval_holds_the_true_difference_about_19_times_in_20() -> None:
    held, random = 0, Random(4)
    for _ in range(400):
        after = [outcome(number, "EAST", minor=1000 + round(random.gauss(15, 60))) for number in range(50)]
        found = compared([outcome(number, "EAST", minor=1000) for number in range(50)], after).difference
        held += found.low_minor <= 15 <= found.high_minor
    assert 0.92 < held / 400 < 0.98


def test_the_orders_that_change_most_come_first_and_those_that_lose_their_route_before_all() -> None:
    before = [outcome(1, "EAST", minor=500), outcome(2, "EAST", minor=500), outcome(3, "EAST"), outcome(4, "EAST")]
    after = [outcome(1, "WEST", minor=400), outcome(2, "WEST", minor=900), outcome(3), outcome(4, "EAST")]
    found = compared(before, after)
    assert [one.order_id for one in found.changes] == ["order-3", "order-2", "order-1"]
    assert (found.changes[1].before, found.changes[1].after) == (("EAST",), ("WEST",))
    assert [one.more_minor for one in found.changes[1:]] == [400, -100]
    assert (found.changed, found.lost) == (3, 1)


# The verdict


def many(number: int, *places: str, start: int = 0, **facts: Any) -> list[Outcome]:
    return [outcome(start + one, *places, **facts) for one in range(number)]


@pytest.mark.parametrize(
    ("guards", "before", "after", "violated"),
    [
        ({"max_cost_increase_percent": 2.0}, many(40, "EAST", minor=1000), many(40, "EAST", minor=1020), []),
        (
            {"max_cost_increase_percent": 2.0},
            many(40, "EAST", minor=1000),
            many(40, "EAST", minor=1025),
            ["max_cost_increase_percent: orders cost 2.50 % more, at most 2 % are allowed"],
        ),
        ({"max_cost_increase_percent": 2.0}, many(40, "EAST", minor=1000), many(40, "EAST", minor=10), []),
        (
            {"max_cost_increase_percent": 2.0},
            many(40, "EAST"),
            many(40, "EAST", minor=25),
            ["max_cost_increase_percent: orders that cost nothing now cost 25 each"],
        ),
        (
            {"max_cost_increase_percent": 2.0},
            many(40, "EAST", minor=1000),
            many(40, "EAST", minor=900, currency="EUR"),
            ["max_cost_increase_percent: costs are in EUR now, and were in USD"],
        ),
        (
            {"max_split_percent": 10},
            many(40, "EAST"),
            many(35, "EAST") + many(5, "EAST", "WEST", start=35),
            ["max_split_percent: 12.50 % of the orders are split, at most 10 % may"],
        ),
        (
            {"max_late_percent": 2.5},
            many(40, "EAST", days=2),
            many(38, "EAST", days=2) + many(2, "EAST", start=38, days=3),
            ["max_late_percent: 5.00 % of the orders arrive late, at most 2.5 % may"],
        ),
        (
            {"max_location_share_percent": 75},
            many(40, "EAST"),
            many(38, "WEST") + many(2, "EAST", start=38),
            ["max_location_share_percent: 95.00 % of the parcels come from WEST, at most 75 % may"],
        ),
        (
            {"max_unrouted_percent": 0.0},
            many(39, "EAST") + many(1, start=39),
            many(38, "EAST") + many(2, start=38),
            ["max_unrouted_percent: 2.50 % of the orders lose their route, at most 0 % may"],
        ),
        ({"max_unrouted_percent": 0.0}, many(39, "EAST") + many(1), many(39, "EAST") + many(1), []),
        ({}, many(39, "EAST"), many(39), []),
        (
            {"max_split_percent": 10},
            many(29, "EAST"),
            many(29, "EAST", "WEST"),
            ["orders: 29 could be tried, at least 30 are needed"],
        ),
    ],
)
def test_each_violated_guard_is_told_with_its_figure_and_limit(
    guards: dict[str, float], before: list[Outcome], after: list[Outcome], violated: list[str]
) -> None:
    verdict = judge(compared(before, after), replace(NO_GUARDS, **guards), NOON)
    assert list(verdict.violated) == violated
    assert verdict.passed is not bool(violated)


def test_a_single_order_among_many_that_loses_its_route_is_not_rounded_away() -> None:
    found = compared(many(30_000, "EAST"), many(29_999, "EAST") + many(1, start=29_999))
    assert not judge(found, Guards(), NOON).passed


def test_few_orders_are_enough_for_who_says_so_but_none_are_not() -> None:
    few = compared(many(2, "EAST"), many(2, "EAST"))
    assert judge(few, Guards(), NOON, min_orders=1).passed
    assert not judge(compared([], []), Guards(), NOON, min_orders=0).passed


def test_the_verdict_keeps_the_figures_that_are_worth_it() -> None:
    verdict = judge(compared(many(40, "EAST", minor=1000), many(40, "WEST", minor=990)), Guards(), NOON)
    assert verdict.backtested_at == NOON
    assert verdict.summary["cost_per_order_minor"] == {"active": 1000, "draft": 990}
    assert (verdict.summary["cost_change_percent"], verdict.summary["orders_changed"]) == (-1, 40)
    assert verdict.summary["unrouted"] == {"active": 0, "draft": 0}
