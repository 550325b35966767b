"""Change an order: read, decide, commit, and again on whatever somebody else wrote meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from oms.domain.changes import OrderChange
from oms.domain.errors import Unavailable, WriteConflict
from oms.domain.order import Order

if TYPE_CHECKING:
    from oms.stores.group_commit import CommitResult, GroupCommit

MAX_STEPS = 40
"""A change in parts of an order with the most lines takes 13 steps; the rest is for others who write too."""

Decide = Callable[[Order], OrderChange | None]


def change_until_settled(commit: GroupCommit, order: Order, decide: Decide) -> Order:
    """Commits what `decide` asks for until it asks for nothing more; returns the order as it is then.

    `decide` must be a pure function of the order that answers None once done: it is asked again after every
    commit and every conflict. Raises what it raises, or Retryable.
    """
    for _ in range(MAX_STEPS):
        change = decide(order)
        if change is None:
            return order
        order = order_after(commit.commit_one(change))
    raise WriteConflict(f"{order.order_id}: not settled after {MAX_STEPS} steps")


def change_once(commit: GroupCommit, order: Order, decide: Decide) -> Order:
    """Commits one decision, made again on the newer order after a conflict; returns the order after it."""
    for _ in range(MAX_STEPS):
        change = decide(order)
        if change is None:
            return order
        result = commit.commit_one(change)
        order = order_after(result)
        if result.committed:
            return order
    raise WriteConflict(f"{order.order_id}: others always wrote first")


def order_after(result: CommitResult[OrderChange]) -> Order:
    """The order as the commit left or found it. Raises what kept it from being made, Unavailable if it ran short.

    Only allocation takes stock that may run short, and it judges that itself.
    """
    if result.error:
        raise result.error
    if result.committed:
        return result.change.order
    if result.image is None:
        raise Unavailable(f"{result.change.order.order_id}: its stock is no longer there")
    return result.image
