"""Who did not answer is left alone, ever longer, and is asked again as before once it has answered."""

from __future__ import annotations

import pytest

from oms.domain.backing_off import LONGEST_SECONDS
from oms.domain.errors import CredentialsRefused, OutOfTime, Retryable, Throttled, Unavailable
from oms.usecases import circuits as module
from oms.usecases.circuits import Circuits
from tests.integration.company import at

NOW = at(1)
PARCEL, FIGURE = "shipment", "availability.changed"


def circuits() -> Circuits:
    return Circuits(chance=lambda: 0.0)


def after(*errors: Retryable) -> float:
    """Seconds that an account is left alone after these errors, one after the other."""
    made = circuits()
    for error in errors:
        made.failed("etsy#main", PARCEL, error, NOW)
    return made.seconds_left("etsy#main", PARCEL, NOW)


@pytest.mark.parametrize(
    ("errors", "seconds"),
    [
        pytest.param((), 0, id="nothing happened"),
        pytest.param((Unavailable(),), 10, id="no answer"),
        pytest.param((Unavailable(), Unavailable(), CredentialsRefused()), 40, id="no answer again and again"),
        pytest.param((Unavailable(retry_after_seconds=120.0),), 120, id="it said how long it is away"),
        pytest.param((Throttled(retry_after_seconds=3.0),) * 9, 3, id="called too often, however often"),
        pytest.param((Throttled(),), 10, id="called too often, and nobody knows until when"),
        pytest.param((OutOfTime(),) * 3, 0, id="it was our time that ran out"),
        pytest.param((Throttled(retry_after_seconds=1e6),), LONGEST_SECONDS, id="it asked for too long"),
    ],
)
def test_an_account_is_left_alone_for_as_long_as_its_answers_say(errors: tuple[Retryable, ...], seconds: float) -> None:
    assert after(*errors) == seconds


def test_an_account_that_answered_begins_anew_and_others_were_never_left_alone() -> None:
    made = circuits()
    for _ in range(3):
        made.failed("etsy#main", PARCEL, Unavailable(), NOW)
    assert made.seconds_left("etsy#other", PARCEL, NOW) == 0
    made.worked("etsy#main", PARCEL)
    assert made.seconds_left("etsy#main", PARCEL, NOW) == 0
    made.failed("etsy#main", PARCEL, Unavailable(), NOW)
    assert made.seconds_left("etsy#main", PARCEL, NOW) == 10


def test_an_account_that_is_away_is_left_alone_whatever_there_is_to_tell() -> None:
    made = circuits()
    made.failed("etsy#main", PARCEL, Unavailable(), NOW)
    assert made.seconds_left("etsy#main", FIGURE, NOW) == 10
    made.worked("etsy#main", FIGURE)
    assert made.seconds_left("etsy#main", PARCEL, NOW) == 0


def test_a_limit_that_is_used_up_stops_only_what_it_limits() -> None:
    made = circuits()
    made.failed("etsy#main", PARCEL, Throttled(retry_after_seconds=120.0), NOW)
    assert [made.seconds_left("etsy#main", kind, NOW) for kind in (PARCEL, FIGURE)] == [120, 0]
    made.worked("etsy#main", FIGURE)
    assert made.seconds_left("etsy#main", PARCEL, NOW) == 120
    assert [made.seconds_to_wait("etsy#main", kind, 1, NOW) for kind in (PARCEL, FIGURE)] == [120, 10]


def test_what_a_worker_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 2)
    made = circuits()
    for name in "abc":
        made.failed(name, PARCEL, Unavailable(), NOW)
    assert [bool(made.seconds_left(name, PARCEL, NOW)) for name in "abc"] == [False, False, True]
