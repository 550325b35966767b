"""`POST /webhooks/carriers/{carrier}/{account}`: what a tracking provider reports, signed its own way."""

from __future__ import annotations

from typing import Any

from oms.carriers import registry
from oms.domain.incoming import TrackingUpdate
from oms.runtime import webhooks
from oms.runtime.clients import client
from oms.runtime.functions import environment, lambda_handler
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets

fulfillment_queue = Queue(client("sqs"), environment("FULFILLMENT_QUEUE_URL"))
secrets = Secrets(client("secretsmanager"), environment("STAGE"))


@lambda_handler
def handler(event: dict[str, Any], _context: object) -> webhooks.Answer:
    """Queues a parcel's news: 200 (also for events we don't follow), 401 not verified, 422 bad body, 503."""
    return webhooks.answer(event, "carrier", _accept)


def _accept(request: webhooks.SignedRequest) -> webhooks.Answer:
    update = _verified_update(request)
    if update is not None:
        message = {"kind": "tracking_update", **update.as_message()}
        fulfillment_queue.send(message, group=f"{update.provider}#{request.path['account']}")
    return webhooks.json_answer(200, {})


def _verified_update(request: webhooks.SignedRequest) -> TrackingUpdate | None:
    name, account = request.part("carrier", webhooks.ACCOUNT), request.part("account", webhooks.ACCOUNT)
    carrier = registry.module(name)
    request.require_single(carrier.SIGNATURE_HEADER)
    secrets.verify("carriers", name, account, check=lambda known: carrier.verify(request.headers, request.body, known))
    return carrier.parse(request.body)
