"""Carts, customers, orders and the clock, all at once, with faults: every hold ends as exactly one of consumed,
released, expired, and what positions hold for carts is what active holds hold, at any moment."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from moto import mock_aws

from oms.domain.errors import OmsError
from tests.integration.carts import Desk, held_by_carts, reserved
from tests.integration.company import balance
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import SETTINGS, Stage, make_tables, seed

STEP_HOURS = 0.1


class Action(NamedTuple):
    """What somebody does: `kind` with the n-th cart or order, of so many units."""

    kind: str
    cart: int
    order: int
    units: int


FAULTS: dict[str, Any] = {
    "none": lambda faults: None,
    "conflict": lambda faults: faults.cancel(times=2),
    "throttled": lambda faults: faults.refuse("TransactWriteItems", "ThrottlingException"),
    "lost before": lambda faults: faults.time_out_before(),
    "lost after": lambda faults: faults.time_out_after(),
    "crash before": lambda faults: faults.crash_before(),
    "crash after": lambda faults: faults.crash_after(),
}
ACTIONS = st.builds(
    Action,
    kind=st.sampled_from(["hold", "hold", "release", "place", "place", "expire", "allocate"]),
    cart=st.integers(0, 2),
    order=st.integers(1, 3),
    units=st.integers(0, 6),
)


class Carts(RuleBasedStateMachine):
    """Workers that come, act and go; the tables stay."""

    def __init__(self) -> None:
        super().__init__()
        self.hours = 0.0
        self.ended: dict[str, dict[str, Any]] = {}
        self.closing = ExitStack()
        patch = self.closing.enter_context(pytest.MonkeyPatch.context())
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
        self.closing.enter_context(mock_aws())
        make_tables()
        self.stage, self.faults = Stage(), Faults()
        seed(self.stage)

    def teardown(self) -> None:
        self.faults.mend()
        self.closing.close()

    @rule(action=ACTIONS, fault=st.sampled_from(sorted(FAULTS)), rival=st.none() | ACTIONS)
    def happens(self, action: Action, fault: str, rival: Action | None) -> None:
        """Somebody acts, and something goes wrong, and somebody else acts just before it is written."""
        self.hours += STEP_HOURS
        if rival:
            self.faults.meanwhile("TransactWriteItems", lambda: self._act(rival))
        FAULTS[fault](self.faults)
        self._act(action)
        self.faults.mend()

    @invariant()
    def the_books_balance(self) -> None:
        balance(self.stage)
        assert reserved(self.stage) == held_by_carts(self.stage)
        assert all(row["available"] >= 0 for row in self.stage.rows("stock"))

    @invariant()
    def an_end_is_for_good(self) -> None:
        rows = {row["reservation_id"]: row for row in self.stage.rows("reservations")}
        assert self.ended.items() <= rows.items()
        self.ended = {name: row for name, row in rows.items() if row["status"] != "ACTIVE"}

    @invariant()
    def a_consumed_hold_has_one_order_and_no_other_hold_has_any(self) -> None:
        orders = {row["order_id"]: row for row in self.stage.rows("orders")}
        consumed = {
            row["order_id"]: row["reservation_id"]
            for row in self.stage.rows("reservations")
            if row["status"] == "CONSUMED"
        }
        assert consumed == {name: row["reservation_id"] for name, row in orders.items() if row.get("reservation_id")}

    def _act(self, action: Action) -> None:
        with suppress(CrashedError, OmsError):
            getattr(self, f"_{action.kind}")(Desk(), action)

    def _hold(self, desk: Desk, action: Action) -> None:
        lines = [("MUG", action.units), ("BOWL", 1)] if action.units else []
        minutes = 5 + 10 * action.order
        desk.hold(*lines, reservation_id=f"cart-{action.cart}", minutes=minutes, hours=self.hours)

    def _release(self, desk: Desk, action: Action) -> None:
        desk.release(f"cart-{action.cart}", hours=self.hours)

    def _place(self, desk: Desk, action: Action) -> None:
        lines = {"MUG": action.units, "BOWL": 1} if action.units else {"BOWL": 2}
        desk.place(action.order, lines, f"cart-{action.cart}", hours=self.hours)

    def _expire(self, desk: Desk, _: Action) -> None:
        desk.end_overdue(hours=self.hours, hours_back=5)

    def _allocate(self, desk: Desk, action: Action) -> None:
        desk.made.allocate(f"web-main-{action.order}", hours=self.hours)


TestCarts = Carts.TestCase
TestCarts.settings = settings(
    max_examples=6,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
