"""A pull over HTTP from end to end: a channel's file, its account, the limits in the table, a server that answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from oms.channels import registry
from oms.channels.client import ChannelApi, Limit, decimal_json
from oms.domain.channel_messages import PulledOrder, PulledPage, Window
from oms.domain.polling import PollStatus
from oms.runtime import clients
from oms.runtime.http import HttpClient
from tests.integration.faults import NOWHERE
from tests.integration.market import ACCOUNT, NOON, SETTINGS, Market, Readers, at, counted
from tests.integration.stage import LambdaContext, Stage
from tests.scripted_server import Asked, Reply, ScriptedServer, in_order

ORDERS = Limit("orders", per_second=50, burst=50, rate_header="x-rate-limit")
PAGE = 100


def signed(api: ChannelApi) -> dict[str, str]:
    return {"authorization": f"key {api.credentials['key']}"}


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """The smallest file of a channel that pulls."""
    query = {"since": window.since.isoformat(), "until": window.until.isoformat(), "page": token or "1"}
    answer = decimal_json(api.call("GET", f"{api.settings.base_url}/orders", limit=ORDERS, headers=signed, query=query))
    orders = [
        PulledOrder(
            channel_order_id=one["id"], updated_at=datetime.fromisoformat(one["updated_at"]), body=json.dumps(one)
        )
        for one in answer["orders"]
    ]
    return PulledPage(orders=tuple(orders), next_token=answer["next"])


def listing(number: int) -> Any:
    """A server that lists so many orders by the page."""

    def reply(asked: Asked) -> Reply:
        page = int(asked.query["page"])
        shown = range((page - 1) * PAGE, min(number, page * PAGE))
        orders = [{"id": f"9{one:04}", "updated_at": at(-30).isoformat()} for one in shown]
        return Reply(body={"orders": orders, "next": str(page + 1) if page * PAGE < number else None})

    return reply


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    made = Readers(stage, Market())
    monkeypatch.setitem(sys.modules, "oms.channels.market", SimpleNamespace(pull=pull))
    monkeypatch.setattr(registry, "CHANNELS", registry.CHANNELS | {"market"})
    monkeypatch.setattr("oms.runtime.clock.now", lambda: made.now)
    monkeypatch.setattr("random.random", lambda: 0.0)
    set_secret("k1")
    return made


def set_secret(key: str) -> None:
    manager, name = clients.client("secretsmanager"), "oms/test/channels/market/main"
    text = json.dumps({"signing_secrets": [], "credentials": {"key": key}})
    known = [one["Name"] for one in manager.list_secrets()["SecretList"]]
    manager.put_secret_value(SecretId=name, SecretString=text) if name in known else manager.create_secret(
        Name=name, SecretString=text
    )


@contextmanager
def taken_at_once() -> Iterator[None]:
    """SQS takes all messages; moto needs half a minute for a thousand."""

    def take(request: Any, **_: Any) -> AWSResponse:
        entries = json.loads(request.body)["Entries"]
        body = json.dumps({"Successful": [{"Id": one["Id"]} for one in entries], "Failed": []}).encode()
        request.url = NOWHERE
        return AWSResponse(NOWHERE, 200, {"content-type": "application/x-amz-json-1.0"}, Answer(body))

    events = clients.client("sqs").meta.events
    events.register_first("before-send.sqs.SendMessageBatch", take)
    yield
    events.unregister("before-send.sqs.SendMessageBatch", take)


class Answer(BytesIO):
    """What botocore reads an answer from."""

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.read()


def worker(readers: Readers, server: ScriptedServer) -> Any:
    """A worker that has just started; it may speak to this machine, and its time of day is the readers'."""
    settings = replace(SETTINGS, base_url=server.url)
    readers.stage.put("settings", settings, kind="channel_account", name=ACCOUNT)
    app = readers.stage.function("queue_poll")
    app.accounts.http = HttpClient(allow_loopback=True, sleep=lambda _: None)
    app.accounts.limits._clock = lambda: readers.now.timestamp()  # noqa: PLW0108 - it moves
    return app


def work(app: Any, number: int = 1) -> None:
    record = {"messageId": f"message-{number}", "body": json.dumps({"task": "pull", "channel_account": ACCOUNT})}
    context = LambdaContext(aws_request_id=f"request-{number}", remaining_millis=120_000)
    assert app.handler({"Records": [record]}, context) == {"batchItemFailures": []}


def test_a_thousand_orders_cost_ten_calls_ten_turns_and_one_write_a_page(readers: Readers) -> None:
    """For each page: a read of what we have of its orders, ten sends of ten messages, a write of how far it is."""
    with ScriptedServer({"/orders": listing(1000)}) as server:
        app = worker(readers, server)
        with counted("dynamodb", "sqs", "secretsmanager") as calls, taken_at_once():
            work(app)
        assert [one.query["page"] for one in server.asked] == [str(page) for page in range(1, 11)]
    assert calls == {
        "GetItem": 1,  # the account's settings
        "UpdateItem": 1 + 10,  # the lease; a turn for each call of the channel
        "BatchGetItem": 10,  # what we have of a page's orders
        "PutItem": 10,  # how far it is
        "SendMessageBatch": 100,
        "GetSecretValue": 1,
    }
    assert readers.row().cursor == NOON


def test_a_channel_that_wants_quiet_is_asked_by_nobody_until_then(readers: Readers) -> None:
    slow = Reply(429, headers={"retry-after": "600"})
    with ScriptedServer({"/orders": slow}) as server:
        work(worker(readers, server))
        row = readers.row()
        assert (row.status, row.last_error, row.next_due_at) == (PollStatus.FAILING, "Throttled", at(10))
        readers.stage.put("settings", {"kind": "poll", "name": ACCOUNT})
        work(worker(readers, server), 2)
        assert len(server.asked) == 1
        assert readers.row().next_due_at == at(10)
        readers.now = at(10)
        server.routes["/orders"] = listing(3)
        work(worker(readers, server), 3)
        assert len(readers.queued()) == 3


def test_a_channel_that_hangs_holds_one_worker_and_the_others_at_once_do_something_else(readers: Readers) -> None:
    clock = [0.0]

    def hang(_: Asked) -> Reply:
        clock[0] += 5
        return Reply(hangs_up=True)

    with ScriptedServer({"/orders": hang}) as server:
        app = worker(readers, server)
        app.accounts.clock = lambda: clock[0]
        work(app)
        asked = len(server.asked)
        readers.stage.put("settings", {"kind": "poll", "name": ACCOUNT})
        work(worker(readers, server), 2)
        assert (len(server.asked), readers.row().last_error) == (asked, "Throttled")
        readers.now, server.routes["/orders"] = readers.row().next_due_at, listing(3)
        work(worker(readers, server), 3)
        assert len(readers.queued()) == 3


def test_a_storm_of_refusals_costs_the_channel_one_call_each_time_and_ends_well(readers: Readers) -> None:
    storm = [Reply(429, headers={"retry-after": "30"}), Reply(503), Reply(503), Reply(503), Reply(500), Reply(401)]
    with ScriptedServer({"/orders": in_order(*storm, Reply(401), Reply(body={"orders": [], "next": None}))}) as server:
        due = []
        for number in range(4):
            work(worker(readers, server), number)
            due.append((readers.row().last_error, (readers.row().next_due_at - readers.now).total_seconds()))
            readers.now = max(readers.row().next_due_at, readers.now + timedelta(seconds=31))
        work(worker(readers, server), 5)
        assert due == [
            ("Throttled", 30),
            ("Unavailable", 60),
            ("Unavailable", 120),
            ("CredentialsRefused", 240),
        ]
        assert (readers.row().status, readers.row().is_due(readers.now)) == (PollStatus.OK, True)


def test_a_rotated_key_is_taken_up_by_a_worker_that_remembers_the_old_one(readers: Readers) -> None:
    keys = {"key k1"}

    def guarded(asked: Asked) -> Reply:
        return listing(1)(asked) if asked.headers["authorization"] in keys else Reply(401)

    with ScriptedServer({"/orders": guarded}) as server:
        app = worker(readers, server)
        clock = [0.0]
        app.secrets._clock = lambda: clock[0]
        work(app)
        set_secret("k2")
        keys.clear()
        keys.add("key k2")
        readers.now, clock[0] = at(10), 60.0
        work(app, 2)
        assert readers.row().status is PollStatus.OK
        assert [one.headers["authorization"] for one in server.asked] == ["key k1", "key k1", "key k2"]
