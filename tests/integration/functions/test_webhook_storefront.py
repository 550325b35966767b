"""The door for storefronts: what is genuine is queued as it came, everything else is turned away alike."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from oms.channels import bigcommerce, envelopes, registry, shopify, woocommerce
from oms.runtime import clients
from tests.integration.functions.doors import Door, body_of, http_event, open_door
from tests.integration.stage import ROOT, SETTINGS, Stage, cases, sample

SECRET, OLDER = "the-app-secret", "the-secret-of-last-month"
ACCOUNT = {"channel": "shopify", "account": "main-street-goods"}
BODY = '{"id": 1, "note": "caf\u00e9"}'
SIGNATURE = "x-shopify-hmac-sha256"

SIGNED_BY: dict[str, Callable[[bytes], dict[str, str]]] = {
    "shopify": lambda body: {SIGNATURE: shopify.sign(body, SECRET)},
    "woocommerce": lambda body: {"x-wc-webhook-signature": woocommerce.sign(body, SECRET)},
    "bigcommerce": lambda _: {bigcommerce.SECRET_HEADER: SECRET},
}


@pytest.fixture
def storefront(stage: Stage) -> Door:
    accounts = ("shopify/main-street-goods", "woocommerce/corner-store", "bigcommerce/harbour")
    held = {f"channels/{account}": [SECRET, OLDER] for account in accounts}
    return open_door(stage, "webhook_storefront", "intake", held)


def signed(body: str | bytes = BODY, secret: str = SECRET, **headers: str) -> dict[str, Any]:
    raw = body.encode() if isinstance(body, str) else body
    named = {
        "x-shopify-topic": "orders/create",
        "x-shopify-webhook-id": "delivery-1",
        "x-shopify-shop-domain": "main-street-goods.myshopify.com",
        "authorization": "never to be kept",
        SIGNATURE: shopify.sign(raw, secret),
    }
    return http_event(ACCOUNT, named | headers, body)


@pytest.mark.parametrize("case", cases("webhook_storefront"))
def test_each_sample_is_answered_the_same_when_it_comes_twice(storefront: Door, case: str) -> None:
    event = sample("webhook_storefront", case)
    is_forged = case.startswith("forged")
    if not is_forged and not case.endswith("ping"):
        event["headers"] |= SIGNED_BY[event["pathParameters"]["channel"]](body_of(event))
    assert [storefront.post(event)[0] for _ in range(2)] == [401 if is_forged else 200] * 2
    queued = storefront.queued()
    if is_forged or case.endswith("ping"):
        assert queued == []
        return
    first, again = (envelopes.from_message(message) for message in queued)
    channel = registry.module(first.channel)
    assert envelopes.body_bytes(first) == envelopes.body_bytes(again) == body_of(event)
    topic, message_id = channel.describe(event["headers"])
    assert first.topic == again.topic == topic
    assert first.message_id == again.message_id == (message_id or hashlib.sha256(body_of(event)).hexdigest())
    assert channel.parse(first) == channel.parse(again) is not None


PING = http_event({"channel": "woocommerce", "account": "corner-store"}, {"host": "x"}, "webhook_id=12")


def test_a_ping_is_answered_the_same_whether_or_not_there_is_such_an_account(storefront: Door) -> None:
    stranger = PING | {"pathParameters": {"channel": "woocommerce", "account": "nobody"}}
    storefront.stage.fail("secretsmanager", "GetSecretValue", "InternalServiceError")
    assert storefront.post(PING) == storefront.post(stranger) == (200, {})
    assert storefront.queued() == []


@pytest.mark.parametrize(
    "touched",
    [
        {"body": "webhook_id=12&id=1"},
        {"headers": {"x-wc-webhook-topic": "order.deleted"}},
        {"pathParameters": {"channel": "shopify", "account": "main-street-goods"}},
        {"pathParameters": {"channel": "woocommerce", "account": "../a"}},
        {"pathParameters": {"channel": "nochannel", "account": "corner-store"}},
    ],
)
def test_what_only_looks_like_a_ping_is_turned_away(storefront: Door, touched: dict[str, Any]) -> None:
    assert storefront.post(PING | touched)[0] == 401
    assert storefront.queued() == []


def test_a_genuine_message_is_queued_in_its_envelope_under_its_account(storefront: Door) -> None:
    assert storefront.post(signed()) == (200, {})
    assert storefront.groups() == ["shopify#main-street-goods"]
    (message,) = storefront.queued()
    envelope = envelopes.from_message(message)
    assert (envelope.channel, envelope.account, envelope.topic) == ("shopify", "main-street-goods", "orders/create")
    assert (envelope.message_id, envelope.body, envelope.is_base64) == ("delivery-1", BODY, False)
    assert set(envelope.headers) == {"x-shopify-topic", "x-shopify-webhook-id", "x-shopify-shop-domain"}


def test_a_body_in_base64_is_verified_and_kept_as_the_bytes_it_stands_for(storefront: Door) -> None:
    assert storefront.post(signed(BODY.encode()))[0] == 200
    (message,) = storefront.queued()
    assert (message["body"], message["is_base64"]) == (BODY, False)


def test_header_names_may_have_any_case(storefront: Door) -> None:
    event = signed()
    event["headers"] = {name.upper(): value for name, value in event["headers"].items()}
    assert storefront.post(event)[0] == 200
    assert envelopes.from_message(storefront.queued()[0]).topic == "orders/create"


def test_the_older_secret_is_accepted_while_it_is_changed(storefront: Door) -> None:
    assert storefront.post(signed(secret=OLDER))[0] == 200


def test_what_is_not_json_or_not_even_text_is_queued_for_the_worker_to_judge(storefront: Door) -> None:
    for body in (b"{not json", b"\xff\xfe\x00", b"", '{"a": "\uffff\x01"}'.encode()):
        assert storefront.post(signed(body))[0] == 200
        (message,) = storefront.queued()
        assert envelopes.body_bytes(envelopes.from_message(message)) == body


def test_a_message_without_an_id_is_known_by_its_body(storefront: Door) -> None:
    event = signed()
    del event["headers"]["x-shopify-webhook-id"]
    storefront.post(event)
    storefront.post(event)
    ids = {message["message_id"] for message in storefront.queued()}
    assert len(ids) == 1
    assert len(ids.pop()) == 64


def test_no_webhook_can_say_that_it_is_what_we_asked_the_channel_for(
    storefront: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.module("shopify"), "describe", lambda _: (envelopes.FETCHED, "delivery-1"))
    assert storefront.post(signed())[0] == 200
    assert storefront.queued()[0]["topic"] == ""


def forgeries() -> dict[str, dict[str, Any]]:
    doubled = signed()
    doubled["headers"][SIGNATURE] += f",{doubled['headers'][SIGNATURE]}"
    twice = signed()
    twice["headers"][SIGNATURE.upper()] = twice["headers"][SIGNATURE]
    listed = signed()
    listed["multiValueHeaders"] = {name: [value, value] for name, value in listed["headers"].items()}
    unsigned = signed()
    del unsigned["headers"][SIGNATURE]
    touched = signed()
    touched["body"] = touched["body"].replace("1", "2")
    garbled = signed(BODY.encode())
    garbled["body"] = "***"
    surrogate = signed()
    surrogate["body"] = "\ud800"
    return {
        "another secret": signed(secret="guessed"),
        "no signature": unsigned,
        "an empty signature": signed(**{SIGNATURE: ""}),
        "a signature that is no text at all": signed(**{SIGNATURE: "\ud800"}),
        "a body changed on the way": touched,
        "a signature header sent twice, joined": doubled,
        "a signature header sent twice, in two cases": twice,
        "a signature header sent twice, listed": listed,
        "an unknown account": signed() | {"pathParameters": ACCOUNT | {"account": "nobody"}},
        "an account that leads to another secret": signed() | {"pathParameters": ACCOUNT | {"account": "../a"}},
        "an account beyond the allowed length": signed() | {"pathParameters": ACCOUNT | {"account": "a" * 41}},
        "an unknown channel": signed() | {"pathParameters": ACCOUNT | {"channel": "nochannel"}},
        "a channel named like a module": signed() | {"pathParameters": ACCOUNT | {"channel": "os"}},
        "no path": signed() | {"pathParameters": None},
        "a body that is not the base64 it claims to be": garbled,
        "a body that is no text at all": surrogate,
    }


def test_an_id_too_long_for_a_row_is_replaced_by_what_the_body_comes_to(storefront: Door) -> None:
    storefront.post(signed(**{"x-shopify-webhook-id": "w" * 2_000}))
    (message,) = storefront.queued()
    assert message["message_id"] == hashlib.sha256(BODY.encode()).hexdigest()


@pytest.mark.parametrize("forgery", forgeries())
def test_whatever_is_not_genuine_gets_the_same_answer_and_leaves_nothing(storefront: Door, forgery: str) -> None:
    status, answer = storefront.post(forgeries()[forgery])
    assert (status, answer) == (
        401,
        {
            "error": {
                "code": "Unauthorized",
                "message": "the account or its signature is not known",
                "details": {},
                "request_id": "request-1",
            }
        },
    )
    assert storefront.queued() == []


def test_a_body_above_1_500_000_bytes_is_too_large(storefront: Door) -> None:
    assert storefront.post(signed(b"x" * 1_500_000))[0] == 200
    status, answer = storefront.post(signed(b"x" * 1_500_001))
    assert (status, answer["error"]["code"]) == (413, "TooLarge")


def test_a_large_body_lies_in_the_inbox_and_the_message_says_where(storefront: Door) -> None:
    body = json.dumps({"note": "\u00e9" * 150_000}, ensure_ascii=False)
    event = signed(body)
    assert [storefront.post(event)[0] for _ in range(2)] == [200, 200]
    first, again = storefront.queued()
    assert "body" not in first
    key = first["body_s3_key"]
    assert key == again["body_s3_key"]
    assert key.startswith("inbox/shopify/main-street-goods/20")
    kept = clients.client("s3").get_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=key)["Body"].read().decode()
    assert envelopes.from_message(first, body=kept).body == body


def test_a_large_body_that_is_no_text_lies_there_in_base64(storefront: Door) -> None:
    body = b"\xff" * 300_000
    storefront.post(signed(body))
    (message,) = storefront.queued()
    kept = clients.client("s3").get_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=message["body_s3_key"])
    envelope = envelopes.from_message(message, body=kept["Body"].read().decode())
    assert envelopes.body_bytes(envelope) == body


@pytest.mark.parametrize(
    ("code", "named"),
    [("RequestThrottled", "Throttled"), ("AWS.SimpleQueueService.OverLimit", "Throttled"), ("Gone", "Unavailable")],
)
def test_when_the_queue_takes_nothing_the_channel_is_asked_to_try_again(
    storefront: Door, code: str, named: str
) -> None:
    storefront.stage.fail("sqs", "SendMessage", code)
    status, answer = storefront.post(signed())
    assert (status, answer["error"]["code"]) == (503, named)


def test_when_the_inbox_takes_nothing_no_message_is_queued(storefront: Door) -> None:
    storefront.stage.fail("s3", "PutObject", "SlowDown")
    assert storefront.post(signed(b"x" * 300_000))[0] == 503
    assert storefront.queued() == []


def test_when_secrets_can_not_be_read_the_channel_is_asked_to_try_again(storefront: Door) -> None:
    storefront.stage.fail("secretsmanager", "GetSecretValue", "InternalServiceError")
    assert storefront.post(signed())[0] == 503


def test_messages_are_counted_by_channel_and_strangers_add_none(
    storefront: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    storefront.post(signed())
    storefront.post(signed(secret="guessed"))
    storefront.post(signed() | {"pathParameters": ACCOUNT | {"channel": "made-up-by-a-stranger"}})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [
        (line["channel"], *sorted(set(line) & {"WebhooksAccepted", "WebhooksRefused"}))
        for line in lines
        if "_aws" in line
    ]
    assert counted == [
        ("shopify", "WebhooksAccepted"),
        ("shopify", "WebhooksRefused"),
        ("unknown", "WebhooksRefused"),
    ]


def test_a_good_message_leaves_300_bytes_of_log_at_most(
    storefront: Door, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    storefront.post(signed())
    assert all(len(line) <= 300 for line in capsys.readouterr().out.splitlines())
    assert caplog.records == []


def test_a_refused_message_leaves_nothing_of_what_it_said_in_the_log(
    storefront: Door, caplog: pytest.LogCaptureFixture
) -> None:
    event = signed(secret="guessed")
    storefront.post(event)
    (record,) = caplog.records
    assert record.getMessage() == "webhook refused"
    written = repr(vars(record))
    assert "caf" not in written
    assert event["headers"][SIGNATURE] not in written


def test_the_handler_loads_neither_pydantic_nor_an_http_router(storefront: Door) -> None:
    code = (
        "import sys; from importlib.util import spec_from_file_location as spec, module_from_spec as make; "
        f"found = spec('app', {str(ROOT / 'functions/webhook_storefront/app.py')!r}); "
        "found.loader.exec_module(make(found)); "
        "from oms.channels import registry; "
        "found = [registry.verifier(one) for one in ('shopify', 'woocommerce', 'bigcommerce')]; "
        "print(sorted(name for name in sys.modules if 'pydantic' in name or 'event_handler' in name))"
    )
    paths = f"import sys; sys.path[:] = {json.dumps(sys.path)}; "
    run = subprocess.run([sys.executable, "-c", paths + code], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.splitlines()[-1] == "[]"
