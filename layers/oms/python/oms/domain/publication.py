"""Which events a new version of a document brings, for the bus: each once, in order, nothing personal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SOURCE = "oms.orders"


def news(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The events in a document that its version before did not have, as plain values."""
    last = last_sequence(old) if old else 0
    return [event for event in new.get("events", []) if event["sequence"] > last]


def last_sequence(document: Mapping[str, Any]) -> int:
    """Sequence of a document's newest event."""
    events: Sequence[Mapping[str, Any]] = document.get("events", [])
    return int(events[-1]["sequence"]) if events else 0


def detail(document: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as subscribers get it. They tell repeats and gaps by `sequence`."""
    told = {
        "order_id": document["order_id"],
        "channel": document["channel"],
        "account": document["account"],
        "version": event["version"],
        "sequence": event["sequence"],
        "at": event["at"],
        "type": event["type"],
        "actor": event["actor"],
        "data": event.get("data", {}),
    }
    return told | ({"status": event["status"]} if "status" in event else {})
