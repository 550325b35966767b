"""The poll queue: accounts are pulled and compared, single orders fetched, and what can't be now comes again later."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest

from oms.domain.errors import NotSupported, Throttled, Unavailable
from oms.domain.order import OrderStatus
from oms.runtime import clients
from tests.integration.company import everything
from tests.integration.market import ACCOUNT, Readers, at, open_market
from tests.integration.stage import SETTINGS, LambdaContext, Stage, cases, sample

KNOWN = ("902-1845936-5435065", "902-7265418-1209553")


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


def fetch(*channel_order_ids: str) -> dict[str, Any]:
    return {"task": "fetch", "channel_account": ACCOUNT, "channel_order_ids": list(channel_order_ids)}


@pytest.mark.parametrize("case", cases("queue_poll"))
def test_each_sample_is_worked_off_and_a_repeat_changes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    readers = open_market(stage, monkeypatch, "amazon")
    readers.market.orders = dict.fromkeys(KNOWN, at(-60))
    context, event = LambdaContext(remaining_millis=120_000), sample("queue_poll", case)
    assert stage.function("queue_poll").handler(event, context)["batchItemFailures"] == []
    assert set(readers.queued()) == (set() if case == "order_gone" else set(KNOWN))
    left = everything(stage)
    assert stage.function("queue_poll").handler(event, context)["batchItemFailures"] == []
    assert everything(stage) == left


def test_a_thin_message_ends_as_the_whole_order_at_intake(readers: Readers) -> None:
    readers.market.orders, readers.market.thin = {"901": at(-1)}, True
    assert readers.send(fetch("901")) == []
    assert readers.queued() == ["901"]
    assert readers.arrived[0]["message_id"] == "901@2026-03-02T11:59:00+00:00"


def test_an_open_order_that_is_gone_waits_for_a_person_in_one_row_however_often_it_is_asked_for(
    readers: Readers,
) -> None:
    readers.known("gone", at(-60))
    message = fetch("gone")
    assert [readers.send(message), readers.send(message)] == [[], []]
    (row,) = readers.stage.rows("quarantine")
    assert (row["source"], row["reason"]) == (f"poll#{ACCOUNT}", "GONE_ON_CHANNEL")
    assert row["error"] == "open here: RECEIVED"
    assert row["message"] == message


@pytest.mark.parametrize("status", [None, OrderStatus.CANCELLED, OrderStatus.DELIVERED])
def test_an_order_that_is_gone_and_was_never_here_or_is_over_is_only_counted(
    readers: Readers, status: OrderStatus | None, capsys: pytest.CaptureFixture[str]
) -> None:
    readers.market.orders = {"901": at(-1)}
    if status:
        readers.known("gone", at(-60), status=status)
    assert readers.send(fetch("gone", "901")) == []
    assert (readers.stage.rows("quarantine"), readers.queued()) == ([], ["901"])
    (counted,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "FetchesNotFound" in line]
    assert (counted["FetchesNotFound"], counted["OrdersQuarantined"]) == ([1.0], [0.0])


def test_whether_an_order_that_is_gone_is_open_here_may_be_asked_again(readers: Readers) -> None:
    readers.stage.fail("dynamodb", "BatchGetItem", "ThrottlingException")
    put_off_by(readers)
    assert len(readers.send(fetch("gone"))) == 1
    assert readers.stage.rows("quarantine") == []


def test_an_order_the_channel_will_not_tell_waits_for_a_person(readers: Readers) -> None:
    readers.market.broken = [NotSupported("no")]
    assert readers.send(fetch("901")) == []
    (row,) = readers.stage.rows("quarantine")
    assert row["reason"] == "NotSupported"


def test_what_can_not_be_fetched_now_comes_again_after_a_while(readers: Readers) -> None:
    put_off = put_off_by(readers)
    readers.market.broken = [Unavailable("down"), Throttled("slow", retry_after_seconds=600)]
    assert readers.send(fetch("901"), receives=3) == [{"itemIdentifier": "message-1-0"}]
    assert readers.send(fetch("901"), receives=1) == [{"itemIdentifier": "message-2-0"}]
    assert put_off == [120, 600]


def test_a_message_that_can_not_be_put_off_still_comes_again(readers: Readers) -> None:
    readers.stage.fail("sqs", "ChangeMessageVisibility", "InternalError")
    readers.market.broken = [Unavailable("down")]
    assert readers.send(fetch("901")) == [{"itemIdentifier": "message-1-0"}]


def test_when_the_channel_gives_out_half_way_only_what_is_left_is_asked_for_again(readers: Readers) -> None:
    readers.market.orders, readers.market.pages_until_slow = {f"90{one}": at(-1) for one in range(4)}, 2
    assert readers.send(fetch("900", "901", "902", "903", "901")) == []
    assert readers.queued() == ["900", "901"]
    assert readers.asked() == [fetch("902", "903")]


def test_a_message_that_names_very_many_orders_is_worked_off_in_parts(readers: Readers) -> None:
    wanted = [f"9{one:02}" for one in range(25)]
    readers.market.orders = dict.fromkeys(wanted, at(-1))
    messages = [fetch(*wanted)]
    while messages:
        assert readers.send(*messages) == []
        messages = readers.asked()
    assert readers.queued() == wanted


def test_an_account_that_was_never_set_up_keeps_its_fetches_until_it_is(readers: Readers) -> None:
    message = {"task": "fetch", "channel_account": "market#unknown", "channel_order_ids": ["901"]}
    put_off_by(readers)
    assert len(readers.send(message)) == 1
    assert readers.stage.rows("quarantine") == []


@pytest.mark.parametrize("body", [{"task": "dance", "channel_account": ACCOUNT}, {"task": "pull"}, {}])
def test_a_message_nobody_understands_ends_in_the_dead_letters(readers: Readers, body: dict[str, Any]) -> None:
    assert len(readers.send(body)) == 1


def test_a_large_order_goes_by_the_inbox(readers: Readers, stage: Stage) -> None:
    readers.market.orders = {"9" * 250_000: at(-1), "901": at(-2)}
    readers.pull()
    small, large = stage.messages("intake")
    assert json.loads(small["body"])["id"] == "901"
    body = clients.client("s3").get_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=large["body_s3_key"])["Body"].read()
    assert json.loads(body)["id"] == "9" * 250_000


def test_the_log_says_what_was_read_and_nothing_of_the_orders(readers: Readers, log: StringIO) -> None:
    readers.market.orders = {"901": at(-1)}
    readers.pull()
    (line,) = log.getvalue().splitlines()
    told = json.loads(line)
    assert (told["channel_account"], told["listed"], told["queued"], told["ended"]) == (ACCOUNT, 1, 1, "DONE")
    assert "901" not in line
    readers.pull()
    assert len(log.getvalue().splitlines()) == 1


def test_a_failed_pull_is_counted_for_its_account(readers: Readers, capsys: pytest.CaptureFixture[str]) -> None:
    readers.market.broken = [Unavailable("down")]
    readers.pull()
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "PullsFailed" in line]
    assert {one.get("channel_account") for one in counted} == {None, ACCOUNT}
    assert {one["PullsFailed"][0] for one in counted} == {1}


def test_a_failed_fetch_is_told_and_counted_for_its_account(
    readers: Readers, log: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    readers.market.broken = [Unavailable("down")]
    assert len(readers.send(fetch("901"))) == 1
    told = next(json.loads(line) for line in log.getvalue().splitlines() if "put off" in line)
    assert (told["channel_account"], told["reason"]) == (ACCOUNT, "Unavailable")
    assert "901" not in log.getvalue()
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "FetchesFailed" in line]
    assert {one.get("channel_account") for one in counted} == {None, ACCOUNT}


def put_off_by(readers: Readers) -> list[int]:
    """How long messages are kept away from now on, in seconds."""
    seconds: list[int] = []

    def hear(params: dict[str, Any], **_: Any) -> None:
        seconds.append(params["VisibilityTimeout"])

    readers.stage.hook("sqs", "before-parameter-build.sqs.ChangeMessageVisibility", hear)
    return seconds


def test_a_message_taken_off_the_queue_can_be_put_off(readers: Readers) -> None:
    sqs, url = clients.client("sqs"), SETTINGS["POLL_QUEUE_URL"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(fetch("901")))
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    readers.market.broken = [Unavailable("down")]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"SentTimestamp": "1772452800000", "ApproximateReceiveCount": "1"},
    }
    app = readers.stage.function("queue_poll")
    assert len(app.handler({"Records": [record]}, LambdaContext(remaining_millis=120_000))["batchItemFailures"]) == 1
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert attributes["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "1"}
