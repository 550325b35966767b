"""What a Walmart order means to us."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oms.channels import envelopes, walmart
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.intake import totals_difference

FIXTURES = Path(__file__).parents[1] / "fixtures/walmart"


def order_json() -> Any:
    return json.loads((FIXTURES / "order.json").read_text())


def envelope(body: Any) -> Envelope:
    return Envelope(
        channel="walmart",
        account="main",
        topic=envelopes.FETCHED,
        message_id="2087000000101@2026-11-23T12:00:00+00:00",
        received_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        body=body if isinstance(body, str) else json.dumps(body),
    )


def parsed(body: Any) -> IncomingOrder:
    order = walmart.parse(envelope(body))
    assert order is not None
    return order


def line_of(body: Any, number: int = 0) -> Any:
    return body["orderLines"]["orderLine"][number]


def with_statuses(body: Any, *statuses: tuple[str, int], line: int = 0) -> Any:
    line_of(body, line)["orderLineStatuses"]["orderLineStatus"] = [
        {"status": status, "statusQuantity": {"unitOfMeasurement": "EACH", "amount": str(units)}}
        for status, units in statuses
    ]
    return body


def test_an_order_is_read_whole() -> None:
    order = parsed(order_json())
    assert (order.channel_order_id, order.order_number) == ("2087000000101", "2000117000000101")
    assert order.placed_at == datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
    assert order.ship_by == datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    assert order.deliver_by == datetime(2026, 11, 28, 19, 0, tzinfo=UTC)
    assert (order.currency, order.service_level, order.payment_status) == ("USD", "EXPRESS", "AUTHORIZED")
    assert [(line.line_id, line.sku, line.quantity, line.current_quantity) for line in order.lines] == [
        ("1", "MUG-1", 2, 2),
        ("2", "SAUCER-1", 1, 1),
    ]
    assert order.contact.ship_to.country == "US"
    assert (order.contact.ship_to.region, order.contact.ship_to.postal_code) == ("NV", "89501")
    assert order.contact.email == "AB12@relay.example.com"
    assert order.cancelled_at is None
    assert not order.cancel_requested


def test_what_has_left_at_walmart_is_known() -> None:
    body = with_statuses(order_json(), ("Shipped", 1), ("Acknowledged", 1))
    body = with_statuses(body, ("Delivered", 1), line=1)
    assert [line.fulfilled_quantity for line in parsed(body).lines] == [1, 1]
    assert [line.fulfilled_quantity for line in parsed(order_json()).lines] == [0, 0]


def test_its_money_adds_up_to_the_cent_though_a_line_does_not_divide_by_its_units() -> None:
    order = parsed(order_json())
    assert totals_difference(order) == 0
    assert order.totals.total_minor == 2501 - 250 + 599 + 10 + 25 + 188 + 50 + 1
    assert (order.totals.shipping_minor, order.totals.fees_minor, order.totals.tax_minor) == (599, 25, 239)
    mug = order.lines[0]
    assert mug.unit_price_minor * 2 - mug.discount_minor == 2501 - 250


@pytest.mark.parametrize(
    ("statuses", "left"),
    [
        ([("Created", 2)], 2),
        ([("Acknowledged", 1), ("Cancelled", 1)], 1),
        ([("Shipped", 1), ("Cancelled", 1)], 1),
        ([("Delivered", 2)], 2),
        ([("Refund", 2)], 2),
        ([("OnTheMoon", 2)], 2),
        ([("Cancelled", 3)], 0),
        ([], 2),
    ],
)
def test_what_is_left_of_a_line_is_what_was_not_cancelled(statuses: list[tuple[str, int]], left: int) -> None:
    order = parsed(with_statuses(order_json(), *statuses))
    assert order.lines[0].current_quantity == left
    assert order.cancelled_at is None


def test_an_order_whose_every_unit_is_cancelled_is_cancelled() -> None:
    body = with_statuses(with_statuses(order_json(), ("Cancelled", 2)), ("Cancelled", 1), line=1)
    line_of(body)["orderLineStatuses"]["orderLineStatus"][0]["cancellationReason"] = "CUSTOMER_REQUESTED"
    order = parsed(body)
    assert order.cancelled_at == order.channel_updated_at
    assert order.cancel_reason == "CUSTOMER_REQUESTED"
    assert order.payment_status == "AUTHORIZED"


def test_an_order_is_paid_once_all_of_it_left() -> None:
    body = with_statuses(with_statuses(order_json(), ("Shipped", 1), ("Delivered", 1)), ("Cancelled", 1), line=1)
    assert parsed(body).payment_status == "PAID"


@pytest.mark.parametrize(
    ("flag", "asked"), [("true", True), (True, True), ("false", False), (False, False), ("", False)]
)
def test_a_customer_who_wants_to_cancel_is_heard(flag: object, asked: bool) -> None:
    body = order_json()
    line_of(body)["intentToCancel"] = flag
    assert bool(parsed(body).cancel_requested) is asked


def test_a_customer_who_wants_the_other_lines_names_the_one_to_cancel() -> None:
    body = order_json()
    first = line_of(body)
    first["intentToCancel"] = "true"
    assert parsed(body).cancel_requested_lines == ((first["lineNumber"],) if len(parsed(body).lines) > 1 else ())


def test_a_wish_to_cancel_what_has_left_is_none() -> None:
    body = with_statuses(order_json(), ("Shipped", 2))
    line_of(body)["intentToCancel"] = "true"
    assert not parsed(body).cancel_requested


@pytest.mark.parametrize("node", ["WFSFulfilled", "3PLFulfilled"])
def test_an_order_that_walmart_ships_is_not_ours(node: str) -> None:
    assert walmart.parse(envelope(order_json() | {"shipNode": {"type": node}})) is None


@pytest.mark.parametrize("node", [None, [], {}, {"type": "SellerFulfilled"}])
def test_an_order_that_names_no_other_is_ours(node: object) -> None:
    assert parsed(order_json() | {"shipNode": node}).lines


def test_a_replacement_names_the_order_it_replaces() -> None:
    order = parsed(order_json() | {"orderType": "REPLACEMENT", "originalCustomerOrderID": "123"})
    assert order.external_ids["replaces_customer_order_id"] == "123"


@pytest.mark.parametrize("missing", ["shippingInfo", "shipNode", "customerOrderId", "customerEmailId"])
def test_what_may_be_missing_is_not_missed(missing: str) -> None:
    body = order_json()
    del body[missing]
    assert parsed(body).channel_order_id == "2087000000101"


def test_an_order_on_which_nothing_was_charged_costs_nothing() -> None:
    body = order_json()
    for line in body["orderLines"]["orderLine"]:
        line["charges"] = None
    order = parsed(body)
    assert (order.currency, order.totals.total_minor, totals_difference(order)) == ("USD", 0, 0)


def _twice(body: Any) -> None:
    body["orderLines"]["orderLine"].append(deepcopy(line_of(body)))


def _refuse(path: str, value: object) -> Any:
    def change(body: Any) -> None:
        at = body
        names = path.split(".")
        for name in names[:-1]:
            at = at[int(name)] if name.isdigit() else at[name]
        at[names[-1]] = value

    return change


_LINE = "orderLines.orderLine.0"


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        pytest.param(_twice, "DUPLICATE_LINE", "orderLines.orderLine.2.lineNumber", id="a line twice"),
        pytest.param(
            _refuse(f"{_LINE}.orderLineQuantity.amount", "0"),
            "QUANTITY_NOT_POSITIVE",
            f"{_LINE}.orderLineQuantity",
            id="no units",
        ),
        pytest.param(
            _refuse(f"{_LINE}.charges.charge.0.chargeAmount.amount", -1),
            "NEGATIVE_PRICE",
            f"{_LINE}.charges",
            id="a negative price",
        ),
        pytest.param(
            _refuse(f"{_LINE}.charges.charge.0.chargeAmount.currency", "CAD"),
            "MIXED_CURRENCIES",
            "orderLines.orderLine",
            id="two currencies",
        ),
        pytest.param(
            _refuse(f"{_LINE}.orderLineQuantity.amount", "many"),
            "INVALID_FIELD",
            f"{_LINE}.orderLineQuantity.amount",
            id="units that are no number",
        ),
        pytest.param(_refuse("orderDate", None), "INVALID_FIELD", "orderDate", id="no time"),
        pytest.param(_refuse("orderLines.orderLine", []), "INVALID_FIELD", "orderLines.orderLine", id="no lines"),
        pytest.param(_refuse("shipNode.type", "Drone"), "UNKNOWN_SHIP_NODE", "shipNode.type", id="unknown node"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: Any, reason: str, field: str) -> None:
    body = order_json()
    change(body)
    with pytest.raises((InvalidMessage, InvalidOrder)) as caught:
        walmart.parse(envelope(body))
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidMessage) as caught:
        walmart.parse(envelope("<html>"))
    assert caught.value.reason == "MALFORMED_JSON"
