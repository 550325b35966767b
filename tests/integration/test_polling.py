"""Pulling a channel: everything that changed arrives, whoever dies on the way, and nobody is asked too often."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from oms.channels import envelopes
from oms.domain.polling import Poll, PollStatus
from oms.stores.polls import PULLS
from tests.integration.faults import CrashedError
from tests.integration.market import ACCOUNT, NOON, SETTINGS, Readers, at, dying, open_market
from tests.integration.stage import Stage

FIVE = {f"90{number}": at(-30 + number) for number in range(5)}
MOST_CALLS = 60


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


def set_account(stage: Stage, **changes: Any) -> None:
    stage.put("settings", replace(SETTINGS, **changes), kind="channel_account", name=ACCOUNT)


def test_the_first_pull_takes_in_what_changed_within_the_last_day(readers: Readers) -> None:
    readers.market.orders = FIVE | {"old": at(-60 * 24 - 1)}
    assert readers.pull() == []
    assert readers.queued() == sorted(FIVE)
    assert [token for _, token in readers.market.pulls] == [None, "2", "4"]
    row = readers.row()
    assert (row.cursor, row.round, row.lease_owner, row.status) == (NOON, None, "", PollStatus.OK)


def test_the_first_pull_may_begin_where_the_settings_say(readers: Readers) -> None:
    set_account(readers.stage, options={"pull_from": "2026-03-02T11:32:00Z"})
    readers.market.orders = dict(FIVE)
    readers.pull()
    assert readers.queued() == ["902", "903", "904"]


def test_an_order_arrives_at_intake_whole_and_named_by_its_last_change(readers: Readers) -> None:
    readers.market.orders = {"901": at(-1)}
    readers.pull()
    readers.queued()
    envelope = envelopes.from_message(readers.arrived[0])
    assert (envelope.channel, envelope.account, envelope.topic) == ("market", "main", envelopes.FETCHED)
    assert (envelope.message_id, envelope.body) == ("901@2026-03-02T11:59:00+00:00", '{"id": "901"}')
    assert envelope.received_at == at(-1)


def test_the_next_pull_begins_a_little_before_the_last_one_ended(readers: Readers) -> None:
    readers.pull()
    readers.now = at(5)
    readers.pull()
    window, _ = readers.market.pulls[-1]
    assert (window.since, window.until) == (at(-2), at(5))


def test_an_order_that_shows_late_is_taken_in_by_the_overlap(readers: Readers) -> None:
    readers.pull()
    readers.market.orders = {"late": at(-1)}
    readers.now = at(5)
    readers.pull()
    assert readers.queued() == ["late"]


def test_an_account_is_not_pulled_again_before_its_time(readers: Readers) -> None:
    readers.pull()
    readers.now = at(1)
    assert readers.pull() == []
    assert len(readers.market.pulls) == 1


@pytest.mark.parametrize(
    ("known_at", "changed_at", "is_queued"),
    [
        pytest.param(-1.5, -1.5, False, id="just as an earlier pull listed it"),
        pytest.param(-1.8, -1.5, True, id="changed since"),
        pytest.param(-0.9, -0.9, True, id="changed in the minute before the last pull: it may have changed again"),
        pytest.param(2, 2, True, id="changed since the last pull, and brought by a webhook"),
        pytest.param(None, -1.5, True, id="not here yet"),
    ],
)
def test_what_was_listed_before_just_so_is_not_queued_again(
    readers: Readers, known_at: float | None, changed_at: float, is_queued: bool
) -> None:
    readers.pull()
    readers.market.orders = {"901": at(changed_at)}
    if known_at is not None:
        readers.known("901", at(known_at))
    readers.now = at(5)
    readers.pull()
    assert bool(readers.queued()) is is_queued


def test_nothing_is_left_out_before_the_account_was_pulled_to_its_end_once(readers: Readers) -> None:
    readers.market.orders = {"901": at(-60)}
    readers.known("901", at(-60))
    readers.pull()
    assert readers.queued() == ["901"]


def test_orders_that_are_listed_by_id_only_are_fetched_one_by_one(readers: Readers) -> None:
    readers.market.orders, readers.market.thin, readers.market.page_size = dict(FIVE), True, 10
    readers.market.orders |= {"905": at(-2), "906": at(-1)}
    readers.pull()
    assert readers.queued() == []
    asked = readers.asked()
    assert [one["channel_order_ids"] for one in asked] == [sorted(FIVE), ["905", "906"]]
    assert readers.send(*asked) == []
    assert readers.queued() == [*sorted(FIVE), "905", "906"]


def test_what_there_was_no_time_for_goes_on_at_once_by_a_message_of_its_own(readers: Readers) -> None:
    readers.market.orders = dict(FIVE)
    readers.market.meanwhile = readers.time_is_up
    readers.pull()
    (message,) = readers.asked()
    assert message == {"task": "pull", "channel_account": ACCOUNT}
    assert (readers.row().round.page_token, readers.row().lease_owner, readers.row().cursor) == ("2", "", None)
    readers.send(message)
    assert readers.queued() == sorted(FIVE)
    assert [token for _, token in readers.market.pulls] == [None, "2", "4"]


@pytest.mark.parametrize("days", [2.5, 10])
def test_what_was_missed_in_a_long_outage_is_read_in_windows_of_a_day(readers: Readers, days: float) -> None:
    readers.pull()
    readers.market.pulls.clear()
    readers.now = NOON + timedelta(days=days)
    readers.market.orders = {f"9{hour:03}": NOON + timedelta(hours=hour) for hour in range(0, int(24 * days), 12)}
    readers.market.page_size = 100
    readers.pull()
    windows = [window for window, _ in readers.market.pulls]
    assert all(window.until - window.since <= timedelta(days=1) for window in windows)
    assert all(earlier.until == later.since for earlier, later in itertools.pairwise(windows))
    assert (windows[0].since, windows[-1].until) == (at(-2), readers.now)
    assert readers.queued() == sorted(readers.market.orders)


@pytest.mark.parametrize("moment", ["before-send", "after-call"])
def test_whenever_a_worker_dies_every_order_arrives_and_the_cursor_never_runs_ahead(
    readers: Readers, moment: str
) -> None:
    """Dies at its first call, at its second, and so on, until it comes through; each time another one goes on."""
    for nth in range(1, MOST_CALLS):
        readers.market.orders = {f"{nth}-{number}": readers.now - timedelta(minutes=5 - number) for number in range(5)}
        readers.market.thin = bool(nth % 2)
        died = dies_while_pulling(readers, moment, nth)
        row = {one["name"]: one for one in readers.stage.rows("settings") if one["kind"] == "poll"}.get(ACCOUNT, {})
        arrived = set(all_arrived(readers))
        ahead = [one for one, changed in readers.market.orders.items() if str(changed) < cursor_of(row)]
        assert set(ahead) <= arrived
        readers.now += timedelta(minutes=20)
        readers.pull()
        assert set(readers.market.orders) <= arrived | set(all_arrived(readers))
        readers.now += timedelta(minutes=20)
        if not died:
            return
    raise AssertionError("it never came through")


@pytest.mark.parametrize(
    ("moment", "nth", "goes_on_at"),
    [
        pytest.param("before-send", 5, None, id="before the first page was noted down"),
        pytest.param("after-call", 5, "2", id="after the first page was noted down"),
        pytest.param("after-call", 7, "2", id="after the second was queued"),
        pytest.param("after-call", 8, "4", id="after the second was noted down"),
    ],
)
def test_a_worker_that_dies_has_at_most_one_page_read_again(
    readers: Readers, moment: str, nth: int, goes_on_at: str | None
) -> None:
    """The calls: settings, lease; then for each page what we have of its orders, its messages, how far it is."""
    readers.market.orders = dict(FIVE)
    with dying(moment, nth), suppress(CrashedError):
        readers.pull()
    readers.market.pulls.clear()
    readers.now = at(10)
    readers.pull()
    assert readers.market.pulls[0][1] == goes_on_at
    assert set(readers.queued()) == set(FIVE)


def cursor_of(row: dict[str, Any]) -> str:
    return str(row.get("cursor", "")).replace("T", " ")


def dies_while_pulling(readers: Readers, moment: str, nth: int) -> bool:
    with dying(moment, nth), suppress(CrashedError):
        readers.pull()
        return False
    return True


def all_arrived(readers: Readers) -> list[str]:
    """Orders on the intake queue, or asked to be fetched."""
    fetched = [one for message in readers.asked() for one in message.get("channel_order_ids", [])]
    return readers.queued() + fetched


def test_two_workers_on_one_account_do_not_both_pull(readers: Readers) -> None:
    readers.market.orders = dict(FIVE)
    readers.market.meanwhile = readers.pull
    readers.pull()
    assert Counter(readers.queued()) == Counter(sorted(FIVE))
    assert len(readers.market.pulls) == 3


def test_a_worker_whose_lease_went_to_another_changes_nothing_any_more(readers: Readers) -> None:
    readers.market.orders = dict(FIVE)

    def sleeps_over_its_lease() -> None:
        readers.now = at(10)
        readers.pull()
        readers.market.orders["new"] = at(9)

    readers.market.meanwhile = sleeps_over_its_lease
    readers.pull()
    assert readers.row().cursor == at(10)
    readers.now = at(20)
    readers.pull()
    assert set(readers.queued()) == {*FIVE, "new"}


def test_an_account_that_is_no_longer_pulled_is_left_alone(readers: Readers) -> None:
    set_account(readers.stage, poll_seconds=0)
    assert readers.pull() == []
    assert readers.send({"task": "pull", "channel_account": "market#unknown"}) == []
    assert readers.market.pulls == []


def test_a_cursor_far_in_the_future_is_no_cursor(readers: Readers) -> None:
    """Typed by hand, or by a clock gone wrong: without this, nothing would be read until then, and nobody told."""
    readers.market.orders = {"901": at(-30)}
    readers.stage.put("settings", Poll(name=ACCOUNT, cursor=NOON + timedelta(days=365)), kind=PULLS, name=ACCOUNT)
    readers.pull()
    assert readers.queued() == ["901"]
    row = readers.row()
    assert (row.cursor, row.next_due_at) == (NOON, at(4.5))


def test_a_cursor_of_a_worker_whose_clock_is_a_little_ahead_holds_nobody_up(readers: Readers) -> None:
    readers.stage.put("settings", Poll(name=ACCOUNT, cursor=at(3)), kind=PULLS, name=ACCOUNT)
    readers.pull()
    assert (readers.row().cursor, readers.row().next_due_at) == (at(3), at(4.5))
    readers.now = at(5)
    readers.market.orders = {"901": at(2)}
    readers.pull()
    assert readers.queued() == ["901"]
