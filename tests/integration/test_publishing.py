"""Channels are told what they may sell: once for many changes, the newest figure, and no change is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from oms.domain.catalog import KitComponent, Product
from oms.domain.errors import InvalidMessage, Throttled, Unavailable, WriteConflict
from oms.domain.listings import AvailabilityMessage, Listing, ListingKey, Telling, delivery_key
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.backorders import BackordersStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.open_lines import OpenLinesStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.usecases.availability import Availabilities
from oms.usecases.publishing import ChannelMessages, Publishing
from tests.integration.company import at
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage

MAIN, OUTLET, SETS = (
    ListingKey("shopify#main", "mug-white"),
    ListingKey("shopify#outlet", "mug-cheap"),
    ListingKey("shopify#main", "two-mugs"),
)
ROW = delivery_key(MAIN)


@dataclass
class Shop:
    """A channel that remembers what it was told; `busy` says no to so many, `during` happens while it is told."""

    heard: list[AvailabilityMessage] = field(default_factory=list)
    busy: int = 0
    during: list[Callable[[], Any]] = field(default_factory=list)

    def push(self, account: str, message: AvailabilityMessage) -> None:
        assert account == "main"
        if self.during:
            self.during.pop(0)()
        if self.busy:
            self.busy -= 1
            raise Unavailable("answered 503")
        self.heard.append(message)

    @property
    def quantities(self) -> list[int]:
        return [one.quantity for one in self.heard]


class Desk:
    """A worker that owes and tells, just started; only with a shop is there somebody to tell."""

    def __init__(self, shop: Shop | None = None) -> None:
        client: Any = clients.client("dynamodb")
        self.listings, self.deliveries = ListingsStore(client, PREFIX), DeliveriesStore(client, PREFIX)
        products = ProductsStore(client, PREFIX)
        self.publishing = Publishing(self.listings, self.deliveries, products)
        figures = Availabilities(
            stock=StockStore(client, PREFIX),
            backorders=BackordersStore(client, PREFIX),
            open_lines=OpenLinesStore(client, PREFIX),
            products=products,
            locations=LocationsStore(client, PREFIX),
            settings=SettingsStore(client, PREFIX),
        )
        pushes = {"shopify": shop.push} if shop else {}
        self.messages = ChannelMessages(self.listings, self.deliveries, figures, pushes)

    def mark(self, *skus: str, hours: float = 1) -> int:
        return self.publishing.mark_changed(skus or ("MUG",), at(hours))

    def tell(self, hours: float = 1) -> Telling | None:
        return self.messages.send(*ROW, at(hours))


@pytest.fixture
def shelves(stage: Stage) -> Stage:
    """A company that sells mugs on two accounts, and sets of two mugs on one. There are 15 mugs."""
    stage.put("products", Product(sku="MUG", part_of=("SET",)))
    stage.put("products", Product(sku="SET", kit_components=(KitComponent(sku="MUG", quantity=2),)))
    begin_anew(stage)
    return stage


def begin_anew(stage: Stage) -> None:
    """Nobody was ever told or owed anything, and there are 15 mugs."""
    for one in stage.rows("deliveries"):
        names = {name: {"S": one[name]} for name in ("destination", "message_key")}
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}deliveries", Key=names)
    for key, sku in ((MAIN, "MUG"), (OUTLET, "MUG"), (SETS, "SET"), (ListingKey("shopify#main", "bowl"), "BOWL")):
        stage.put("listings", Listing(channel_account=key.channel_account, channel_sku=key.channel_sku, sku=sku))
    have(stage, 15)


def have(stage: Stage, mugs: int) -> None:
    """So many mugs are there, all in one place."""
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST"))
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=mugs, available=mugs))


def sell_five(stage: Stage) -> None:
    """Ten mugs are left, and the change is noted."""
    have(stage, 10)
    Desk().mark()


def owed(stage: Stage) -> dict[str, str]:
    """Status of every row that owes a figure, by listing."""
    return {row["message_key"].removeprefix("availability#"): row["status"] for row in stage.rows("deliveries")}


def row(stage: Stage, key: ListingKey = MAIN) -> dict[str, Any]:
    found = (one for one in stage.rows("deliveries") if (one["destination"], one["message_key"]) == delivery_key(key))
    return next(found)


def listing(stage: Stage) -> dict[str, Any]:
    return next(one for one in stage.rows("listings") if one["channel_sku"] == MAIN.channel_sku)


class Overtaken(ListingsStore):
    """Whoever reads a listing here finds that somebody else has begun to tell of it meanwhile."""

    def get(self, key: ListingKey) -> Listing | None:
        found = super().get(key)
        assert found
        assert self.begin_telling(key, found.change_version)
        return found


class Told:
    """Plays the stream and the queue: every row that became pending is worked off, until nothing is owed."""

    def __init__(self, stage: Stage, desk: Desk) -> None:
        self.stage, self.desk = stage, desk

    def all(self) -> None:
        for _ in range(10):
            if owed(self.stage).get(MAIN.channel_sku) not in ("PENDING", "FAILED"):
                return
            self.desk.tell()
        raise AssertionError("it never ends")


def test_a_change_owes_every_listing_of_the_sku_and_of_the_kits_it_is_in(shelves: Stage) -> None:
    assert Desk().mark("MUG") == 3
    assert owed(shelves) == {"mug-white": "PENDING", "mug-cheap": "PENDING", "two-mugs": "PENDING"}
    assert (row(shelves)["kind"], row(shelves)["destination"]) == ("availability.changed", "channel#shopify#main")


def test_a_sku_that_is_listed_nowhere_owes_nobody_anything(shelves: Stage) -> None:
    assert Desk().mark("KETTLE", "NOT-EVEN-A-PRODUCT") == 0
    assert owed(shelves) == {}


def test_many_changes_are_owed_as_one_message(shelves: Stage) -> None:
    desk = Desk()
    assert [desk.mark("MUG", hours=1 + n / 100) for n in range(5)] == [3, 0, 0, 0, 0]
    assert listing(shelves)["change_version"] == 5
    assert desk.tell() is Telling.READY
    assert row(shelves)["message"]["version"] == 5


def test_a_message_whose_trigger_was_lost_is_owed_anew_by_a_later_change(shelves: Stage) -> None:
    desk = Desk()
    desk.mark("MUG", hours=1)
    assert desk.mark("MUG", hours=1.24) == 0
    assert desk.mark("MUG", hours=1.26) == 3
    assert row(shelves)["owed_at"] == "2026-03-02T13:15:36Z"


def test_a_channel_that_nobody_can_tell_yet_has_its_message_ready_on_the_row(shelves: Stage) -> None:
    desk = Desk()
    desk.mark()
    assert desk.tell() is Telling.READY
    assert row(shelves)["message"] == {
        "channel_sku": "mug-white",
        "sku": "MUG",
        "quantity": 15,
        "version": 1,
        "at": "2026-03-02T13:00:00Z",
    }
    assert row(shelves)["status"] == "READY"
    assert "last_published_quantity" not in listing(shelves)


def test_a_channel_is_told_what_may_be_sold_and_the_listing_knows_it(shelves: Stage) -> None:
    shop = Shop()
    desk = Desk(shop)
    desk.mark()
    assert desk.tell() is Telling.SENT
    assert shop.quantities == [15]
    told = listing(shelves)
    assert (told["last_published_quantity"], told["last_published_at"]) == (15, "2026-03-02T13:00:00Z")
    assert (told["published_version"], row(shelves)["status"]) == (1, "SENT")


def test_a_channel_that_knows_the_figure_is_not_told_again(shelves: Stage) -> None:
    shop = Shop()
    desk = Desk(shop)
    told = []
    for _ in range(3):
        desk.mark()
        told.append(desk.tell())
    assert (told, shop.quantities) == ([Telling.SENT, Telling.UNCHANGED, Telling.UNCHANGED], [15])
    assert (row(shelves)["status"], row(shelves)["message"]["version"]) == ("UNCHANGED", 1)


def test_a_row_that_is_settled_is_owed_again_by_the_next_change(shelves: Stage) -> None:
    shop = Shop()
    desk = Desk(shop)
    desk.mark()
    desk.tell()
    have(shelves, 7)
    assert desk.mark() >= 1
    assert owed(shelves)["mug-white"] == "PENDING"
    desk.tell()
    assert shop.quantities == [15, 7]


def test_a_listing_that_was_taken_down_is_told_nothing_and_not_brought_back(shelves: Stage) -> None:
    desk = Desk(Shop())
    desk.mark()
    key = {name: {"S": value} for name, value in MAIN._asdict().items()}
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}listings", Key=key)
    assert desk.tell() is None
    assert desk.listings.mark_changed(MAIN, at(2)) is False
    assert owed(shelves)["mug-white"] == "OBSOLETE"
    assert {one["channel_sku"] for one in shelves.rows("listings")} == {"bowl", "two-mugs", "mug-cheap"}


def test_a_listing_of_what_is_no_product_any_more_offers_nothing(shelves: Stage) -> None:
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}products", Key={"sku": {"S": "MUG"}})
    desk = Desk()
    desk.listings.mark_changed(MAIN, at(1))
    desk.tell()
    assert row(shelves)["message"]["quantity"] == 0


def test_a_key_that_names_no_listing_is_refused(shelves: Stage) -> None:
    desk = Desk()
    for key in (
        ("location#WH-EAST", "availability#mug-white"),
        ("channel#shopify#main", "mug-white"),
        ("channel#shopify#main", "availability#"),
        ("channel#", "availability#mug-white"),
    ):
        with pytest.raises(InvalidMessage):
            desk.messages.send(*key, at(1))


# What happens at the same time: the mark before, between and after the steps of a telling.


@pytest.mark.parametrize("with_shop", [True, False])
def test_a_change_at_any_moment_of_a_telling_is_told_in_the_end(
    shelves: Stage, faults: Faults, with_shop: bool
) -> None:
    """Before each call of the telling in turn, five mugs are sold and the change is marked."""
    struck = 0
    for operation, nth in itertools.product(("GetItem", "Query", "UpdateItem"), range(1, 6)):
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
        assert quick.messages.send(*ROW, at(1)) is Telling.SENT
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
        replace(desk.messages, listings=Overtaken(desk.listings.table.client, PREFIX)).send(*ROW, at(1))
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
    assert failed["last_error"] == "Unavailable: answered 503"
    assert desk.tell() is Telling.SENT
    assert (shop.quantities, "failed_destination" in row(shelves)) == ([15], False)


def test_a_message_that_failed_for_good_is_owed_again_by_the_next_change(shelves: Stage) -> None:
    shop = Shop(busy=1)
    desk = Desk(shop)
    desk.mark()
    with pytest.raises(Unavailable):
        desk.tell()
    assert desk.mark() == 1
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


def test_playing_a_trigger_twice_changes_nothing_but_the_count_of_attempts(shelves: Stage) -> None:
    desk = Desk(Shop())
    desk.mark()
    desk.tell()
    before = listing(shelves)
    assert desk.tell() is Telling.UNCHANGED
    assert listing(shelves) == before


def test_rules_and_time_of_the_moment_decide_the_figure(shelves: Stage) -> None:
    until: datetime = at(2)
    rules = [{"name": "Holidays", "channel": "shopify#main", "valid_until": until.isoformat(), "safety_stock": 4}]
    shelves.put("settings", {"kind": "availability", "name": "rules", "rules": rules})
    shop = Shop()
    desk = Desk(shop)
    desk.mark(hours=1)
    desk.tell(hours=1)
    desk.mark(hours=3)
    desk.tell(hours=3)
    assert shop.quantities == [15 - 4, 15]
