"""Stock over HTTP: what there is of a SKU, where, and what may be sold of it; changes to it that no order asks for."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from oms import wiring, wiring_orders
from oms.domain.counted_rows import RowOutcome
from oms.domain.requests import ApiRequest
from oms.domain.reservations import Reservation
from oms.domain.snapshots import Snapshot
from oms.domain.stock import Bucket, StockPosition
from oms.domain.stock_documents import (
    DocumentKind,
    LineOutcome,
    LineResult,
    Source,
    StockDocument,
    api_document_id,
    happened_at,
    place_of,
)
from oms.runtime.availability_api import AvailabilityQuery, availability_answer
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, table_prefix
from oms.runtime.http_api import Api, answer
from oms.runtime.idempotency import Idempotency, Ids
from oms.runtime.inbox import UPLOAD_SECONDS, Inbox
from oms.runtime.queues import Queue
from oms.runtime.reservation_requests import ReservationRequest, reservation_id_of
from oms.runtime.snapshot_requests import ApprovalRequest, SnapshotQuery, SnapshotRequest
from oms.runtime.stock_requests import StockAdjustments
from oms.stores.documents import to_document
from oms.stores.group_commit import GroupCommit
from oms.stores.reference_data import LocationsStore, ProductsStore
from oms.stores.reservations import ReservationsStore
from oms.stores.snapshots import SnapshotsStore
from oms.stores.stock import StockStore
from oms.stores.stock_documents import StockDocumentsStore
from oms.usecases.promises import Quotes
from oms.usecases.reading import stock_of
from oms.usecases.reservations import Reservations, known_reservation
from oms.usecases.snapshots import Report, Snapshots
from oms.usecases.stock_documents import Adjusting, StockDocuments, Told

dynamodb, prefix = client("dynamodb"), table_prefix()
stock, products, locations = (
    StockStore(dynamodb, prefix),
    ProductsStore(dynamodb, prefix),
    LocationsStore(dynamodb, prefix),
)
commit = GroupCommit(dynamodb, prefix)
documents = StockDocuments(documents=StockDocumentsStore(dynamodb, prefix), stock=stock, commit=commit)
adjusting = Adjusting(documents=documents, products=products, locations=locations)
reservations = Reservations(
    reservations=ReservationsStore(dynamodb, prefix),
    products=products,
    sourcing=wiring_orders.sourcing(),
    commit=commit,
)
snapshots = Snapshots(
    snapshots=SnapshotsStore(dynamodb, prefix),
    locations=locations,
    inbox=Inbox(client("s3"), environment("INBOX_BUCKET")),
    queue=Queue(client("sqs"), environment("STOCK_QUEUE_URL")),
)
idempotency = Idempotency(dynamodb, f"{prefix}idempotency", kind="POST /stock/adjustments")
availabilities = wiring.availabilities()
quotes = Quotes(products=products, sourcing=reservations.sourcing)
api = Api()


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one request."""
    return api.resolve(event, context)


@api.post("/stock/adjustments")
def adjust_stock() -> Response[Any]:
    """200 with the outcome of every line, DUPLICATE for what was booked before; 409 in progress, 422, 503."""
    body, moment = api.body(StockAdjustments), now()
    lines = body.document_lines(moment)
    request = ApiRequest(client_id=api.client_id, key=api.idempotency_key(), content_hash=body.content_hash)
    draft = StockDocument(
        document_id=api_document_id(request.client_id, request.key),
        version=1,
        kind=DocumentKind.ADJUSTMENT,
        source=Source.API,
        location_id=place_of(lines),
        effective_at=happened_at(body.effective_at, moment),
        received_at=happened_at(None, moment),
        actor=f"api:{request.client_id}",
        content_hash=request.content_hash,
        lines=len(lines),
    )
    booked: list[Told] = []

    def book() -> Ids:
        booked.append(adjusting.adjust(draft, lines, moment))
        return {"document_id": draft.document_id}

    ids = idempotency.once(request, api.lambda_context, book)
    told = booked[0] if booked else documents.told(ids["document_id"])
    logger.info("stock adjusted", extra={"document_id": told.document.document_id, "lines": told.document.lines})
    return answer(200, _told(told))


@api.post("/reservations")
def hold_stock() -> Response[Any]:
    """201 held, 200 held before by this very request, 409 out of stock, 422, 503."""
    body = api.body(ReservationRequest)
    reservation_id = body.reservation_id or reservation_id_of(api.client_id, api.idempotency_key())
    made = reservations.hold(body.cart(reservation_id, api.client_id), f"api:{api.client_id}", now())
    path = f"/reservations/{reservation_id}"
    return answer(201 if made.created else 200, _reservation(made.reservation), Location=path)


@api.get("/reservations/<reservation_id>")
def read_reservation(reservation_id: str) -> Response[Any]:
    """The hold as it is now; 404 when nobody made it."""
    return answer(200, _reservation(reservations.read(known_reservation(reservation_id))))


@api.delete("/reservations/<reservation_id>")
def release_reservation(reservation_id: str) -> Response[Any]:
    """Gives the stock back; again changes nothing; 409 when an order has it."""
    ended = reservations.release(known_reservation(reservation_id), f"api:{api.client_id}", now())
    return answer(200, _reservation(ended))


@api.get("/availability")
def read_availability() -> Response[Any]:
    """What may be sold of some SKUs and why, and by when it would arrive; 404 for a SKU that is no product or an
    account never set up."""
    query, moment = api.query(AvailabilityQuery), now()
    figures = availabilities.of_skus(query.skus, moment, channel=query.channel, ship_to=query.ship_to)
    quoted = quotes.quote(query.question, moment) if query.question else None
    return answer(200, availability_answer(query, figures, moment, quoted))


@api.post("/stock/snapshots")
def take_snapshot() -> Response[Any]:
    """202: a part is kept and will be judged, or a file may be uploaded; 409, 422, 503."""
    body, moment = api.body(SnapshotRequest), now()
    if body.rows is None:
        head, address = snapshots.ask_for_upload(body.upload(_actor(), moment))
        upload = {"upload_url": address, "expires_in_seconds": UPLOAD_SECONDS}
        return answer(202, _kept(head) | upload, Location=_address(head))
    head = snapshots.take_part(*body.part(_actor(), moment))
    return answer(202, _kept(head), Location=_address(head))


@api.post("/stock/snapshots/<snapshot_id>/object")
def read_uploaded_snapshot(snapshot_id: str) -> Response[Any]:
    """202: the file that was uploaded will be read; again changes nothing; 404, 409 for one sent in parts."""
    head = snapshots.uploaded(snapshot_id)
    return answer(202, _kept(head), Location=_address(head))


@api.post("/stock/snapshots/<snapshot_id>/approval")
def decide_snapshot(snapshot_id: str) -> Response[Any]:
    """202: the rows that wait will be booked or dropped; the same again changes nothing; 409 when none wait."""
    head = snapshots.decide(snapshot_id, api.body(ApprovalRequest).decision, _actor(), now())
    return answer(202, _kept(head), Location=_address(head))


@api.get("/stock/snapshots/.+")  # before "/stock/.+", which fits it as well
def read_snapshot() -> Response[Any]:
    """How far the snapshot has come, how many rows ended how, and a page of those that are not simply booked."""
    cursor = api.query(SnapshotQuery).cursor
    return answer(200, _reported(snapshots.report(api.path_parameter("snapshot_id"), cursor)))


# Last, for it fits any address below: the router's own parameters refuse some characters of SKUs.
@api.get("/stock/.+")
def read_stock() -> Response[Any]:
    """Units by location and bucket, and in total; 404 when there never was any."""
    sku = api.path_parameter("sku")
    found = stock_of(stock, sku)
    positions = [_shown(position) for position in found.positions]
    return answer(200, {"sku": sku, "positions": positions, "totals": found.totals})


def _actor() -> str:
    return f"api:{api.client_id}"


def _address(head: Snapshot) -> str:
    return f"/stock/snapshots/{head.snapshot_id}"


def _kept(head: Snapshot) -> dict[str, Any]:
    """What every change of a snapshot answers with."""
    return {"snapshot_id": head.snapshot_id, "status": head.status.value, "report": _address(head)}


def _reported(report: Report) -> dict[str, Any]:
    head = report.head
    told = ("snapshot_id", "location_id", "as_of", "received_at", "complete", "status", "chunks")
    decided = ("decision", "decided_by", "decided_at", "refusal")
    shown = {name: to_document(getattr(head, name)) for name in told}
    shown |= {name: to_document(getattr(head, name)) for name in decided if getattr(head, name)}
    counts = {outcome.value: head.counts[outcome] for outcome in RowOutcome}
    return shown | {
        "missing_chunks": head.missing_chunks,
        "counts": counts,
        "rows": report.rows,
        "cursor": report.cursor,
    }


def _shown(position: StockPosition) -> dict[str, Any]:
    shown: dict[str, Any] = {"location_id": position.location_id}
    shown |= {bucket.value: getattr(position, bucket) for bucket in Bucket}
    known = ((name, getattr(position, name)) for name in ("incoming", "snapshot_as_of", "problem", "problem_since"))
    return shown | {name: to_document(value) for name, value in known if value}


def _told(told: Told) -> dict[str, Any]:
    count = {outcome: sum(line.outcome is outcome for line in told.lines) for outcome in LineOutcome}
    return {
        "document_id": told.document.document_id,
        "lines": [_line(line) for line in told.lines],
        "booked": count[LineOutcome.BOOKED],
        "duplicates": count[LineOutcome.DUPLICATE],
        "refused": count[LineOutcome.REFUSED],
    }


def _line(line: LineResult) -> dict[str, Any]:
    why = to_document(line.why) if line.why else {}
    return {"line": line.line, "outcome": line.outcome.value} | why


def _reservation(one: Reservation) -> dict[str, Any]:
    shown = ("reservation_id", "status", "created_at", "expires_at", "lines", "order_id", "ended_at")
    known = ((name, getattr(one, name)) for name in shown)
    return {name: to_document(value) for name, value in known if value is not None}
