"""Carts, customers, the clock and everybody else, interleaved call by call and cut off anywhere: every hold ends as
exactly one of consumed, released, expired, and its units are where the books say."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.integration.company import at
from tests.integration.desk import LOST, header, line
from tests.integration.properties import staff
from tests.integration.properties.conftest import Play
from tests.integration.properties.machine import MAX_AT_ONCE, Company
from tests.integration.properties.staff import Message

CARTS: tuple[dict[str, int], ...] = ({"MUG": 8}, {"MUG": 5, "BOWL": 2}, {"SET": 4}, {"KETTLE": 3}, {})
ORDERED = ({"MUG": 8}, {"MUG": 6, "BOWL": 2}, {"SET": 5}, {"KETTLE": 2, "MUG": 1}, {"SET": 1, "MUG": 1})
MEETING = ("hold", "give_back", "order", "order", "expire", "next_step", "cancel", "lose")
HOURS_AFTER = 3
"""By then every hold is overdue."""


class Asked(NamedTuple):
    """What is asked: `kind`, of the n-th cart or order; what is in it, and for how many minutes it is held."""

    kind: str
    cart: int
    order: int
    content: int
    minutes: int


def asked(*kinds: str) -> st.SearchStrategy[Asked]:
    """Anything of these kinds."""
    return st.builds(
        Asked,
        kind=st.sampled_from(kinds),
        cart=st.integers(1, 2),
        order=st.integers(1, 4),
        content=st.integers(0, 4),
        minutes=st.integers(1, 6),
    )


class CartCompany(Company):
    """Everybody who wants the units of the last few carts; a hold that has ended is history."""

    carts = orders = 0

    @initialize(carts=st.lists(asked("hold"), max_size=3))
    def shop_opens(self, carts: list[Asked]) -> None:
        """Some carts are held already."""
        for one in carts:
            self.do(self.ask_hold(one))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE)
    @rule(one=asked("hold", "hold", "give_back", "order", "order", "expire"))
    def cart_is_moved(self, one: Asked) -> None:
        """A message about a cart comes."""
        self.begin(self.ask(one))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE)
    @rule(one=asked("next_step", "next_step", "next_step", "allocate", "cancel", "lose", "find"))
    def others_act(self, one: Asked) -> None:
        """Somebody wants the same units, or finds that they are not there."""
        self.begin(self.ask(one))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE - 1)
    @rule(one=asked(*MEETING), other=asked(*MEETING), calls=st.integers(1, 10), same=st.booleans())
    def two_want_the_same(self, one: Asked, other: Asked, calls: int, same: bool) -> None:
        """In the middle of one's work another does his: on the same cart, the same order, or the same message."""
        message = self.ask(one)
        self.meet(message, calls, lambda: message if same else self.ask(other._replace(cart=one.cart, order=one.order)))

    def ask(self, one: Asked) -> Message | None:
        """The message that asks for it."""
        message: Message | None = getattr(self, f"ask_{one.kind}")(one)
        return message

    def at_rest(self) -> None:
        """Time ends every hold that nobody else has ended."""
        self.do(staff.expire(), self.hours + HOURS_AFTER)
        assert all(row["status"] != "ACTIVE" for row in self.engine.rows("reservations"))

    def cart(self, one: Asked) -> str:
        """One of the last carts."""
        return f"cart-{max(1, self.carts + 1 - one.cart)}"

    def placed(self, one: Asked) -> int:
        """One of the last orders."""
        return max(1, self.orders + 1 - one.order)

    def ask_hold(self, one: Asked) -> Message:
        self.carts += 1
        return staff.hold(f"cart-{self.carts}", CARTS[one.content].items(), one.minutes)

    def ask_give_back(self, one: Asked) -> Message:
        return staff.give_back(self.cart(one))

    def ask_order(self, one: Asked) -> Message:
        self.orders += 1
        return staff.order_cart(self.orders, ORDERED[one.content], self.cart(one))

    def ask_expire(self, _: Asked) -> Message:
        return staff.expire()

    def ask_allocate(self, one: Asked) -> Message:
        return staff.allocate([f"web-main-{number}" for number in range(self.placed(one), self.orders + 1)])

    def ask_cancel(self, one: Asked) -> Message:
        return staff.cancel(f"web-main-{self.placed(one)}")

    def ask_next_step(self, one: Asked) -> Message | None:
        return self.next_step(f"web-main-{self.placed(one)}", one.content, 0)

    def ask_lose(self, one: Asked) -> Message:
        return self._adjust(-one.content - 1)

    def ask_find(self, one: Asked) -> Message:
        return self._adjust(one.content + 1)

    def _adjust(self, units: int) -> Message:
        name, now = f"document-{self.next_number()}", at(self.hours)
        told = header(1, document_id=name, effective_at=now, received_at=now)
        return staff.document(told, [line("ADJUST", units, reason_code=LOST)])


def test_every_hold_ends_once_whoever_does_what_and_dies_where(play: Play) -> None:
    play(CartCompany)
