"""The truth about stock: what locations count is what there is, even where more was promised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.company import LONG_SECONDS, Company, fresh

HERE, ELSEWHERE = "WH-ALLENTOWN", "WH-COLUMBUS"
WAITS = "AWAITING_APPROVAL"
HOLD = {"type": "FRAUD_CHECK"}


def test_what_a_location_says_it_counted_is_what_there_is(company: Company) -> None:
    sku = company.product()
    company.receive(sku, HERE, 10)
    counted = {"snapshot_id": fresh("count"), "rows": [{"sku": sku, "on_hand": 7}]}
    assert company.report(HERE, "stock.snapshot", counted).status == 202
    company.until("it is booked", lambda: company.position(sku, HERE)["on_hand"] == 7)
    (shown,) = company.call("GET", f"/stock/{sku}").json()["positions"]
    assert (shown["available"], "snapshot_as_of" in shown) == (7, True)


def test_what_a_location_says_it_received_or_broke_is_booked(company: Company) -> None:
    sku = company.product()
    received = {"reference": "PO-1", "lines": [{"sku": sku, "quantity": 6}]}
    assert company.report(HERE, "stock.received", received).status == 202
    company.until("it is booked", lambda: company.position(sku, HERE).get("on_hand") == 6)
    broken = {"lines": [{"sku": sku, "type": "MARK_DAMAGED", "quantity": 2}]}
    assert company.report(HERE, "stock.adjusted", broken).status == 202
    company.until("it is booked", lambda: company.position(sku, HERE).get("damaged") == 2)
    assert company.position(sku, HERE)["available"] == 4


def test_of_what_a_location_received_only_what_nobody_knows_waits_for_a_person(company: Company) -> None:
    known, unknown = company.product(), fresh("SKU")
    lines = [{"sku": unknown, "quantity": 5}, {"sku": known, "quantity": 6}]
    assert company.report(HERE, "stock.received", {"lines": lines}).status == 202
    company.until("the rest is booked", lambda: company.position(known, HERE).get("on_hand") == 6)
    company.until("it is kept", lambda: unknown in str(company.query("quarantine", source=f"stock#{HERE}")))
    assert company.position(unknown, HERE) == {}


def test_an_adjustment_that_was_refused_may_be_sent_again_once_its_sku_is_known(company: Company) -> None:
    sku, key = fresh("SKU"), fresh("key")
    body = {"lines": [{"type": "RECEIVE", "sku": sku, "location_id": HERE, "quantity": 5}]}
    refused = company.call("POST", "/stock/adjustments", body, key=key)
    assert (refused.status, refused.json()["error"]["details"]["field"]) == (422, "lines.0.sku")
    company.put("products", {"sku": sku, "title": sku, "grams": 400})
    for outcome in ("BOOKED", "DUPLICATE"):
        again = company.call("POST", "/stock/adjustments", body, key=key)
        assert (again.status, [line["outcome"] for line in again.json()["lines"]]) == (200, [outcome]), again.body
    assert company.position(sku, HERE)["on_hand"] == 5


def test_of_a_count_in_two_parts_a_large_difference_waits_until_somebody_approves_it(company: Company) -> None:
    usual, many = company.product(), company.product()
    for sku in (usual, many):
        company.receive(sku, HERE, 10)
    count, as_of = fresh("count"), datetime.now(UTC).isoformat()
    part = {"snapshot_id": count, "location_id": HERE, "as_of": as_of, "chunks": 2}
    _take(company, part | {"chunk": 1, "rows": [{"sku": usual, "on_hand": 9}]})
    company.until("the first part is booked", lambda: company.position(usual, HERE)["on_hand"] == 9)
    assert _report(company, count)["missing_chunks"] == [2]
    _take(company, part | {"chunk": 2, "rows": [{"sku": many, "on_hand": 500}]})
    company.until("it waits for a person", lambda: _report(company, count)["status"] == WAITS)
    company.until("it shows as waiting", lambda: count in _waiting_counts(company))
    assert company.position(many, HERE)["on_hand"] == 10

    address = f"/stock/snapshots/{count}/approval"
    assert company.call("POST", address, {"decision": "APPROVE"}).status == 202
    company.until("it is booked", lambda: _report(company, count)["status"] == "BOOKED")
    assert company.position(many, HERE)["on_hand"] == 500
    report = _report(company, count)
    assert report["counts"]["BOOKED"] == 2
    assert sum(report["counts"].values()) == 2
    company.until("it waits no more", lambda: count not in _waiting_counts(company))


def test_where_less_is_counted_than_was_promised_the_order_due_last_is_served_from_elsewhere(company: Company) -> None:
    sku = company.product()
    company.receive(sku, HERE, 4)
    company.receive(sku, ELSEWHERE, 10)
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    first_due, last_due = _held(company, sku, placed_at=an_hour_ago), _held(company, sku)
    assert _places(company, first_due) == _places(company, last_due) == {HERE: 2}
    with company.nobody_books():
        company.count(sku, HERE, 2)
        company.until("it shows as oversold", lambda: (sku, HERE) in _oversold(company))
    company.until("the last is planned anew", lambda: _places(company, last_due) == {ELSEWHERE: 2}, LONG_SECONDS)
    company.until("it shows no more", lambda: (sku, HERE) not in _oversold(company))
    assert _places(company, first_due) == {HERE: 2}
    for order_id in (first_due, last_due):
        assert company.call("DELETE", f"/orders/{order_id}/holds/fraud-check").status == 200
        company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")
    assert company.position(sku, HERE)["on_hand"] == 0
    assert company.position(sku, ELSEWHERE)["on_hand"] == 8


def _take(company: Company, part: dict[str, Any]) -> None:
    answer = company.call("POST", "/stock/snapshots", part)
    assert answer.status == 202, answer.body


def _report(company: Company, count: str) -> dict[str, Any]:
    report: dict[str, Any] = company.call("GET", f"/stock/snapshots/{count}").json()
    return report


def _waiting_counts(company: Company) -> set[str]:
    """The counts that the index shows as waiting for a person."""
    rows = company.query("stock_documents", "by_open_status", open_status=WAITS)
    return {row["document_id"].removeprefix("snapshot#") for row in rows}


def _oversold(company: Company) -> set[tuple[str, str]]:
    """The positions that the index shows as oversold."""
    return {(row["sku"], row["location_id"]) for row in company.query("stock", "by_problem", problem="OVERSOLD")}


def _held(company: Company, sku: str, **facts: Any) -> str:
    """An order for two units, allocated, held before it is released."""
    order_id = company.buy(sku, 2, **facts)
    assert company.call("POST", f"/orders/{order_id}/holds", HOLD).status == 200
    company.until_it_has(order_id, status="ALLOCATED", waiting_for="HOLD")
    company.until("nothing but the hold stops it", lambda: company.waits_in(order_id) == "Fulfill")
    return order_id


def _places(company: Company, order_id: str) -> dict[str, int]:
    """Units of the order that each location is to send."""
    lines = [(one["location_id"], line) for one in company.read(order_id)["fulfillments"] for line in one["lines"]]
    return {place: line["open"] for place, line in lines if line.get("open")}
