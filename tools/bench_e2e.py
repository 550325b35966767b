"""`make bench-e2e`: orders per second of the deployed whole on this machine, from the client's send to the table.

The system runs as in `make run`: the template deployed to an emulated AWS (MiniStack, IAM enforced), reached over its
HTTP API. Two doors (signed storefront webhooks, `POST /orders`), each with 1, 8 and 32 clients that keep their
connection and have one order under way each. A row has two phases. `place`: two-line orders, until each is ALLOCATED in
the table. `ship`: the customers' time to cancel ends, 32 orders a second; they are released and requested of the
warehouses, the clients report each shipped and delivered over the signed webhooks, until DELIVERED. Then the hot SKU:
64 clients want one unit each, 400 orders of 200 units.

One JSON line per row on standard output, a table on standard error, exit code 1 if a target is missed. Costs count
from the first send until the system is quiet again. What looking at the table costs stands in the row as well.

What others did on a machine of two cores like this one, client and database on the same cores, 500 two-line guest
orders a row over their own HTTP API, clients as here (read them with care: they also price and tax a cart, which comes
finished to us, and run as one Node process; their payment is a dummy, they have one warehouse and tell nobody):

    Vendure 3.7.3, place, 7 calls, 8 clients      10.6 orders/s   p50/p99   752 /   899 ms   148 CPU s per 1,000 orders
    Vendure, place, 2 calls, 32 clients           11.7 orders/s           2,712 / 3,033 ms   137
    Vendure, ship and deliver, 8 clients          26.2 orders/s             300 /   397 ms    62
    Medusa 2.21.2, place, 5 calls, 8 clients       1.8 orders/s           4,392 / 4,882 ms   667
    Medusa, ship and deliver, 8 clients            4.9 orders/s           1,635 / 1,870 ms   259
    hot SKU: Vendure confirmed all 400 (200 too many) in 33 s; Medusa 200, in 155 s, with 20 answers of HTTP 500
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench_e2e_run import Bench, Phase, Row
from tools.bench_e2e_traffic import Timing
from tools.console import Screen
from tools.local_stack import StackFailedError
from tools.processes import PortBusyError

CLIENTS = (1, 8, 32)
ORDERS = {1: 40, 8: 200, 32: 320}
QUICK_ORDERS = {1: 8, 8: 40, 32: 64}
DOORS = ("webhook", "api")
HOT_CLIENTS, HOT_ORDERS, HOT_UNITS, QUICK_HOT = 64, 400, 200, 10

VENDURE_PLACE, VENDURE_SHIP = 11.7, 26.2
TIMES_VENDURE = 3
BUSY_CLIENTS = 32
PLAIN_WIDTH = 200
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Result:
    """A phase of a row, in figures."""

    row: Row
    phase: Phase

    def line(self) -> dict[str, Any]:
        """The result as one flat object."""
        phase, orders = self.phase, len(self.phase.timings)
        spent, cpu = phase.spent, phase.spent.cpu
        return {
            "phase": phase.name,
            "door": self.row.door,
            "clients": self.row.clients,
            "orders": orders,
            "failed": len(self._failures()),
            "orders_per_second": round(self.rate, 2),
            "p50_ms": _milliseconds(phase.timings, 0.50),
            "p99_ms": _milliseconds(phase.timings, 0.99),
            "cpu_s_per_1000": round(cpu.total / orders * 1000, 1),
            "emulator_cpu_s_per_1000": round(cpu.emulator / orders * 1000, 1),
            "functions_cpu_s_per_1000": round(cpu.functions / orders * 1000, 1),
            "client_cpu_s_per_1000": round(cpu.client / orders * 1000, 1),
            "looking_cpu_s_per_1000": round(phase.looking_seconds / orders * 1000, 1),
            "peak_mb": round(phase.peak_bytes / 1_000_000),
            "wru_per_order": round(spent.tally.wru / orders, 1),
            "rru_per_order": round(spent.tally.rru / orders, 1),
            "calls_per_order": round(spent.tally.calls.total() / orders, 1),
            "invocations_per_order": round(spent.tally.invocations.total() / orders, 2),
            **phase.facts,
            "missed": self.missed(),
        }

    @property
    def rate(self) -> float:
        """Orders per second from the beginning of the phase until the last was there."""
        done = [timing for timing in self.phase.timings if timing.seconds is not None]
        return len(done) / (max(timing.seen_at for timing in done) - self.phase.began_at) if done else 0.0

    def missed(self) -> list[str]:
        """The targets this result misses, and what no run may come to, as a person reads them."""
        said = [f"{len(failed)} orders did not get there: {failed[0]}" for failed in [self._failures()] if failed]
        if (
            self.phase.name == "place"
            and self.row.clients == BUSY_CLIENTS
            and self.rate < TIMES_VENDURE * VENDURE_PLACE
        ):
            said.append(f"{self.rate:.1f} orders/s, at least {TIMES_VENDURE * VENDURE_PLACE:.1f}")
        return said + self.phase.wrong

    def _failures(self) -> list[str]:
        return [timing.trouble for timing in self.phase.timings if timing.seconds is None]


def _milliseconds(timings: list[Timing], share: float) -> int | None:
    """The latency that this share of the orders stayed within; None if none got there."""
    seconds = sorted(timing.seconds for timing in timings if timing.seconds is not None)
    return round(seconds[min(len(seconds) - 1, int(len(seconds) * share))] * 1000) if seconds else None


COLUMNS = {
    "phase": "phase",
    "door": "door",
    "clients": "clients",
    "orders": "orders",
    "orders_per_second": "orders\n/ s",
    "p50_ms": "p50\nms",
    "p99_ms": "p99\nms",
    "cpu_s_per_1000": "CPU s\n/ 1,000",
    "emulator_cpu_s_per_1000": "emulator",
    "functions_cpu_s_per_1000": "functions",
    "client_cpu_s_per_1000": "client",
    "looking_cpu_s_per_1000": "of it\nlooking",
    "peak_mb": "peak\nMB",
    "wru_per_order": "WRU\n/ order",
    "rru_per_order": "RRU\n/ order",
    "calls_per_order": "calls\n/ order",
    "invocations_per_order": "invoc.\n/ order",
    "allocated": "allo-\ncated",
    "waiting": "wait-\ning",
    "oversold": "over-\nsold",
}


def show(results: list[Result], console: Console) -> None:
    """A table for people, and what was missed."""
    table = Table(title="Orders through the deployed whole")
    for key, heading in COLUMNS.items():
        table.add_column(heading, justify="left" if key in ("phase", "door") else "right")
    for result in results:
        line = result.line()
        table.add_row(*(str(line.get(key, "")) for key in COLUMNS))
    console.print(table)
    for result in results:
        for missed in result.missed():
            console.print(f"missed  {result.phase.name}, {result.row}: {missed}", style="red")


def measure(bench: Bench, options: argparse.Namespace, say: Callable[[str], None]) -> Iterator[Result]:
    """The rows that were asked for, one after the other."""
    usual = QUICK_ORDERS if options.quick else ORDERS
    for door in options.doors:
        for clients in options.clients:
            row, orders = Row(door, clients), options.orders or usual.get(clients, clients * QUICK_HOT)
            say(f"{door}, {clients} clients, {orders} orders")
            for phase in bench.run(row, orders):
                yield Result(row, phase)
    if not options.no_hot:
        share = QUICK_HOT if options.quick else 1
        say(f"hot SKU, {HOT_CLIENTS} clients, {HOT_ORDERS // share} orders of {HOT_UNITS // share} units")
        phase = bench.run_hot(HOT_CLIENTS, HOT_ORDERS // share, HOT_UNITS // share)
        yield Result(Row("api", HOT_CLIENTS), phase)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench_e2e", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the orders: shows that it works, not how fast")
    parser.add_argument("--orders", type=int, help="orders of each row; by default 40, 200 and 320")
    parser.add_argument("--clients", type=_numbers, default=CLIENTS, help="numbers of clients, by comma: 1,8,32")
    parser.add_argument("--doors", type=_doors, default=DOORS, help="webhook,api")
    parser.add_argument("--no-hot", action="store_true", help="without the hot SKU")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(map(int, text.split(",")))
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return numbers


def _doors(text: str) -> tuple[str, ...]:
    doors = tuple(text.split(","))
    if set(doors) - set(DOORS):
        raise argparse.ArgumentTypeError(f"some of {', '.join(DOORS)}")
    return doors


def main(arguments: list[str]) -> int:
    """Runs the rows; 1 if a target was missed, 2 if the system could not be started."""
    options = _options(arguments)
    screen = Screen()
    screen.is_live = False  # standard output is for the figures
    screen.console = console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PLAIN_WIDTH)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us ends what we started, too
    results = []
    try:
        with tempfile.TemporaryDirectory(prefix="oms-bench-e2e-") as folder, ExitStack() as cleanup:
            for result in measure(Bench(Path(folder), screen, cleanup), options, screen.say):
                print(json.dumps(result.line()), flush=True)
                results.append(result)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (PortBusyError, StackFailedError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 2
    show(results, console)
    return int(any(result.missed() for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
