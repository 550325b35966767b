"""Many items of one table by their keys, a hundred at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oms.domain.errors import Throttled
from oms.stores.attribute_values import from_item, to_item
from oms.stores.table import Table, our_errors

BATCH = 100
MAX_ROUNDS = 10
"""DynamoDB leaves keys unread beyond 16 MB an answer, or when it is throttled: a batch is asked for again so often."""


def get_many(table: Table, keys: Iterable[Mapping[str, Any]], attributes: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The items there are of these keys, each once, strongly consistent, in no order; of `attributes`, where named,
    only these. Raises Throttled."""
    wanted = [to_item(key) for key in {tuple(key.items()): key for key in keys}.values()]
    items: list[dict[str, Any]] = []
    for start in range(0, len(wanted), BATCH):
        items += _read(table, wanted[start : start + BATCH], _only(attributes))
    return items


def _only(attributes: tuple[str, ...]) -> dict[str, Any]:
    if not attributes:
        return {}
    aliases = {f"#{name}": name for name in attributes}
    return {"ProjectionExpression": ", ".join(aliases), "ExpressionAttributeNames": aliases}


def _read(table: Table, keys: list[Any], only: dict[str, Any]) -> list[dict[str, Any]]:
    request: Any = {table.name: {"Keys": keys, "ConsistentRead": True} | only}
    items: list[dict[str, Any]] = []
    for _ in range(MAX_ROUNDS):
        with our_errors():
            answer = table.client.batch_get_item(RequestItems=request)
        items += [from_item(item) for item in answer["Responses"].get(table.name, [])]
        request = answer.get("UnprocessedKeys")
        if not request:
            return items
    raise Throttled(f"{table.name}: keys left unread")
