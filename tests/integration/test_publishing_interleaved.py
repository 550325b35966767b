"""Sellers and tellers of two listings, interleaved call by call and dying here and there: the channel ends up right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

import pytest

from oms.domain.errors import Unavailable
from oms.domain.listings import AvailabilityMessage, Failure, ListingKey, delivery_key
from oms.domain.stock import StockPosition
from oms.stores.deliveries import DeliveriesStore
from tests.integration.company import at
from tests.integration.interleaving import Actor, stop_here, watch_calls
from tests.integration.listed import MAIN, SETS, Desk, begin_anew, open_shelves, row
from tests.integration.stage import Stage

MAX_STEPS = 2_000
MAX_DEATHS = 3
DEATHS = 0.05
"""How many of the calls are never made, since the worker dies before them."""

EXAMPLES = 16


@dataclass
class Channel:
    """What the channel believes of each listing is what it heard last."""

    believes: dict[str, int] = field(default_factory=dict)

    def publish(self, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
        stop_here()
        self.believes |= {message.channel_sku: message.quantity for message in messages}
        return {}


@dataclass
class Street:
    """Everybody at work, and the triggers that the stream has queued for whoever tells the channel."""

    stage: Stage
    random: Random
    channel: Channel = field(default_factory=Channel)
    actors: list[Actor] = field(default_factory=list)
    queued: list[ListingKey] = field(default_factory=list)
    deaths: int = 0

    def sell(self, left: int) -> None:
        """Somebody's order leaves so many mugs, and the stream of stock says so."""
        self.stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=left, available=left))
        self.desk().publishing.mark_changed(["MUG"], at(1))

    def tell(self) -> None:
        """The queue hands out, as one batch, what has come in so far."""
        batch, self.queued = list(dict.fromkeys(self.queued)), []
        if batch:
            self.begin(partial(self.work_off, batch))

    def work_off(self, batch: list[ListingKey]) -> None:
        told = self.desk().messages.tell(MAIN.channel_account, batch, at(1))
        if any(isinstance(ending, Failure) for ending in told.values()):
            raise Unavailable("comes again")

    def desk(self) -> Desk:
        """A worker whose rows that become pending bring a trigger, as the stream makes one of each."""
        desk = Desk(self.channel)
        desk.publishing = type(desk.publishing)(desk.listings, self.noting(), desk.publishing.products)
        desk.messages = replace(desk.messages, deliveries=self.noting())
        return desk

    def noting(self) -> DeliveriesStore:
        """The store, with the stream behind it. A worker that dies after its write has made the stream all the same."""
        street = self

        class Noting(DeliveriesStore):
            def owe(self, destination: str, message_key: str, kind: str, now: datetime) -> bool:
                owed = super().owe(destination, message_key, kind, now)
                for key in (MAIN, SETS):
                    if owed and (destination, message_key) == delivery_key(key):
                        street.queued.append(key)
                        street.begin(street.tell)
                return owed

        return Noting(Desk().listings.table.client, "oms-test-")

    def begin(self, work: Callable[[], Any]) -> None:
        self.actors.append(Actor(work))

    def run(self) -> None:
        """Until everybody is done; who died, or was told to, comes again."""
        for _ in range(MAX_STEPS):
            if not self.actors:
                return
            actor = self.random.choice(self.actors)
            die = self.deaths < MAX_DEATHS and self.random.random() < DEATHS
            self.deaths += die
            actor.go_on(die=die)
            if actor.is_done:
                self.actors.remove(actor)
                if actor.undone:
                    self.begin(actor.work)
        raise AssertionError("it never ends")


@pytest.fixture
def shelves(stage: Stage) -> Stage:
    return open_shelves(stage)


@pytest.mark.parametrize("first", range(0, EXAMPLES, EXAMPLES // 2))
def test_whatever_the_order_of_their_calls_the_channel_believes_what_may_be_sold(shelves: Stage, first: int) -> None:
    deaths = 0
    for seed in range(first, first + EXAMPLES // 2):
        begin_anew(shelves)
        street = Street(shelves, Random(seed))
        unwatch = watch_calls()
        try:
            for left in (12, 9, 4):
                street.begin(partial(street.sell, left))
            street.run()
        finally:
            unwatch()
        deaths += street.deaths
        left = shelves.position("MUG", "WH-EAST").available
        assert street.channel.believes == {MAIN.channel_sku: left, SETS.channel_sku: left // 2}, seed
        for key in (MAIN, SETS):
            noted = next(one for one in shelves.rows("listings") if one["channel_sku"] == key.channel_sku)
            assert noted["last_published_quantity"] == street.channel.believes[key.channel_sku], seed
            assert row(shelves, key)["status"] in ("SENT", "UNCHANGED"), seed
    assert deaths > 0
