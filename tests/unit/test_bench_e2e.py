"""The end-to-end benchmark's own arithmetic: what it times, what it counts, when it says that a target was missed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oms.domain.order import OrderStatus
from tools.bench_e2e import Result
from tools.bench_e2e_cost import Cpu, Meter, Processes, Spent
from tools.bench_e2e_run import Phase, Row
from tools.bench_e2e_traffic import Timing, has_reached
from tools.bench_e2e_watch import MOST_KEYS, State, Watch
from tools.counters import CallLog, Tally

SECONDS = 5.0


def phase(timings: list[Timing], name: str = "place", **more: Any) -> Phase:
    spent = Spent(Cpu(emulator=2.0, functions=1.0, client=0.5), Tally())
    return Phase(name, 100.0, timings, spent, 200_000_000, 0.0, **more)


def there(seconds: float, seen_at: float) -> Timing:
    return Timing(seconds, seen_at, ("ALLOCATED", "CANCEL_WINDOW"), "an-order")


def test_a_row_tells_the_rate_until_the_last_order_was_there_and_how_long_they_took() -> None:
    timings = [there(place / 1000, 100.0 + place / 10) for place in range(1, 101)]
    line = Result(Row("webhook", 8), phase(timings)).line()
    assert line["orders_per_second"] == 10.0
    assert (line["p50_ms"], line["p99_ms"]) == (51, 100)
    assert line["cpu_s_per_1000"] == 35.0
    assert line["emulator_cpu_s_per_1000"] == 20.0


def test_an_order_that_never_got_there_is_a_miss_and_no_part_of_the_rate() -> None:
    result = Result(Row("api", 1), phase([there(0.1, 101.0), Timing.failed("500: no")]))
    assert result.line()["failed"] == 1
    assert result.rate == 1.0
    assert result.missed() == ["1 orders did not get there: 500: no"]


def test_a_row_of_which_nothing_got_there_is_told_all_the_same() -> None:
    line = Result(Row("api", 1), phase([Timing.failed("500: no")])).line()
    assert (line["orders_per_second"], line["p50_ms"], line["p99_ms"]) == (0.0, None, None)


@pytest.mark.parametrize(
    ("name", "clients", "seconds", "is_missed"),
    [
        pytest.param("place", 32, 1.0, False, id="fast enough"),
        pytest.param("place", 32, 10.0, True, id="too slow"),
        pytest.param("place", 8, 10.0, False, id="the target is set for many clients"),
        pytest.param("ship", 32, 10.0, False, id="the target is set for placing"),
    ],
)
def test_the_aim_is_three_times_the_fastest_of_the_others(
    name: str, clients: int, seconds: float, is_missed: bool
) -> None:
    timings = [there(seconds, 100.0 + seconds) for _ in range(40)]
    assert bool(Result(Row("webhook", clients), phase(timings, name)).missed()) is is_missed


def test_units_sold_twice_are_a_miss() -> None:
    wrong = phase([there(0.1, 101.0)], "hot_sku", wrong=["too many"])
    assert Result(Row("api", 64), wrong).missed() == ["too many"]


class Table:
    """Orders that get somewhere while somebody looks."""

    def __init__(self, states: dict[str, list[State]]) -> None:
        self.states = states
        self.asked: list[int] = []

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        keys = request["RequestItems"]["orders"]["Keys"]
        self.asked.append(len(keys))
        found = []
        for key in keys:
            order_id = key["order_id"]["S"]
            states = self.states.get(order_id, [])
            if states:
                status, waiting_for = states.pop(0) if len(states) > 1 else states[0]
                item = {"order_id": {"S": order_id}, "status": {"S": status}}
                found.append(item | ({"waiting_for": {"S": waiting_for}} if waiting_for else {}))
        return {"Responses": {"orders": found}}


def watch(table: Table, meanwhile: Callable[[], object] = lambda: None) -> Watch:
    return Watch(table, "orders", meanwhile)


def test_a_client_is_told_when_its_order_is_where_it_should_be_and_not_before() -> None:
    table = Table({"a": [("RECEIVED", "ALLOCATION"), ("ALLOCATED", "CANCEL_WINDOW")], "b": [("RECEIVED", "STOCK")]})
    with watch(table) as looking:
        first = looking.wish("a", has_reached(OrderStatus.ALLOCATED))
        second = looking.wish("b", lambda state: state[1] == "STOCK")
        unheard_of = looking.wish("c", has_reached(OrderStatus.ALLOCATED))
        assert first.wait(SECONDS)
        assert second.wait(SECONDS)
    assert first.state == ("ALLOCATED", "CANCEL_WINDOW")
    assert unheard_of.state == ("", "")


def test_nobody_looks_at_the_table_while_nobody_waits() -> None:
    table, looked = Table({}), threading.Event()
    with watch(table, looked.set):
        assert looked.wait(SECONDS)
    assert table.asked == []


def test_one_look_asks_for_no_more_than_one_request_may_hold() -> None:
    table = Table({})
    watch(table).look([str(number) for number in range(MOST_KEYS + 20)])
    assert table.asked == [MOST_KEYS]


def test_the_processor_time_of_a_process_is_read_as_the_kernel_counts_it() -> None:
    processes = Processes(os.getpid())
    used = processes.cpu()
    assert used.emulator == pytest.approx(used.client, abs=0.5)  # here the server is the client
    assert processes.peak_bytes > 1_000_000


def test_costs_count_until_the_system_is_quiet(tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    meter = Meter(Processes(os.getpid()), log)
    record = '{"function":"queue_intake","kind":"invocation","at":1.0}\n'
    (tmp_path / "queue_intake-1.jsonl").write_text(record)
    meter.start()
    with (tmp_path / "queue_intake-1.jsonl").open("a") as more:
        more.write(record * 2)
    spent = meter.stop(quiet_seconds=0.05, at_most=SECONDS)
    assert spent.tally.invocations == {"queue_intake": 2}
    assert spent.cpu.total >= 0
