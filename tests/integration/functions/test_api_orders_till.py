"""Orders of the phone desk and the till over HTTP: who sold them, how they were paid, and goods that left at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain import handover
from oms.domain.catalog import Product
from oms.domain.lifecycle import Answer
from oms.domain.order import Method, OrderStatus
from oms.domain.stock import StockPosition
from oms.runtime import clients
from tests.integration.company import Notebook, at, balance, received, story, worker
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.stage import Stage
from tools import audit_stock
from tools import stage as stages

TILL = {
    "channel": "pos",
    "account": "main",
    "channel_order_id": "501",
    "placed_at": "2026-03-02T11:55:00Z",
    "currency": "USD",
    "lines": [{"sku": "MUG", "quantity": 2, "unit_price_minor": 1800}],
    "total_minor": 3600,
    "method": "CARRY_OUT",
    "sold_by": "staff-17",
    "sold_at_location_id": "WH-EAST",
    "payments": [{"method": "CASH", "amount_minor": 3600, "reference": "drawer-2"}],
}


@pytest.fixture
def till(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_orders", client_id="till")


def sell(till: ApiClient, key: str = "receipt-501", **changes: Any) -> Reply:
    return till.call("POST", "/orders", TILL | changes, key=key)


def test_goods_handed_over_at_the_till_leave_the_shops_stock_at_once(stage: Stage, till: ApiClient) -> None:
    reply = sell(till)
    assert reply.status == 201
    assert reply.body == {"order_id": "pos-main-501", "version": 1, "status": "DELIVERED"}
    position = stage.position("MUG", "WH-EAST")
    assert (position.on_hand, position.available, position.committed) == (8, 8, 0)
    (movement,) = stage.rows("stock_movements")
    assert (movement["kinds"], movement["changes"]) == (["OVERSHIP"], {"available": -2, "on_hand": -2})
    assert movement["effective_at"] == "2026-03-02T11:55:00Z"
    balance(stage)


def test_the_order_keeps_who_sold_it_where_and_how_it_was_paid(stage: Stage, till: ApiClient) -> None:
    sell(till)
    order = stage.order("pos-main-501")
    assert (order.sold_by, order.sold_at_location_id, order.method) == ("staff-17", "WH-EAST", Method.CARRY_OUT)
    (payment,) = order.payments
    assert (payment.method, payment.amount_minor, payment.reference, payment.status) == (
        "CASH",
        3600,
        "drawer-2",
        "PAID",
    )
    assert story(stage, "pos-main-501") == ["OrderReceived", "ShipmentDelivered"]


def test_a_till_that_says_it_again_sells_once(stage: Stage, till: ApiClient) -> None:
    sell(till)
    before = stage.rows("stock"), stage.rows("stock_movements"), stage.rows("orders")
    assert sell(till).status == 200
    assert sell(ApiClient(stage, "api_orders", client_id="till")).status == 200
    assert (stage.rows("stock"), stage.rows("stock_movements"), stage.rows("orders")) == before


def test_a_till_that_says_it_twice_at_once_sells_once(stage: Stage, till: ApiClient) -> None:
    """Under another key, as after a restart: nothing but the order's own name tells that it is the same sale."""
    rival: list[Reply] = []

    def be_faster(**_: Any) -> None:
        if not rival:
            rival.append(Reply(0, {}, {}))
            rival[0] = sell(ApiClient(stage, "api_orders", client_id="till"), key="receipt-501-again")

    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", be_faster)
    assert {sell(till).status, rival[0].status} == {201, 409}
    assert stage.position("MUG", "WH-EAST").on_hand == 8
    assert len(stage.rows("stock_movements")) == 1
    balance(stage)


def test_what_was_sold_over_the_counter_is_a_fact_even_where_the_books_have_none(stage: Stage, till: ApiClient) -> None:
    lines = [
        {"sku": "MUG", "quantity": 12, "unit_price_minor": 100},
        {"sku": "KETTLE", "quantity": 1, "unit_price_minor": 2400},
    ]
    assert sell(till, lines=lines).body["status"] == "DELIVERED"
    assert stage.position("MUG", "WH-EAST").available == -2
    assert stage.position("KETTLE", "WH-EAST").on_hand == -1
    balance(stage)


def test_a_sale_from_before_the_last_count_is_in_the_count(stage: Stage, till: ApiClient) -> None:
    counted = datetime(2026, 3, 2, 12, tzinfo=UTC)
    stage.put(
        "stock",
        StockPosition(sku="MUG", location_id="WH-EAST", on_hand=10, available=10, snapshot_as_of=counted),
    )
    assert sell(till).body["status"] == "DELIVERED"
    position = stage.position("MUG", "WH-EAST")
    assert (position.on_hand, position.available) == (10, 10)
    sell(till, "receipt-502", channel_order_id="502", placed_at="2026-03-02T12:00:01Z")
    assert stage.position("MUG", "WH-EAST").on_hand == 8


def test_the_lifecycle_has_nothing_to_do_for_goods_that_were_carried_out(stage: Stage, till: ApiClient) -> None:
    sell(till)
    before = stage.rows("orders"), stage.rows("stock")
    notebook = Notebook()
    made = worker(notebook)
    made.allocate("pos-main-501", hours=1)
    made.wait("pos-main-501", "Deliver", "token-2", hours=2)
    assert notebook.told["pos-main-501"][0].error is None
    assert notebook.told["token-2"] == [Answer()]
    assert (stage.rows("orders"), stage.rows("stock")) == before


def test_the_audit_finds_that_what_the_till_booked_adds_up(
    stage: Stage, till: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    monkeypatch.setattr(stages, "STAGES", ("test",))
    for row in stage.rows("stock"):
        key = {"sku": {"S": row["sku"]}, "location_id": {"S": row["location_id"]}}
        clients.client("dynamodb").delete_item(TableName="oms-test-stock", Key=key)
    worker().commit.commit_one(received("MUG", "WH-EAST", 1))
    sell(till)
    assert stage.position("MUG", "WH-EAST").available == -1
    assert audit_stock.main(["--stage", "test"]) == 0


def test_a_receipt_that_does_not_add_up_is_reviewed_and_the_goods_are_gone(stage: Stage, till: ApiClient) -> None:
    reply = sell(till, total_minor=3700)
    assert (reply.body["status"], reply.body["review"]["reason"]) == ("DELIVERED", "TOTALS_MISMATCH")
    assert stage.position("MUG", "WH-EAST").on_hand == 8


@pytest.mark.parametrize("changes", [{}, {"method": "PICKUP", "pickup_location_id": "WH-EAST"}])
def test_nothing_is_sold_at_a_location_nobody_knows(stage: Stage, till: ApiClient, changes: dict[str, Any]) -> None:
    reply = sell(till, sold_at_location_id="STORE-9", **changes)
    assert (reply.status, reply.error["details"]["field"]) == (422, "sold_at_location_id")
    assert stage.rows("orders") == []


def test_nothing_is_to_be_collected_at_a_location_nobody_knows(stage: Stage, till: ApiClient) -> None:
    reply = sell(till, method="PICKUP", pickup_location_id="STORE-9")
    assert (reply.status, reply.error["details"]["field"]) == (422, "pickup_location_id")
    assert stage.rows("orders") == []


@pytest.mark.usefixtures("narrow")
def test_a_receipt_longer_than_one_change_is_booked_to_its_end(stage: Stage, till: ApiClient) -> None:
    lines = long_receipt(stage)
    reply = sell(till, lines=lines, total_minor=600, payments=[])
    assert (reply.status, reply.body["status"], reply.body["version"]) == (201, "DELIVERED", 2)
    assert [stage.position(line["sku"], "WH-EAST").on_hand for line in lines] == [-1] * LONG


class WorkerDied(BaseException):
    """The worker is gone: no line of code after this one runs."""


@pytest.mark.usefixtures("narrow")
def test_a_worker_that_dies_in_the_middle_of_a_long_receipt_leaves_it_to_the_repeat(
    stage: Stage, till: ApiClient
) -> None:
    lines = half_booked(stage, till)
    # the time after which somebody else may take the request up again has passed
    for row in stage.rows("idempotency"):
        clients.client("dynamodb").delete_item(TableName="oms-test-idempotency", Key={"id": {"S": row["id"]}})
    assert sell(till, lines=lines, total_minor=600, payments=[]).status == 200
    assert_all_left(stage, lines)


@pytest.mark.usefixtures("narrow")
def test_nobody_ships_the_rest_of_a_long_receipt_that_was_left_half_way(stage: Stage, till: ApiClient) -> None:
    """The customer has it: where the till never says it again, the order's own execution books it."""
    lines = half_booked(stage, till, ship_to=HOME)
    for line in lines:
        stage.put("stock", StockPosition(sku=line["sku"], location_id="WH-WEST", on_hand=5, available=5))
    worker().allocate("pos-main-501", hours=1)
    assert_all_left(stage, lines)
    assert {one.location_id for one in stage.order("pos-main-501").fulfillments} == {"WH-EAST"}
    assert [stage.position(line["sku"], "WH-WEST").available for line in lines] == [5] * LONG


@pytest.mark.usefixtures("narrow")
def test_a_person_who_ends_the_review_of_half_a_receipt_ships_nothing_either(stage: Stage, till: ApiClient) -> None:
    lines = half_booked(stage, till, ship_to=HOME, total_minor=601)
    half = stage.order("pos-main-501")
    worker().allocate("pos-main-501", hours=1)
    assert (stage.order("pos-main-501"), half.review is not None) == (half, True)
    worker().decisions.resolve_review("pos-main-501", "somebody", at(1))
    worker().allocate("pos-main-501", hours=1)
    assert_all_left(stage, lines)


HOME = {"address1": "1 Dock Road", "city": "Hoboken", "region": "NJ", "country": "US"}


def half_booked(stage: Stage, till: ApiClient, **changes: Any) -> list[dict[str, Any]]:
    """The lines of a long receipt whose worker died after the first part of it."""
    lines = long_receipt(stage)
    written: list[int] = []

    def die(**_: Any) -> None:
        if written:
            raise WorkerDied
        written.append(1)

    stage.hook("dynamodb", "before-call.dynamodb.TransactWriteItems", die)
    with pytest.raises(WorkerDied):
        sell(till, **{"lines": lines, "total_minor": 600, "payments": [], **changes})
    stage.mend()
    assert stage.order("pos-main-501").status is OrderStatus.PARTIALLY_DELIVERED
    return lines


def assert_all_left(stage: Stage, lines: list[dict[str, Any]]) -> None:
    """Every unit left the shop, once."""
    assert stage.order("pos-main-501").status is OrderStatus.DELIVERED
    assert [stage.position(line["sku"], "WH-EAST").on_hand for line in lines] == [-1] * LONG


LONG, FITS = 6, 4
"""Lines of a long receipt, and positions that one change may touch in these tests: forty would only take time."""


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "MAX_POSITIONS_PER_CHANGE", FITS)


def long_receipt(stage: Stage) -> list[dict[str, Any]]:
    """More lines than fit one change, of one unit each for a dollar."""
    lines = [{"sku": f"SKU-{number}", "quantity": 1, "unit_price_minor": 100} for number in range(LONG)]
    for line in lines:
        stage.put("products", Product(sku=str(line["sku"]), grams=100))
    return lines


def test_a_phone_order_on_invoice_ships_and_one_that_waits_for_a_transfer_is_held(
    stage: Stage, till: ApiClient
) -> None:
    phone = {
        "channel": "phone",
        "method": None,
        "ship_to": {"name": "Ada", "address1": "1 Dock Road", "city": "Hoboken", "region": "NJ", "country": "US"},
    }
    for number, method in ((601, "INVOICE"), (602, "BANK_TRANSFER")):
        paid = [{"method": method, "amount_minor": 3600}]
        assert sell(till, f"call-{number}", channel_order_id=str(number), payments=paid, **phone).status == 201
    invoice, transfer = stage.order("phone-main-601"), stage.order("phone-main-602")
    assert (invoice.sold_by, [hold.type for hold in invoice.holds]) == ("staff-17", [])
    assert [hold.type for hold in transfer.holds] == ["AWAITING_PAYMENT"]
    assert invoice.waiting_for == "ALLOCATION"
