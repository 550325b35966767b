"""Every hour: people's data goes 21 days after their order ended, never before, and nothing of it stays behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.company import everything
from tests.integration.samples import DELIVERED, NOW, ORDER_ID, RELEASED, MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample

FUNCTION = "schedule_expiry"


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_purges_what_is_due_and_the_next_run_finds_nothing(company: MainStreet, case: str) -> None:
    company.play_all(*DELIVERED)
    company.now = NOW + timedelta(days=22)
    assert company.play(FUNCTION, case) == {"purged": 1, "postponed": 0}
    left = everything(company.stage)
    assert left["contacts"] == []
    assert company.play(FUNCTION, case) == {"purged": 0, "postponed": 0}
    assert everything(company.stage) == left


def test_the_person_of_an_open_order_is_kept_and_looked_at_again_the_next_day(company: MainStreet) -> None:
    company.play_all(*RELEASED)
    company.now = NOW + timedelta(days=40)
    assert company.play(FUNCTION, "every_hour") == {"purged": 0, "postponed": 1}
    (person,) = company.stage.rows("contacts")
    assert person["purge_day"] == (company.now + timedelta(days=1)).date().isoformat()
    assert person["order_id"] == ORDER_ID


def test_without_time_left_nothing_is_begun(company: MainStreet) -> None:
    company.play_all(*DELIVERED)
    company.now = NOW + timedelta(days=22)
    answer = company.function(FUNCTION).handler(sample(FUNCTION, "every_hour"), LambdaContext(remaining_millis=9_000))
    assert answer == {"purged": 0, "postponed": 0}
    assert len(company.stage.rows("contacts")) == 1
