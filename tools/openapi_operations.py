"""What the template cannot say of a route: in words what it does, its body, its query, its answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from oms.channels.direct_models import DirectOrder
from oms.connectors import snapshot_bodies, stock_reports, warehouse_reports
from oms.domain.explanation import Explanation
from oms.domain.order import Order
from oms.domain.routing_account import RoutingAccount
from oms.runtime.api_requests import (
    IDEMPOTENCY_KEY,
    CancellationRequest,
    HoldRequest,
    NoteRequest,
    OrderListQuery,
    OrderReadQuery,
    ReviewRequest,
    RoutingQuery,
)
from oms.runtime.availability_api import AvailabilityQuery
from oms.runtime.reservation_requests import ReservationRequest
from oms.runtime.snapshot_requests import ApprovalRequest, SnapshotQuery, SnapshotRequest
from oms.runtime.stock_requests import StockAdjustments
from tools.openapi_answers import (
    AvailabilityAnswer,
    HoldOutcome,
    OrderDocument,
    OrderList,
    Outcome,
    PlacedOutcome,
    ReservationAnswer,
    SnapshotKept,
    SnapshotReported,
    StockDocumentOutcome,
    StockOfSku,
)

Headers = dict[str, dict[str, str]]


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
KEY_OR_ID: Headers = {
    "Idempotency-Key": {
        "pattern": IDEMPOTENCY_KEY,
        "description": "Needed where the body has no `reservation_id`.",
        "optional": "yes",
    }
}
BAD_BODY = {422: "The body: `details.faults` names each bad field.", 413: "More than 200,000 bytes."}
BUSY = {503: "Not now; the same request may succeed later."}
NO_RESERVATION = {404: "There is no such reservation."}
NO_ORDER = {404: "There is no such order."}
NO_SNAPSHOT = {404: "There is no such snapshot."}
CHANGE = BAD_BODY | NO_ORDER | BUSY | {409: "The order's state does not allow it."}

OPERATIONS: dict[str, Operation] = {
    "POST /orders": Operation(
        summary="Place an order of your own shop, phone desk or point of sale.",
        body=DirectOrder,
        headers=KEY,
        answers={201: ("Placed.", PlacedOutcome), 200: ("Placed before by this very request.", PlacedOutcome)},
        refusals={
            409: (
                "In progress right now, placed by another request, or the reservation is another order's"
                " (`details.order_id`) or unknown; or nothing arrives by `promised_by` (PromiseNotKept):"
                " `details.alternatives` has at most three plans that arrive later, soonest first, at our costs;"
                " without any, `details.why` says what is missing."
            ),
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
    "GET /orders/{order_id}/routing": Operation(
        summary="Why does it ship from there, and why not from another location?",
        query=RoutingQuery,
        answers={200: ("The routing decision, term by term.", RoutingAccount)},
        refusals={
            404: "There is no such order or decision, it was never routed, or its record is no longer kept.",
            422: "A bad parameter, or a location nobody knows.",
            **BUSY,
        },
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
    "POST /stock/adjustments": Operation(
        summary="Book changes of stock that no order asks for: receipts, returns, corrections, transfers, inspection.",
        body=StockAdjustments,
        headers=KEY,
        answers={200: ("What became of each line; DUPLICATE for what was booked before.", StockDocumentOutcome)},
        refusals={
            409: "In progress right now.",
            413: "More than 200,000 bytes.",
            422: "The body, a sku or location nobody knows (`details.faults` names each), or a key used before.",
            **BUSY,
        },
    ),
    "GET /availability": Operation(
        summary="What may be sold of some SKUs, on a channel or on any, why, and by when it would arrive; nothing is"
        " held by it.",
        query=AvailabilityQuery,
        answers={200: ("The figures.", AvailabilityAnswer)},
        refusals={
            404: "`details` names the SKUs that are no products, or the account that was never set up.",
            422: "A bad parameter.",
            **BUSY,
        },
    ),
    "POST /reservations": Operation(
        summary="Hold stock for a cart for a while: all lines or none.",
        body=ReservationRequest,
        headers=KEY_OR_ID,
        answers={201: ("Held.", ReservationAnswer), 200: ("Held before by this very request.", ReservationAnswer)},
        refusals={
            409: "Out of stock (`details.shortages` maps sku to missing units), or no location may ship there.",
            413: "More than 200,000 bytes.",
            422: "The body, a sku or location nobody knows, more than 40 stock positions, or an id used before.",
            **BUSY,
        },
    ),
    "GET /reservations/{reservation_id}": Operation(
        summary="A cart's hold as it is now.",
        answers={200: ("The hold.", ReservationAnswer)},
        refusals={**NO_RESERVATION, **BUSY},
    ),
    "DELETE /reservations/{reservation_id}": Operation(
        summary="Give a cart's stock back.",
        answers={200: ("It has ended; the same for a repeat.", ReservationAnswer)},
        refusals={**NO_RESERVATION, 409: "An order has it (`details.order_id`).", **BUSY},
    ),
    "POST /stock/snapshots": Operation(
        summary="Send a part of what was counted at a location, or ask where to upload all of it.",
        body=SnapshotRequest,
        answers={202: ("Kept, and soon judged; or kept for the file.", SnapshotKept)},
        refusals={409: "The file was read already.", **BAD_BODY, **BUSY},
    ),
    "POST /stock/snapshots/{snapshot_id}/object": Operation(
        summary="The file is uploaded: have it read.",
        answers={202: ("It will be read.", SnapshotKept)},
        refusals={**NO_SNAPSHOT, 409: "This snapshot is sent in parts.", **BUSY},
    ),
    "POST /stock/snapshots/{snapshot_id}/approval": Operation(
        summary="Book or drop the rows of a snapshot whose difference is too large to book unseen.",
        body=ApprovalRequest,
        answers={202: ("Decided, and soon carried out.", SnapshotKept)},
        refusals={**BAD_BODY, **NO_SNAPSHOT, 409: "No rows wait, or it was decided otherwise.", **BUSY},
    ),
    "GET /stock/snapshots/{snapshot_id}": Operation(
        summary="How far a snapshot has come, and its rows that are not simply booked, page by page.",
        query=SnapshotQuery,
        answers={200: ("The report.", SnapshotReported)},
        refusals={**NO_SNAPSHOT, 422: "A bad cursor.", **BUSY},
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
        summary="Take in what a warehouse, store or 3PL reports of its work and stock.",
        body=warehouse_reports._Report
        | stock_reports.AdjustedReport
        | stock_reports.ReceivedReport
        | snapshot_bodies.SnapshotReport,
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
