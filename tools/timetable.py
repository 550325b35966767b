"""Work that falls due later, done on a worker thread: how the stand-ins let time pass."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 1  # one report after the other, as from one desk: reports of one order arrive together


class Timetable:
    """Runs each action on the worker thread once its delay has passed. `stopping` is set when it closes.

    An action that raises is reported to `failed` as text, never lost.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self.stopping = threading.Event()
        self._failed = failed
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="stand-in")
        self._clock = threading.Thread(target=self._run, name="stand-in-clock", daemon=True)
        self._clock.start()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Runs `action` in `seconds` from now; nothing happens if the timetable closes before."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), action))
            self._changed.notify()

    def close(self) -> None:
        """Drops what is not due yet and waits for the actions that run."""
        self.stopping.set()
        with self._changed:
            self._due.clear()
            self._changed.notify()
        self._clock.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self.stopping.is_set():
            with self._changed:
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._changed.wait(self._due[0][0] - now if self._due else None)
                    continue
                _, _, action = heapq.heappop(self._due)
            self._pool.submit(self._perform, action)

    def _perform(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a thread's last stand: shown to the person, not lost
            self._failed(f"a stand-in failed: {type(error).__name__}: {error}")
