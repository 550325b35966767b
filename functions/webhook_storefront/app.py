"""`POST /webhooks/{channel}/{account}`: takes in a storefront's message as it is and says thank you.

The signature is verified over the raw bytes; nothing is parsed here, so the answer goes out at once and what
can't be understood waits in quarantine instead of being refused. Neither pydantic nor an HTTP router loads.
"""

from __future__ import annotations

import hashlib
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from oms.channels import envelopes, registry
from oms.domain.incoming import Envelope
from oms.runtime import clock, webhooks
from oms.runtime.clients import client
from oms.runtime.functions import environment, lambda_handler
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets
from oms.runtime.service_errors import as_retryable

# A message may have 1 MiB, but a poller's whole batch of ten must fit into 6 MB.
MAX_MESSAGE_BYTES = 200_000

intake_queue = Queue(client("sqs"), environment("INTAKE_QUEUE_URL"))
s3, inbox_bucket = client("s3"), environment("INBOX_BUCKET")
secrets = Secrets(client("secretsmanager"), environment("STAGE"))


@lambda_handler
def handler(event: dict[str, Any], _context: object) -> webhooks.Answer:
    """Queues the message of a known account: 200, 401 not verified, 413 too large, 503 try again."""
    named = str((event.get("pathParameters") or {}).get("channel"))
    # a name nobody knows is not counted as a channel, or strangers could make thousands of metrics
    return webhooks.answer(event, named if registry.is_known(named) else "unknown", _accept)


def _accept(request: webhooks.SignedRequest) -> webhooks.Answer:
    _enqueue(_verified(request))
    return webhooks.json_answer(200, {})


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
        topic=topic,
        message_id=message_id or hashlib.sha256(request.body).hexdigest(),
        received_at=clock.now(),
        headers={key: value for key, value in request.headers.items() if key in channel.HEADERS},
        is_base64=is_base64,
        body=body,
    )


def _enqueue(envelope: Envelope) -> None:
    message = envelopes.to_message(envelope)
    if len(message) > MAX_MESSAGE_BYTES:
        message = envelopes.to_message(envelope, body_key=_put_body(envelope))
    intake_queue.send(message, group=f"{envelope.channel}#{envelope.account}")


def _put_body(envelope: Envelope) -> str:
    """Keeps the body in the inbox; a repeated delivery of a day overwrites itself."""
    digest = hashlib.sha256(f"{envelope.message_id}\n{envelope.body}".encode()).hexdigest()
    key = f"inbox/{envelope.channel}/{envelope.account}/{envelope.received_at:%Y-%m-%d}/{digest}"
    try:
        s3.put_object(Bucket=inbox_bucket, Key=key, Body=envelope.body.encode())
    except (ClientError, BotoCoreError) as error:
        raise as_retryable(error, "S3") from error
    return key
