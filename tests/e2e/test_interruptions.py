"""What goes wrong in between: executions that are stopped, wake-ups that never come, a warehouse that is down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.company import LONG_SECONDS, Company, Sent
from tools import stand_ins

SLOW_CARRIER_SECONDS = 8.0


def test_after_stopping_every_execution_the_sweep_brings_every_order_to_its_end(company: Company) -> None:
    delivered = [company.place("two_lines"), company.place("two_lines"), company.place("must_be_split")]
    short = company.place("more_than_there_is")
    unpaid = company.place("to_be_cancelled", _not_paid_yet)
    orders = [*delivered, short, unpaid]
    company.until("all have an execution", lambda: len(company.executions(orders)) == len(orders))
    assert company.stop_executions(orders) >= len(delivered)
    company.sweep_until("all are released", lambda: _all_told(company, delivered, "OrderReleased"))
    assert company.stop_executions(orders) >= 1
    company.deliver(company.system.world.shop.message("cancelled", unpaid.identity, seconds_later=1))
    company.sweep_until("all are delivered", lambda: company.all_have(delivered, status="DELIVERED"))
    company.until_all([unpaid], status="CANCELLED")
    company.until_all([short], waiting_for="STOCK")
    company.until("no execution is left behind", lambda: _ended(company, [*delivered, unpaid]))
    _assert_told_once(company, delivered)


def test_orders_that_nothing_wakes_end_the_same_by_the_sweep_alone(company: Company) -> None:
    with company.nobody_wakes():
        orders = [company.place("two_lines"), company.place("must_be_split")]
        company.until("both exist", lambda: len(company.orders(orders)) == len(orders))
        assert company.executions(orders) == []
        company.sweep_until("both are allocated", lambda: _all_told(company, orders, "OrderAllocated"))
        company.stop_executions(orders)
        company.until("nobody may cancel any more", lambda: _is_over_cancel_window(company, orders))
        company.sweep_until("both are delivered", lambda: company.all_have(orders, status="DELIVERED"))
        before = company.orders(orders)
    # What the stream held meanwhile now wakes executions whose orders are done.
    company.until("their executions end", lambda: _ended(company, orders))
    later = company.place("two_lines")
    company.until_all([later], LONG_SECONDS, status="DELIVERED")
    assert company.orders(orders) == before
    _assert_told_once(company, orders)


def test_an_execution_that_begins_when_all_has_shipped_only_waits_for_the_carrier(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_ins, "SECONDS_ON_THE_ROAD", SLOW_CARRIER_SECONDS)
    sent = company.place("two_lines")
    company.until_all([sent], LONG_SECONDS, status="SHIPPED")
    assert company.stop_executions([sent]) == 1
    company.sweep_until("another execution waits for it", lambda: len(company.executions([sent])) == 2)
    company.until_all([sent], status="DELIVERED")
    company.until("its execution ends", lambda: company.executions([sent])[-1]["status"] == "SUCCEEDED")
    _assert_told_once(company, [sent])


def test_a_warehouse_that_is_down_gets_its_request_when_it_is_up_again(company: Company) -> None:
    destination = "location#WH-RENO"
    with company.down("WH-RENO"):
        sent = company.place("must_be_split")
        company.until(
            "the request failed", lambda: _delivery(company, destination, sent).get("status") == "FAILED", LONG_SECONDS
        )
        failed = _delivery(company, destination, sent)
        assert failed["attempts"] >= 1
        assert failed["last_error"].startswith("Unavailable")
        assert failed["failed_destination"] == destination
        assert company.document(sent)["waiting_for"] in ("LOCATION_ANSWER", "PICK", "SHIP", "DELIVERY")
    company.sweep_until("it is delivered", lambda: company.all_have([sent], status="DELIVERED"))
    told = _delivery(company, destination, sent)
    assert told["status"] == "SENT"
    assert "failed_destination" not in told


def _not_paid_yet(body: dict[str, Any]) -> None:
    """Unpaid orders are held, however long they take to be cancelled."""
    body["financial_status"] = "pending"


def _is_over_cancel_window(company: Company, sent: list[Sent]) -> bool:
    now = datetime.now(UTC)
    return all(datetime.fromisoformat(document["release_after"]) < now for document in company.orders(sent))


def _all_told(company: Company, sent: list[Sent], event: str) -> bool:
    """Whether all of these orders exist and have such an event."""
    documents = company.orders(sent)
    return len(documents) == len(sent) and all(
        any(one["type"] == event for one in document["events"]) for document in documents
    )


def _ended(company: Company, sent: list[Sent]) -> bool:
    """Whether each order had an execution, and none is left running."""
    executions = company.executions(sent)
    names = {one["name"].rsplit("-", 1)[0] for one in executions}
    return len(names) == len(sent) and all(one["status"] != "RUNNING" for one in executions)


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
