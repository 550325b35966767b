"""What a stretch of the end-to-end benchmark costs: processor time and memory from /proc, calls from the handlers' log.

The processes are told apart: MiniStack itself (the emulated AWS), the workers it runs our functions in, and the client,
which is the benchmark's own process with the stand-in of the warehouses in it.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from tools.counters import CallLog, Tally

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOOK_SECONDS = 1.0
LOOKS_WHILE_QUIET = 10
PARENT, OWN, WAITED_FOR, RESIDENT = 1, slice(11, 13), slice(13, 15), 21
"""Places in /proc/<pid>/stat after the name: parent, own ticks, ticks of ended children, resident pages."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor seconds used so far, or in between two moments."""

    emulator: float = 0.0
    functions: float = 0.0
    client: float = 0.0

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(*(getattr(self, one.name) - getattr(earlier, one.name) for one in fields(Cpu)))

    @property
    def total(self) -> float:
        """Of all processes."""
        return self.emulator + self.functions + self.client


class Processes:
    """MiniStack and its workers, as the kernel counts them; remembers the most memory they were seen with."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._looked_at = 0.0
        self.peak_bytes = 0

    def look_at_memory(self) -> None:
        """Notes the memory in use, at most once in LOOK_SECONDS: looking through /proc is work, too."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self.cpu()

    def cpu(self) -> Cpu:
        """Used so far, workers that have ended included; notes the memory in use."""
        server = _stat(self._server)
        workers = [stat for stat in _all_stats() if int(stat[PARENT]) == self._server]
        self.peak_bytes = max(self.peak_bytes, sum(int(stat[RESIDENT]) for stat in (server, *workers)) * PAGE_BYTES)
        self._looked_at = time.monotonic()
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = _seconds(server[WAITED_FOR])
        alive = sum(_seconds(stat[OWN]) for stat in workers)
        return Cpu(_seconds(server[OWN]), ended + alive, own.ru_utime + own.ru_stime)


def _stat(process: int | str) -> list[str]:
    """The fields after the name; the name may hold anything, so they are counted from its closing bracket."""
    return (PROC / str(process) / "stat").read_text().rpartition(") ")[2].split()


def _all_stats() -> Iterator[list[str]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                yield _stat(folder.name)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile


def _seconds(ticks: list[str]) -> float:
    return sum(map(int, ticks)) / TICKS


@dataclass(slots=True)
class Spent:
    """What a stretch of work cost."""

    cpu: Cpu = field(default_factory=Cpu)
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Meter:
    """Measures from `start` until the system is quiet again, so that what follows an order counts with it."""

    processes: Processes
    log: CallLog
    _before: Cpu = field(default_factory=Cpu)

    def start(self) -> None:
        """From here on it counts."""
        self.log.skip()
        self._before = self.processes.cpu()

    def stop(self, quiet_seconds: float, at_most: float) -> Spent:
        """What was used since `start`, after nothing was called for `quiet_seconds`, or `at_most` have passed.

        The seconds without calls are not counted, an idle emulator costs a little, too; nor is the client's counting.
        """
        spent = Spent(self.processes.cpu() - self._before)
        client, last_work = spent.cpu.client, time.monotonic()
        deadline = last_work + at_most
        while time.monotonic() < min(deadline, last_work + quiet_seconds):
            time.sleep(quiet_seconds / LOOKS_WHILE_QUIET)
            latest = self.log.tally()
            if latest.calls or latest.invocations:
                last_work = time.monotonic()
                spent.cpu = replace(self.processes.cpu() - self._before, client=client)
                _add(spent.tally, latest)
        return spent


def _add(total: Tally, more: Tally) -> None:
    for one in fields(Tally):
        getattr(total, one.name).update(getattr(more, one.name))
