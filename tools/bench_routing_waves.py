"""What routing a batch together saves over one by one, against the joint integer optimum; and what looking again at
orders that are not released yet saves. Every row says under which conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import mean
from time import process_time
from typing import Any

from rich.progress import Progress

from oms.domain.waves import WaveResult, improve
from tools.reroute_day import Day, played
from tools.wave_instances import Kind, Wave, make_wave
from tools.wave_milp import joint_optimum

WAVES = 20
"""Waves of each class, seeds from 0."""

CLASSES = {
    "wave-100": Kind(),
    "wave-100-scarcer": Kind(plenty=1.3),
    "wave-100-easier": Kind(plenty=2.5),
    "wave-100-in-plenty": Kind(plenty=30.0, spread=1.0, counted=0.0),
}
LARGEST = ("wave-490", Kind(orders=490, locations=20, skus=120), 3)
"""As many orders as one batch has, in so many waves; HiGHS is not asked."""

HIGHS_SECONDS = 60.0
"""After which HiGHS is cut; then its bound is compared with."""

PLENTY = (1.2, 2.0, 4.0)
WINDOWS = (30, 120)
DAYS = 2


def rows(progress: Progress) -> Iterator[dict[str, Any]]:
    """One row per class, in full."""
    for name, kind in CLASSES.items():
        yield against_the_optimum(name, kind, WAVES, progress)
    name, kind, waves = LARGEST
    yield against_the_bound(name, kind, waves, progress)
    yield from rerouting(progress)


def against_the_optimum(name: str, kind: Kind, waves: int, progress: Progress) -> dict[str, Any]:
    """How far the plans made one by one and those made together are from the joint optimum."""
    task = progress.add_task(name, total=waves)
    greedy, gaps, bounds, orders, ours, theirs, cut = [], [], [], [], [], [], 0
    for seed in range(waves):
        wave = make_wave(seed, kind)
        result, seconds = _timed(wave)
        answer, highs_seconds = joint_optimum(wave, HIGHS_SECONDS)
        least = answer.cost_minor if answer.proven and answer.cost_minor is not None else answer.bound_minor
        greedy.append(result.before_minor / least - 1)
        gaps.append(result.after_minor / least - 1)
        bounds.append(1 - result.bound_minor / least)
        orders.append(len(wave.orders))
        ours.append(seconds)
        theirs.append(highs_seconds)
        cut += not answer.proven
        progress.advance(task)
    return {
        "class": name,
        "waves": waves,
        "orders": round(mean(orders)),
        "locations": kind.locations,
        "stock_per_unit_wanted": kind.plenty,
        "greedy_gap": _share(mean(greedy)),
        "greedy_gap_min": _share(min(greedy)),
        "wave_gap_max": _share(max(gaps)),
        "wave_gap_mean": _share(mean(gaps)),
        "bound_gap": _share(mean(bounds)),
        "cpu_ms_per_wave": round(mean(ours) * 1000, 1),
        "cpu_ms_max": round(max(ours) * 1000, 1),
        "highs_s": round(mean(theirs), 2),
        "highs_cut": cut,
    }


def against_the_bound(name: str, kind: Kind, waves: int, progress: Progress) -> dict[str, Any]:
    """The same of waves too large to be solved, against the bound that was proven."""
    task = progress.add_task(name, total=waves)
    found = []
    for seed in range(waves):
        wave = make_wave(seed, kind)
        found.append((len(wave.orders), *_timed(wave)))
        progress.advance(task)
    return {
        "class": name,
        "waves": waves,
        "orders": round(mean(orders for orders, _, _ in found)),
        "locations": kind.locations,
        "stock_per_unit_wanted": kind.plenty,
        "saved": _share(mean(1 - one.after_minor / one.before_minor for _, one, _ in found)),
        "above_bound_max": _share(max(one.after_minor / one.bound_minor - 1 for _, one, _ in found)),
        "cpu_ms_per_wave": round(mean(seconds for *_, seconds in found) * 1000, 1),
        "cpu_ms_max": round(max(seconds for *_, seconds in found) * 1000, 1),
        "work_max": max(one.work for _, one, _ in found),
    }


def rerouting(progress: Progress) -> Iterator[dict[str, Any]]:
    """What looking again every few minutes saves, by how scarce stock is and how long orders can be moved."""
    task = progress.add_task("reroute", total=len(PLENTY) * len(WINDOWS) * DAYS)
    for plenty in PLENTY:
        for window in WINDOWS:
            days = [Day(seed=seed, plenty=plenty, window_minutes=window) for seed in range(DAYS)]
            yield {"class": "reroute", "days": DAYS, **_rerouted(days, lambda: progress.advance(task))}


def _rerouted(days: Sequence[Day], tick: Callable[[], None]) -> dict[str, Any]:
    """Both ways to play these days; only orders that were routed in both are compared."""
    kept = moved = moves = orders = unrouted = 0
    for day in days:
        first, again = played(day, looks_again=False), played(day, looks_again=True)
        both = first.costs.keys() & again.costs.keys()
        kept += sum(first.costs[key] for key in both)
        moved += sum(again.costs[key] for key in both)
        moves, orders = moves + again.moves, orders + len(both)
        unrouted += len(first.costs) - len(again.costs)
        tick()
    return {
        "orders": orders,
        "stock_per_unit_wanted": days[0].plenty,
        "arriving_share": days[0].arriving,
        "window_minutes": days[0].window_minutes,
        "every_minutes": days[0].every_minutes,
        "threshold_minor": days[0].threshold_minor,
        "saved": _share(1 - moved / kept),
        "moves_per_100_orders": round(100 * moves / orders, 1),
        "fewer_routed": unrouted,
    }


def _timed(wave: Wave) -> tuple[WaveResult, float]:
    began = process_time()
    result = improve(wave.orders, wave.stock, wave.places)
    return result, process_time() - began


def _share(value: float) -> float:
    return round(value, 5)
