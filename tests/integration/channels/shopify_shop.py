"""A Shopify shop in miniature: GraphQL checked and carried out against the part of the Admin API that is used here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import build_schema, graphql_sync, parse

from tests.scripted_server import Asked, Reply

SCHEMA = build_schema((Path(__file__).parents[2] / "fixtures/shopify/admin.graphql").read_text())
GRAPHQL_PATH = "/admin/api/2026-10/graphql.json"
ORDER_ID, LOCATION_ID = "6120000001", "71000001"
ORDER = f"gid://shopify/Order/{ORDER_ID}"
MOST_POINTS = 1_000
"""What one query may cost; here a list and its nodes each count as many, so it costs less there."""

LOCATION = f"gid://shopify/Location/{LOCATION_ID}"
Connection = Callable[..., dict[str, Any]]


def cost(document: str) -> int:
    """What the document asks for at most, a point for each thing ("GraphQL Admin API rate limits")."""
    (operation,) = parse(document).definitions
    return _points(operation, 1)


def _points(node: Any, times: int) -> int:
    points = 0
    for one in node.selection_set.selections if node.selection_set else ():
        sizes = [argument.value.value for argument in getattr(one, "arguments", ()) if argument.name.value == "first"]
        many = times * int(sizes[0]) if sizes else times
        points += (many if one.selection_set else 0) + _points(one, many)
    return points


def connection(nodes: Iterable[Any]) -> Connection:
    """A list that is read page by page; cursors are places in it."""
    listed = list(nodes)

    def page(_: Any, first: int, after: str | None = None, **__: Any) -> dict[str, Any]:
        start = int(after or 0)
        end = min(start + first, len(listed))
        return {"nodes": listed[start:end], "pageInfo": {"hasNextPage": end < len(listed), "endCursor": str(end)}}

    return page


@dataclass
class FulfillmentOrder:
    """Units by line that one location is to fulfill."""

    number: int
    units: Counter[str]
    location: str = LOCATION
    status: str = "OPEN"

    @property
    def gid(self) -> str:
        return f"gid://shopify/FulfillmentOrder/{self.number}"

    def part(self, line_id: str) -> str:
        return f"gid://shopify/FulfillmentOrderLineItem/{self.number}{line_id}"

    def shown(self) -> dict[str, Any]:
        parts = [
            {"id": self.part(line_id), "remainingQuantity": units, "lineItem": _line(line_id)}
            for line_id, units in self.units.items()
        ]
        location = {"location": {"id": self.location} if self.location else None}
        return {"id": self.gid, "status": self.status, "assignedLocation": location, "lineItems": connection(parts)}


@dataclass
class Fulfillment:
    """Units by line that left, under a tracking number."""

    number: int
    units: Counter[str]
    tracking: dict[str, str]
    location: str = LOCATION
    status: str = "SUCCESS"
    is_notified: bool = False

    @property
    def gid(self) -> str:
        return f"gid://shopify/Fulfillment/{self.number}"

    def shown(self) -> dict[str, Any]:
        lines = [
            {"id": f"{self.gid}/{line_id}", "quantity": units, "lineItem": _line(line_id)}
            for line_id, units in self.units.items()
        ]
        return {
            "id": self.gid,
            "status": self.status,
            "trackingInfo": [self.tracking] if self.tracking else [],
            "fulfillmentLineItems": connection(lines),
        }


@dataclass
class Shop:
    """One order, one location, and items by sku. `interfere` runs before each mutation, as somebody else would.
    `refuses`: no fulfillment is made or cancelled, for no reason that can be seen."""

    fulfillment_orders: list[FulfillmentOrder] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    cancelled_at: str | None = None
    cancelled_with: list[dict[str, Any]] = field(default_factory=list)
    skus: dict[str, str] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    stocked: dict[str, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    refuses: bool = False
    interfere: Callable[[], None] = lambda: None

    def __call__(self, asked: Asked) -> Reply:
        """Answers a GraphQL request; one that breaks the schema is answered with errors, as Shopify does."""
        content = asked.json
        assert cost(content["query"]) <= MOST_POINTS
        done = graphql_sync(SCHEMA, content["query"], self._root(), variable_values=content["variables"])
        errors = [{"message": str(error), "extensions": {"code": "undefinedField"}} for error in done.errors or []]
        return Reply(200, {"data": done.data, **({"errors": errors} if errors else {})})

    def shipped(self) -> list[tuple[str, dict[str, int]]]:
        """Tracking numbers and units by line of all fulfillments that stand."""
        standing = [one for one in self.fulfillments if one.status == "SUCCESS"]
        return [(one.tracking.get("number", ""), dict(one.units)) for one in standing]

    def _root(self) -> dict[str, Any]:
        return {
            "order": self._order,
            "fulfillmentOrder": lambda _, id: _by_gid(self.fulfillment_orders, id),  # noqa: A006 - Shopify's name
            "fulfillment": lambda _, id: _by_gid(self.fulfillments, id),  # noqa: A006 - Shopify's name
            "inventoryItems": self._items,
            "nodes": self._variants,
            "location": self._location,
            "fulfillmentCreate": self._fulfill,
            "fulfillmentCancel": self._withdraw,
            "orderCancel": self._cancel,
            "inventorySetQuantities": self._set,
        }

    def _order(self, _: Any, id: str) -> dict[str, Any] | None:  # noqa: A002 - Shopify's name
        if id != ORDER:
            return None
        return {
            "id": ORDER,
            "cancelledAt": self.cancelled_at,
            "fulfillments": lambda _, first: [one.shown() for one in self.fulfillments][:first],
            "fulfillmentOrders": connection(one.shown() for one in self.fulfillment_orders),
        }

    def _fulfill(self, _: Any, fulfillment: Mapping[str, Any]) -> dict[str, Any]:
        self.interfere()
        units: Counter[str] = Counter()
        taken: list[tuple[FulfillmentOrder, str, int]] = []
        for group in fulfillment["lineItemsByFulfillmentOrder"]:
            order = next(one for one in self.fulfillment_orders if one.gid == group["fulfillmentOrderId"])
            for part in group["fulfillmentOrderLineItems"]:
                line_id = next(line_id for line_id in order.units if order.part(line_id) == part["id"])
                taken.append((order, line_id, part["quantity"]))
        closed = any(order.status not in ("OPEN", "IN_PROGRESS") for order, _, _ in taken)
        short = any(order.units[line_id] < quantity for order, line_id, quantity in taken)
        if self.refuses or closed or short or len({order.location for order, _, _ in taken}) != 1:
            return {"fulfillment": None, "userErrors": [{"field": ["fulfillment"], "message": "Nadia's order"}]}
        for order, line_id, quantity in taken:
            order.units[line_id] -= quantity
            units[line_id] += quantity
            order.status = "IN_PROGRESS" if +order.units else "CLOSED"
        made = Fulfillment(
            number=len(self.fulfillments) + 1,
            units=units,
            tracking=dict(fulfillment.get("trackingInfo") or {}),
            location=taken[0][0].location,
            is_notified=fulfillment["notifyCustomer"],
        )
        self.fulfillments.append(made)
        return {"fulfillment": made.shown() | {"order": self._order(_, ORDER)}, "userErrors": []}

    def _withdraw(self, _: Any, id: str) -> dict[str, Any]:  # noqa: A002 - Shopify's name
        gone = next(one for one in self.fulfillments if one.gid == id)
        if self.refuses:
            return {"fulfillment": None, "userErrors": [{"field": ["id"], "message": "Nadia's order"}]}
        gone.status = "CANCELLED"
        self.fulfillment_orders[0].units.update(gone.units)
        self.fulfillment_orders[0].status = "OPEN"
        return {"fulfillment": gone.shown(), "userErrors": []}

    def _cancel(self, _: Any, **told: Any) -> dict[str, Any]:
        self.interfere()
        if self.cancelled_at:
            error = {"code": "INVALID", "field": ["orderId"], "message": "cancelled already"}
            return {"job": None, "orderCancelUserErrors": [error]}
        self.cancelled_with.append(told)
        self.cancelled_at = "2026-11-23T12:00:00Z"
        return {"job": {"id": "gid://shopify/Job/1"}, "orderCancelUserErrors": []}

    def _items(self, _: Any, query: str, first: int, after: str | None = None) -> dict[str, Any]:
        """Shopify's search is generous: what merely begins alike is found as well, blanks or not."""
        words = [word.removeprefix("sku:").strip('"') for word in query.split(" OR ")]
        found = [
            {"id": item, "sku": sku}
            for item, sku in self.skus.items()
            if any(sku.strip().startswith(word) for word in words)
        ]
        return connection(found)(_, first=first, after=after)

    def _variants(self, _: Any, ids: list[str]) -> list[dict[str, Any] | None]:
        return [
            {"__typename": "ProductVariant", "id": one, "inventoryItem": {"id": self.variants[one]}}
            if one in self.variants
            else None
            for one in ids
        ]

    def _location(self, _: Any, id: str) -> dict[str, Any] | None:  # noqa: A002 - Shopify's name
        levels = [self._level(item, units) for item, units in self.stocked.items()]
        return {"id": id, "inventoryLevels": connection(levels)} if id == LOCATION else None

    def _level(self, item: str, units: int) -> dict[str, Any]:
        variants = [{"id": variant} for variant, its_item in self.variants.items() if its_item == item]
        return {
            "quantities": lambda _, names: [{"quantity": units}] if names == ["available"] else [],
            "item": {"id": item, "sku": self.skus[item], "variants": connection(variants)},
        }

    def _set(self, info: Any, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002 - Shopify's name
        self.interfere()
        (directive,) = info.field_nodes[0].directives
        assert directive.name.value == "idempotent"
        self.keys.append(info.variable_values["key"])
        errors = []
        for number, row in enumerate(input["quantities"]):
            assert row["changeFromQuantity"] is None
            if row["inventoryItemId"] not in self.stocked:
                field = ["input", "quantities", str(number), "locationId"]
                errors.append({"code": "ITEM_NOT_STOCKED_AT_LOCATION", "field": field, "message": "not there"})
        if not errors:
            self.stocked |= {row["inventoryItemId"]: row["quantity"] for row in input["quantities"]}
        return {"userErrors": errors}


def _line(line_id: str) -> dict[str, str]:
    return {"id": f"gid://shopify/LineItem/{line_id}"}


def _by_gid(many: Iterable[Any], gid: str) -> Any:
    return next((one.shown() for one in many if one.gid == gid), None)
