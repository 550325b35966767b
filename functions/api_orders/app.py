"""Orders over HTTP: place, read, explain, list, and what people decide about them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring_orders
from oms.channels.direct import incoming_order
from oms.channels.direct_models import DirectOrder
from oms.domain.errors import InvariantBroken
from oms.domain.order import Order, WaitingFor
from oms.domain.requests import ApiRequest
from oms.runtime.api_requests import (
    CancellationRequest,
    HoldRequest,
    NoteRequest,
    OrderListQuery,
    OrderReadQuery,
    ReviewRequest,
    RoutingQuery,
)
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.http_api import Api, answer
from oms.runtime.idempotency import Idempotency, Ids
from oms.runtime.secrets import Secrets
from oms.stores.contacts import ContactsStore
from oms.stores.documents import to_document
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.reservations import ReservationsStore
from oms.stores.routing_decisions import RoutingDecisionsStore
from oms.usecases.conversion import Conversion
from oms.usecases.decisions import Decisions
from oms.usecases.intake import Intake, Placed
from oms.usecases.promises import PromiseCheck
from oms.usecases.reading import OrderPage, Paging, Reading, known_form
from oms.usecases.routing_decisions import RoutingDecisions

dynamodb, prefix = client("dynamodb"), table_prefix()
secrets = Secrets(client("secretsmanager"), environment("STAGE"))
contacts = ContactsStore(dynamodb, prefix, hash_key=lambda: secrets.text("contacts/hash-key"))
orders, settings = OrdersStore(dynamodb, prefix), SettingsStore(dynamodb, prefix)
commit = GroupCommit(dynamodb, prefix, contacts)
reservations, sourcing = ReservationsStore(dynamodb, prefix), wiring_orders.sourcing()
routed = RoutingDecisionsStore(dynamodb, prefix)
conversion = Conversion(reservations=reservations, sourcing=sourcing, decisions=routed)
locations = LocationsStore(dynamodb, prefix)
intake = Intake(
    orders=orders,
    contacts=contacts,
    products=ProductsStore(dynamodb, prefix),
    settings=settings,
    commit=commit,
    conversion=conversion,
    promises=PromiseCheck(sourcing=sourcing, reservations=reservations),
    locations=locations,
)
reading = Reading(orders=orders, contacts=contacts)
routing = RoutingDecisions(
    reading=reading,
    orders=orders,
    decisions=routed,
    locations=locations,
    settings=settings,
)
decisions = Decisions(orders=orders, commit=commit, settings=settings)
idempotency = Idempotency(dynamodb, f"{prefix}idempotency", kind="POST /orders")
api = Api()


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one request."""
    return api.resolve(event, context)


@api.post("/orders")
def create_order() -> Response[Any]:
    """201 placed, 200 placed before, 409 in progress, placed by another request or a promise not kept, 422, 503."""
    body, moment = api.body(DirectOrder), now()
    request = ApiRequest(client_id=api.client_id, key=api.idempotency_key(), content_hash=_content_hash(body))
    incoming = incoming_order(body, default_id=request.key, now=moment)
    placed: list[Placed] = []

    def place() -> Ids:
        made = intake.place(
            incoming, request, _actor(), moment, trace_id=api.request_id, reservation_id=body.reservation_id
        )
        placed.append(made)
        return {"order_id": placed[0].order.order_id}

    ids = idempotency.once(request, api.lambda_context, place)
    order = placed[0].order if placed else reading.order(ids["order_id"])
    created = bool(placed) and placed[0].created
    if created:
        metrics.add_metric("OrdersCreated", MetricUnit.Count, 1)
        logger.info("placed", extra={"order_id": order.order_id, "correlation_id": api.request_id})
    outcome = _outcome(order)
    if body.reservation_id:
        outcome["reservation"] = conversion.status(body.reservation_id).value
    return answer(201 if created else 200, outcome, Location=f"/orders/{order.order_id}")


@api.get("/orders/<order_id>")
def read_order(order_id: str) -> Response[Any]:
    """The document with all its events; with `include=contact` and the scope for it, the person too."""
    include_contact = api.query(OrderReadQuery).include == "contact"
    if include_contact:
        api.require_scope("contacts.read")
    document = reading.document(order_id)
    if include_contact:
        logger.info("contact read", extra={"order_id": order_id, "client_id": api.client_id})
        contact = reading.contact(order_id)
        document["contact"] = to_document(contact) if contact else None
    return answer(200, document)


@api.get("/orders/<order_id>/explanation")
def explain_order(order_id: str) -> Response[Any]:
    """Why it has not shipped, and who can do what about it."""
    explanation = reading.explanation(order_id, now())
    return answer(200, {field.name: to_document(getattr(explanation, field.name)) for field in fields(explanation)})


@api.get("/orders/<order_id>/routing")
def explain_routing(order_id: str) -> Response[Any]:
    """Why it ships from there; with `why_not`, why not from another location. 404 when it was never routed."""
    query = api.query(RoutingQuery)
    return answer(200, to_document(routing.account(order_id, query.decision_id, query.why_not)))


@api.get("/orders")
def list_orders() -> Response[Any]:
    """One page of the orders that answer the one question asked."""
    query = api.query(OrderListQuery)
    query.check()
    page = _list(query, Paging(limit=query.limit, cursor=query.cursor))
    return answer(200, {"orders": page.orders, "cursor": page.cursor})


@api.post("/orders/<order_id>/cancellations")
def cancel_order(order_id: str) -> Response[Any]:
    """Cancels everything not released yet; again changes nothing; 409 once a location works on it."""
    body = api.body(CancellationRequest)
    return answer(200, _outcome(decisions.cancel(known_form(order_id), body.reason, _actor(), now())))


@api.post("/orders/<order_id>/holds")
def hold_order(order_id: str) -> Response[Any]:
    """Stops the release; the same hold again changes nothing."""
    body = api.body(HoldRequest)
    order = decisions.place_hold(known_form(order_id), body.name, body.type, body.reason, _actor(), now())
    return answer(200, _outcome(order) | {"hold_id": body.name})


@api.delete("/orders/<order_id>/holds/<hold_id>")
def end_hold(order_id: str, hold_id: str) -> Response[Any]:
    """Takes a hold away; 404 when the order has no such hold."""
    return answer(200, _outcome(decisions.release_hold(known_form(order_id), hold_id, _actor(), now())))


@api.post("/orders/<order_id>/notes")
def note_order(order_id: str) -> Response[Any]:
    """Keeps a note for colleagues."""
    body = api.body(NoteRequest)
    return answer(200, _outcome(decisions.add_note(known_form(order_id), body.text, _actor(), now())))


@api.post("/orders/<order_id>/review")
def decide_review(order_id: str) -> Response[Any]:
    """Ends the review: the order goes on as it is, or is cancelled; 409 when it is not in review."""
    body = api.body(ReviewRequest)
    if body.decision == "CONTINUE":
        return answer(200, _outcome(decisions.resolve_review(known_form(order_id), _actor(), now())))
    return answer(200, _outcome(decisions.cancel_in_review(known_form(order_id), body.reason, _actor(), now())))


def _content_hash(body: DirectOrder) -> str:
    """A keyed hash of what was sent: bare ones of people's data could be guessed."""
    return contacts.keyed_hash(body.model_dump_json(exclude_unset=True))


def _actor() -> str:
    return f"api:{api.client_id}"


def _outcome(order: Order) -> dict[str, Any]:
    """What every change answers with."""
    outcome: dict[str, Any] = {"order_id": order.order_id, "version": order.version, "status": order.status.value}
    if order.review and order.waiting_for:
        outcome["review"] = to_document(order.review)
    return outcome


def _list(query: OrderListQuery, paging: Paging) -> OrderPage:
    """The page for a query that was checked to ask one question."""
    match query:
        case OrderListQuery(waiting_for=WaitingFor() as waiting_for):
            page = reading.waiting(waiting_for, paging, overdue_at=now() if query.overdue else None)
        case OrderListQuery(customer=str() as customer):
            page = reading.of_customer(customer, paging)
        case OrderListQuery(reference=str() as reference):
            page = reading.of_reference(reference, paging)
        case OrderListQuery(email=str() as email):
            page = reading.of_email(email, paging)
        case OrderListQuery(phone=str() as phone):
            page = reading.of_phone(phone, paging)
        case OrderListQuery(tracking=str() as tracking):
            carrier, number = tracking.split(":", 1)
            page = reading.of_tracking(carrier, number, paging)
        case OrderListQuery(account=str() as account, day=date() as day):
            channel, name = account.split("#")
            page = reading.of_account_day(channel, name, day, paging)
        case _:
            raise InvariantBroken("a query without a question was let through")
    return page
