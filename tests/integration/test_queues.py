"""The queues: many messages in few calls, none lost on the way, large bodies by the inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.channels import envelopes
from oms.domain.errors import Throttled, Unavailable
from oms.domain.incoming import FETCHED, Envelope
from oms.runtime import clients
from oms.runtime.inbox import Inbox
from oms.runtime.intake_door import MAX_MESSAGE_BYTES, IntakeDoor
from oms.runtime.queues import MAX_BATCH_BYTES, MAX_TRIES, Queue
from tests.integration.stage import SETTINGS, Stage


class Service:
    """SQS that takes what it is told to take; it remembers each call."""

    def __init__(self, *refused: set[str]) -> None:
        self.refused = list(refused)
        self.calls: list[list[str]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Mapping[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append([entry["MessageBody"] for entry in Entries])
        refused = self.refused.pop(0) if self.refused else set()
        return {"Failed": [{"Id": entry["Id"]} for entry in Entries if entry["MessageBody"] in refused]}


def send(service: Any, *messages: str) -> None:
    Queue(service, "https://queue").send_many(messages, group="market#main")


def test_ten_messages_go_in_one_call() -> None:
    service = Service()
    send(service, *(str(number) for number in range(25)))
    assert [len(call) for call in service.calls] == [10, 10, 5]
    assert [one for call in service.calls for one in call] == [str(number) for number in range(25)]


def test_no_call_holds_more_than_sqs_takes() -> None:
    service = Service()
    send(service, *("x" * 100_000 for _ in range(5)))
    assert [len(call) for call in service.calls] == [2, 2, 1]
    assert all(sum(map(len, call)) <= MAX_BATCH_BYTES for call in service.calls)


def test_nothing_to_send_is_no_call() -> None:
    service = Service()
    send(service)
    assert service.calls == []


def test_what_sqs_did_not_take_is_sent_again_alone() -> None:
    service = Service({"b", "c"}, {"c"})
    send(service, "a", "b", "c")
    assert service.calls == [["a", "b", "c"], ["b", "c"], ["c"]]


def test_what_sqs_never_takes_is_told() -> None:
    service = Service(*({"b"} for _ in range(MAX_TRIES)))
    with pytest.raises(Unavailable, match="1 of 2"):
        send(service, "a", "b")
    assert len(service.calls) == MAX_TRIES


def test_a_queue_that_can_not_be_reached_is_told(stage: Stage) -> None:
    queue = Queue(clients.client("sqs"), SETTINGS["POLL_QUEUE_URL"])
    stage.fail("sqs", "SendMessageBatch", "ThrottlingException")
    with pytest.raises(Throttled):
        queue.send_many(["{}"], group="a")
    stage.fail("sqs", "ChangeMessageVisibility", "InternalError")
    with pytest.raises(Unavailable):
        queue.put_off("handle", 5)


def envelope(number: int, body: str = "{}") -> Envelope:
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC)
    return Envelope(
        channel="market", account="main", topic=FETCHED, message_id=f"{number}@{moment}", received_at=moment, body=body
    )


def test_envelopes_come_out_of_the_queue_as_they_went_in_small_and_large(stage: Stage) -> None:
    door = IntakeDoor(
        Queue(clients.client("sqs"), SETTINGS["INTAKE_QUEUE_URL"]),
        clients.client("s3"),
        SETTINGS["INBOX_BUCKET"],
        envelopes.to_message,
    )
    sent = [envelope(1), envelope(2, "x" * MAX_MESSAGE_BYTES), envelope(3, "ü" * 70_000)]
    door.put_many(sent)
    door.put_many([])
    messages = stage.messages("intake")
    assert [envelopes.BODY_KEY in message for message in messages] == [False, True, True]
    s3 = clients.client("s3")
    for message, before in zip(messages, sent, strict=True):
        key = message.get(envelopes.BODY_KEY)
        text = s3.get_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=key)["Body"].read().decode() if key else None
        assert envelopes.from_message(message, text) == before


@pytest.mark.parametrize("length", [1, MAX_MESSAGE_BYTES], ids=["small", "large"])
def test_half_a_letter_in_a_vendors_answer_keeps_no_order_from_being_read(stage: Stage, length: int) -> None:
    queue = Queue(clients.client("sqs"), SETTINGS["INTAKE_QUEUE_URL"])
    door = IntakeDoor(queue, clients.client("s3"), SETTINGS["INBOX_BUCKET"], envelopes.to_message)
    door.put(envelope(1, '{"note": "cut off \ud83d' + "x" * length + '"}'))
    (message,) = stage.messages("intake")
    kept = Inbox(clients.client("s3"), SETTINGS["INBOX_BUCKET"]).text(message.get(envelopes.BODY_KEY))
    body = envelopes.body_bytes(envelopes.from_message(message, kept))
    assert json.loads(body)["note"] == "cut off ?" + "x" * length
