"""Publishing order events on the EventBridge bus."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
        for _ in self.publish_in_turn([(document, event) for event in events]):
            pass

    def publish_in_turn(self, told: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Iterator[int]:
        """Publishes events, each with its document, in order, as many in a call as the bus takes; yields how many it
        has taken so far, and raises Retryable when it did not take the next."""
        for start in range(0, len(told), MAX_ENTRIES):
            part = told[start : start + MAX_ENTRIES]
            self._put([self._entry(document, event) for document, event in part])
            yield start + len(part)

    def _entry(self, document: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event["type"],
            "Detail": json.dumps(detail(document, event), separators=(",", ":")),
        }

    def _put(self, entries: list[Any]) -> None:
        try:
            answer = self._client.put_events(Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise as_retryable(error, "EventBridge") from error
        if answer["FailedEntryCount"]:
            raise Unavailable(f"EventBridge refused {answer['FailedEntryCount']} events")
