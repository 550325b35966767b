"""Several workers pull one account at once, are overtaken, sleep over their lease and die: nothing is lost.

Whoever makes the next call is chosen by chance; after every call the cursor may not be ahead of the queues.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from oms.runtime import clients
from tests.integration.faults import Faults
from tests.integration.interleaving import Actor, stop_here, watch_calls
from tests.integration.market import Readers, at, open_market
from tests.integration.stage import Stage

SEEDS = range(12)
MOST_STEPS = 500


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


@pytest.mark.parametrize("thin", [False, True], ids=["whole", "by id"])
@pytest.mark.parametrize("seed", SEEDS)
def test_workers_who_pull_at_once_lose_nothing_between_them(readers: Readers, seed: int, thin: bool) -> None:
    rolls = random.Random(seed)
    readers.market.orders = {f"90{one}": at(-30 + 4 * one) for one in range(7)}
    readers.market.thin = thin
    sqs = clients.client("sqs").meta.events
    end_watching = watch_calls()
    sqs.register_first("before-send.sqs", stop_here)
    arrived: set[str] = set()
    actors = [Actor(readers.pull) for _ in range(3)]
    for step in range(MOST_STEPS):
        alive = [one for one in actors if not one.is_done]
        if not alive:
            break
        rolls.choice(alive).go_on(die=rolls.random() < 0.05)
        readers.now += timedelta(seconds=rolls.choice([0, 0, 5, 200]))
        if step % 9 == 0:
            readers.market.orders[f"new-{step}"] = readers.now - timedelta(seconds=1)
        arrived |= taken(readers)
        assert not behind_the_cursor(readers) - arrived
    else:
        raise AssertionError("they never end")
    end_watching()
    sqs.unregister("before-send.sqs", stop_here)
    for _ in range(2):  # the first may end a round that another began
        readers.now += timedelta(minutes=20)
        readers.pull()
    assert set(readers.market.orders) <= arrived | taken(readers)


def taken(readers: Readers) -> set[str]:
    """Orders that are on the intake queue, or asked to be fetched."""
    asked = {one for message in readers.asked() for one in message.get("channel_order_ids", [])}
    return asked | set(readers.queued())


def behind_the_cursor(readers: Readers) -> set[str]:
    """Orders that the row says are on the queues."""
    row = readers.row()
    if row is None or row.cursor is None:
        return set()
    return {one for one, changed in readers.market.orders.items() if changed < row.cursor - timedelta(minutes=2)}


@pytest.mark.parametrize("operation", ["UpdateItem", "PutItem", "BatchGetItem"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_answer_that_is_lost_loses_no_order(readers: Readers, faults: Faults, operation: str, nth: int) -> None:
    readers.market.orders = {f"90{one}": at(-30 + one) for one in range(5)}

    def lose() -> None:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    faults.after(operation, lose, nth=nth)
    readers.pull()
    faults.mend()
    readers.now = at(20)
    readers.pull()
    assert set(readers.market.orders) <= taken(readers)
    assert readers.row().lease_owner == ""
    assert readers.row().cursor > at(-1)
