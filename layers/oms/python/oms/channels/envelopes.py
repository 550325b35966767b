"""Envelopes as queue messages: the one form in which every door hands on what came in."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from oms.domain import incoming
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope

FETCHED = incoming.FETCHED

BODY_KEY = "body_s3_key"
"""In a message whose body was too large for the queue, this stands in place of `body`."""


def body_text(body: bytes) -> tuple[str, bool]:
    """The body as an envelope holds it, and whether that is base64: only what is not UTF-8 is."""
    try:
        return body.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), True


def body_bytes(envelope: Envelope) -> bytes:
    """The bytes that came in. Raises InvalidMessage when is_base64 is not true of the body."""
    if not envelope.is_base64:
        return envelope.body.encode("utf-8", errors="surrogatepass")
    try:
        return base64.b64decode(envelope.body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage("body is not base64", field="body", reason="INVALID_FIELD") from error


def to_message(envelope: Envelope, body_key: str | None = None) -> str:
    """JSON for a queue, in ASCII since queues refuse some characters; `body_key` takes the body's place."""
    fields = {**asdict(envelope), "received_at": envelope.received_at.isoformat()}
    if body_key is not None:
        del fields["body"]
        fields[BODY_KEY] = body_key
    return json.dumps(fields, separators=(",", ":"))


def from_message(message: Mapping[str, Any], body: str | None = None) -> Envelope:
    """The envelope of a decoded message; `body` is the text kept under its `body_s3_key`, if it has one.

    Raises InvalidMessage naming the field when it is no envelope.
    """
    fields = {**message, "body": message.get("body") if body is None else body}
    return Envelope(
        channel=_text(fields, "channel"),
        account=_text(fields, "account"),
        topic=_text(fields, "topic"),
        message_id=_text(fields, "message_id"),
        received_at=_time(fields, "received_at"),
        headers=_headers(fields.get("headers")),
        is_base64=fields.get("is_base64") is True,
        body=_text(fields, "body"),
    )


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidMessage("an envelope needs headers", field="headers", reason="MISSING_FIELD")
    return {str(name): str(text) for name, text in value.items()}


def _time(fields: Mapping[str, Any], name: str) -> datetime:
    try:
        return datetime.fromisoformat(_text(fields, name))
    except ValueError as error:
        raise InvalidMessage(f"{name} is no time", field=name, reason="INVALID_FIELD") from error


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InvalidMessage(f"an envelope needs {name}", field=name, reason="MISSING_FIELD")
    return value
