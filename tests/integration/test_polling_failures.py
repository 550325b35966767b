"""Pulling a channel that fails: the account rests, longer each time, and then goes on from where it was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oms.domain.errors import (
    ChannelRefused,
    CredentialsRefused,
    InvalidMessage,
    NotFound,
    OutOfTime,
    Throttled,
    Unavailable,
)
from oms.domain.polling import PollStatus
from tests.integration.market import ACCOUNT, NOON, SETTINGS, Readers, at, open_market
from tests.integration.stage import Stage

FIVE = {f"90{number}": at(-30 + number) for number in range(5)}


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


def test_a_token_that_is_no_longer_taken_starts_its_window_over_once(readers: Readers) -> None:
    readers.market.orders, readers.market.expired = dict(FIVE), {"4"}
    readers.pull()
    assert [token for _, token in readers.market.pulls] == [None, "2", "4", None, "2", "4"]
    row = readers.row()
    assert (row.status, row.last_error, row.cursor) == (PollStatus.FAILING, "ChannelRefused", None)
    readers.market.expired.clear()
    readers.now = at(2)
    readers.pull()
    assert set(readers.queued()) == set(FIVE)
    assert readers.row().cursor == NOON


def test_a_token_that_is_never_taken_again_does_not_stop_the_account(readers: Readers) -> None:
    """It waits between pages for longer than its tokens live: what comes next is the window's first page."""
    readers.market.orders, readers.market.expired = dict(FIVE), {"2", "4"}
    readers.pull()
    row = readers.row()
    assert (row.last_error, row.round.page_token) == ("ChannelRefused", "")
    readers.market.expired.clear()
    readers.now = row.next_due_at
    readers.pull()
    assert (readers.row().status, readers.row().cursor) == (PollStatus.OK, NOON)
    assert set(readers.queued()) == set(FIVE)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotFound("gone"), id="the page is gone"),
        pytest.param(InvalidMessage("a token of another kind"), id="the file of the channel does not know it"),
    ],
)
def test_a_token_that_is_no_longer_understood_starts_its_window_over(readers: Readers, error: Exception) -> None:
    readers.market.orders = dict(FIVE)
    readers.market.meanwhile = readers.time_is_up
    readers.pull()
    assert readers.row().round.page_token == "2"
    readers.market.broken = [error]
    readers.pull()
    assert [token for _, token in readers.market.pulls] == [None, "2", None, "2", "4"]
    assert set(readers.queued()) == set(FIVE)


def test_a_token_too_long_to_be_kept_is_the_channels_fault_and_the_account_rests(readers: Readers) -> None:
    readers.market.token = "t" * 500_000
    readers.market.orders = dict(FIVE)
    assert readers.pull() == []
    row = readers.row()
    assert (row.last_error, row.failures, row.lease_owner) == ("Unavailable", 1, "")


def test_an_account_that_gets_on_rests_no_longer_for_what_failed_before(readers: Readers) -> None:
    readers.market.orders = dict(FIVE)
    for _ in range(3):
        readers.market.broken = [Unavailable("down")]
        readers.pull()
        readers.now = readers.row().next_due_at
    assert readers.row().failures == 3
    readers.market.broken = [None, Unavailable("down")]
    readers.pull()
    row = readers.row()
    assert (row.round.page_token, row.failures) == ("2", 1)
    assert row.next_due_at == readers.now + timedelta(seconds=30)


def test_an_account_that_only_ever_reads_the_same_pages_again_rests_ever_longer(readers: Readers) -> None:
    readers.market.orders, readers.market.expired = dict(FIVE), {"4"}
    failures = []
    for _ in range(4):
        readers.pull()
        failures.append(readers.row().failures)
        readers.now = readers.row().next_due_at
    assert failures == [1, 2, 3, 4]


def test_a_limit_used_up_after_an_empty_window_is_the_pace_of_the_channel_too(readers: Readers) -> None:
    readers.pull()
    readers.now, readers.market.pages_until_slow = NOON + timedelta(days=3), 1
    readers.pull()
    assert (readers.row().status, readers.row().failures) == (PollStatus.OK, 0)
    assert readers.row().cursor == at(-2) + timedelta(days=1)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(Unavailable("down"), 30, id="the channel is down"),
        pytest.param(Throttled("slow", retry_after_seconds=95), 95, id="the channel says when"),
        pytest.param(Throttled("slow", retry_after_seconds=10**7), 43_200, id="the channel says never"),
        pytest.param(CredentialsRefused("who"), 30, id="the secret was changed there"),
        pytest.param(ChannelRefused("no", status=400), 30, id="the channel refuses the question"),
    ],
)
def test_an_account_that_fails_rests_and_then_goes_on(readers: Readers, error: Exception, seconds: int) -> None:
    readers.market.orders, readers.market.broken = dict(FIVE), [error]
    assert readers.pull() == []
    row = readers.row()
    assert (row.status, row.failures, row.last_error) == (PollStatus.FAILING, 1, type(error).__name__)
    assert row.next_due_at == NOON + timedelta(seconds=seconds)
    readers.pull()
    assert len(readers.market.pulls) == 1
    readers.now = row.next_due_at
    readers.pull()
    assert (readers.row().status, readers.row().failures) == (PollStatus.OK, 0)
    assert readers.queued() == sorted(FIVE)


def test_each_failure_in_a_row_makes_the_rest_longer_up_to_an_hour(readers: Readers) -> None:
    rests = []
    for _ in range(9):
        readers.market.broken = [Unavailable("down")]
        readers.pull()
        rests.append((readers.row().next_due_at - readers.now).total_seconds())
        readers.now = readers.row().next_due_at
    assert rests == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_an_account_whose_file_has_a_bug_rests_and_the_message_is_told_as_failed(readers: Readers) -> None:
    readers.market.broken = [KeyError("ada@example.com")]
    assert len(readers.pull()) == 1
    row = readers.row()
    assert (row.status, row.last_error, row.lease_owner) == (PollStatus.FAILING, "KeyError", "")
    assert readers.pull() == []
    assert len(readers.market.pulls) == 1


def test_a_failing_account_leaves_the_others_alone(readers: Readers) -> None:
    readers.stage.put("settings", SETTINGS, kind="channel_account", name="market#second")
    readers.market.orders, readers.market.broken = dict(FIVE), [Unavailable("down")]
    failed = readers.send(
        {"task": "pull", "channel_account": ACCOUNT}, {"task": "pull", "channel_account": "market#second"}
    )
    assert failed == []
    assert readers.queued() == sorted(FIVE)
    assert {one["account"] for one in readers.arrived} == {"second"}


def test_a_limit_used_up_between_pages_is_the_pace_of_the_channel_and_no_failure(readers: Readers) -> None:
    readers.market.orders, readers.market.pages_until_slow = dict(FIVE), 1
    readers.pull()
    row = readers.row()
    assert (row.status, row.failures, row.next_due_at) == (PollStatus.OK, 0, at(3))
    assert row.round.page_token == "2"
    readers.now, readers.market.pages_until_slow = at(3), None
    readers.pull()
    assert readers.queued() == sorted(FIVE)


def test_a_channel_that_answers_the_same_page_for_ever_is_left_alone_for_a_while(readers: Readers) -> None:
    readers.market.orders, readers.market.page_size = dict(FIVE), 0
    readers.pull()
    assert (readers.row().last_error, len(readers.market.pulls)) == ("Unavailable", 2)


def test_an_invocation_whose_own_time_runs_out_is_followed_by_another_and_blames_nobody(readers: Readers) -> None:
    readers.market.orders, readers.market.broken = dict(FIVE), [None, OutOfTime("ours")]
    assert readers.pull() == []
    row = readers.row()
    assert (row.status, row.failures, row.last_error, row.lease_owner) == (PollStatus.OK, 0, "", "")
    assert [one["task"] for one in readers.asked()] == ["pull"]
    readers.pull()
    assert [token for _, token in readers.market.pulls] == [None, "2", "2", "4"]
    assert set(readers.queued()) == set(FIVE)


def test_a_page_that_takes_longer_than_an_invocation_has_is_not_asked_for_without_a_pause(readers: Readers) -> None:
    readers.market.orders, readers.market.broken = dict(FIVE), [OutOfTime("ours")]
    assert readers.pull() == []
    row = readers.row()
    assert (row.status, row.failures, row.next_due_at) == (PollStatus.OK, 0, NOON + timedelta(seconds=30))
    assert readers.asked() == []
