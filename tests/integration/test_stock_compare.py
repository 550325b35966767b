"""Once a day each account is asked what it believes; where it errs it is told anew. What got lost is found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from oms.channels import registry
from oms.domain.catalog import Notice
from oms.domain.listings import Listing
from oms.domain.polling import Poll
from oms.domain.stock import StockPosition
from oms.runtime.http import HttpClient
from oms.stores.polls import PULLS
from oms.usecases import stock_compare as module
from oms.usecases.stock_compare import Compared
from tests.integration.bazaar import MAIN, OTHER, Bazaar, Worker, bazaar, open_account, pending, statuses
from tests.integration.company import at
from tests.integration.faults import CrashedError, Faults
from tests.integration.listed import Desk
from tests.integration.stage import Stage
from tests.scripted_server import OpenLimits, Reply


@pytest.fixture
def shop(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bazaar]:
    with bazaar(monkeypatch) as made:
        open_account(stage, made.url)
        yield made


def compare(
    stage: Stage, hours: float = 10, *, go_on: Callable[[], bool] = lambda: True, anew: bool = False
) -> Compared:
    """A run of a worker that has just started."""
    app = stage.function("schedule_publish_stock")
    app.accounts.http = HttpClient(allow_loopback=True, sleep=lambda _: None)
    app.accounts.limits = OpenLimits()
    app.accounts.credentials_of = lambda *_: {"key": "secret"}
    result: Compared = app.compare.all(at(hours), go_on, anew=anew)
    return result


def told_shelves(stage: Stage, shop: Bazaar, listings: int = 3, account: str = MAIN) -> None:
    """So many names for mugs of which there are 15, and the channel has been told of all."""
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST"))
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=15, available=15))
    for number in range(listings):
        stage.put("listings", Listing(channel_account=account, channel_sku=f"mug-{number}", sku="MUG"))
    Desk().publishing.mark_changed(["MUG"], at(1))
    assert Worker(stage).work(*pending(stage)) == []
    assert set(shop.stock.values()) == {15}


def row(stage: Stage, account: str = MAIN) -> dict[str, Any]:
    return next(one for one in stage.rows("settings") if (one["kind"], one["name"]) == ("stock_compare", account))


def test_a_channel_that_believes_what_it_was_told_is_left_alone(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    listings = [(one["channel_sku"], one["change_version"]) for one in stage.rows("listings")]
    found = compare(stage).comparisons[MAIN]
    assert (found.compared, found.drifted, found.untold, found.missing, found.unlisted) == (3, 0, 0, 0, 0)
    assert (row(stage)["phase"], pending(stage)) == ("DONE", [])
    assert [(one["channel_sku"], one["change_version"]) for one in stage.rows("listings")] == listings


def test_a_figure_that_drifted_is_reported_and_told_anew(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    shop.stock["mug-1"] = 19
    found = compare(stage).comparisons[MAIN]
    assert (found.drifted, found.untold, found.units) == (1, 0, 4)
    assert Worker(stage, hours=10).work(*pending(stage)) == []
    assert shop.stock["mug-1"] == 15


def test_units_that_the_channel_sold_and_has_not_told_us_of_yet_are_no_drift(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    shop.stock |= dict.fromkeys(shop.stock, 14)
    found = compare(stage, 10).comparisons[MAIN]
    assert (found.compared, found.drifted, found.phase.value, found.ended_at) == (3, 0, "LISTINGS", None)
    assert pending(stage) == [], "what was sold there is not put on sale again"
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=15, available=14, committed=1))
    Desk().publishing.mark_changed(["MUG"], at(10.1))
    Worker(stage, hours=10.1).work(*pending(stage))
    found = compare(stage, 11).comparisons[MAIN]
    assert (found.compared, found.drifted, found.untold, found.phase.value) == (3, 0, 0, "DONE")
    assert pending(stage) == []


def test_whoever_asks_for_a_comparison_gets_a_new_one_while_doubts_of_the_last_one_wait(
    stage: Stage, shop: Bazaar
) -> None:
    told_shelves(stage, shop)
    shop.stock["mug-1"] = 11
    compare(stage, 10)
    shop.stock["mug-2"] = 19
    found = compare(stage, 10.1, anew=True).comparisons[MAIN]
    assert (found.began_at, found.drifted) == (at(10.1), 1)


def test_a_channel_that_says_less_and_sold_nothing_has_drifted_and_is_told_anew_an_hour_later(
    stage: Stage, shop: Bazaar
) -> None:
    told_shelves(stage, shop)
    shop.stock["mug-1"] = 11
    asked = len(shop.calls)
    assert compare(stage, 10).comparisons[MAIN].drifted == 0
    assert compare(stage, 10.1).comparisons[MAIN].phase.value == "LISTINGS", "too early to know"
    found = compare(stage, 11).comparisons[MAIN]
    assert (found.compared, found.drifted, found.units, found.phase.value) == (3, 1, 4, "DONE")
    assert len(shop.calls) == asked + 1, "the channel is asked once"
    assert Worker(stage, hours=11).work(*pending(stage)) == []
    assert shop.stock["mug-1"] == 15
    again = compare(stage, 36).comparisons[MAIN]
    assert (again.drifted, again.phase.value) == (0, "DONE"), "a doubt is of its own comparison only"


@pytest.mark.parametrize(
    ("cursor", "drifted"),
    [
        pytest.param(10.5, 1, id="its orders were read since: nothing was sold"),
        pytest.param(9.5, 0, id="its orders were not read since: nobody knows"),
        pytest.param(None, 0, id="its orders were never read"),
    ],
)
def test_units_missing_at_a_channel_whose_orders_are_not_read_are_not_put_on_sale_again(
    stage: Stage, shop: Bazaar, cursor: float | None, drifted: int
) -> None:
    open_account(stage, shop.url, poll_seconds=300)
    told_shelves(stage, shop)
    shop.stock["mug-1"] = 11
    compare(stage, 10)
    if cursor is not None:
        stage.put("settings", Poll(name=MAIN, cursor=at(cursor)), kind=PULLS)
    found = compare(stage, 11).comparisons[MAIN]
    assert (found.drifted, len(pending(stage)), found.phase.value) == (drifted, drifted, "DONE")


def test_a_change_that_was_never_told_is_found(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=4, available=4))
    found = compare(stage).comparisons[MAIN]
    assert (found.untold, found.units) == (3, 33)
    Worker(stage, hours=10).work(*pending(stage))
    assert set(shop.stock.values()) == {4}


def test_what_either_side_does_not_know_is_counted_and_named(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    del shop.stock["mug-0"]
    shop.stock["lamp"] = 3
    found = compare(stage).comparisons[MAIN]
    assert (found.missing_names, found.unlisted_names) == (("mug-0",), ("lamp",))
    assert (row(stage)["missing"], row(stage)["unlisted"]) == (1, 1)
    compare(stage, 40)
    assert (row(stage)["missing"], row(stage)["unlisted"]) == (1, 1), "each comparison counts for itself"


def test_a_channel_that_cannot_be_asked_is_held_against_what_it_was_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bazaar(monkeypatch, "listed") as shop:
        open_account(stage, shop.url)
        told_shelves(stage, shop)
        stage.put("stock", StockPosition(sku="MUG", location_id="WH-EAST", on_hand=4, available=4))
        found = compare(stage).comparisons[MAIN]
        assert (found.compared, found.untold, found.missing) == (3, 3, 0)
        Worker(stage, hours=10).work(*pending(stage))
        assert set(shop.stock.values()) == {4}


def test_an_account_is_compared_once_a_day_unless_asked_for(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    assert list(compare(stage, 10).comparisons) == [MAIN]
    assert list(compare(stage, 11).comparisons) == []
    assert list(compare(stage, 12, anew=True).comparisons) == [MAIN]
    assert list(compare(stage, 36).comparisons) == [MAIN]


def test_who_is_told_nothing_is_not_asked(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop)
    calls = len(shop.calls)
    open_account(stage, shop.url, tells=())
    assert compare(stage).comparisons == {}
    open_account(stage, shop.url, tells=(Notice.SHIPMENTS,))
    assert compare(stage).comparisons[MAIN].compared == 0
    assert len(shop.calls) == calls


def test_without_time_it_goes_on_where_it_stopped(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop, 5)
    shop.page, shop.stock["mug-4"] = 2, 21
    turns = iter([True, True, True, False])  # the account, two pages
    first = compare(stage, 10, go_on=lambda: next(turns)).comparisons[MAIN]
    assert (first.compared, first.ended_at) == (4, None)
    asked = len(shop.calls)
    second = compare(stage, 11).comparisons[MAIN]
    assert [one.query["page"] for one in shop.calls[asked:]] == ["2"]
    assert (second.compared, second.drifted, row(stage)["phase"]) == (5, 1, "DONE")
    assert second.missing == 0


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "Query", "BatchGetItem"])
@pytest.mark.parametrize(("nth", "drifted"), [(1, 19), (2, 19), (3, 19), (1, 11), (2, 11)])
def test_a_run_that_dies_anywhere_is_made_good_by_the_next(
    stage: Stage, shop: Bazaar, faults: Faults, operation: str, nth: int, drifted: int
) -> None:
    told_shelves(stage, shop)
    shop.stock["mug-1"], shop.page = drifted, 2
    faults.crash_after(operation, nth=nth)
    with pytest.raises(CrashedError):
        compare(stage, 10)
    faults.mend()
    for hour in (11, 12):
        compare(stage, hour)
    assert row(stage)["phase"] == "DONE"
    assert Worker(stage, hours=12).work(*pending(stage)) == []
    assert set(shop.stock.values()) == {15}


def test_an_account_that_does_not_answer_keeps_no_other_from_its_turn(stage: Stage, shop: Bazaar) -> None:
    open_account(stage, shop.url, OTHER)
    open_account(stage, shop.url, "bazaar#unreadable")
    broken = {"kind": "channel_account", "name": "bazaar#unreadable", "tells": "EVERYTHING"}
    stage.put("settings", broken)
    told_shelves(stage, shop)
    shop.troubles = [Reply(429, headers={"retry-after": "60"})]
    result = compare(stage)
    assert result.failed == {MAIN: "Throttled", "bazaar#unreadable": "InvariantBroken"}
    assert list(result.comparisons) == [MAIN, OTHER]
    assert row(stage, OTHER)["phase"] == "DONE"
    assert compare(stage, 11).comparisons[MAIN].phase.value == "DONE"


def test_a_page_token_that_the_channel_forgot_begins_its_pages_anew(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop, 3)
    shop.page = 2
    turns = iter([True, True, False])
    compare(stage, 10, go_on=lambda: next(turns))
    shop.troubles = [Reply(400, {"code": "InvalidPageToken"})]
    assert compare(stage, 11).comparisons[MAIN].phase.value == "DONE"


def test_a_page_token_refused_as_soon_as_it_was_given_ends_the_run_and_is_told_of(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop, 5)
    shop.page = 2
    calls = len(shop.calls)

    def refuse_pages() -> None:
        if shop.calls[-1].query["page"] != "0":
            shop.troubles = [Reply(400, {"code": "InvalidPageToken"})]

    shop.during = [refuse_pages] * 50
    for hour in (10, 11):
        assert compare(stage, hour).failed == {MAIN: "ChannelRefused"}
    pages = [one.query["page"] for one in shop.calls[calls:]]
    assert pages == ["0", "1", "1", "0", "1"], "the second run begins anew, once"
    shop.during.clear()
    assert compare(stage, 12).comparisons[MAIN].compared == 5


def test_a_channel_that_takes_part_of_a_run_has_not_failed(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop, 5)
    shop.page = 2

    def enough() -> None:
        if shop.calls[-1].query["page"] == "2":
            shop.troubles = [Reply(429, headers={"retry-after": "60"})]

    shop.during = [enough] * 3
    result = compare(stage, 10)
    assert (result.failed, result.comparisons[MAIN].compared) == ({}, 4)
    assert compare(stage, 11).comparisons[MAIN].phase.value == "DONE"


def test_a_large_account_takes_turns_with_the_others(stage: Stage, shop: Bazaar) -> None:
    open_account(stage, shop.url, OTHER)
    told_shelves(stage, shop, 5)
    shop.page = 1
    failed_notice(stage, 1)
    turns = iter([True] * 6 + [False] * 9)  # two accounts, two pages of each
    result = compare(stage, 10, go_on=lambda: next(turns))
    assert (result.comparisons[MAIN].compared, result.comparisons[OTHER].token) == (2, "2")
    assert result.owed_anew == {MAIN: 1, OTHER: 0}


def test_an_account_that_is_told_no_figures_any_more_is_asked_for_none_any_more(stage: Stage, shop: Bazaar) -> None:
    told_shelves(stage, shop, 5)
    shop.page, shop.stock["mug-4"] = 2, 21
    turns = iter([True, True, False])
    compare(stage, 10, go_on=lambda: next(turns))
    open_account(stage, shop.url, tells=(Notice.SHIPMENTS,))
    calls = len(shop.calls)
    found = compare(stage, 11).comparisons[MAIN]
    assert (found.phase.value, found.drifted, len(shop.calls)) == ("DONE", 0, calls)


@pytest.mark.parametrize("asked", [True, False])
def test_goods_whose_books_do_not_add_up_are_counted_and_keep_no_others_from_being_compared(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    with bazaar(monkeypatch, *(() if asked else ("listed",))) as shop:
        open_account(stage, shop.url)
        told_shelves(stage, shop)
        stage.put("listings", Listing(channel_account=MAIN, channel_sku="lamp", sku="BOWL"))
        stage.put("stock", {"sku": "BOWL", "location_id": "WH-EAST", "on_hand": 5, "available": 1})
        shop.stock["lamp"] = 3
        result = compare(stage)
        found = result.comparisons[MAIN]
        assert (result.failed, found.compared, found.unreadable, found.phase.value) == ({}, 4, 1, "DONE")


def test_a_listing_that_somebody_spoiled_is_counted_and_keeps_no_others_from_being_compared(
    stage: Stage, shop: Bazaar
) -> None:
    told_shelves(stage, shop)
    listing = next(row for row in stage.rows("listings") if row["channel_sku"] == "mug-1")
    stage.put("listings", listing | {"change_version": "many"})
    shop.stock["mug-2"] = 19
    result = compare(stage)
    found = result.comparisons[MAIN]
    assert (result.failed, found.unreadable, found.drifted, found.phase.value) == ({}, 1, 1, "DONE")
    assert (found.missing, found.unlisted) == (0, 0)


def test_more_than_a_channel_takes_is_no_drift(stage: Stage, shop: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.module("bazaar"), "MAX_QUANTITY", 9, raising=False)
    told_shelves(stage, shop)
    shop.stock = {"mug-0": 9, "mug-1": 8, "mug-2": 15}
    found = compare(stage).comparisons[MAIN]
    assert (found.drifted + found.untold, found.units) == (2, 7)
    assert pending(stage) == [(f"channel#{MAIN}", "availability#mug-1"), (f"channel#{MAIN}", "availability#mug-2")]


def test_of_two_runs_at_once_the_slower_one_leaves_off(stage: Stage, shop: Bazaar, faults: Faults) -> None:
    told_shelves(stage, shop)
    faults.meanwhile("UpdateItem", lambda: compare(stage, 10))
    assert compare(stage, 10).comparisons[MAIN].compared == 0
    assert (row(stage)["compared"], row(stage)["phase"]) == (3, "DONE")


# What got lost.


def failed_notice(stage: Stage, failed_hours: float, status: str = "FAILED", number: int = 1, **more: Any) -> None:
    destination = f"channel#{MAIN}"
    key = {"destination": destination, "message_key": f"bazaar-main-7#{number}#shipment", "kind": "shipment"}
    when = (at(0) + timedelta(hours=failed_hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    failed = {"failed_destination": destination, "failed_at": when} if status != "PENDING" else {"owed_at": when}
    stage.put("deliveries", key | failed | {"status": status, "attempts": 12, "owings": 1, "created_at": when} | more)


@pytest.mark.parametrize(
    ("hours", "status", "attempts", "owed"),
    [
        pytest.param(8.5, "FAILED", 12, True, id="failed, and nobody tries any more"),
        pytest.param(9.5, "FAILED", 2, False, id="failed, and is tried again soon"),
        pytest.param(8.5, "FAILED", 240, True, id="failed over a weekend"),
        pytest.param(8.5, "FAILED", 1_000, False, id="failed too often"),
        pytest.param(8.5, "REFUSED", 1, False, id="refused: a person decides"),
        pytest.param(8.5, "BY_HAND", 1, False, id="nobody can tell it: a person does it"),
        pytest.param(8.5, "PENDING", 0, True, id="never tried: its trigger is lost"),
        pytest.param(9.5, "PENDING", 0, False, id="just owed"),
    ],
)
def test_a_row_that_nobody_tries_any_more_is_owed_anew(
    stage: Stage, shop: Bazaar, hours: float, status: str, attempts: int, owed: bool
) -> None:
    failed_notice(stage, hours, status, attempts=attempts)
    compare(stage, 10)
    (left,) = stage.rows("deliveries")
    assert (left["owings"], left["status"]) == ((2, "PENDING") if owed else (1, status))
    assert ("failed_destination" in left) == (not owed and status != "PENDING")


def test_failed_rows_are_owed_anew_each_hour_whether_the_account_is_compared_or_not(stage: Stage, shop: Bazaar) -> None:
    compare(stage, 10)
    failed_notice(stage, 10)
    assert compare(stage, 12).owed_anew == {MAIN: 1}
    assert statuses(stage) == {"bazaar-main-7#1#shipment": "PENDING"}


def test_a_run_owes_no_more_than_so_many_anew(stage: Stage, shop: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OWED_ANEW", 1)
    monkeypatch.setattr(module, "PAGE", 2)
    for number in range(5):
        failed_notice(stage, number, number=number)
    assert compare(stage, 10).owed_anew == {MAIN: 2}, "what is on a page"
    assert statuses(stage)["bazaar-main-7#0#shipment"] == "PENDING", "the oldest first"
