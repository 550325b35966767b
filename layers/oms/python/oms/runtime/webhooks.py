"""What the webhook doors share: the raw bytes of a request, and answers without a word too many.

Works on API Gateway's HTTP API events, payload format 2.0 (docs.aws.amazon.com, "Working with AWS Lambda
proxy integrations for HTTP APIs"): header names come in lower case, a header sent twice comes joined by a
comma, and a body that is not text comes in base64. Other gateways keep the case or list values; that is read
as well.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from oms.domain.errors import OmsError, TooLarge, Unauthorized
from oms.runtime.functions import logger
from oms.runtime.http_errors import error_body, status_of

MAX_BODY_BYTES = 1_500_000
ACCOUNT = re.compile(r"[a-z0-9-]{1,40}")
LOCATION = re.compile(r"[A-Za-z0-9_-]{1,40}")

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request nobody has verified yet. Header names are in lower case; `body` is what was signed."""

    headers: Mapping[str, str]
    body: bytes
    path: Mapping[str, str]

    def part(self, name: str, form: re.Pattern[str]) -> str:
        """A part of the path, safe to put into the name of a secret. Raises Unauthorized when it is not."""
        value = self.path.get(name, "")
        if not form.fullmatch(value):
            raise Unauthorized("no such account")
        return value

    def require_single(self, *names: str) -> None:
        """Raises Unauthorized when one of these headers, none of which holds commas, was sent twice."""
        if any("," in self.headers.get(name, "") for name in names):
            raise Unauthorized("a signature was sent twice")


def read(event: Mapping[str, Any]) -> SignedRequest:
    """The request in an event. Raises TooLarge above 1,500,000 bytes, Unauthorized for an unreadable body."""
    body = _body(event)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"a message may have {MAX_BODY_BYTES} bytes")
    return SignedRequest(headers=_headers(event), body=body, path=event.get("pathParameters") or {})


def answer(event: Mapping[str, Any], channel: str, work: Callable[[SignedRequest], Answer]) -> Answer:
    """What `work` answers, or the answer to the error of ours that it raises; counted per channel.

    Other errors are bugs: they end the invocation, an alarm sees them, the caller gets API Gateway's bare 500.
    """
    try:
        answered = work(read(event))
    except OmsError as error:
        _count("WebhooksRefused", channel)
        logger.warning("webhook refused", extra={"reason": type(error).__name__, "cause": str(error)})
        return json_answer(status_of(error), error_body(error, request_id(event)))
    _count("WebhooksAccepted", channel)
    return answered


def json_answer(status: int, body: Mapping[str, object]) -> Answer:
    """An HTTP answer with a JSON body."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, separators=(",", ":"), ensure_ascii=False),
    }


def request_id(event: Mapping[str, Any]) -> str:
    """API Gateway's id of the request, the one in its access log."""
    return str((event.get("requestContext") or {}).get("requestId", ""))


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthorized("the body can't be read") from error


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    listed = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    headers: dict[str, list[str]] = {}
    for name, values in listed.items():
        headers.setdefault(name.lower(), []).extend(values)
    # what is no text is none here either: it would end whoever encodes it
    return {name: ",".join(values).encode(errors="replace").decode() for name, values in headers.items()}


def _count(metric: str, channel: str) -> None:
    with single_metric(name=metric, unit=MetricUnit.Count, value=1) as counted:
        counted.add_dimension("channel", channel)
