"""What goes wrong in between: executions that are stopped, wake-ups that never come, a warehouse that is down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.company import LONG_SECONDS, Company, Sent
from tools.waiting import wait_until

# Budgets of the waits are hours; a sweep that is told to look far ahead stands for their passing.
CLOSED_PORT = 9


def test_after_stopping_every_execution_the_sweep_brings_every_order_to_its_end(company: Company) -> None:
    delivered = [company.place("two_lines"), company.place("two_lines"), company.place("must_be_split")]
    short = company.place("more_than_there_is")
    unpaid = company.place("to_be_cancelled", _not_paid_yet)
    orders = [*delivered, short, unpaid]
    company.until("all have an execution", lambda: len(company.executions(orders)) == len(orders))
    assert company.stop_executions(orders) >= len(delivered)
    _sweep_until(company, "all are released", lambda: _all_released(company, delivered))
    assert company.stop_executions(orders) >= 1
    company.deliver(company.system.world.shop.message("cancelled", unpaid.identity, seconds_later=1))
    _sweep_until(company, "all are delivered", lambda: company.all_have(delivered, status="DELIVERED"))
    company.until_all([unpaid], status="CANCELLED")
    company.until_all([short], waiting_for="STOCK")
    company.until("the executions end as their orders did", lambda: _ended(company, [*delivered, unpaid]))
    _assert_told_once(company, delivered)


def test_orders_that_nothing_wakes_end_the_same_by_the_sweep_alone(company: Company) -> None:
    with _nobody_wakes(company):
        orders = [company.place("two_lines"), company.place("must_be_split")]
        company.until("both exist", lambda: len(company.orders(orders)) == len(orders))
        assert company.executions(orders) == []
        _sweep_until(company, "both are delivered", lambda: company.all_have(orders, status="DELIVERED"))
        before = company.orders(orders)
    # What the stream held meanwhile now wakes executions whose orders are done.
    company.until("their executions end", lambda: _ended(company, orders))
    later = company.place("two_lines")
    company.until_all([later], LONG_SECONDS, status="DELIVERED")
    assert company.orders(orders) == before
    _assert_told_once(company, orders)


def test_a_warehouse_that_is_down_gets_its_request_when_it_is_up_again(company: Company) -> None:
    destination = "location#WH-RENO"
    with _down(company, "WH-RENO"):
        sent = company.place("must_be_split")
        company.until(
            "the request failed", lambda: _delivery(company, destination, sent).get("status") == "FAILED", LONG_SECONDS
        )
        failed = _delivery(company, destination, sent)
        assert failed["attempts"] >= 1
        assert failed["last_error"].startswith("Unavailable")
        assert failed["failed_destination"] == destination
        assert company.document(sent)["waiting_for"] in ("LOCATION_ANSWER", "PICK", "SHIP", "DELIVERY")
    _sweep_until(company, "it is delivered", lambda: company.all_have([sent], status="DELIVERED"))
    told = _delivery(company, destination, sent)
    assert told["status"] == "SENT"
    assert "failed_destination" not in told


def _not_paid_yet(body: dict[str, Any]) -> None:
    """Unpaid orders are held, however long they take to be cancelled."""
    body["financial_status"] = "pending"


def _sweep_until(company: Company, what: str, condition: Any) -> None:
    """Sweeps again and again, as the schedule does every minute, until the condition holds."""
    swept = wait_until(condition, LONG_SECONDS, meanwhile=company.sweep)
    assert swept, f"no sweep made it happen that {what}"


def _all_released(company: Company, sent: list[Sent]) -> bool:
    documents = company.orders(sent)
    return len(documents) == len(sent) and all(
        any(event["type"] == "OrderReleased" for event in document["events"]) for document in documents
    )


def _ended(company: Company, sent: list[Sent]) -> bool:
    """Whether no execution runs, and each order's newest one succeeded."""
    newest = {one["name"].rsplit("-", 1)[0]: one["status"] for one in company.executions(sent)}
    statuses = [one["status"] for one in company.executions(sent)]
    return len(newest) == len(sent) and "RUNNING" not in statuses and set(newest.values()) == {"SUCCEEDED"}


def _assert_told_once(company: Company, sent: list[Sent]) -> None:
    """However often it was interrupted: each thing happened once, and each unit left once."""
    for document in company.orders(sent):
        types = [event["type"] for event in document["events"]]
        assert types.count("OrderReceived") == types.count("OrderAllocated") == types.count("OrderReleased") == 1
        assert all(line["shipped"] == line["ordered"] for line in document["lines"])
        assert [event["sequence"] for event in document["events"]] == list(range(1, len(types) + 1))


def _delivery(company: Company, destination: str, sent: Sent) -> dict[str, Any]:
    rows = company.query("deliveries", destination=destination)
    return next((row for row in rows if row["message_key"].startswith(f"{sent.order_id}#")), {})


@contextmanager
def _down(company: Company, location_id: str) -> Iterator[None]:
    """Nobody answers at the location's address."""
    (location,) = company.query("locations", location_id=location_id)
    company.put("locations", location | {"endpoint_url": f"http://127.0.0.1:{CLOSED_PORT}/warehouses/{location_id}"})
    try:
        yield
    finally:
        company.put("locations", location)


@contextmanager
def _nobody_wakes(company: Company) -> Iterator[None]:
    """The stream's first reader, which starts and wakes executions, is switched off."""
    client = company.client("lambda")
    function = f"{company.system.stack.stack_name}-stream-orders"
    (mapping,) = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
