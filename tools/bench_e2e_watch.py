"""Notices when an order has got somewhere, by reading the orders table, without being much of the load itself.

One thread asks for all orders that somebody waits for in one BatchGetItem of two attributes each, rests at least
REST_SECONDS and twice as long as the answer took; a client waits on its own order's event. What is noticed is late by
up to a rest, which the latencies include. `cost` says what the looking used, from a calibration on the idle system.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

MOST_KEYS = 100
REST_SECONDS = 0.05
RESTS_PER_LOOK = 2
STOP_SECONDS = 5.0
"""A look under way is waited for no longer: the system may be gone already."""

WANTED = "order_id, #status, waiting_for"

State = tuple[str, str]
"""An order's status and what it waits for, if anything."""


@dataclass(slots=True)
class Wish:
    """Somebody waits until an order's state is one of those wanted."""

    order_id: str
    is_granted: Callable[[State], bool]
    state: State = ("", "")
    at: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    def grant(self, state: State, at: float) -> None:
        """It is so, as seen at this moment."""
        self.state, self.at = state, at
        self._done.set()

    def wait(self, seconds: float) -> bool:
        """Whether it was so in time."""
        return self._done.wait(seconds)


class Watch:
    """The thread that looks. Use as a context manager."""

    def __init__(self, tables: Any, table: str, meanwhile: Callable[[], object]) -> None:
        self._tables, self._table, self._meanwhile = tables, table, meanwhile
        self._wishes: dict[str, Wish] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def wish(self, order_id: str, is_granted: Callable[[State], bool]) -> Wish:
        """Begins to look after an order, existing or not."""
        wish = Wish(order_id, is_granted)
        with self._lock:
            self._wishes[order_id] = wish
        return wish

    def drop(self, wish: Wish) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._wishes.pop(wish.order_id, None)

    def look(self, order_ids: list[str]) -> dict[str, State]:
        """The states of those of these orders that exist."""
        keys = [{"order_id": {"S": order_id}} for order_id in order_ids[:MOST_KEYS]]
        names = {"#status": "status"}
        request = {self._table: {"Keys": keys, "ProjectionExpression": WANTED, "ExpressionAttributeNames": names}}
        found = self._tables.batch_get_item(RequestItems=request)["Responses"][self._table]
        return {
            item["order_id"]["S"]: (item["status"]["S"], item.get("waiting_for", {}).get("S", "")) for item in found
        }

    def _look_on(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            self._meanwhile()
            with self._lock:
                wishes = list(self._wishes.values())[:MOST_KEYS]
            if wishes:
                with suppress(BotoCoreError, ClientError):  # a look that failed is made again after the rest
                    self._grant(wishes)
            self._stopping.wait(max(REST_SECONDS, RESTS_PER_LOOK * (time.monotonic() - began)))

    def _grant(self, wishes: list[Wish]) -> None:
        states = self.look([wish.order_id for wish in wishes])
        self.looks += 1
        now = time.monotonic()
        for wish in wishes:
            state = states.get(wish.order_id)
            if state and wish.is_granted(state):
                self.drop(wish)
                wish.grant(state, now)
