"""`POST /webhooks/{channel}/{account}`: takes in a storefront's message as it is and says thank you.

The signature is verified over the raw bytes; nothing is parsed here, so the answer goes out at once and what
can't be understood waits in quarantine instead of being refused. Neither pydantic nor an HTTP router loads.
"""

from __future__ import annotations

import hashlib
from typing import Any

from oms.channels import envelopes, registry
from oms.domain.incoming import Envelope
from oms.runtime import clock, webhooks
from oms.runtime.clients import client
from oms.runtime.functions import environment, lambda_handler
from oms.runtime.intake_door import IntakeDoor
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets

MAX_MESSAGE_ID = 200
"""Letters of an id that a channel gives its message; it becomes part of a row's key, which has its bound."""

intake_queue = Queue(client("sqs"), environment("INTAKE_QUEUE_URL"))
door = IntakeDoor(intake_queue, client("s3"), environment("INBOX_BUCKET"), envelopes.to_message)
secrets = Secrets(client("secretsmanager"), environment("STAGE"))


@lambda_handler
def handler(event: dict[str, Any], _context: object) -> webhooks.Answer:
    """Queues the message of a known account: 200, 401 not verified, 413 too large, 503 try again."""
    named = str((event.get("pathParameters") or {}).get("channel"))
    # a name nobody knows is not counted as a channel, or strangers could make thousands of metrics
    return webhooks.answer(event, named if registry.is_known(named) else "unknown", _accept)


def _accept(request: webhooks.SignedRequest) -> webhooks.Answer:
    if not _is_ping(request):
        door.put(_verified(request))
    return webhooks.json_answer(200, {})


def _is_ping(request: webhooks.SignedRequest) -> bool:
    """Whether the channel only asks if anybody is there. That is answered the same for whatever account: it leads to
    nothing, looks nothing up, and tells nobody which accounts there are."""
    name = request.part("channel", webhooks.ACCOUNT)
    request.part("account", webhooks.ACCOUNT)
    return registry.is_ping(name, request.headers, request.body)


def _verified(request: webhooks.SignedRequest) -> Envelope:
    """The message in its envelope. Raises Unauthorized unless this account of the channel signed it."""
    name, account = request.part("channel", webhooks.ACCOUNT), request.part("account", webhooks.ACCOUNT)
    channel = registry.verifier(name)
    request.require_single(*channel.SIGNATURE_HEADERS)
    secrets.verify("channels", name, account, check=lambda known: channel.verify(request.headers, request.body, known))
    topic, message_id = channel.describe(request.headers)
    body, is_base64 = envelopes.body_text(request.body)
    return Envelope(
        channel=name,
        account=account,
        topic="" if topic == envelopes.FETCHED else topic,  # what we ask for ourselves never comes through this door
        message_id=message_id if 0 < len(message_id) <= MAX_MESSAGE_ID else hashlib.sha256(request.body).hexdigest(),
        received_at=clock.now(),
        headers={key: value for key, value in request.headers.items() if key in channel.HEADERS},
        is_base64=is_base64,
        body=body,
    )
