"""`make bench-routing`: what exact routing costs and saves, against HiGHS and against rules of thumb.

Per class the same seeded orders are routed by `solve`, by HiGHS, by greedy set cover (again and again the location with
the lowest price per unit added) and line by line from the nearest location. Times are processor time; `ratio` is HiGHS
(model and solve) over `solve`, all orders of the class together, `ratio_of_medians` order by order. Rules fail where
they need more parcels than allowed: their gaps are means over the orders they route. One JSON line per class on
standard output, a table on standard error; exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from oms.domain.routing_model import Instance, Solution
from oms.domain.routing_search import solve
from tools import routing_rules
from tools.bench_routing_waves import rows as wave_rows
from tools.routing_instances import Shape, usual
from tools.routing_milp import Answer, solved

MICROSECONDS = 1_000_000
REPEATS = 3
"""Each order is solved so often and the least time counts: what else the machine does is not the search's."""

FEWEST_TIMES_FASTER = 100
MOST_MEDIAN_US = 300
USUAL_CLASS = "5 x 50, stocked 0.4"
PLAIN_WIDTH = 180
INTERRUPTED = 130
WAVES = "waves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Orders of one size. `highs_seconds` is when HiGHS is cut; None: never. `small`: the targets hold."""

    name: str
    shape: Shape
    instances: int = 60
    highs_seconds: float | None = None
    small: bool = True


def _classes() -> dict[str, Class]:
    sizes = [(lines, places) for places in (5, 10, 20, 50) for lines in (1, 2, 3, 5, 8)]
    made = [Class(name=f"{a} x {b}", shape=Shape(lines=a, locations=b)) for a, b in sizes]
    for lines, places, stocked in ((5, 50, 0.4), (8, 50, 1.0)):
        shape = Shape(lines=lines, locations=places, stocked=stocked)
        made.append(Class(name=f"{lines} x {places}, stocked {stocked}", shape=shape))
    for lines, places in ((3, 100), (3, 300), (3, 1_000), (10, 50), (14, 50), (20, 50), (20, 1_000)):
        shape = Shape(lines=lines, locations=places, stocked=0.4, tight=0.0)
        made.append(Class(name=f"{lines} x {places}", shape=shape, instances=5, highs_seconds=10.0, small=False))
    return {one.name: one for one in made}


CLASSES = _classes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One order of a class, by everybody."""

    seed: int
    found: Solution | None
    seconds: float
    answer: Answer
    highs_seconds: float
    greedy: int | None
    nearest: int | None


def measure(one: Class, instances: int, say: Callable[[], None]) -> list[Run]:
    """All orders of the class; first by `solve` alone, one after the other, as a batch would."""
    orders = [usual(seed, one.shape) for seed in range(instances)]
    timed = [_timed(order) for order in orders]
    runs = []
    for seed, (order, (found, seconds)) in enumerate(zip(orders, timed, strict=True)):
        began = time.process_time()
        answer = solved(order, one.highs_seconds)
        highs_seconds = time.process_time() - began
        greedy, nearest = routing_rules.set_cover(order), routing_rules.nearest(order)
        runs.append(
            Run(
                seed=seed,
                found=found,
                seconds=seconds,
                answer=answer,
                highs_seconds=highs_seconds,
                greedy=greedy,
                nearest=nearest,
            )
        )
        say()
    return runs


def _timed(order: Instance) -> tuple[Solution | None, float]:
    least, found = float("inf"), None
    for _ in range(REPEATS):
        began = time.process_time()
        found = solve(order)
        least = min(least, time.process_time() - began)
    return found, least


def row(one: Class, runs: list[Run]) -> dict[str, Any]:
    """The class as one flat object; gaps are shares of the least cost known."""
    gaps = [gap for run in runs if (gap := _gap(run.found.cost_minor if run.found else None, run)) is not None]
    ours, theirs = [run.seconds for run in runs], [run.highs_seconds for run in runs]
    hardest = max(runs, key=lambda run: (run.found.work if run.found else 0, run.seconds))
    return {
        "class": one.name,
        "lines": one.shape.lines,
        "locations": one.shape.locations,
        "instances": len(runs),
        "without_a_plan": sum(run.found is None for run in runs),
        "max_gap": round(max(gaps, default=0.0), 6),
        "mean_gap": round(fmean(gaps), 6) if gaps else 0.0,
        "missed_plans": sum(run.found is None and run.answer.cost_minor is not None for run in runs),
        "max_bound_gap": round(max((_bound_gap(run.found) for run in runs if run.found), default=0.0), 4),
        "proven_share": round(fmean(run.found is None or run.found.proven for run in runs), 4),
        "cpu_us_per_order": round(median(ours) * MICROSECONDS, 1),
        "cpu_us_mean": round(fmean(ours) * MICROSECONDS, 1),
        "cpu_us_p99": round(quantiles(ours, n=100, method="inclusive")[98] * MICROSECONDS, 1),
        "highs_cpu_us_per_order": round(median(theirs) * MICROSECONDS, 1),
        "highs_cut": sum(not run.answer.proven for run in runs),
        "ratio": round(sum(theirs) / sum(ours), 1),
        "ratio_of_medians": round(median(theirs) / median(ours), 1),
        "greedy_gap": _mean_gap(runs, "greedy"),
        "nearest_gap": _mean_gap(runs, "nearest"),
        "work_max": hardest.found.work if hardest.found else 0,
        "hardest_seed": hardest.seed,
        "hardest_us": round(hardest.seconds * MICROSECONDS),
        "hardest_highs_us": round(hardest.highs_seconds * MICROSECONDS),
        "hardest_proven": hardest.found is None or hardest.found.proven,
    }


def _best(run: Run) -> int | None:
    known = [run.found.cost_minor if run.found else None, run.answer.cost_minor]
    return min([cost for cost in known if cost is not None], default=None)


def _gap(cost: int | None, run: Run) -> float | None:
    best = _best(run)
    return None if cost is None or best is None else (cost - best) / max(1, best)


def _bound_gap(found: Solution) -> float:
    return (found.cost_minor - found.bound_minor) / max(1, found.cost_minor)


def _mean_gap(runs: list[Run], rule: str) -> float | None:
    gaps = [gap for run in runs if (gap := _gap(getattr(run, rule), run)) is not None]
    return round(fmean(gaps), 4) if gaps else None


def missed(line: dict[str, Any]) -> list[str]:
    """The targets a class misses, as a person reads them."""
    one, said = CLASSES.get(line["class"]), []
    if one is None or not one.small:
        return []
    if line["max_gap"] > 0 or line["missed_plans"] or line["proven_share"] < 1:
        said.append(f"gap {line['max_gap']}, {line['proven_share']:.0%} proven, {line['missed_plans']} plans missed")
    if line["ratio"] < FEWEST_TIMES_FASTER:
        said.append(f"{line['ratio']} times faster than HiGHS, at least {FEWEST_TIMES_FASTER}")
    if line["class"] == USUAL_CLASS and line["cpu_us_per_order"] > MOST_MEDIAN_US:
        said.append(f"median {line['cpu_us_per_order']} µs, at most {MOST_MEDIAN_US}")
    return said


COLUMNS = {
    "class": "lines x\nlocations",
    "instances": "orders",
    "proven_share": "proven",
    "max_gap": "gap\nmax",
    "max_bound_gap": "bound\ngap max",
    "cpu_us_per_order": "CPU µs\nmedian",
    "cpu_us_mean": "mean",
    "cpu_us_p99": "p99",
    "highs_cpu_us_per_order": "HiGHS µs\nmedian",
    "highs_cut": "cut",
    "ratio": "times\nfaster",
    "ratio_of_medians": "of\nmedians",
    "greedy_gap": "greedy\ngap",
    "nearest_gap": "nearest\ngap",
    "hardest_seed": "hardest\nseed",
    "hardest_us": "its\nµs",
    "hardest_highs_us": "HiGHS\nµs",
}


def show(lines: list[dict[str, Any]], console: Console) -> None:
    """A table for people, and what was missed."""
    table = Table(title="Routing one order")
    for key, heading in COLUMNS.items():
        table.add_column(heading, justify="left" if key == "class" else "right")
    for line in lines:
        table.add_row(*(str(line[key]) for key in COLUMNS))
    console.print(table)
    misses = [f"{line['class']}: {said}" for line in lines for said in missed(line)]
    for said in misses:
        console.print(f"missed  {said}", style="red")
    if lines and not misses:
        console.print("All targets met.", style="green")


def run(names: list[str], instances: int | None, console: Console) -> Iterator[dict[str, Any]]:
    """A row per class, printed when it is there."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for name in names:
            if name == WAVES:
                for line in wave_rows(progress):
                    print(json.dumps(line), flush=True)
                continue
            one = CLASSES[name]
            count = instances or one.instances
            task = progress.add_task(name, total=count)
            line = row(one, measure(one, count, lambda task=task: progress.advance(task)))  # type: ignore[misc]
            print(json.dumps(line), flush=True)
            yield line


def main(arguments: list[str]) -> int:
    """Runs the classes; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_routing", description=__doc__.splitlines()[0])
    every = [*CLASSES, WAVES]
    parser.add_argument("--classes", default=";".join(every), help=f"some of: {'; '.join(every)} (by semicolon)")
    parser.add_argument("--instances", type=int, help="orders of each class")
    options = parser.parse_args(arguments)
    names = [name.strip() for name in options.classes.split(";")]
    if unknown := set(names) - set(every):
        parser.error(f"there is no class {', '.join(sorted(unknown))}")
    if options.instances is not None and options.instances < 2:
        parser.error("--instances must be at least 2")
    console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PLAIN_WIDTH)
    try:
        lines = list(run(names, options.instances, console))
    except KeyboardInterrupt:
        return INTERRUPTED
    show(lines, console)
    return int(any(missed(line) for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
