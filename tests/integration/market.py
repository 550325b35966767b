"""A channel of the tests: a marketplace called `market` that lists its orders by the page, and workers who read it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from oms.channels import registry
from oms.domain.catalog import ChannelAccount
from oms.domain.channel_messages import PulledOrder, PulledPage, Window
from oms.domain.errors import ChannelRefused, InvalidMessage, NotFound, Throttled
from oms.domain.ids import order_id
from oms.domain.incoming import Envelope
from oms.runtime import clients
from oms.stores.polls import COMPARISONS, PULLS, PollsStore
from tests.integration.faults import CrashedError
from tests.integration.stage import PREFIX, LambdaContext, Stage
from tests.unit import builders

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACCOUNT = "market#main"
SETTINGS = ChannelAccount(currencies=("USD",), poll_seconds=300, overlap_seconds=120, reconcile_hours=6)
PLENTY = 120_000
"""Milliseconds that an invocation has."""

READ_SERVICES = ("dynamodb", "sqs")


def at(minutes: float) -> datetime:
    """So many minutes after NOON."""
    return NOON + timedelta(minutes=minutes)


@dataclass
class Market:
    """The marketplace. `orders` are what it has, by id, with the time of their last change; `thin`: it lists ids only.

    `broken` errors are raised one after the other by the next calls, None by none; tokens in `expired` are refused;
    after `pages_until_slow` calls its limit is used up; `token` is that of each next page, where it is set.
    """

    orders: dict[str, datetime] = field(default_factory=dict)
    page_size: int = 2
    thin: bool = False
    not_followed: set[str] = field(default_factory=set)
    broken: list[Exception | None] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)
    pages_until_slow: int | None = None
    token: str = ""
    meanwhile: Callable[[], Any] | None = None
    pulls: list[tuple[Window, str | None]] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)

    def pull(self, _api: Any, window: Window, token: str | None) -> PulledPage:
        """A page of what changed in the window, oldest change first; the token is where to go on."""
        self.pulls.append((window, token))
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act()
        self._break()
        if token in self.expired:
            raise ChannelRefused("no such token", status=400, codes=("InvalidToken",))
        found = sorted((at, one) for one, at in self.orders.items() if window.since <= at < window.until)
        start = int(token or 0)
        page = [self._listed(one) for _, one in found[start : start + self.page_size]]
        more = start + self.page_size < len(found)
        next_token = self.token or str(start + self.page_size)
        return PulledPage(orders=tuple(page), next_token=next_token if more else None)

    def fetch(self, _api: Any, channel_order_id: str) -> PulledOrder:
        """The whole order."""
        self.fetches.append(channel_order_id)
        self._break()
        if channel_order_id not in self.orders:
            raise NotFound("gone")
        return replace(self._listed(channel_order_id), body=json.dumps({"id": channel_order_id}))

    def parse(self, envelope: Envelope) -> str | None:
        """The order's id, None for one that is not followed. Raises InvalidMessage for one that is called `odd…`."""
        found: str = json.loads(envelope.body)["id"]
        if found.startswith("odd"):
            raise InvalidMessage("odd", field="id", reason="INVALID_FIELD")
        return None if found in self.not_followed else found

    def _listed(self, one: str) -> PulledOrder:
        body = None if self.thin else json.dumps({"id": one})
        return PulledOrder(channel_order_id=one, updated_at=self.orders[one], body=body)

    def _break(self) -> None:
        error = self.broken.pop(0) if self.broken else None
        if error:
            raise error
        if self.pages_until_slow is not None:
            self.pages_until_slow -= 1
            if self.pages_until_slow < 0:
                raise Throttled("slow", retry_after_seconds=180)


@dataclass
class Readers:
    """Workers of `queue_poll` on the market's account; `now` is their time. `arrived` is what intake was ever given."""

    stage: Stage
    market: Market
    now: datetime = NOON
    arrived: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0
    context: LambdaContext = field(default_factory=LambdaContext)

    def send(self, *messages: dict[str, Any], receives: int = 1) -> list[dict[str, str]]:
        """Has a worker that has just started take messages; returns those that come again."""
        self.count += 1
        app = self.stage.function("queue_poll")
        self.context = LambdaContext(aws_request_id=f"request-{self.count}", remaining_millis=PLENTY)
        records = [
            {
                "messageId": f"message-{self.count}-{number}",
                "receiptHandle": "handle",
                "body": json.dumps(message),
                "attributes": {"SentTimestamp": "1772452800000", "ApproximateReceiveCount": str(receives)},
            }
            for number, message in enumerate(messages)
        ]
        answer: list[dict[str, str]] = app.handler({"Records": records}, self.context)["batchItemFailures"]
        return answer

    def pull(self) -> list[dict[str, str]]:
        """One message to pull the account."""
        return self.send({"task": "pull", "channel_account": ACCOUNT})

    def reconcile(self) -> list[dict[str, str]]:
        """One message to compare the account."""
        return self.send({"task": "reconcile", "channel_account": ACCOUNT})

    def time_is_up(self) -> None:
        """The invocation has no time left for another page."""
        self.context.remaining_millis = 0

    def queued(self) -> list[str]:
        """Takes what lies on the intake queue: the ids of the orders, oldest first."""
        taken = self.stage.messages("intake")
        self.arrived += taken
        return [json.loads(one["body"])["id"] for one in taken]

    def asked(self) -> list[dict[str, Any]]:
        """Takes what lies on the poll queue."""
        return self.stage.messages("poll")

    def row(self, kind: str = PULLS) -> Any:
        """How far the account is; None where it was never read."""
        return PollsStore(clients.client("dynamodb"), PREFIX, kind).all().get(ACCOUNT)

    def comparison(self) -> Any:
        """What the last comparison found."""
        return self.row(COMPARISONS).comparison

    def known(self, one: str, updated_at: datetime, **changes: Any) -> None:
        """We have this order, as it was changed then."""
        made = replace(
            builders.order(),
            order_id=order_id("market", "main", one),
            channel="market",
            account="main",
            channel_order_id=one,
            channel_updated_at=updated_at,
            **changes,
        )
        self.stage.put("orders", made)


def open_market(stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str = "market") -> Readers:
    """The market under a name, its account, and workers whose time stands still unless it is moved."""
    made = Readers(stage, Market())
    module = SimpleNamespace(pull=made.market.pull, fetch=made.market.fetch, parse=made.market.parse)
    monkeypatch.setitem(sys.modules, f"oms.channels.{name}", module)
    monkeypatch.setattr(registry, "CHANNELS", registry.CHANNELS | {name})
    monkeypatch.setattr("oms.runtime.clock.now", lambda: made.now)
    monkeypatch.setattr("random.random", lambda: 0.0)
    stage.put("settings", SETTINGS, kind="channel_account", name=f"{name}#main")
    return made


@contextmanager
def dying(moment: str, nth: int) -> Iterator[None]:
    """The worker dies at its n-th call of DynamoDB or SQS: `before-send` or `after-call` of it."""
    left = [nth]

    def die(**_: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise CrashedError

    watched = [(f"{moment}.{service}", clients.client(service).meta.events) for service in READ_SERVICES]
    for event, events in watched:
        events.register_first(event, die)
    try:
        yield
    finally:
        for event, events in watched:
            events.unregister(event, die)


@contextmanager
def counted(*services: str) -> Iterator[Counter[str]]:
    """How often each operation of these services is called."""
    calls: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        calls.update([model.name])

    for service in services:
        clients.client(service).meta.events.register("before-call", count)
    yield calls
    for service in services:
        clients.client(service).meta.events.unregister("before-call", count)
