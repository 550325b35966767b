"""Carts' holds end every minute when their time is over; people's data goes every hour, 21 days after their order
ended, never before, and nothing of it stays behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.carts import Desk, held_by_carts, reserved
from tests.integration.company import at, everything
from tests.integration.samples import DELIVERED, NOW, ORDER_ID, RELEASED, MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample

FUNCTION = "schedule_expiry"
NOTHING = {"expired": 0, "failed": 0}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_ends_what_is_due_and_the_next_run_finds_nothing(company: MainStreet, case: str) -> None:
    Desk().hold(("MUG", 3))
    company.now = at(1)
    first, again = company.play(FUNCTION, case), company.play(FUNCTION, case)
    assert (first["expired"], again["expired"]) == (1, 0)
    assert (held_by_carts(company.stage), reserved(company.stage)) == ({}, {})
    assert ("purged" in first) == (case == "every_hour")


def test_the_hourly_run_purges_what_is_due_and_the_next_run_finds_nothing(company: MainStreet) -> None:
    company.play_all(*DELIVERED)
    company.now = NOW + timedelta(days=22)
    assert company.play(FUNCTION, "every_hour") == NOTHING | {"purged": 1, "postponed": 0}
    left = everything(company.stage)
    assert left["contacts"] == []
    assert company.play(FUNCTION, "every_hour") == NOTHING | {"purged": 0, "postponed": 0}
    assert everything(company.stage) == left


def test_the_run_of_each_minute_leaves_peoples_data_alone(company: MainStreet) -> None:
    company.play_all(*DELIVERED)
    company.now = NOW + timedelta(days=22)
    assert company.play(FUNCTION, "every_minute") == NOTHING
    assert len(company.stage.rows("contacts")) == 1


def test_the_person_of_an_open_order_is_kept_and_looked_at_again_the_next_day(company: MainStreet) -> None:
    company.play_all(*RELEASED)
    company.now = NOW + timedelta(days=40)
    assert company.play(FUNCTION, "every_hour") == NOTHING | {"purged": 0, "postponed": 1}
    (person,) = company.stage.rows("contacts")
    assert person["purge_day"] == (company.now + timedelta(days=1)).date().isoformat()
    assert person["order_id"] == ORDER_ID


def test_a_hold_that_an_outage_left_behind_is_ended_by_the_hourly_run(company: MainStreet) -> None:
    Desk().hold(("MUG", 3))
    company.now = at(40)
    assert company.play(FUNCTION, "every_minute") == NOTHING
    assert company.play(FUNCTION, "every_hour")["expired"] == 1


def test_without_time_left_nothing_is_begun(company: MainStreet) -> None:
    company.play_all(*DELIVERED)
    Desk().hold(("MUG", 3))
    company.now = NOW + timedelta(days=22)
    answer = company.function(FUNCTION).handler(sample(FUNCTION, "every_hour"), LambdaContext(remaining_millis=9_000))
    assert answer == NOTHING | {"purged": 0, "postponed": 0}
    assert len(company.stage.rows("contacts")) == 1


def test_a_run_that_does_not_say_what_to_end_looks_at_everything(company: MainStreet) -> None:
    assert company.function(FUNCTION).handler({}, LambdaContext()) == NOTHING | {"purged": 0, "postponed": 0}
