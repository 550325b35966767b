"""What the HTTP API answers with, as types for openapi.json."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from oms.domain.availability import Availability
from oms.domain.counted_rows import RowOutcome
from oms.domain.incoming import Contact
from oms.domain.order import OrderStatus, Review, WaitingFor
from oms.domain.reservations import ReservationStatus, ReservedLine
from oms.domain.snapshots import Decision, SnapshotStatus
from oms.domain.stock import Bucket
from oms.domain.stock_documents import LineOutcome


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


class IncomingUnits(BaseModel):
    """Units on their way to a location."""

    reference: str
    quantity: int
    expected_at: datetime


class LocationUnits(Units):
    """Units at one location; when it was last counted, and since when it has promised more than there is."""

    location_id: str
    incoming: list[IncomingUnits] | None = None
    snapshot_as_of: datetime | None = None
    problem: str | None = None
    problem_since: datetime | None = None


class StockOfSku(BaseModel):
    """Stock of a SKU by location, and in total."""

    sku: str
    positions: list[LocationUnits]
    totals: Units


class StockLineOutcome(BaseModel):
    """What became of a line, counted from 1. DUPLICATE: booked before. REFUSED: `bucket` held only `found` units."""

    line: int
    outcome: LineOutcome
    reason: str | None = None
    bucket: Bucket | None = None
    found: int | None = None


class StockDocumentOutcome(BaseModel):
    """What became of a stock document."""

    document_id: str
    lines: list[StockLineOutcome]
    booked: int
    duplicates: int
    refused: int


class ReservationAnswer(BaseModel):
    """A cart's hold: what is held where while it is ACTIVE, or was. Kits are held as their components."""

    reservation_id: str
    status: ReservationStatus
    created_at: datetime
    expires_at: datetime
    lines: list[ReservedLine]
    order_id: str | None = None
    ended_at: datetime | None = None


class PlacedOutcome(Outcome):
    """The order that was placed; `reservation` says what became of the cart's hold it named."""

    reservation: ReservationStatus | None = None


class BasketAnswer(BaseModel):
    """Whether all that has a number can be had together; `short` says how many units are missing, by SKU."""

    enough: bool
    short: dict[str, int]


class ArrivalAnswer(BaseModel):
    """By when all of it would be delivered, by which service the last parcel comes, and what that costs us (carrier and
    locations, not the customer's price), in minor units."""

    deliver_by: datetime
    service: str
    cost_minor: int
    currency: str


class AssumedAnswer(BaseModel):
    """What is not configured: a stable code, and words that say what was used instead and where to set it."""

    location_id: str
    code: str
    says: str


class PromiseAnswer(ArrivalAnswer):
    """The plan that routing would choose now; `fastest` is there where another plan arrives earlier."""

    carrier: str
    location_ids: list[str]
    parcels: int
    warnings: list[AssumedAnswer]
    fastest: ArrivalAnswer | None = None


class WhyNoPromise(BaseModel):
    """OUT_OF_STOCK with the missing units by SKU, NO_ROUTE with why locations ship nothing (at most 50), or why it
    could not be ordered at all."""

    code: str
    shortages: dict[str, int] | None = None
    reasons: dict[str, str] | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityOfSku(Availability):
    """The figures of a SKU; with a country also by when it would arrive if ordered alone."""

    promise: PromiseAnswer | None = None
    why: WhyNoPromise | None = None


class AvailabilityAnswer(BaseModel):
    """What may be sold now, term by term, and the formula of the terms. `basket` is there if a SKU has a number.

    With a country, `promise` is about all SKUs as one order, one unit of each without a number; null says `why`.
    It is an answer, no promise yet: nothing is held by it.
    """

    at: datetime
    channel: str | None
    skus: list[AvailabilityOfSku]
    formula: dict[str, str]
    basket: BasketAnswer | None = None
    promise: PromiseAnswer | None = None
    why: WhyNoPromise | None = None


class SnapshotKept(BaseModel):
    """A snapshot after a part, a file or a decision came in. `upload_url` takes the file by PUT."""

    snapshot_id: str
    status: SnapshotStatus
    report: str
    upload_url: str | None = None
    expires_in_seconds: int | None = None


class CountedRowReport(BaseModel):
    """What became of a counted row: counted units, units on the books when it was judged, or what is wrong with it."""

    chunk: int
    row: int
    outcome: RowOutcome
    sku: str | None = None
    on_hand: int | None = None
    on_books: int | None = None
    field: str | None = None
    reason: str | None = None


class SnapshotReported(BaseModel):
    """A snapshot, how many of its rows ended how, and a page of those that are not simply booked."""

    snapshot_id: str
    location_id: str
    as_of: datetime
    received_at: datetime
    complete: bool
    status: SnapshotStatus
    chunks: int | None
    missing_chunks: list[int]
    counts: dict[str, int]
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    refusal: str | None = None
    rows: list[CountedRowReport]
    cursor: str | None
