"""Domain dataclasses to and from plain documents, as they lie in the tables.

What equals its default is left out, so documents stay small and readable; enums always stay, they are what people
filter by. Times are RFC 3339 UTC in whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def to_document(value: Any) -> Any:
    """The plain form of a dataclass, enum, time or collection of them."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return format_time(value)
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: to_document(part) for field, part in pairs if not _is_default(field, part)}
    if isinstance(value, Mapping):
        return {str(to_document(key)): to_document(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_document(part) for part in value]
    return value


def from_document(kind: type[T], document: Mapping[str, Any]) -> T:
    """The dataclass a document was made of. Raises msgspec.ValidationError naming the path of what does not fit."""
    return msgspec.convert(document, kind)


def format_time(moment: datetime) -> str:
    """`2026-11-27T06:00:00Z`: sorts as text, reads as time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_default(field: Field[Any], value: Any) -> bool:
    if isinstance(value, Enum):
        return False
    if value is None:
        return True
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return default is not MISSING and bool(value == default)
