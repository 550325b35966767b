"""The outbound queue: what is owed to locations is sent, signed; channels are told what they may sell."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring
from oms.domain.listings import Telling, is_availability
from oms.runtime.batches import BatchAnswer, each_message
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, metrics, table_prefix
from oms.runtime.http import HttpClient
from oms.runtime.location_client import LocationClient
from oms.runtime.secrets import Secrets
from oms.stores.contacts import ContactsStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import LocationsStore
from oms.usecases.outbound import Outbound
from oms.usecases.publishing import ChannelMessages

dynamodb, prefix = client("dynamodb"), table_prefix()
secrets = Secrets(client("secretsmanager"), environment("STAGE"))
http = HttpClient(allow_loopback=environment("STAGE") == "local")
deliveries = DeliveriesStore(dynamodb, prefix)
outbound = Outbound(
    orders=OrdersStore(dynamodb, prefix),
    contacts=ContactsStore(dynamodb, prefix),
    locations=LocationsStore(dynamodb, prefix),
    deliveries=deliveries,
    client=LocationClient(http, secrets),
)
channel_messages = ChannelMessages(
    listings=ListingsStore(dynamodb, prefix),
    deliveries=deliveries,
    availabilities=wiring.availabilities(),
    pushes={},  # no channel can be told yet: what it would hear stands on its row
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Sends each message; one that was not taken comes again, then waits in the dead letters and for the sweep."""
    return each_message(event, _send)


def _send(record: dict[str, Any]) -> None:
    key = json.loads(record["body"])
    if is_availability(key["message_key"]):
        telling = channel_messages.send(key["destination"], key["message_key"], now())
    else:
        sent = outbound.send(key["destination"], key["message_key"], now())
        telling = Telling.SENT if sent else None
    metrics.add_metric(f"Messages{telling.title() if telling else 'Obsolete'}", MetricUnit.Count, 1)
