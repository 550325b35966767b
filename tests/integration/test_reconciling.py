"""Comparing an account with its channel: what never came is taken in and counted, what is known is left alone."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from oms.domain.errors import ChannelRefused, NotSupported, Unavailable
from oms.domain.polling import MAX_NAMED, PollStatus
from oms.stores.polls import COMPARISONS
from tests.integration.faults import CrashedError
from tests.integration.market import ACCOUNT, Readers, at, dying, open_market
from tests.integration.stage import Stage

MOST_CALLS = 60


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


def counts(readers: Readers) -> tuple[int, int, int, int]:
    found = readers.comparison()
    return found.compared, found.missing, found.behind, found.refused


def test_an_account_that_has_all_its_orders_here_has_nothing_missing(readers: Readers) -> None:
    readers.market.orders = {"901": at(-60), "902": at(-90)}
    for one, changed in readers.market.orders.items():
        readers.known(one, changed)
    assert readers.reconcile() == []
    assert counts(readers) == (2, 0, 0, 0)
    assert readers.queued() == []


def test_the_window_is_the_last_hours_less_what_may_still_be_on_its_way(readers: Readers) -> None:
    readers.market.orders = {"too old": at(-6 * 60 - 11), "first": at(-6 * 60 - 10), "last": at(-11), "new": at(-10)}
    readers.reconcile()
    assert readers.queued() == ["first", "last"]
    found = readers.comparison()
    assert (found.since, found.until, found.finished_at) == (at(-6 * 60 - 10), at(-10), at(0))


def test_what_never_came_is_taken_in_named_and_counted(readers: Readers) -> None:
    readers.market.orders = {"901": at(-60), "902": at(-50), "903": at(-40)}
    readers.known("902", at(-50))
    readers.reconcile()
    assert readers.queued() == ["901", "903"]
    assert counts(readers) == (3, 2, 0, 0)
    assert readers.comparison().first_missing == ("901", "903")


def test_an_order_that_changed_there_and_not_here_is_behind(readers: Readers) -> None:
    readers.market.orders = {"901": at(-60), "902": at(-50)}
    readers.known("901", at(-70))
    readers.known("902", at(-45))
    readers.reconcile()
    assert readers.queued() == ["901"]
    assert counts(readers) == (2, 0, 1, 0)


def test_an_order_we_do_not_follow_is_not_missing(readers: Readers) -> None:
    readers.market.orders, readers.market.not_followed = {"901": at(-60), "902": at(-50)}, {"901"}
    readers.reconcile()
    assert readers.queued() == ["902"]
    assert counts(readers) == (1, 1, 0, 0)


def test_an_order_that_is_not_understood_is_missing_once_and_then_tried_again_each_time(readers: Readers) -> None:
    readers.market.orders = {"odd-1": at(-60)}
    readers.reconcile()
    assert counts(readers) == (1, 1, 0, 0)
    refuse_what_is_queued(readers)
    readers.now = at(60)
    readers.reconcile()
    assert counts(readers) == (1, 0, 0, 1)
    refuse_what_is_queued(readers)


def refuse_what_is_queued(readers: Readers) -> None:
    """Intake finds nothing on its queue that it understands; one row waits for a person, however often it came."""
    intake = readers.stage.function("queue_intake")
    messages = readers.stage.messages("intake")
    records = [{"messageId": "m", "body": json.dumps(message)} for message in messages]
    assert intake.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert len(readers.stage.rows("quarantine")) == len(messages)


def test_orders_listed_by_id_only_are_fetched_to_see_whether_we_follow_them(readers: Readers) -> None:
    readers.market.thin, readers.market.not_followed = True, {"901"}
    readers.market.orders = {"901": at(-60), "902": at(-50)}
    readers.reconcile()
    assert readers.market.fetches == ["901", "902"]
    assert (readers.queued(), readers.asked()) == (["902"], [])
    assert counts(readers) == (1, 1, 0, 0)


@pytest.mark.parametrize("error", [ChannelRefused("no", status=422), NotSupported("no")])
def test_an_order_the_channel_will_not_tell_keeps_no_other_from_being_compared(
    readers: Readers, error: Exception
) -> None:
    readers.market.orders, readers.market.thin = {"901": at(-60), "902": at(-50)}, True
    readers.market.broken = [None, error]
    readers.reconcile()
    assert (counts(readers), readers.row(COMPARISONS).status) == ((2, 2, 0, 0), PollStatus.OK)
    assert (readers.queued(), [one["channel_order_ids"] for one in readers.asked()]) == (["902"], [["901"]])


def test_an_order_that_can_not_be_fetched_now_is_missing_and_fetched_by_a_message(readers: Readers) -> None:
    readers.market.orders, readers.market.thin, readers.market.pages_until_slow = {"901": at(-60)}, True, 1
    readers.reconcile()
    assert counts(readers) == (1, 1, 0, 0)
    assert [one["channel_order_ids"] for one in readers.asked()] == [["901"]]


def test_very_many_missing_orders_are_counted_and_the_first_of_them_named(readers: Readers) -> None:
    readers.market.page_size = 15
    readers.market.orders = {f"9{one:02}": at(-120 + one) for one in range(40)}
    readers.reconcile()
    assert counts(readers) == (40, 40, 0, 0)
    assert readers.comparison().first_missing == tuple(f"9{one:02}" for one in range(MAX_NAMED))


def test_the_hourly_message_told_twice_compares_once(readers: Readers) -> None:
    readers.reconcile()
    readers.reconcile()
    assert len(readers.market.pulls) == 1
    readers.now = at(60)
    readers.reconcile()
    assert len(readers.market.pulls) == 2


def test_a_comparison_that_runs_out_of_time_goes_on_where_it_was(readers: Readers) -> None:
    readers.market.orders = {f"90{one}": at(-60 + one) for one in range(5)}
    readers.market.meanwhile = readers.time_is_up
    readers.reconcile()
    (message,) = readers.asked()
    assert message == {"task": "reconcile", "channel_account": ACCOUNT}
    readers.send(message)
    assert [token for _, token in readers.market.pulls] == [None, "2", "4"]
    assert counts(readers) == (5, 5, 0, 0)


def test_a_channel_that_is_down_is_compared_later(readers: Readers) -> None:
    readers.market.orders, readers.market.broken = {"901": at(-60)}, [Unavailable("down")]
    readers.reconcile()
    row = readers.row(COMPARISONS)
    assert (row.status, row.failures, row.last_error) == (PollStatus.FAILING, 1, "Unavailable")
    readers.now = row.next_due_at
    readers.reconcile()
    assert counts(readers) == (1, 1, 0, 0)


def test_pulling_and_comparing_an_account_do_not_wait_for_each_other(readers: Readers) -> None:
    readers.market.orders = {"901": at(-60)}
    readers.market.meanwhile = readers.pull
    readers.reconcile()
    assert readers.row().cursor == at(0)
    assert counts(readers) == (1, 1, 0, 0)


@pytest.mark.parametrize("moment", ["before-send", "after-call"])
def test_whenever_a_worker_dies_what_is_missing_arrives_and_is_counted_once(readers: Readers, moment: str) -> None:
    for nth in range(1, MOST_CALLS):
        readers.market.orders = {f"{nth}-{one}": readers.now - timedelta(minutes=60 - one) for one in range(5)}
        readers.known(f"{nth}-0", readers.market.orders[f"{nth}-0"])
        died = True
        with dying(moment, nth), suppress(CrashedError):
            readers.reconcile()
            died = False
        readers.now += timedelta(minutes=4)
        readers.reconcile()
        assert {f"{nth}-{one}" for one in range(1, 5)} <= set(readers.queued())
        assert counts(readers) == (5, 4, 0, 0)
        readers.now += timedelta(hours=8)
        if not died:
            return
    raise AssertionError("it never came through")


def test_the_counts_are_told_for_all_accounts_and_for_this_one(
    readers: Readers, capsys: pytest.CaptureFixture[str]
) -> None:
    readers.market.orders = {"901": at(-60)}
    readers.reconcile()
    told = [one for one in metrics_of(capsys.readouterr().out) if "OrdersMissing" in one]
    assert {one.get("channel_account") for one in told} == {None, ACCOUNT}
    assert {(one["OrdersMissing"][0], one["OrdersCompared"][0]) for one in told if "OrdersCompared" in one} == {(1, 1)}


def test_an_account_of_which_nothing_is_missing_has_no_metrics_of_its_own(
    readers: Readers, capsys: pytest.CaptureFixture[str]
) -> None:
    readers.market.orders = {"901": at(-60)}
    readers.known("901", at(-60))
    readers.reconcile()
    (told,) = metrics_of(capsys.readouterr().out)
    assert (told["OrdersCompared"], told["OrdersMissing"], told["OrdersBehind"]) == ([1.0], [0.0], [0.0])
    assert "channel_account" not in told


def metrics_of(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if "_aws" in line]
