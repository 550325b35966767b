"""The demonstration: orders sent over HTTP, followed until each ends as it should, counted and checked."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools import counters, orders_view, other_channels
from tools.waiting import wait_until
from tools.world import Api, EventCopies, Story, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.counters import CallLog, Tally
    from tools.orders_view import Document
    from tools.stand_ins import Outside

SPLIT = "must be split"
TWO_LINE_ORDERS = 10
READER = "operations"
PHASE_SECONDS = 180.0
EXISTS_SECONDS = 120.0
SETTLE_SECONDS = 60.0
QUIET_SECONDS = 2.0
WORK_QUEUES = ("intake", "allocation", "fulfillment", "outbound", "channels", "poll")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true, in words, and whether it was."""

    says: str
    holds: bool


@dataclass
class Outcome:
    """What came of a run; `figures` are counted over the two-line orders of the first phase."""

    checks: list[Check] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    duplicates_ignored: int = 0
    forged_rejected: int = 0
    seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        """Whether everything ended as it should."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def check(self, says: str, holds: bool) -> bool:
        """Notes one thing that must be true; returns whether it is."""
        self.checks.append(Check(says, holds))
        return holds


def run(world: World, outside: Outside, log: CallLog) -> Outcome:
    """Both phases and the checks. Raises RefusedError when a webhook that must be accepted is refused."""
    began = time.monotonic()
    outcome = Outcome()
    copies = EventCopies(world.sqs, world.stack["queues"]["event_copy"])
    wait_until(lambda: _is_quiet(world, log), SETTLE_SECONDS)
    copies.forget()
    log.skip()
    if _happy_orders(world, outcome, copies, log):
        _awkward_orders(world, outcome, outside)
        other_channels.run(world, outcome, outside, PHASE_SECONDS)
        _prove_events(world, outcome, copies)
        _prove_by_api(world, outcome)
        _prove_reasons(world, outcome)
    for problem in outside.problems:
        outcome.check(f"no trouble at the warehouse or the carrier: {problem}", False)
    outcome.seconds = time.monotonic() - began
    return outcome


def summary(world: World, outcome: Outcome) -> dict[str, Any]:
    """The figures of this run for programs: the last line of `make run ONCE=1`."""
    documents = [story.document for story in world.stories if story.document is not None]
    delivered = sum(_is_delivered(document) for document in documents)
    waiting = sum(_waits_for_stock(document) for document in documents)
    cancelled = sum(_is_cancelled(document) for document in documents)
    return {
        "orders": delivered + waiting + cancelled,
        "delivered": delivered,
        "waiting_for_stock": waiting,
        "cancelled": cancelled,
        "duplicates_ignored": outcome.duplicates_ignored,
        "forged_rejected": outcome.forged_rejected,
        "state_entries_per_order": outcome.figures.get("state_entries", 0),
        "wru_per_order": outcome.figures.get("wru", 0),
        "rru_per_order": outcome.figures.get("rru", 0),
        "wru_order_document": outcome.figures.get("wru_order_document", 0),
        "lambda_invocations_per_order": outcome.figures.get("lambda_invocations", 0),
        "seconds": round(outcome.seconds, 1),
    }


def _happy_orders(world: World, outcome: Outcome, copies: EventCopies, log: CallLog) -> bool:
    """Whether all were delivered; when not, the rest would only wait for what does not come."""
    world.screen.heading(f"{TWO_LINE_ORDERS} two-line orders, from the webhook to the door")
    stories = [world.tell("two lines", "two_lines", _is_delivered) for _ in range(TWO_LINE_ORDERS)]
    created = world.wait(lambda: all(story.document for story in stories), EXISTS_SECONDS)
    outcome.check(f"all {TWO_LINE_ORDERS} two-line orders were created", created)
    delivered = created and world.wait_for(stories, PHASE_SECONDS)
    outcome.check(f"all {TWO_LINE_ORDERS} two-line orders were delivered", delivered)
    if not delivered:
        return False
    wait_until(lambda: _has_settled(world, stories, copies), SETTLE_SECONDS)
    outcome.figures = _figures(world, [story.order_id for story in stories], log.tally())
    return True


def _is_quiet(world: World, log: CallLog) -> bool:
    """Whether nothing of earlier runs is still at work, which would be counted with ours."""
    return log.is_quiet(QUIET_SECONDS) and all(world.queue_is_idle(queue) for queue in WORK_QUEUES)


def _has_settled(world: World, stories: Sequence[Story], copies: EventCopies) -> bool:
    """Whether the executions have ended and every event is published: nothing more will be counted."""
    copies.collect()
    if not all(story.document is not None and copies.has_all(story.document) for story in stories):
        return False
    return "RUNNING" not in _executions(world, [story.order_id for story in stories]).values()


def _executions(world: World, order_ids: list[str]) -> dict[str, str]:
    return counters.executions_of(world.states, world.stack["state_machines"]["order_lifecycle"], order_ids)


def _figures(world: World, order_ids: list[str], tally: Tally) -> dict[str, float]:
    executions = _executions(world, order_ids)
    entered = sum(counters.state_entries(world.states, execution) for execution in executions)
    totals = {
        "state_entries": entered,
        "wru": tally.wru,
        "rru": tally.rru,
        "wru_order_document": tally.written_to_tables[world.stack["tables"]["orders"]],
        "lambda_invocations": tally.invocations.total(),
    }
    return {name: round(total / len(order_ids), 2) for name, total in totals.items()}


def _awkward_orders(world: World, outcome: Outcome, outside: Outside) -> None:
    world.screen.heading("What does not go smoothly")
    # First, and alone: its cancellation must arrive while the customer may still cancel.
    cancelled = world.tell("cancelled before release", "to_be_cancelled", _is_cancelled)
    if _exists(world, outcome, cancelled):
        world.send(world.shop.message("cancelled", cancelled.identity, seconds_later=1))
    split = world.tell(SPLIT, "must_be_split", _is_delivered)
    world.tell("more than there is", "more_than_there_is", _waits_for_stock)
    stale = world.tell("stale update", "two_lines", _is_delivered)
    world.send(world.sent[split.order_id])
    _forge(world, outcome)
    if _exists(world, outcome, stale):
        world.send(world.shop.message("stale_update", stale.identity, seconds_later=-600))
    _repeat_finished(world, outcome, world.stories[0])
    world.wait_for(world.stories, PHASE_SECONDS)
    _judge(outcome, split, stale, cancelled, outside)
    for story in world.stories[TWO_LINE_ORDERS:]:
        outcome.check(f"{story.number} ({story.shows}) ended as it should", story.has_ended)


def _exists(world: World, outcome: Outcome, story: Story) -> bool:
    found = world.wait(lambda: story.document is not None, EXISTS_SECONDS)
    return outcome.check(f"{story.number} ({story.shows}) was created", found)


def _forge(world: World, outcome: Outcome) -> None:
    identity = world.shop.new_identity()
    answer = world.shop.send(world.shop.message("forged_signature", identity).forged())
    table = world.stack["tables"]["orders"]
    absent = not orders_view.read_orders(world.tables, table, [world.shop.order_id(identity)])
    if outcome.check("a forged webhook is answered 401 and makes no order", answer.status == 401 and absent):
        outcome.forged_rejected += 1
        world.screen.say("a forged webhook was refused with 401")


def _repeat_finished(world: World, outcome: Outcome, finished: Story) -> None:
    """The same bytes again, after the order was delivered: 200, and not one write."""
    before = finished.document
    world.send(world.sent[finished.order_id])
    world.wait(lambda: world.queue_is_idle("intake"), EXISTS_SECONDS)
    same = before is not None and finished.document == before
    if outcome.check(f"{finished.number} did not change when its webhook was delivered again", same):
        outcome.duplicates_ignored += 1
        world.screen.say("a webhook delivered twice changed nothing")


def _judge(outcome: Outcome, split: Story, stale: Story, cancelled: Story, outside: Outside) -> None:
    """What the final documents must say beyond their status."""
    document = split.document or {}
    places = set(orders_view.locations(document))
    outcome.check(f"{split.number} was shipped from two locations", len(places) == 2)
    received = [event for event in document.get("events", []) if event["type"] == "OrderReceived"]
    if outcome.check(f"{split.number} was received once, though its webhook came twice", len(received) == 1):
        outcome.duplicates_ignored += 1
    lines = (stale.document or {}).get("lines", [])
    kept = bool(lines) and not any(line.get("cancelled") for line in lines)
    outcome.check(f"{stale.number} kept both lines, though an older message had one cancelled", kept)
    asked = {request["order_id"] for request in outside.requested.values()}
    outcome.check(f"no warehouse heard of {cancelled.number}", cancelled.order_id not in asked)


def _prove_events(world: World, outcome: Outcome, copies: EventCopies) -> None:
    world.look()

    def complete() -> bool:
        copies.collect()
        return all(story.document is not None and copies.has_all(story.document) for story in world.stories)

    arrived = wait_until(complete, SETTLE_SECONDS)
    outcome.check("every event of every order arrived on the bus, sequences without a gap", arrived)


def _prove_by_api(world: World, outcome: Outcome) -> None:
    """The API, asked with a token, says of every order what the table says."""
    api = Api(world.stack, READER)
    wrong = [story.number for story in world.stories if not _agrees(api, story)]
    says = "GET /orders/{order_id}, with a token of its own, says of every order what the table says"
    outcome.check(says + (f" (not so: {', '.join(wrong)})" if wrong else ""), not wrong)


def _prove_reasons(world: World, outcome: Outcome) -> None:
    """The decision record of the order that had to be split says so, and that no plan is cheaper."""
    (split,) = [story for story in world.stories if story.shows == SPLIT]
    answer = Api(world.stack, READER).get(f"/orders/{split.order_id}/routing")
    decision = answer.json() if answer.status == 200 else {}
    told = (decision.get("proven"), decision.get("split_reason")) == (True, "NO_LOCATION_HAS_ALL")
    outcome.check(f"GET /orders/{{order_id}}/routing says why {split.number} was split, and that it is cheapest", told)


def _agrees(api: Api, story: Story) -> bool:
    answer = api.get(f"/orders/{story.order_id}")
    if answer.status != 200 or story.document is None:
        return False
    shown, document = answer.json(), story.document
    return all(shown.get(name) == document.get(name) for name in ("order_id", "status", "waiting_for"))


def _status_is(status: str) -> Callable[[Document], bool]:
    return lambda document: document["status"] == status


_is_delivered = _status_is("DELIVERED")
_is_cancelled = _status_is("CANCELLED")


def _waits_for_stock(document: Document) -> bool:
    return document.get("waiting_for") == "STOCK"
