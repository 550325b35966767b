"""A small company at work: Hypothesis says who is asked to do what, who makes the next call, and what becomes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from oms.domain.errors import InvariantBroken, Permanent
from oms.domain.order import Order
from oms.domain.progress import unallocated_units
from oms.stores.documents import from_document
from tests.integration.company import Notebook, at
from tests.integration.properties import staff
from tests.integration.properties.actors import FAULTS, Actor, Fault
from tests.integration.properties.books import Books
from tests.integration.properties.engine import Engine
from tests.integration.properties.reports import released_work, report_of
from tests.integration.properties.staff import Message, Staff

MAX_AT_ONCE = 4
MAX_DOUBLED = 5
"""The oldest message, counted from the last, that comes twice."""

MAX_CALLS = 2_000
"""Calls of one message, its conflicts and all; nobody works for ever."""

MAX_DELIVERIES = 5
"""Times a message comes again when nothing goes wrong any more."""

LONG = os.environ.get("OMS_HYPOTHESIS") == "long"
"""`OMS_HYPOTHESIS=long make unit` looks for what nobody has found yet: other examples each time, for many minutes."""

PROFILE = settings(
    max_examples=1_000 if LONG else 40,
    stateful_step_count=80 if LONG else 50,
    deadline=None,
    derandomize=not LONG,
    database=None,
    print_blob=LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

someone = st.integers(0, MAX_AT_ONCE - 1)


@dataclass
class Task:
    """A message in somebody's hands."""

    message: Message
    staff: Staff
    actor: Actor


class Company(RuleBasedStateMachine):
    """Workers of one company, each stopping at every call. Subclasses say what may be asked of them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        engine.begin()
        self.engine, self.books, self.notebook = engine, Books(engine), Notebook()
        self.minutes = self.numbers = 0
        self.tasks: list[Task] = []
        self.heard: list[Message] = []
        self.again: list[Message] = []
        self.idle: list[Staff] = []
        self.broken = False

    def order(self, order_id: str) -> Order | None:
        """The order as it is now, if it is there."""
        rows = {row["order_id"]: row for row in self.engine.rows("orders")}
        return from_document(Order, rows[order_id]) if order_id in rows else None

    def next_step(self, order_id: str, choice: int, minutes_ago: int) -> Message | None:
        """What the order needs next to get on; None while it is not there."""
        order = self.order(order_id)
        if order is None:
            return None
        if unallocated_units(order):
            return staff.allocate([order_id])
        released = released_work(order)
        if len(released) < len(order.fulfillments):
            return staff.evaluate(order_id)
        return self.report(order, choice, minutes_ago) if released else None

    def report(self, order: Order, choice: int, minutes_ago: int) -> Message | None:
        """A location speaks of its work for the order."""
        works = released_work(order)
        if not works:
            return None
        work = works[choice % len(works)]
        said = report_of(work, choice, self.next_number(), self.ago(minutes_ago))
        self.books.reports.append(said)
        return staff.report(said)

    def next_number(self) -> int:
        """A number nobody else has."""
        self.numbers += 1
        return self.numbers

    def ago(self, minutes: int) -> datetime:
        """So many minutes before now."""
        return at(max(0, self.minutes - minutes) / 60)

    def begin(self, message: Message | None) -> Task | None:
        """A message is handed to a worker, who stands before his first call."""
        self.minutes += 1
        self._count("steps")
        if message is None:
            return None
        self.heard.append(message)
        return self._hand_out(message)

    def meet(self, first: Message | None, calls: int, second: Callable[[], Message | None]) -> None:
        """Somebody makes some calls, then somebody else does all of his work, then the first may go on."""
        held_up = self.begin(first)
        if held_up:
            self._make_calls(held_up, calls)
        between = self.begin(second())
        if between:
            self._finish(between)

    @precondition(lambda self: self.tasks)
    @rule(who=someone, calls=st.integers(1, 5))
    def goes_on(self, who: int, calls: int) -> None:
        """Somebody makes some calls, while all others stand still."""
        self._count("steps")
        self._make_calls(self.tasks[who % len(self.tasks)], calls)

    @precondition(lambda self: self.tasks)
    @rule(who=someone, calls=st.integers(0, 4), fault=st.sampled_from(FAULTS), place=st.integers(0, 5))
    def meets_a_fault(self, who: int, calls: int, fault: Fault, place: int) -> None:
        """Somebody makes some calls, and the next one goes wrong."""
        self._count("steps")
        task = self.tasks[who % len(self.tasks)]
        self._make_calls(task, calls)
        if task in self.tasks:
            self._count("faults")
            self._go(task, fault, place)

    @precondition(lambda self: self.tasks)
    @rule(who=someone)
    def finishes(self, who: int) -> None:
        """Somebody gets on undisturbed by anything but what the others have done."""
        self._count("steps")
        self._finish(self.tasks[who % len(self.tasks)])

    @precondition(lambda self: self.heard and len(self.tasks) < MAX_AT_ONCE)
    @rule(back=st.integers(1, MAX_DOUBLED))
    def is_doubled(self, back: int) -> None:
        """A message comes once more, though it is done, or somebody else has it in hand."""
        self._count("steps")
        self.minutes += 1
        self._hand_out(self.heard[-min(back, len(self.heard))])

    @precondition(lambda self: self.again and len(self.tasks) < MAX_AT_ONCE)
    @rule()
    def comes_again(self) -> None:
        """A message that was not done comes to another worker."""
        self._count("steps")
        self.minutes += 1
        self._hand_out(self.again.pop(0))

    @precondition(lambda self: len(self.tasks) == MAX_AT_ONCE)
    @rule()
    def settles(self) -> None:
        """All come to their end, and all that was not done is done."""
        self._count("steps")
        self._settle()

    def at_rest(self) -> None:
        """What must be true once nobody has anything left to do. Nothing goes wrong here any more."""

    def teardown(self) -> None:
        try:
            if not self.broken:
                self._settle()
                self.at_rest()
        finally:
            self.broken = False
            for task in self.tasks:
                while not task.actor.is_done:
                    task.actor.go(Fault.DIES_BEFORE)

    @property
    def hours(self) -> float:
        return self.minutes / 60

    def do(self, message: Message | None, hours: float | None = None) -> None:
        """Has a message worked on to its end, while all others stand still."""
        self.minutes += 1
        if message:
            self._finish(self._hand_out(message, hours))

    def _hand_out(self, message: Message, at_hours: float | None = None) -> Task:
        self._count("messages")
        worker = self.idle.pop() if self.idle else Staff(self.notebook)
        hours = self.hours if at_hours is None else at_hours

        def work() -> None:
            try:
                with suppress(*_ANSWERS):
                    message(worker, hours)
            except InvariantBroken as bug:
                raise AssertionError(f"a bug: {bug}") from bug

        task = Task(message, worker, Actor(work))
        self.tasks.append(task)
        self._has_gone(task)
        return task

    def _go(self, task: Task, fault: Fault, place: int = 0) -> None:
        writes = self.engine.counts["writes"]
        with self._breakable():
            task.actor.go(fault, place)
        if self.engine.counts["writes"] != writes:
            self._look()
        self._has_gone(task)

    def _has_gone(self, task: Task) -> None:
        if not task.actor.is_done:
            return
        self.tasks.remove(task)
        if task.actor.undone:
            self.again.append(task.message)
        if not task.actor.fault.is_death:
            self.idle.append(task.staff)

    def _make_calls(self, task: Task, calls: int) -> None:
        for _ in range(calls):
            if task in self.tasks:
                self._go(task, Fault.NONE)

    def _finish(self, task: Task) -> None:
        for _ in range(MAX_CALLS):
            if task not in self.tasks:
                return
            self._go(task, Fault.NONE)
        self.broken = True
        raise AssertionError("somebody works for ever")

    def _settle(self) -> None:
        for _ in range(MAX_DELIVERIES):
            while self.tasks:
                self._finish(self.tasks[0])
            if not self.again:
                return
            messages, self.again = self.again, []
            for message in messages:
                self._hand_out(message)
                while self.tasks:
                    self._finish(self.tasks[0])
        self.broken = True
        raise AssertionError("a message is never done")

    def _look(self) -> None:
        with self._breakable():
            self.books.look()

    @contextmanager
    def _breakable(self) -> Iterator[None]:
        """What fails in here has failed for good: the company is not asked to come to rest."""
        try:
            yield
        except BaseException:
            self.broken = True
            raise

    def _count(self, what: str) -> None:
        self.engine.counts[what] += 1


def run(company: Callable[[Engine], Company], engine: Engine) -> None:
    """Runs the company through as many examples as the profile says."""

    def made() -> Company:
        return company(engine)

    run_state_machine_as_test(cast("Any", made), settings=PROFILE)


def told(counts: Mapping[str, int]) -> str:
    """What was counted, in one line."""
    return ", ".join(f"{counts[name]:,} {name}" for name in ("steps", "messages", "calls", "writes", "faults"))


_ANSWERS: tuple[type[Any], ...] = tuple(kind for kind in Permanent.__subclasses__() if kind is not InvariantBroken)
"""Refusals are answers, and the message is done; but a broken invariant is a bug."""
