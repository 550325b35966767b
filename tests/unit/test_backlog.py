"""A backlog of parcels is told at the pace that the channel allows, however long that takes: none is given up.

The real workers' code, on a queue and a channel that are played, in time that is counted.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse

from oms.channels.client import ChannelApi, Limit
from oms.domain.catalog import ChannelAccount, Notice
from oms.domain.channel_messages import ShipmentNotice
from oms.domain.errors import Unavailable
from oms.domain.listings import Telling
from oms.domain.order import Order
from oms.domain.rate_limits import Bucket, Move, Turn, next_turn
from oms.runtime.http import HttpAnswer
from oms.usecases.circuits import Circuits
from oms.usecases.confirmations import Confirmations
from oms.usecases.telling import ChannelsTold, Trigger
from tests.integration.bazaar import MAIN, parcel, shipped_order
from tests.integration.company import at

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
QUEUE = yaml_parse(TEMPLATE.read_text())["Resources"]["ChannelsQueue"]["Properties"]
MOST_RECEIVES = int(QUEUE["RedrivePolicy"]["maxReceiveCount"])
BATCH, HOUR = 100, 3600.0
DESTINATION = f"channel#{MAIN}"
ORDER = shipped_order({"l1": 1}, parcel(1, l1=1))


@dataclass
class Channel:
    """An account that is away until `back_at`, as its workers reach it, and what they share: rows, orders, limit."""

    limit: Limit
    back_at: float
    seconds: float = 0.0
    bucket: Bucket = field(default_factory=Bucket)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)

    def now(self) -> datetime:
        return at(1) + timedelta(seconds=self.seconds)

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    # the limit that all workers share
    def take(self, _: str, limit: Limit) -> float:
        turn = next_turn(self.bucket, limit, int(self.seconds * 1000))
        if not isinstance(turn, Turn):
            return turn
        begins = turn.now_ms if turn.move is Move.RESTART else self.bucket.free_at_ms
        self.bucket = replace(self.bucket, free_at_ms=begins + turn.interval_ms)
        return 0.0

    def learn(self, *_: Any) -> None: ...

    def close(self, *_: Any) -> None: ...

    # the channel itself
    def request(self, *_: Any, **__: Any) -> HttpAnswer:
        self.seconds += 0.3
        if self.seconds < self.back_at:
            raise Unavailable("answered 503")
        return HttpAnswer(200, {}, b"{}")

    # orders, settings and rows
    def read_many(self, order_ids: Iterable[str]) -> Mapping[str, Order]:
        return {one: replace(ORDER, order_id=one) for one in order_ids}

    def channel_account(self, *_: str) -> ChannelAccount:
        return ChannelAccount(base_url="https://shop.example", tells=(Notice.SHIPMENTS,))

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {key: dict(self.rows[key]) for key in keys}

    def failed(self, destination: str, message_key: str, *_: Any) -> None:
        self.rows[destination, message_key]["status"] = "FAILED"

    def mark_told(self, row: dict[str, Any], _: datetime) -> bool:
        self.rows[row["destination"], row["message_key"]]["status"] = "SENT"
        self.told[row["message_key"]] = self.seconds
        return True


def worker(channel: Channel) -> ChannelsTold:
    everything: Any = channel
    api = ChannelApi(
        channel="bazaar",
        account="main",
        settings=channel.channel_account(),
        http=everything,
        limits=everything,
        read_credentials=lambda _: {},
        now=channel.now,
        clock=channel.clock,
        sleep=channel.sleep,
    )

    def run(_account: str, _operation: str, notice: ShipmentNotice) -> None:
        api.call("POST", f"https://shop.example/{notice.channel_order_id}", limit=channel.limit, headers=lambda _: {})

    rows: Any = _Rows(channel)
    circuits = Circuits(chance=lambda: 0.5)
    nothing: Any = None
    return ChannelsTold(
        confirmations=Confirmations(
            orders=everything,
            deliveries=rows,
            settings=everything,
            run=run,
            circuits=circuits,
            publishing=nothing,
        ),
        messages=nothing,
        circuits=circuits,
    )


@dataclass
class _Rows:
    channel: Channel

    def __post_init__(self) -> None:
        self.get_many, self.failed, self.told = self.channel.get_many, self.channel.failed, self.channel.mark_told


def work_off(channel: Channel, parcels: int, within: float) -> int:
    """Lets one worker tell so many parcels, all owed at once; returns how many messages the queue gave up."""
    told, dead, queue = worker(channel), 0, list[tuple[float, int, Trigger]]()
    for number in range(parcels):
        key = f"order-{number}#1#shipment"
        channel.rows[DESTINATION, key] = {
            "destination": DESTINATION,
            "message_key": key,
            "kind": "shipment",
            "status": "PENDING",
        }
        queue.append((0.0, number, Trigger(message_id=str(number), destination=DESTINATION, message_key=key)))
    while queue and channel.seconds < within:
        channel.seconds = max(channel.seconds, queue[0][0])
        batch: list[Trigger] = []
        while queue and len(batch) < BATCH and queue[0][0] <= channel.seconds:
            batch.append(heapq.heappop(queue)[2])
        results = told.tell(batch, channel.now, lambda: True)
        for one in batch:
            if one.message_id not in results.again:
                continue
            if one.receives == MOST_RECEIVES:
                dead += 1
                continue
            due = channel.seconds + results.again[one.message_id]
            heapq.heappush(queue, (due, int(one.message_id), replace(one, receives=one.receives + 1)))
    return dead


@pytest.mark.parametrize(
    ("parcels", "limit", "away_seconds"),
    [
        pytest.param(300, Limit("parcels", 0.02, 40), 0.0, id="a day's parcels at once, 72 an hour allowed"),
        pytest.param(500, Limit("parcels", 2, 10), 6 * HOUR, id="the channel was away for six hours"),
        pytest.param(2_000, Limit("parcels", 0.5, 10), 0.5 * HOUR, id="away for half an hour, then more than it takes"),
    ],
)
def test_every_parcel_is_told_at_the_pace_the_channel_allows(parcels: int, limit: Limit, away_seconds: float) -> None:
    channel = Channel(limit, back_at=away_seconds)
    pace = parcels / limit.per_second
    assert work_off(channel, parcels, within=48 * HOUR) == 0
    assert len(channel.told) == parcels
    assert {row["status"] for row in channel.rows.values()} == {Telling.SENT.value}
    assert max(channel.told.values()) < away_seconds + 1.2 * pace + 0.5 * HOUR
