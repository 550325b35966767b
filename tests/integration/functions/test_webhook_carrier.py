"""The door for tracking providers: signed news of parcels are queued, other news are thanked for and left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.carriers import easypost
from tests.integration.functions.doors import Door, body_of, http_event, open_door
from tests.integration.stage import Stage, cases, sample

SECRET = "easyp\u00f6st webhook secret"
OLDER = "the secret of last month"
PATH = {"carrier": "easypost", "account": "test"}
SIGNATURE = easypost.SIGNATURE_HEADER


@pytest.fixture
def carrier(stage: Stage) -> Door:
    return open_door(stage, "webhook_carrier", "fulfillment", {"carriers/easypost/test": [SECRET, OLDER]})


def news(status: str = "delivered", **changes: Any) -> bytes:
    tracker = {
        "object": "Tracker",
        "tracking_code": "1Z0001",
        "carrier": "UPS",
        "status": status,
        "updated_at": "2026-11-19T13:20:00Z",
        "tracking_details": [],
    }
    event = {"object": "Event", "id": "evt_1", "description": "tracker.updated", "result": tracker}
    return json.dumps(event | changes).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, Any]:
    return http_event(PATH, {"X-Hmac-Signature": easypost.sign(body, secret)}, body)


@pytest.mark.parametrize("case", cases("webhook_carrier"))
def test_each_sample_is_queued_each_time_it_comes_and_says_the_same(carrier: Door, case: str) -> None:
    event = sample("webhook_carrier", case)
    event["pathParameters"] = PATH
    event["headers"][SIGNATURE] = easypost.sign(body_of(event), SECRET)
    assert [carrier.post(event) for _ in range(2)] == [(200, {})] * 2
    first, again = carrier.queued()
    assert first == again
    tracker = json.loads(body_of(event))["result"]
    assert first["tracking_number"] == tracker["tracking_code"]
    assert first["status"] == easypost.STATUSES[tracker["status"]].value


def test_the_news_of_a_parcel_are_queued_in_our_words(carrier: Door) -> None:
    assert carrier.post(signed(news())) == (200, {})
    assert carrier.groups() == ["easypost#test"]
    (message,) = carrier.queued()
    assert message == {
        "kind": "tracking_update",
        "message_id": "evt_1",
        "provider": "easypost",
        "carrier": "ups",
        "tracking_number": "1Z0001",
        "status": "DELIVERED",
        "carrier_status": "delivered",
        "occurred_at": "2026-11-19T13:20:00+00:00",
    }


def test_a_status_nobody_has_heard_of_is_queued_as_the_carrier_says_it(carrier: Door) -> None:
    assert carrier.post(signed(news("on_the_moon")))[0] == 200
    (message,) = carrier.queued()
    assert (message["status"], message["carrier_status"]) == (None, "on_the_moon")


def test_while_the_secret_is_changed_the_older_one_is_accepted(carrier: Door) -> None:
    assert carrier.post(signed(news(), secret=OLDER))[0] == 200


def test_news_about_other_things_are_thanked_for_and_left(carrier: Door) -> None:
    assert carrier.post(signed(news(description="batch.created", result={"object": "Batch"}))) == (200, {})
    assert carrier.queued() == []


def forgeries() -> dict[str, dict[str, Any]]:
    doubled = signed(news())
    doubled["headers"] = {SIGNATURE: ",".join(list(doubled["headers"].values()) * 2)}
    return {
        "signed with another secret": signed(news(), secret="guessed"),
        "unsigned": signed(news()) | {"headers": None},
        "with its signature sent twice": doubled,
        "of an unknown account": signed(news()) | {"pathParameters": PATH | {"account": "nobody"}},
        "of an unknown carrier": signed(news()) | {"pathParameters": PATH | {"carrier": "pigeons"}},
        "of a carrier named like a path": signed(news()) | {"pathParameters": PATH | {"carrier": "../easypost"}},
        "forged and malformed": signed(b"{", secret="guessed"),
    }


@pytest.mark.parametrize("forgery", forgeries())
def test_news_that_are_not_verified_are_not_looked_at(carrier: Door, forgery: str) -> None:
    status, answer = carrier.post(forgeries()[forgery])
    assert (status, answer["error"]["code"], answer["error"]["details"]) == (401, "Unauthorized", {})
    assert carrier.queued() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"", "body"),
        (b"\xff", "body"),
        (b"{}", "id"),
        (news(result=None), "result"),
        (news(result={"carrier": "UPS"}), "result.tracking_code"),
    ],
)
def test_signed_news_that_make_no_sense_are_refused_with_the_field_named(
    carrier: Door, body: bytes, field: str
) -> None:
    status, answer = carrier.post(signed(body))
    assert (status, answer["error"]["details"]["field"]) == (422, field)
    assert carrier.queued() == []


def test_when_the_queue_takes_nothing_the_carrier_is_asked_to_try_again(carrier: Door) -> None:
    carrier.stage.fail("sqs", "SendMessage", "RequestThrottled")
    status, answer = carrier.post(signed(news()))
    assert (status, answer["error"]["code"]) == (503, "Throttled")


def test_a_body_above_the_bound_is_too_large(carrier: Door) -> None:
    assert carrier.post(signed(b" " * 1_500_001))[0] == 413
