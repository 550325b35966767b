"""What is wrong with a message, told by path: the edges validate with a library, what they report is ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from oms.domain.errors import InvalidMessage

MAX_FAULTS = 20
_REASONS = {"missing": "MISSING_FIELD", "json_invalid": "MALFORMED_JSON"}


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError, which schema libraries tell of its field, where there is none."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the calendar") from error


def in_utc_seconds(moment: datetime) -> datetime:
    """UTC in whole seconds, as documents hold it: a repeat must not look newer than what was stored of it."""
    return in_utc(moment).replace(microsecond=0)


def invalid_message(faults: Iterable[Mapping[str, Any]], prefix: str = "") -> InvalidMessage:
    """One error for the faults a schema library found, each a mapping of `loc`, `type` and `msg`.

    `field` and `reason` are those of the first; `details["faults"]` lists up to twenty. `prefix` goes before
    every path. What was sent is not repeated: it may be a person's.
    """
    listed = [_fault(fault, prefix) for fault in islice(faults, MAX_FAULTS)]
    first = listed[0]
    error = InvalidMessage(f"{first['field']}: {first['problem']}", field=first["field"], reason=first["reason"])
    error.details["faults"] = listed
    return error


def _fault(fault: Mapping[str, Any], prefix: str) -> dict[str, str]:
    kind = str(fault["type"])
    field = prefix + ".".join(str(part) for part in fault["loc"])
    problem = "not JSON" if kind == "json_invalid" else str(fault["msg"])
    return {"field": field.rstrip(".") or "body", "reason": _REASONS.get(kind, "INVALID_FIELD"), "problem": problem}
