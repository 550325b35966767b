"""The outbound queue: what is owed to locations is sent, signed."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.runtime.batches import BatchAnswer, each_message
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, metrics, table_prefix
from oms.runtime.http import HttpClient
from oms.runtime.location_client import LocationClient
from oms.runtime.secrets import Secrets
from oms.stores.contacts import ContactsStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import LocationsStore
from oms.usecases.outbound import Outbound

dynamodb, prefix = client("dynamodb"), table_prefix()
secrets = Secrets(client("secretsmanager"), environment("STAGE"))
http = HttpClient(allow_loopback=environment("STAGE") == "local")
outbound = Outbound(
    orders=OrdersStore(dynamodb, prefix),
    contacts=ContactsStore(dynamodb, prefix),
    locations=LocationsStore(dynamodb, prefix),
    deliveries=DeliveriesStore(dynamodb, prefix),
    client=LocationClient(http, secrets),
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Sends each message; one that was not taken comes again, then waits in the dead letters and for the sweep."""
    return each_message(event, _send)


def _send(record: dict[str, Any]) -> None:
    key = json.loads(record["body"])
    sent = outbound.send(key["destination"], key["message_key"], now())
    metrics.add_metric("MessagesSent" if sent else "MessagesObsolete", MetricUnit.Count, 1)
