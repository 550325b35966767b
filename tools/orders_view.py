"""Order documents as the demonstration reads and shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from oms.stores.attribute_values import from_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_BATCH = 100
STYLES = {"DELIVERED": "green", "CANCELLED": "yellow", "RECEIVED": "cyan"}

Document = dict[str, Any]


def read_orders(tables: Any, table: str, order_ids: Sequence[str]) -> dict[str, Document]:
    """The documents of these orders, strongly read; orders that do not exist are left out.

    At most MAX_BATCH orders. Raises ValueError above that.
    """
    if len(order_ids) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} orders at once")
    if not order_ids:
        return {}
    keys = [{"order_id": {"S": order_id}} for order_id in order_ids]
    answer = tables.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    documents = [from_item(item) for item in answer["Responses"][table]]
    return {document["order_id"]: document for document in documents}


def locations(document: Document) -> list[str]:
    """Where the order's goods come from."""
    return [fulfillment["location_id"] for fulfillment in document.get("fulfillments", [])]


def units(document: Document) -> int:
    """How many units were ordered."""
    return int(sum(line["ordered"] for line in document["lines"]))


def table_of(stories: Iterable[tuple[str, str, Document | None]], title: str) -> Table:
    """One row per order: what it shows, its number, status, what it waits for, where from and to."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("order", "shows", "units", "to", "from", "status", "waiting for", "version"):
        table.add_column(heading, justify="right" if heading in ("units", "version") else "left")
    for number, shows, document in stories:
        if document is None:
            table.add_row(number, shows, "", "", "", "sent", "", "")
            continue
        status = document["status"]
        table.add_row(
            number,
            shows,
            str(units(document)),
            document.get("ship_to", {}).get("region", ""),
            ", ".join(dict.fromkeys(locations(document))),
            f"[{STYLES.get(status, 'blue')}]{status}[/]",
            document.get("waiting_for") or "",
            str(document["version"]),
        )
    return table


def timeline(document: Document, number: str) -> Table:
    """The events of one order, first to last."""
    table = Table(title=f"Timeline of order {number}", title_justify="left", title_style="bold")
    for heading in ("#", "version", "at (UTC)", "event", "by", "status"):
        table.add_column(heading, justify="right" if heading in ("#", "version") else "left")
    for event in document["events"]:
        at = str(event["at"]).replace("T", " ")[:23].rstrip("Z")
        table.add_row(
            str(event["sequence"]),
            str(event["version"]),
            at,
            event["type"],
            event["actor"],
            event.get("status") or "",
        )
    return table
