"""Envelopes: what came in travels through queue and bucket unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.channels import envelopes
from oms.domain.errors import InvalidMessage
from tests.unit.shopify_bodies import envelope


def test_an_envelope_travels_through_a_queue_unchanged() -> None:
    sent = envelope("caf\u00e9 \uffff \x01", headers={"x-shopify-topic": "orders/create"})
    message = envelopes.to_message(sent)
    assert message.isascii()
    assert envelopes.from_message(json.loads(message)) == sent


def test_an_envelope_whose_body_lies_elsewhere_gets_it_back() -> None:
    sent = envelope("a large body")
    message = json.loads(envelopes.to_message(sent, body_key="inbox/1"))
    assert "body" not in message
    assert message["body_s3_key"] == "inbox/1"
    assert envelopes.from_message(message, body="a large body") == sent
    with pytest.raises(InvalidMessage, match="body"):
        envelopes.from_message(message)


@pytest.mark.parametrize(
    ("name", "value"), [("channel", None), ("received_at", "noon"), ("headers", "x: y"), ("account", 7)]
)
def test_what_is_no_envelope_is_refused_by_field(name: str, value: Any) -> None:
    message = json.loads(envelopes.to_message(envelope("x"))) | {name: value}
    with pytest.raises(InvalidMessage) as caught:
        envelopes.from_message(message)
    assert caught.value.field == name
