"""What the template cannot say of a route: in words what it does, its body, its query, its answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from oms.channels.direct import DirectOrder
from oms.connectors import warehouse_reports
from oms.domain.explanation import Explanation
from oms.domain.incoming import Contact
from oms.domain.order import Order, OrderStatus, Review, WaitingFor
from oms.runtime.api_requests import (
    IDEMPOTENCY_KEY,
    CancellationRequest,
    HoldRequest,
    NoteRequest,
    OrderListQuery,
    OrderReadQuery,
    ReviewRequest,
)

Headers = dict[str, dict[str, str]]


class ErrorDetail(BaseModel):
    """What went wrong: a stable code, words for people, data for programs, and the id to ask us about."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class ErrorAnswer(BaseModel):
    """Every error of ours has this form."""

    error: ErrorDetail


class GatewayRefusal(BaseModel):
    """What API Gateway answers by itself, before any of our code runs."""

    message: str


class Outcome(BaseModel):
    """The order after a change; `review` is there while a person must decide."""

    order_id: str
    version: int
    status: OrderStatus
    review: Review | None = None


class HoldOutcome(Outcome):
    """The order after a hold was placed."""

    hold_id: str


class OrderDocument(BaseModel):
    """The order document, here with the person's data if that was asked for; null once purged."""

    contact: Contact | None = None


class OrderSummary(BaseModel):
    """An order in a list: what the list's index knows of it."""

    order_id: str
    status: OrderStatus
    waiting_for: WaitingFor | None = None
    reason_code: str | None = None
    waiting_since: datetime | None = None
    due_at: datetime | None = None
    waiting_location_id: str | None = None
    channel: str | None = None
    account: str | None = None
    channel_order_id: str | None = None
    placed_at: datetime | None = None


class OrderList(BaseModel):
    """One page. `cursor` leads to the next page and is null on the last."""

    orders: list[OrderSummary]
    cursor: str | None


class Units(BaseModel):
    """Units by bucket: on_hand = available + committed + reserved + damaged + quality_control."""

    on_hand: int
    available: int
    committed: int
    reserved: int
    damaged: int
    quality_control: int


class LocationUnits(Units):
    """Units at one location."""

    location_id: str


class StockOfSku(BaseModel):
    """Stock of a SKU by location, and in total."""

    sku: str
    positions: list[LocationUnits]
    totals: Units


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One route in words and types. `answers` maps a status to its words and the type of its body, if it has one."""

    summary: str
    answers: dict[int, tuple[str, Any]]
    refusals: dict[int, str] = field(default_factory=dict)
    body: Any = None
    query: type[BaseModel] | None = None
    headers: Headers = field(default_factory=dict)
    signatures: tuple[str, ...] = ()


KEY: Headers = {
    "Idempotency-Key": {"pattern": IDEMPOTENCY_KEY, "description": "Yours to choose; a repeat with it creates nothing."}
}
BAD_BODY = {422: "The body: `details.faults` names each bad field.", 413: "More than 200,000 bytes."}
BUSY = {503: "Not now; the same request may succeed later."}
NO_ORDER = {404: "There is no such order."}
CHANGE = BAD_BODY | NO_ORDER | BUSY | {409: "The order's state does not allow it."}

OPERATIONS: dict[str, Operation] = {
    "POST /orders": Operation(
        summary="Place an order of your own shop, phone desk or point of sale.",
        body=DirectOrder,
        headers=KEY,
        answers={201: ("Placed.", Outcome), 200: ("Placed before by this very request.", Outcome)},
        refusals={
            409: "In progress right now, or placed by another request (`details.order_id`).",
            **BAD_BODY,
            **BUSY,
        },
    ),
    "GET /orders": Operation(
        summary="List orders by exactly one question.",
        query=OrderListQuery,
        answers={200: ("One page.", OrderList)},
        refusals={422: "None or several questions, or a bad parameter.", **BUSY},
    ),
    "GET /orders/{order_id}": Operation(
        summary="Read the order document with all its events.",
        query=OrderReadQuery,
        answers={200: ("The document.", OrderDocument)},
        refusals={**NO_ORDER, 422: "A bad parameter.", **BUSY},
    ),
    "GET /orders/{order_id}/explanation": Operation(
        summary="Why has it not shipped, and who can do what about it?",
        answers={200: ("The explanation.", Explanation)},
        refusals={**NO_ORDER, **BUSY},
    ),
    "POST /orders/{order_id}/cancellations": Operation(
        summary="Cancel everything that is not released; a repeat changes nothing.",
        body=CancellationRequest,
        answers={200: ("Cancelled.", Outcome)},
        refusals=CHANGE,
    ),
    "POST /orders/{order_id}/holds": Operation(
        summary="Stop the release until the hold is released; the same hold again changes nothing.",
        body=HoldRequest,
        answers={200: ("On hold.", HoldOutcome)},
        refusals=CHANGE,
    ),
    "DELETE /orders/{order_id}/holds/{hold_id}": Operation(
        summary="Release a hold.",
        answers={200: ("Released.", Outcome)},
        refusals={404: "There is no such order, or it has no such hold.", **BUSY},
    ),
    "POST /orders/{order_id}/notes": Operation(
        summary="Keep a note for colleagues.",
        body=NoteRequest,
        answers={200: ("Kept.", Outcome)},
        refusals={**BAD_BODY, **NO_ORDER, **BUSY},
    ),
    "POST /orders/{order_id}/review": Operation(
        summary="Decide a review: the order goes on as it is, or is cancelled.",
        body=ReviewRequest,
        answers={200: ("Decided.", Outcome)},
        refusals=CHANGE,
    ),
    "GET /stock/{sku}": Operation(
        summary="Stock of a SKU by location and bucket.",
        answers={200: ("The stock.", StockOfSku)},
        refusals={404: "There never was stock of this SKU.", **BUSY},
    ),
    "POST /webhooks/{channel}/{account}": Operation(
        summary="Take in a storefront's webhook as it is.",
        body=dict[str, Any],
        signatures=("shopify",),
        answers={200: ("Queued; what cannot be understood waits in quarantine.", dict[str, Any])},
        refusals={401: "Unknown account or wrong signature.", 413: "More than 1,500,000 bytes.", **BUSY},
    ),
    "POST /webhooks/carriers/{carrier}/{account}": Operation(
        summary="Take in a tracking update of a carrier or tracking provider.",
        body=dict[str, Any],
        signatures=("easypost",),
        answers={200: ("Queued, or no event that is followed.", dict[str, Any])},
        refusals={401: "Unknown account or wrong signature.", 413: "Too large.", 422: "No tracking update.", **BUSY},
    ),
    "POST /webhooks/warehouses/{location_id}": Operation(
        summary="Take in what a warehouse, store or 3PL reports of its work.",
        body=warehouse_reports._Report,
        signatures=("standard_webhooks",),
        answers={202: ("Queued.", dict[str, Any])},
        refusals={
            401: "Unknown location or wrong signature.",
            404: "The location has no such fulfillment.",
            413: "Too large.",
            422: "The body: `details` names the field.",
            **BUSY,
        },
    ),
}

DOCUMENT_PARTS: dict[type[BaseModel], type] = {OrderDocument: Order}
"""Answers that are a domain document and something more."""
