"""`make bench-stock`: what it costs to promise stock, through the real allocation handler, in full batches.

Each case runs in four ways: undisturbed; 5 % of the orders asked for twice and 5 % for what is not there; two workers
with 2 % of the transactions refused for a conflict; two workers that have 5 % of the orders in hand at the same time.
Each way runs twice: in groups, and with one transaction per order on a tenth of the orders. One JSON line per case and
way on standard output, a table on standard error; exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tools import bench_engine, bench_orders
from tools.bench_orders import Workload
from tools.bench_run import Bench, Figures, Way

CLEAN = Way("clean")
DISTURBED = Way("disturbed", repeated=0.05, short=0.05)
CONTESTED = Way("contested", workers=2, conflict_share=0.02)
CROSSED = Way("crossed", workers=2, crossed=0.05)
WAYS = (CLEAN, DISTURBED, CONTESTED, CROSSED)

HOT_SKU, BASKETS, APART = "hot_sku", "baskets", "apart"
CASES: dict[str, tuple[Callable[[int], Workload], int]] = {
    HOT_SKU: (bench_orders.hot_sku, 10_000),
    BASKETS: (bench_orders.baskets, 10_000),
    APART: (bench_orders.apart, 2_000),
}
"""How each case is made, and its orders unless told otherwise; `apart` reads two positions per order, so has fewer."""

ALONE_SHARE = 10
FEWEST_ALONE = 100

MOST_TRANSACTIONS = {(HOT_SKU, CLEAN.name): 104, (HOT_SKU, CONTESTED.name): 140}
"""Of 10,000 orders."""

FEWEST_TOGETHER = {(APART, CLEAN.name): 20}
"""Orders in each transaction but the last of a batch: two lines are five actions of a hundred."""

FEWEST_TIMES_CHEAPER = 4
"""In groups than one by one; not of `crossed`, where most transactions are written a second time."""

MICROSECONDS = 1_000_000
PLAIN_WIDTH = 160
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Result:
    """A case in one way, in groups and alone, beside its targets."""

    case: str
    way: Way
    grouped: Figures
    alone: Figures

    @property
    def ratio(self) -> float:
        """How many times less processor time the commit step takes per order in groups."""
        return _per_order(self.alone, self.alone.commit_seconds) / _per_order(self.grouped, self.grouped.commit_seconds)

    def line(self) -> dict[str, Any]:
        """The result as one flat object."""
        grouped, alone = self.grouped, self.alone
        return {
            "case": self.case,
            "way": self.way.name,
            "orders": grouped.orders,
            "workers": self.way.workers,
            "batch": grouped.batch,
            "transactions": grouped.transactions,
            "orders_per_transaction": round(grouped.orders / grouped.transactions, 1),
            "calls": grouped.calls,
            "wru_per_order": round(_per_order(grouped, grouped.wru), 2),
            "rru_per_order": round(_per_order(grouped, grouped.rru), 2),
            "conflicts": grouped.conflicts,
            "evictions": grouped.evictions,
            "rounds": grouped.rounds,
            "allocated": grouped.allocated,
            "waiting": grouped.waiting,
            "oversold": grouped.oversold + alone.oversold,
            "cpu_us_per_order": _microseconds(grouped, grouped.handler_seconds),
            "commit_cpu_us_per_order": _microseconds(grouped, grouped.commit_seconds),
            "answer_cpu_us_per_order": _microseconds(grouped, grouped.answer_seconds),
            "one_by_one_orders": alone.orders,
            "one_by_one_transactions": alone.transactions,
            "one_by_one_wru_per_order": round(_per_order(alone, alone.wru), 2),
            "one_by_one_commit_cpu_us_per_order": _microseconds(alone, alone.commit_seconds),
            "ratio_to_one_by_one": round(self.ratio, 1),
            "missed": self.missed(),
        }

    def missed(self) -> list[str]:
        """The targets this result misses, as a person reads them."""
        said, most = [], self._most_transactions()
        if self.grouped.transactions > most:
            said.append(f"{self.grouped.transactions} transactions, at most {most:.0f}")
        if self.way != CROSSED and self.ratio < FEWEST_TIMES_CHEAPER:
            said.append(f"{self.ratio:.2f} times cheaper than one by one, at least {FEWEST_TIMES_CHEAPER}")
        for figures in (self.grouped, self.alone):
            said += _wrong(figures, self.way)
        return said

    def _most_transactions(self) -> float:
        key, orders = (self.case, self.way.name), self.grouped.orders
        if key in FEWEST_TOGETHER:
            batches, rest = divmod(orders, self.grouped.batch)
            in_a_batch = math.ceil(self.grouped.batch / FEWEST_TOGETHER[key])
            return batches * in_a_batch + math.ceil(rest / FEWEST_TOGETHER[key])
        return math.ceil(MOST_TRANSACTIONS[key] * orders / 10_000) if key in MOST_TRANSACTIONS else math.inf


def _wrong(figures: Figures, way: Way) -> list[str]:
    """What no run may ever come to."""
    short = int(figures.orders * way.short)
    wrong = {
        "units oversold": figures.oversold,
        "units held for nobody": figures.stranded,
        "messages never answered": figures.unanswered,
        "orders neither allocated nor known to be short": figures.orders - figures.allocated - figures.waiting,
        "orders that wait without a cause, or were served without stock": abs(figures.waiting - short),
    }
    return [f"{what}: {number}" for what, number in wrong.items() if number]


def _per_order(figures: Figures, amount: float) -> float:
    return amount / figures.orders


def _microseconds(figures: Figures, seconds: float) -> float:
    return round(_per_order(figures, seconds) * MICROSECONDS, 1)


def measure(case: str, orders: int | None, say: Callable[[str], None]) -> list[Result]:
    """All ways of a case, one after the other, on the same tables."""
    make, usual = CASES[case]
    orders = orders or usual
    workload = make(orders)
    bench = Bench(workload)
    say(f"{case}: {workload.says}; laying out stock")
    bench.set_up()
    results = []
    for way in WAYS:
        say(f"{case}, {way.name}: {orders} orders in groups")
        grouped = bench.run(orders, way)
        few = min(orders, max(FEWEST_ALONE, orders // ALONE_SHARE))
        say(f"{case}, {way.name}: {few} orders one by one")
        results.append(Result(case, way, grouped, bench.run(few, way, alone=True)))
        print(json.dumps(results[-1].line()), flush=True)
    return results


COLUMNS = {
    "case": "case",
    "way": "way",
    "orders": "orders",
    "transactions": "trans-\nactions",
    "orders_per_transaction": "orders\n/ trans.",
    "wru_per_order": "WRU\n/ order",
    "rru_per_order": "RRU\n/ order",
    "conflicts": "con-\nflicts",
    "evictions": "evic-\ntions",
    "rounds": "rounds",
    "oversold": "over-\nsold",
    "cpu_us_per_order": "CPU µs\n/ order",
    "commit_cpu_us_per_order": "commit\nµs",
    "answer_cpu_us_per_order": "answer\nµs",
    "one_by_one_commit_cpu_us_per_order": "commit µs\none by one",
    "ratio_to_one_by_one": "times\ncheaper",
}


def show(results: list[Result], console: Console) -> None:
    """A table for people, and what was missed."""
    table = Table(title="Promising stock", show_lines=False)
    for key, heading in COLUMNS.items():
        table.add_column(heading, justify="left" if key in ("case", "way") else "right")
    for result in results:
        line = result.line()
        table.add_row(*(str(line[key]) for key in COLUMNS))
    console.print(table)
    for result in results:
        for missed in result.missed():
            console.print(f"missed  {result.case}, {result.way.name}: {missed}", style="red")


def main(arguments: list[str]) -> int:
    """Runs the cases; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_stock", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help=f"some of {', '.join(CASES)}, by comma")
    parser.add_argument("--orders", type=int, help="orders of each run; by default 10,000, and 2,000 of apart")
    options = parser.parse_args(arguments)
    cases = options.cases.split(",")
    if unknown := set(cases) - set(CASES):
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    if options.orders is not None and options.orders < 1:
        parser.error("--orders must be at least 1")
    console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PLAIN_WIDTH)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us ends what we started, too
    try:
        with bench_engine.running() as settings:
            os.environ.update(settings)
            results = [result for case in cases for result in measure(case, options.orders, console.print)]
    except KeyboardInterrupt:
        return INTERRUPTED
    show(results, console)
    return int(any(result.missed() for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
