"""What locations may say of the work they were asked to do: the plain course, too much, too little, and nothing."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from oms.domain.incoming import FulfillmentReport
from oms.domain.order import Fulfillment, Order, Request


class Said(NamedTuple):
    """One report: its type, units per line, and why."""

    type: str
    lines: dict[str, int]
    reason_code: str = ""


def released_work(order: Order) -> list[Fulfillment]:
    """The work that locations know of."""
    return [work for work in order.fulfillments if work.request is not Request.UNSUBMITTED]


def report_of(work: Fulfillment, choice: int, number: int, at: datetime) -> FulfillmentReport:
    """The n-th report of all, of work as its location knows it."""
    choices = _choices(work)
    said = choices[choice % len(choices)]
    parcel = said.type == "shipped"
    return FulfillmentReport(
        message_id=f"report-{number}",
        type=f"fulfillment.{said.type}",
        occurred_at=at,
        location_id=work.location_id,
        fulfillment_id=work.fulfillment_id,
        lines=said.lines,
        reason_code=said.reason_code,
        shipment_id=f"parcel-{number}" if parcel else "",
        carrier="ups" if parcel else "",
        tracking_number=f"1Z-{number}" if parcel else "",
    )


def _choices(work: Fulfillment) -> list[Said]:
    left = {part.line_id: part.open + part.picked for part in work.lines if part.open + part.picked}
    every = [part.line_id for part in work.lines]
    return [
        Said("shipped", left or dict.fromkeys(every, 1)),
        Said("shipped", dict.fromkeys(every[:1], 1)),
        Said("short_picked", dict.fromkeys(every, 1), "NOT_IN_STOCK"),
        Said("packed", {}),
        Said("shipped", dict.fromkeys(every, 5)),
        Said("short_picked", dict.fromkeys(every, 2), "DAMAGED"),
        Said("rejected", {}),
        Said("accepted", {}),
    ]
