"""What marketplaces answer, as JSON objects: whatever else comes in their place is no answer of theirs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.channels.client import NO_JSON
from oms.domain.errors import Unavailable

if TYPE_CHECKING:
    from oms.runtime.http import HttpAnswer

EPOCH = datetime.fromtimestamp(0, UTC)
"""The time of an order that names none: it is handed on, for `parse` to refuse it by name."""

_LONGEST_UNITS = 9


def content_of(answer: HttpAnswer) -> dict[str, Any]:
    """The object in an answer. Raises Unavailable where there is none: somebody else answered."""
    try:
        content = json.loads(answer.body)
    except NO_JSON:
        # no cause: it would carry the answer into logs
        raise Unavailable("the answer is no JSON") from None
    if not isinstance(content, dict):
        raise Unavailable("the answer is no object")
    return content


def object_of(value: object) -> dict[str, Any]:
    """The object that stands there; an empty one where none does."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none where there is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def units_of(value: object) -> int:
    """Units as a number or as the text of one; none where it is neither."""
    if isinstance(value, int):
        return int(value)
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_UNITS else 0


def moment_of(seconds: object) -> datetime:
    """The time so many seconds after 1970; 1970 where that is none."""
    try:
        return EPOCH + timedelta(seconds=seconds) if isinstance(seconds, int) else EPOCH
    except OverflowError:
        return EPOCH
