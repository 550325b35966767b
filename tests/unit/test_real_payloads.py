"""Payloads that vendors really send. They are no part of the project: where they are absent, these tests skip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oms.carriers import easypost
from oms.domain.errors import InvalidMessage
from oms.runtime import webhooks
from oms.runtime.signatures import standard_webhooks_sign, standard_webhooks_valid

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"
pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the vendors' payloads are not beside this project")


def files(pattern: str) -> list[str]:
    return sorted(str(path.relative_to(PAYLOADS)) for path in PAYLOADS.glob(pattern))


def load(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text())


def test_easyposts_own_signature_of_its_own_sample_is_accepted() -> None:
    vector = load("easypost/webhook_hmac_vector.json")
    body = (PAYLOADS / "easypost" / vector["body_file"]).read_bytes().rstrip(b"\n")
    headers = {easypost.SIGNATURE_HEADER: vector["x-hmac-signature"]}
    assert easypost.verify(headers, body, [vector["secret"]])
    assert not easypost.verify(headers, body + b"\n", [vector["secret"]])
    update = easypost.parse(body)
    assert update is not None
    newest = max(one["datetime"] for one in json.loads(body)["result"]["tracking_details"])
    assert update.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ") == newest


@pytest.mark.parametrize("name", files("easypost/responses/trackers/*.json"))
def test_each_tracker_of_easypost_is_read_as_an_update(name: str) -> None:
    document = load(name)
    for tracker in document.get("trackers", [document]):
        event = {"id": "evt_1", "description": "tracker.updated", "result": tracker}
        update = easypost.parse(json.dumps(event).encode())
        assert update is not None
        assert (update.carrier_status, update.tracking_number) == (tracker["status"], tracker["tracking_code"])


@pytest.mark.parametrize("name", files("easypost/responses/*/*.json"))
def test_whatever_easypost_sends_is_an_update_or_none_or_refused_by_name(name: str) -> None:
    try:
        update = easypost.parse((PAYLOADS / name).read_bytes())
    except InvalidMessage as error:
        assert error.reason in ("MISSING_FIELD", "INVALID_FIELD")
    else:
        assert update is None


def test_the_published_vector_of_standard_webhooks_is_signed_and_accepted() -> None:
    for vector in load("standard_webhooks/vectors.json"):
        body, moment = vector["body"].encode(), vector["webhook-timestamp"]
        signature = standard_webhooks_sign(vector["secret"], vector["webhook-id"], moment, body)
        assert signature == vector["webhook-signature"]
        headers = {name: str(vector[name]) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
        assert standard_webhooks_valid(headers, body, [vector["secret"]], moment) is vector["valid"]


@pytest.mark.parametrize(
    "name", ["apiGatewayProxyV2Event.json", "apiGatewayProxyV2Event_GET.json", "lambdaFunctionUrlEvent.json"]
)
def test_the_events_of_aws_gateways_are_read(name: str) -> None:
    event = load(f"aws_events/{name}")
    request = webhooks.read(event)
    assert request.body == (event.get("body") or "").encode()
    assert dict(request.headers) == {key.lower(): value for key, value in event["headers"].items()}
    assert dict(request.path) == (event.get("pathParameters") or {})
    assert webhooks.request_id(event) == event["requestContext"]["requestId"]


@pytest.mark.parametrize("name", files("aws_events/*.json"))
def test_an_event_of_another_kind_is_turned_away_and_breaks_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "oms")
    event = load(name)
    answer = webhooks.answer(event, "test", _ask_for_an_account)
    assert answer["statusCode"] == 401


def _ask_for_an_account(request: webhooks.SignedRequest) -> webhooks.Answer:
    return webhooks.json_answer(200, {"account": request.part("account", webhooks.ACCOUNT)})
