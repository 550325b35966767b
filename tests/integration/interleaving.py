"""Several workers on the same tables, one call at a time: who makes the next call, or dies before it, is chosen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from oms.domain.errors import Retryable
from oms.runtime import clients
from tests.integration.faults import CrashedError

PATIENCE_SECONDS = 60.0


class Actor(threading.Thread):
    """Work that stops before each of its calls until it is told to go on. `undone`: it died, or must come again."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.work, self.undone = work, False
        self.error: BaseException | None = None
        self._go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._dies = False
        self.start()
        self._wait()

    def run(self) -> None:
        """The work, whatever becomes of it."""
        try:
            self.stop_here()
            self.work()
        except (CrashedError, Retryable):
            self.undone = True
        except BaseException as error:  # noqa: BLE001 - it is the test's to tell
            self.error = error
        finally:
            self._done = True
            self._waits.release()

    _done = False

    @property
    def is_done(self) -> bool:
        return self._done

    def go_on(self, *, die: bool = False) -> None:
        """Lets it make one call, or dies instead; returns when it stands before the next or has ended."""
        self._dies = die
        self._go.release()
        self._wait()
        if self.error:
            raise self.error

    def stop_here(self) -> None:
        """Called by the actor itself, before a call."""
        self._waits.release()
        assert self._go.acquire(timeout=PATIENCE_SECONDS)
        if self._dies:
            raise CrashedError

    def _wait(self) -> None:
        assert self._waits.acquire(timeout=PATIENCE_SECONDS)


def stop_here(*_: Any, **__: Any) -> None:
    """Stops the actor whose call this is; anybody else goes on."""
    current = threading.current_thread()
    if isinstance(current, Actor):
        current.stop_here()


def watch_calls(events: Any = None) -> Callable[[], None]:
    """From now on actors stop before each call of DynamoDB; what is returned ends it."""
    events = events or clients.client("dynamodb").meta.events
    events.register_first("before-send.dynamodb", stop_here)
    return lambda: events.unregister("before-send.dynamodb", stop_here)
