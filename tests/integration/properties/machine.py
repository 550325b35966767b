"""A small company at work: Hypothesis says who is asked to do what, who makes the next call, and what becomes of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from oms.domain.errors import InvariantBroken, Permanent
from tests.integration.company import Notebook
from tests.integration.properties.actors import FAULTS, Actor, Fault
from tests.integration.properties.books import Books
from tests.integration.properties.engine import Engine
from tests.integration.properties.staff import Message, Staff

MAX_AT_ONCE = 4
MAX_CALLS = 2_000
"""Calls of one message, its conflicts and all; nobody works for ever."""

MAX_DELIVERIES = 5
"""Times a message comes again when nothing goes wrong any more."""

LONG = os.environ.get("OMS_HYPOTHESIS") == "long"
PROFILE = settings(
    max_examples=2_000 if LONG else 30,
    stateful_step_count=60 if LONG else 40,
    deadline=None,
    derandomize=not LONG,
    database=None,
    print_blob=LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

faults = st.sampled_from([Fault.NONE] * len(FAULTS) + list(FAULTS))


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
        self.minutes = 0
        self.tasks: list[Task] = []
        self.again: list[Message] = []
        self.idle: list[Staff] = []
        self.broken = False

    def begin(self, message: Message | None) -> None:
        """A message is handed to a worker, who stands before his first call."""
        self.minutes += 1
        self._count("steps")
        if message:
            self._hand_out(message)

    @precondition(lambda self: self.tasks)
    @rule(who=st.integers(0, MAX_AT_ONCE - 1), calls=st.integers(0, 6), fault=faults, place=st.integers(0, 5))
    def goes_on(self, who: int, calls: int, fault: Fault, place: int) -> None:
        """Somebody makes some calls, and the last one meets a fault."""
        self._count("steps")
        task = self.tasks[who % len(self.tasks)]
        for left in range(calls, -1, -1):
            if task in self.tasks:
                self._go(task, Fault.NONE if left else fault, place)

    @precondition(lambda self: self.tasks)
    @rule(who=st.integers(0, MAX_AT_ONCE - 1))
    def finishes(self, who: int) -> None:
        """Somebody gets on undisturbed by anything but the others' doings."""
        self._count("steps")
        self._finish(self.tasks[who % len(self.tasks)])

    @precondition(lambda self: self.again and len(self.tasks) < MAX_AT_ONCE)
    @rule()
    def comes_again(self) -> None:
        """A message that was not done comes to another worker."""
        self._count("steps")
        self.minutes += 1
        self._hand_out(self.again.pop(0))

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

    def do(self, message: Message, hours: float | None = None) -> None:
        """Has a message worked on to its end, nobody else being there."""
        message(Staff(self.notebook), self.hours if hours is None else hours)
        self._look()

    def _hand_out(self, message: Message) -> None:
        self._count("messages")
        staff, hours = self.idle.pop() if self.idle else Staff(self.notebook), self.hours

        def work() -> None:
            try:
                with suppress(*_ANSWERS):
                    message(staff, hours)
            except InvariantBroken as bug:
                raise AssertionError(f"a bug: {bug}") from bug

        task = Task(message, staff, Actor(work))
        self.tasks.append(task)
        self._has_gone(task)

    def _go(self, task: Task, fault: Fault, place: int = 0) -> None:
        self._count("faults", fault is not Fault.NONE)
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

    def _count(self, what: str, how_many: int = 1) -> None:
        self.engine.counts[what] += how_many


def run(company: Callable[[Engine], Company], engine: Engine) -> Counter[str]:
    """Runs the company through as many examples as the profile says; returns what was counted."""
    run_state_machine_as_test(lambda: company(engine), settings=PROFILE)
    return engine.counts


def told(counts: Mapping[str, int]) -> str:
    """What was counted, in one line."""
    return ", ".join(f"{counts[name]:,} {name}" for name in ("steps", "messages", "calls", "writes", "faults"))


_ANSWERS: tuple[type[Any], ...] = tuple(kind for kind in Permanent.__subclasses__() if kind is not InvariantBroken)
"""Refusals are answers, and the message is done; but a broken invariant is a bug."""
