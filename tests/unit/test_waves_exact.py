"""Waves of orders that want the same stock, against the joint integer optimum by HiGHS."""

from __future__ import annotations

import pytest

from oms.domain.waves import improve
from tools.wave_instances import Kind, make_wave
from tools.wave_milp import joint_optimum

SMALL = Kind(orders=14, locations=8, skus=6, plenty=1.4)
WITHIN = 0.005
MAX_SECONDS = 60.0


@pytest.mark.parametrize("seed", [3, 4, 8, 10, 16, 21])
def test_a_batch_routed_together_costs_within_half_a_percent_of_the_joint_optimum_where_one_by_one_costs_more(
    seed: int,
) -> None:
    wave = make_wave(seed, SMALL)
    best, _ = joint_optimum(wave, MAX_SECONDS)
    assert best.proven
    assert best.cost_minor is not None
    result = improve(wave.orders, wave.stock, wave.places)
    assert wave.greedy_minor > best.cost_minor * (1 + WITHIN)
    assert result.bound_minor <= best.cost_minor <= result.after_minor <= best.cost_minor * (1 + WITHIN)


def test_what_is_said_to_be_the_least_the_batch_can_cost_never_exceeds_the_joint_optimum() -> None:
    for seed in range(10):
        wave = make_wave(seed, Kind(orders=6, locations=5, skus=4, plenty=1.2))
        best, _ = joint_optimum(wave, MAX_SECONDS)
        for limit in (0, 300, 5_000, 500_000):
            result = improve(wave.orders, wave.stock, wave.places, limit)
            assert best.cost_minor is not None
            assert result.bound_minor <= best.cost_minor <= result.after_minor <= wave.greedy_minor
