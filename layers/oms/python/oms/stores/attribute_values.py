"""DynamoDB's typed values to and from plain Python.

boto3's own (de)serializer makes a Decimal of every number; here every number is an integer (minor units, units,
grams, versions), so these few lines are exact and many times cheaper per document. Dataclasses are written as their
documents, in the same pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oms.stores.documents import Converter, Form

AttributeValue = dict[str, Any]


def to_attribute(value: Any) -> AttributeValue:
    """One typed value. Raises TypeError for what does not belong in a table (floats above all)."""
    typed: AttributeValue = _TYPED[type(value)](value)
    return typed


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """The plain value of a typed one."""
    ((kind, value),) = attribute.items()
    if kind in ("S", "BOOL"):
        return value
    if kind == "N":
        return int(value)
    if kind == "M":
        return from_item(value)
    if kind == "L":
        return [from_attribute(one) for one in value]
    if kind == "NULL":
        return None
    raise TypeError(f"attribute type {kind} is not used by this system")


def to_item(value: Any) -> dict[str, AttributeValue]:
    """A whole item or map, of a mapping or of a dataclass."""
    item: dict[str, AttributeValue] = to_attribute(value)["M"]
    return item


def from_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The plain values of an item or map."""
    return {name: value["S"] if "S" in value else from_attribute(value) for name, value in item.items()}


def _scalar(kind: type) -> Converter:
    """How a type that is no collection is stored. Raises TypeError for what does not belong in a table."""
    if issubclass(kind, str):
        return lambda value: {"S": value}
    if issubclass(kind, bool):
        return lambda value: {"BOOL": value}
    if issubclass(kind, int):
        return lambda value: {"N": str(value)}
    if kind is type(None):
        return lambda _: {"NULL": True}
    raise TypeError(f"{kind.__name__} can't be stored")


_TYPED = Form(
    text=lambda value: {"S": value},
    mapping=lambda value: {"M": value},
    series=lambda value: {"L": value},
    other=_scalar,
)
