"""A routing policy out of plain JSON, field by field along its dataclasses: what is wrong is named by its path.

Everything that does not fit is told at once, unknown names above all: a misspelt constraint would constrain nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from oms.domain.errors import InvalidMessage
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.validation import invalid_message

WHOLE = "document"
"""What the path of the document itself is called."""

GIVEN = "is given when the policy is drafted: leave it out"
_SHOWN = 64

Reader = Callable[[Any, Any, str, "list[Problem]"], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a field, or worth a second look; `field` is its path, such as `costs.exchange_rates.EUR`."""

    field: str
    reason: str


def parse(document: Any) -> RoutingPolicy:
    """The policy a plain document says, version 0: a version is given, not written. Its rules are not looked at here.

    Raises InvalidMessage with every field that is unknown, missing or of the wrong type.
    """
    problems: list[Problem] = []
    if isinstance(document, Mapping) and "version" in document:
        problems.append(Problem(field="version", reason=GIVEN))
        document = {name: value for name, value in document.items() if name != "version"}
    policy = _record(RoutingPolicy, document, "", problems)
    if problems:
        raise invalid(problems)
    return policy  # type: ignore[no-any-return]


def invalid(problems: Iterable[Problem]) -> InvalidMessage:
    """One error for all problems; its `details["faults"]` lists them."""
    return invalid_message({"loc": (one.field,), "type": "value", "msg": one.reason} for one in problems)


def _read(kind: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    """The value as this type, or None with a problem noted."""
    if isinstance(kind, UnionType):
        wanted = next(one for one in get_args(kind) if one is not type(None))
        return None if value is None else _read(wanted, value, path, problems)
    return _reader(kind)(kind, value, path, problems)


def _reader(kind: Any) -> Reader:
    origin = get_origin(kind)
    if origin is tuple:
        return _series
    if origin is dict:
        return _mapping
    if is_dataclass(kind):
        return _record
    return _choice if issubclass(kind, StrEnum) else _plain


def _record(kind: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping):
        return _refuse(path or WHOLE, "must be an object", problems)
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    for name in value:
        if name not in known:
            reason = f"is not known here: there are {', '.join(known)}"
            problems.append(Problem(field=_below(path, name), reason=reason))
    read = {name: _read(hints[name], value[name], _below(path, name), problems) for name in known if name in value}
    required = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    missing = [name for name in required if name not in value]
    problems += [Problem(field=_below(path, name), reason="is missing") for name in missing]
    return None if problems else kind(**read)


def _series(kind: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, list | tuple):
        return _refuse(path, "must be a list", problems)
    return tuple(_read(get_args(kind)[0], one, _below(path, number), problems) for number, one in enumerate(value))


def _mapping(kind: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping):
        return _refuse(path, "must be an object", problems)
    return {str(name): _read(get_args(kind)[1], one, _below(path, name), problems) for name, one in value.items()}


def _choice(kind: type[StrEnum], value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, str) or value not in list(kind):
        return _refuse(path, f"must be one of {', '.join(kind)}", problems)
    return kind(value)


def _plain(kind: type, value: Any, path: str, problems: list[Problem]) -> Any:
    accepted, called = _PLAIN[kind]
    if not isinstance(value, accepted) or isinstance(value, bool):
        return _refuse(path, f"must be {called}", problems)
    try:
        return kind(value)
    except OverflowError:  # a whole number that no fraction can hold
        return _refuse(path, f"must be {called}", problems)


_PLAIN: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number, or null"),
    str: ((str,), "text"),
}


def _refuse(path: str, reason: str, problems: list[Problem]) -> None:
    problems.append(Problem(field=path, reason=reason))


def _below(path: str, name: object) -> str:
    part = str(name)[:_SHOWN]
    return f"{path}.{part}" if path else part
