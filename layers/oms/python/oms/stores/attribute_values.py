"""DynamoDB's typed values to and from plain Python.

boto3's own (de)serializer makes a Decimal of every number; here every number is an integer (minor units, units,
grams, versions), so these few lines are exact and several times cheaper per document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AttributeValue = dict[str, Any]


def to_attribute(value: Any) -> AttributeValue:
    """One typed value. Raises TypeError for what does not belong in a table (floats above all)."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": to_item(value)}
    if isinstance(value, list | tuple):
        return {"L": [to_attribute(one) for one in value]}
    if value is None:
        return {"NULL": True}
    raise TypeError(f"{type(value).__name__} can't be stored")


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """The plain value of a typed one."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        return int(value)
    if kind == "M":
        return from_item(value)
    if kind == "L":
        return [from_attribute(one) for one in value]
    if kind == "NULL":
        return None
    if kind in ("S", "BOOL"):
        return value
    raise TypeError(f"attribute type {kind} is not used by this system")


def to_item(values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """A whole item or map."""
    return {name: to_attribute(value) for name, value in values.items()}


def from_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The plain values of an item or map."""
    return {name: from_attribute(value) for name, value in item.items()}
