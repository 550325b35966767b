"""The bench's day of orders that are routed again while they wait."""

from __future__ import annotations

from dataclasses import replace

from tools.reroute_day import Day, played

DAY = Day(seed=3, plenty=1.5, window_minutes=60, orders=40, minutes=120, arriving=0.5)


def test_waiting_orders_are_moved_to_cheaper_plans_as_stock_comes_in() -> None:
    first, again = played(DAY, looks_again=False), played(DAY, looks_again=True)
    both = first.costs.keys() & again.costs.keys()
    assert first.moves == 0 < again.moves
    assert sum(again.costs[key] for key in both) < sum(first.costs[key] for key in both)


def test_nothing_moves_for_less_than_the_threshold() -> None:
    first = played(DAY, looks_again=False)
    assert played(replace(DAY, threshold_minor=1_000_000), looks_again=True) == first


def test_nothing_moves_where_orders_are_released_at_once() -> None:
    day = replace(DAY, window_minutes=0)
    assert played(day, looks_again=True) == played(day, looks_again=False)
