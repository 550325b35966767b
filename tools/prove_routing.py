"""`make prove-routing`: the search for the cheapest parcels against HiGHS, on 10,000 orders made from seeds.

Each order is solved twice, by `solve` and as an integer programme; the costs must be equal to the last minor unit, and
both must agree on which orders have no plan. Every plan is checked on its own. An order that the work limit cuts short
must keep its bound, and is then solved with as much work as it takes. The first order that differs ends the
run with its seed, both answers and exit code 1. A table on standard error, one JSON line on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from oms.domain.routing_search import WORK_LIMIT, Search
from tools.routing_check import wrong
from tools.routing_instances import case
from tools.routing_milp import solved

ORDERS = 10_000
TOGETHER = 20
"""Orders a worker takes at a time."""

ENOUGH_WORK = 50_000_000
"""Work for orders that routing would leave with a bound: here they are proved as well."""

PLAIN_WIDTH = 140
INTERRUPTED = 130
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What became of one order. `wrong` is empty where both agree and the plan is as it should be; `within_limit` says
    whether the search proved it with the work that routing allows it, or needed more."""

    seed: int
    kind: str
    lines: int
    locations: int
    parcels: int
    step: str
    within_limit: bool
    work: int
    seconds: float
    highs_seconds: float
    wrong: tuple[str, ...]


def prove(seed: int) -> Proof:
    """The order with this seed, solved both ways."""
    order = case(seed)
    began = time.process_time()
    search = Search(order.instance, WORK_LIMIT)
    found = search.run()
    done = time.process_time()
    answer = solved(order.instance)
    said = wrong(order.instance, found) if found else []
    if found and not found.bound_minor <= (answer.cost_minor or 0) <= found.cost_minor:
        said.append(f"bound {found.bound_minor}, cost {found.cost_minor}, HiGHS says {answer.cost_minor}")
    within_limit = not search.work.is_over
    settled = found if within_limit else Search(order.instance, ENOUGH_WORK).run()
    cost = settled.cost_minor if settled else None
    if cost != answer.cost_minor or (settled and not settled.proven):
        said.append(f"the search says {cost}, HiGHS says {answer.cost_minor}")
    return Proof(
        seed=seed,
        kind=order.kind,
        lines=order.shape.lines,
        locations=len(order.instance.sites),
        parcels=len(found.parcels) if found else 0,
        step=search.step,
        within_limit=within_limit,
        work=search.work.spent,
        seconds=done - began,
        highs_seconds=time.process_time() - done,
        wrong=tuple(said),
    )


def prove_all(seeds: Sequence[int]) -> list[Proof]:
    """Some orders, up to the first that differs."""
    proofs = []
    for seed in seeds:
        proofs.append(prove(seed))
        if proofs[-1].wrong:
            break
    return proofs


def run(orders: int, first: int, console: Console) -> list[Proof]:
    """All orders on all processors; stops at the first that differs."""
    proofs: list[Proof] = []
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    pool = ProcessPoolExecutor(max_workers=os.cpu_count())
    with Progress(TextColumn("{task.description}"), *columns, console=console) as progress, pool:
        task = progress.add_task("orders proved", total=orders)
        seeds = range(first, first + orders)
        parts = [pool.submit(prove_all, seeds[at : at + TOGETHER]) for at in range(0, orders, TOGETHER)]
        for part in as_completed(parts):
            proofs += part.result()
            progress.update(task, completed=len(proofs))
            if any(proof.wrong for proof in proofs[-TOGETHER:]):
                pool.shutdown(cancel_futures=True)
                break
    return proofs


def summary(proofs: Sequence[Proof]) -> dict[str, Any]:
    """The run as one flat object."""
    hardest = max(proofs, key=lambda proof: proof.work)
    ours, theirs = sum(proof.seconds for proof in proofs), sum(proof.highs_seconds for proof in proofs)
    return {
        "orders": len(proofs),
        "without_a_plan": sum(proof.parcels == 0 for proof in proofs),
        "wrong": sum(bool(proof.wrong) for proof in proofs),
        "max_gap": 0 if not any(proof.wrong for proof in proofs) else None,
        "proven": sum(not proof.wrong for proof in proofs),
        "proven_within_the_work_limit": sum(proof.within_limit for proof in proofs),
        "cpu_us_per_order": round(ours / len(proofs) * MICROSECONDS),
        "highs_cpu_us_per_order": round(theirs / len(proofs) * MICROSECONDS),
        "hardest_seed": hardest.seed,
        "hardest": f"{hardest.kind}, {hardest.lines} lines x {hardest.locations} locations, {hardest.step}",
        "hardest_work": hardest.work,
        "hardest_ms": round(hardest.seconds * 1000, 1),
        "hardest_highs_ms": round(hardest.highs_seconds * 1000, 1),
    }


def show(proofs: Sequence[Proof], console: Console) -> None:
    """What was proved, by kind and by how far the search had to go."""
    for title, name in (("Orders proved, by kind", "kind"), ("By the step that proved them", "step")):
        table = Table(title=title)
        for heading in (name, "orders", "no plan", "1 parcel", "2", "3", "4", "CPU µs", "HiGHS CPU µs"):
            table.add_column(heading, justify="left" if heading == name else "right")
        groups = Counter(getattr(proof, name) for proof in proofs)
        for group, count in groups.most_common():
            members = [proof for proof in proofs if getattr(proof, name) == group]
            parcels = Counter(proof.parcels for proof in members)
            seconds = [sum(getattr(proof, one) for proof in members) for one in ("seconds", "highs_seconds")]
            means = [f"{total / count * MICROSECONDS:,.0f}" for total in seconds]
            table.add_row(str(group), str(count), *(str(parcels[number]) for number in range(5)), *means)
        console.print(table)


def main(arguments: list[str]) -> int:
    """Proves the orders; 1 at the first that differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.prove_routing", description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first order")
    options = parser.parse_args(arguments)
    if options.orders < 1:
        parser.error("--orders must be at least 1")
    console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PLAIN_WIDTH)
    try:
        proofs = run(options.orders, options.first, console)
    except KeyboardInterrupt:
        return INTERRUPTED
    show(proofs, console)
    print(json.dumps(summary(proofs)), flush=True)
    failed = [proof for proof in proofs if proof.wrong]
    for proof in failed:
        console.print(f"order {proof.seed} ({proof.kind}, {proof.lines} lines): {'; '.join(proof.wrong)}", style="red")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
