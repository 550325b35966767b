"""Channels are told what they may sell: once for many changes, and each time the newest figure."""

from __future__ import annotations

from datetime import datetime

import pytest

from oms.domain.errors import InvalidMessage
from oms.domain.listings import Telling, listing_of
from oms.runtime import clients
from tests.integration.company import at
from tests.integration.listed import MAIN, Desk, Shop, have, listing, open_shelves, owed, row
from tests.integration.stage import PREFIX, Stage


@pytest.fixture
def shelves(stage: Stage) -> Stage:
    return open_shelves(stage)


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
    assert desk.tell() is Telling.OBSOLETE
    assert desk.listings.mark_changed(MAIN, at(2)) is False
    assert owed(shelves)["mug-white"] == "OBSOLETE"
    assert {one["channel_sku"] for one in shelves.rows("listings")} == {"bowl", "two-mugs", "mug-cheap"}


def test_a_listing_of_what_is_no_product_any_more_offers_nothing(shelves: Stage) -> None:
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}products", Key={"sku": {"S": "MUG"}})
    desk = Desk()
    desk.listings.mark_changed(MAIN, at(1))
    desk.tell()
    assert row(shelves)["message"]["quantity"] == 0


@pytest.mark.parametrize(
    "key",
    [
        ("location#WH-EAST", "availability#mug-white"),
        ("channel#shopify#main", "mug-white"),
        ("channel#shopify#main", "availability#"),
        ("channel#", "availability#mug-white"),
    ],
)
def test_a_key_that_names_no_listing_is_refused(key: tuple[str, str]) -> None:
    with pytest.raises(InvalidMessage):
        listing_of(*key)


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
