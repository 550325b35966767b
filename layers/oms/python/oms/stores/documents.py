"""Domain dataclasses to and from plain documents, as they lie in the tables.

What equals its default is left out, so documents stay small and readable; enums always stay, they are what people
filter by. Times are RFC 3339 UTC in whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from operator import attrgetter
from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
Converter = Callable[[Any], Any]


def to_document(value: Any) -> Any:
    """The plain form of a dataclass, enum, time or collection of them."""
    return _PLAIN[type(value)](value)


def from_document(kind: type[T], document: Mapping[str, Any], *, strict: bool = True) -> T:
    """The dataclass a document was made of; unless `strict`, numbers may lie there as text. Raises
    msgspec.ValidationError naming the path of what does not fit."""
    if kind not in _LEARNT:
        _learn(kind)
    return msgspec.convert(document, kind, strict=strict)


_LEARNT: set[type] = set()
_LEARNING = Lock()


def _learn(kind: type) -> None:
    """Has msgspec work out a type and all within it, by one thread: it keeps what it has worked out half, and another
    thread that uses it then brings the process down."""
    with _LEARNING, suppress(msgspec.ValidationError):
        msgspec.convert({}, kind)
    _LEARNT.add(kind)


def format_time(moment: datetime) -> str:
    """`2026-11-27T06:00:00Z`: sorts as text, reads as time."""
    return moment.astimezone(UTC).isoformat()[:19] + "Z"


class Form(dict[type, Converter]):
    """One form that values can take: how each type is written, worked out when the type is first met.

    `text`, `mapping` and `series` finish what was converted; `other` finds the converter of all further types. Every
    write of an order comes through here: what a type needs is looked up, not asked for field by field.
    """

    def __init__(self, text: Converter, mapping: Converter, series: Converter, other: Callable[[type], Converter]):
        super().__init__()
        self._text, self._mapping, self._series, self._other = text, mapping, series, other

    def __missing__(self, kind: type) -> Converter:
        converter = self._converter(kind)
        self[kind] = converter
        return converter

    def _converter(self, kind: type) -> Converter:
        text = self._text
        if issubclass(kind, Enum):
            return lambda member: self[type(member.value)](member.value)
        if issubclass(kind, datetime):
            return lambda moment: text(format_time(moment))
        if is_dataclass(kind):
            return self._of_dataclass(kind)
        if issubclass(kind, Mapping):
            return self._of_mapping
        if issubclass(kind, list | tuple):
            return self._of_series
        return self._other(kind)

    def _of_dataclass(self, kind: type) -> Converter:
        finish, plan, values = self._mapping, _plan(kind), _reader(kind)

        def convert(value: Any) -> Any:
            written = {}
            for (name, default), part in zip(plan, values(value), strict=True):
                if part is None or (part == default and not isinstance(part, Enum)):
                    continue
                written[name] = self[type(part)](part)
            return finish(written)

        return convert

    def _of_mapping(self, value: Mapping[Any, Any]) -> Any:
        return self._mapping({str(to_document(key)): self[type(part)](part) for key, part in value.items()})

    def _of_series(self, value: Iterable[Any]) -> Any:
        return self._series([self[type(part)](part) for part in value])


def _plan(kind: type) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of a dataclass's fields; what has no default equals none."""
    return tuple((field.name, _default(field)) for field in fields(kind))


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _reader(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    """Reads all fields of a dataclass at once, in the order of its plan."""
    names = [field.name for field in fields(kind)]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _as_it_is(value: Any) -> Any:
    return value


_PLAIN = Form(text=_as_it_is, mapping=_as_it_is, series=_as_it_is, other=lambda _: _as_it_is)
