"""No change is lost on its way to a channel: not when others act at the same time, not when something fails."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest

from oms.domain.errors import InvariantBroken, Throttled, Unavailable, WriteConflict
from oms.domain.listings import Listing, ListingKey, Telling
from oms.stores.listings import ListingsStore
from tests.integration.faults import CrashedError, Faults
from tests.integration.listed import (
    Desk,
    Shop,
    Told,
    begin_anew,
    ended,
    have,
    listing,
    open_shelves,
    owed,
    row,
    sell_five,
)
from tests.integration.stage import PREFIX, Stage


class Overtaken(ListingsStore):
    """Whoever reads a listing here finds that somebody else has begun to tell of it meanwhile."""

    def read_many(self, keys: Iterable[ListingKey]) -> dict[ListingKey, Listing | InvariantBroken]:
        found = super().read_many(keys)
        for key, one in found.items():
            assert isinstance(one, Listing)
            assert self.begin_telling(key, one.change_version)
        return found


@pytest.fixture
def shelves(stage: Stage) -> Stage:
    return open_shelves(stage)


# What happens at the same time: the mark before, between and after the steps of a telling.


@pytest.mark.parametrize("with_shop", [True, False])
def test_a_change_at_any_moment_of_a_telling_is_told_in_the_end(
    shelves: Stage, faults: Faults, with_shop: bool
) -> None:
    """Before each call of the telling in turn, five mugs are sold and the change is marked."""
    struck = 0
    for operation, nth in itertools.product(("GetItem", "BatchGetItem", "Query", "UpdateItem"), range(1, 6)):
        begin_anew(shelves)
        shop = Shop()
        desk = Desk(shop if with_shop else None)
        desk.mark()
        before = faults.hits
        faults.meanwhile(operation, lambda: sell_five(shelves), nth=nth)
        desk.tell()
        faults.mend()
        if faults.hits == before:
            continue
        struck += 1
        Told(shelves, desk).all()
        told = shop.quantities[-1] if with_shop else row(shelves)["message"]["quantity"]
        assert told == 10, (operation, nth)
        assert owed(shelves)["mug-white"] in ("SENT", "READY", "UNCHANGED")
    assert struck >= 7


def test_a_change_while_the_channel_is_being_told_is_told_next(shelves: Stage) -> None:
    shop = Shop()
    desk = Desk(shop)
    desk.mark()
    shop.during = [lambda: sell_five(shelves)]
    desk.tell()
    assert owed(shelves)["mug-white"] == "PENDING"
    Told(shelves, desk).all()
    assert shop.quantities == [15, 10]


def test_an_older_message_that_comes_last_is_made_good(shelves: Stage) -> None:
    """Two workers tell at once; the slower one has the older figure, and the channel hears it last."""
    shop = Shop()
    slow, quick = Desk(shop), Desk(shop)
    slow.mark()

    def overtake() -> None:
        have(shelves, 10)
        quick.mark()
        assert quick.tell() is Telling.SENT
        assert shop.quantities == [10]

    shop.during = [overtake]
    slow.tell()
    assert shop.quantities == [10, 15]
    assert owed(shelves)["mug-white"] == "PENDING"
    Told(shelves, quick).all()
    assert shop.quantities == [10, 15, 10]
    assert listing(shelves)["last_published_quantity"] == 10


def test_an_older_message_never_overwrites_a_newer_one_on_the_row(shelves: Stage, faults: Faults) -> None:
    slow, quick = Desk(), Desk()
    slow.mark()

    def overtake() -> None:
        have(shelves, 10)
        quick.mark()
        quick.tell()

    faults.meanwhile("UpdateItem", overtake)  # the slow one has its figure and is about to write it down
    slow.tell()
    assert (row(shelves)["message"]["version"], row(shelves)["message"]["quantity"]) == (2, 10)


def test_two_workers_with_the_same_trigger_do_not_trust_each_other(shelves: Stage) -> None:
    shop = Shop()
    one, other = Desk(shop), Desk(shop)
    one.mark()
    shop.during = [other.tell]
    one.tell()
    Told(shelves, one).all()
    assert set(shop.quantities) == {15}
    assert listing(shelves)["last_published_quantity"] == 15


def test_others_who_are_always_faster_make_it_come_again(shelves: Stage) -> None:
    shop = Shop()
    desk = Desk(shop)
    desk.mark()
    with pytest.raises(WriteConflict):
        ended(replace(desk.messages, listings=Overtaken(desk.listings.table.client, PREFIX)))
    assert shop.heard == []
    Told(shelves, desk).all()
    assert shop.quantities == [15]


# What fails: the channel, the tables, the worker.


def test_a_channel_that_does_not_take_it_is_told_by_the_next_attempt(shelves: Stage) -> None:
    shop = Shop(busy=1)
    desk = Desk(shop)
    desk.mark()
    with pytest.raises(Unavailable):
        desk.tell()
    failed = row(shelves)
    assert (failed["status"], failed["failed_destination"]) == ("FAILED", "channel#shopify#main")
    assert failed["last_error"] == "Unavailable"
    assert desk.tell() is Telling.SENT
    assert (shop.quantities, "failed_destination" in row(shelves)) == ([15], False)


def test_a_message_that_failed_for_good_is_owed_again_by_the_next_change(shelves: Stage) -> None:
    shop = Shop(busy=1)
    desk = Desk(shop)
    desk.mark()
    with pytest.raises(Unavailable):
        desk.tell()
    assert desk.mark() == 0, "as long as it may come again by itself, nobody owes it twice"
    assert desk.mark(hours=1.3) == 3, "nor have the others been tried"
    assert (row(shelves)["status"], "failed_destination" in row(shelves)) == ("PENDING", False)


def test_a_throttled_mark_comes_again_as_a_whole(shelves: Stage, faults: Faults) -> None:
    desk = Desk()
    for operation in ("Query", "UpdateItem"):
        faults.refuse(operation, "ProvisionedThroughputExceededException", times=10)
        with pytest.raises(Throttled):
            desk.mark()
        faults.mend()
    desk.mark()
    assert owed(shelves) == {"mug-white": "PENDING", "mug-cheap": "PENDING", "two-mugs": "PENDING"}


def test_a_mark_that_dies_anywhere_is_complete_once_it_came_again(shelves: Stage, faults: Faults) -> None:
    for nth, crash in itertools.product(range(1, 7), (faults.crash_before, faults.crash_after)):
        begin_anew(shelves)
        crash("UpdateItem", nth=nth)
        with pytest.raises(CrashedError):
            Desk().mark()
        faults.mend()
        Desk().mark()
        assert owed(shelves) == {"mug-white": "PENDING", "mug-cheap": "PENDING", "two-mugs": "PENDING"}
        assert all(one["change_version"] >= 1 for one in shelves.rows("listings") if one["channel_sku"] != "bowl")


def test_a_telling_that_dies_anywhere_is_told_once_it_came_again(shelves: Stage, faults: Faults) -> None:
    for nth, crash in itertools.product(range(1, 4), (faults.crash_before, faults.crash_after)):
        begin_anew(shelves)
        shop = Shop()
        desk = Desk(shop)
        desk.mark()
        crash("UpdateItem", nth=nth)
        with pytest.raises(CrashedError):
            desk.tell()
        faults.mend()
        desk.tell()
        Told(shelves, desk).all()
        assert shop.quantities[-1] == 15
        assert listing(shelves)["last_published_quantity"] == 15
        assert owed(shelves)["mug-white"] in ("SENT", "UNCHANGED")
