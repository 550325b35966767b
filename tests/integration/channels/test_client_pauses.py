"""A channel that wants to be left alone, or hangs: nobody calls it for a while, whichever worker it is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from oms.channels.client import LONGEST_GUESS_SECONDS, SILENCE_SECONDS, SLOW_SECONDS, ChannelApi, Limit
from oms.domain.errors import OutOfTime, Throttled, Unavailable
from oms.runtime.http import MAX_ANSWER_BYTES, AnswerTooLarge, HttpAnswer
from tests.scripted_server import Asked, OpenLimits, Reply, ScriptedServer, account_api, in_order

ORDERS = Limit("orders", per_second=2, burst=10, reset_header="X-Reset-Ms")


def unsigned(_: ChannelApi) -> Mapping[str, str]:
    return {}


def get(api: ChannelApi) -> HttpAnswer:
    return api.call("GET", f"{api.settings.base_url}/orders", limit=ORDERS, headers=unsigned)


def api_of(server: ScriptedServer) -> ChannelApi:
    return account_api("shopify", server.url)


def limits_of(api: ChannelApi) -> OpenLimits:
    assert isinstance(api.limits, OpenLimits)
    return api.limits


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"x-reset-ms": "15500"}, 15.5, id="milliseconds, in a header of the channel's own"),
        pytest.param({"x-reset-ms": "15500", "retry-after": "7"}, 7.0, id="both"),
        pytest.param({"x-reset-ms": "-3"}, 0.5, id="a time that is over"),
        pytest.param({"x-reset-ms": "soon"}, 0.5, id="as nobody can read it"),
    ],
)
def test_a_channel_may_tell_in_a_header_of_its_own_when_to_come_back(headers: dict[str, str], seconds: float) -> None:
    with ScriptedServer({"/orders": Reply(429, headers=headers)}) as server, pytest.raises(Throttled) as told:
        get(api_of(server))
    assert told.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("seconds", "closed"),
    [
        pytest.param(SLOW_SECONDS, {"shopify#main#orders": SILENCE_SECONDS}, id="it hung"),
        pytest.param(SLOW_SECONDS - 1, {}, id="it refused at once"),
    ],
)
def test_a_channel_that_lets_us_wait_for_nothing_keeps_no_other_worker_waiting(
    seconds: float, closed: dict[str, float]
) -> None:
    clock = [0.0]

    def hang(_: Asked) -> Reply:
        clock[0] += seconds / 3
        return Reply(hangs_up=True)

    with ScriptedServer({"/orders": hang}) as server:
        api = api_of(server)
        api.clock = lambda: clock[0]
        with pytest.raises(Unavailable):
            get(api)
        assert limits_of(api).closed == pytest.approx(closed)


def test_a_channel_that_refuses_again_and_again_and_says_nothing_is_asked_ever_less_often() -> None:
    """A day's calls are used up, perhaps: to go on asking each second would help nobody."""
    pauses = []
    answers = in_order(*[Reply(429)] * 13, Reply(200), Reply(429))
    with ScriptedServer({"/orders": answers}) as server:
        api = api_of(server)
        for number in range(15):
            if number == 13:
                get(api)
                continue
            with pytest.raises(Throttled) as told:
                get(api)
            pauses.append(told.value.retry_after_seconds)
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[11:] == [LONGEST_GUESS_SECONDS, LONGEST_GUESS_SECONDS, 0.5]


def test_a_channel_that_was_given_too_little_time_is_not_blamed_for_it() -> None:
    clock = [0.0]

    def hang(_: Asked) -> Reply:
        clock[0] += 100
        return Reply(hangs_up=True)

    with ScriptedServer({"/orders": hang}) as server:
        api = api_of(server)
        api.clock, api.ends_at = (lambda: clock[0]), 50.0
        with pytest.raises(OutOfTime):
            get(api)
        assert limits_of(api).closed == {}


def test_an_answer_that_is_too_large_is_an_answer() -> None:
    clock = [0.0]

    def large(_: Asked) -> Reply:
        clock[0] += 100
        return Reply(body=b"x" * (MAX_ANSWER_BYTES + 1))

    with ScriptedServer({"/orders": large}) as server:
        api = api_of(server)
        api.clock = lambda: clock[0]
        with pytest.raises(AnswerTooLarge):
            get(api)
        assert limits_of(api).closed == {}
