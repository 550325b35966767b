"""Publishing order events on the EventBridge bus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.errors import Unavailable
from oms.domain.publication import SOURCE, detail
from oms.runtime.service_errors import as_retryable

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

MAX_ENTRIES = 10


class EventBus:
    """The bus `oms`. What it did not take is an error, never lost silently."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def publish(self, document: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> None:
        """Publishes events of a document, in order. Raises Retryable unless the bus took every one."""
        entries: list[Any] = [
            {
                "EventBusName": self._name,
                "Source": SOURCE,
                "DetailType": event["type"],
                "Detail": json.dumps(detail(document, event), separators=(",", ":")),
            }
            for event in events
        ]
        for start in range(0, len(entries), MAX_ENTRIES):
            self._put(entries[start : start + MAX_ENTRIES])

    def _put(self, entries: list[Any]) -> None:
        try:
            answer = self._client.put_events(Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise as_retryable(error, "EventBridge") from error
        if answer["FailedEntryCount"]:
            raise Unavailable(f"EventBridge refused {answer['FailedEntryCount']} events")
