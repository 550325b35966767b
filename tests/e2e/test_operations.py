"""What support and operations do with orders over the API, with the orders really moving underneath."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.company import LONG_SECONDS, Company, fresh
from tools import web
from tools.seed_stock import restore_stock

HOLD = {"type": "FRAUD_CHECK"}
SHORT_SKU, SHORT_AT, PLENTY = "DUTCH-OVEN-5", "WH-COLUMBUS", 1_000


@pytest.fixture
def held(company: Company) -> str:
    """An own-shop order that is allocated and held, so that nothing releases it meanwhile."""
    order_id = place(company, fresh("key"))
    assert company.call("POST", f"/orders/{order_id}/holds", HOLD).status == 200
    company.until("it waits for its hold alone", lambda: read(company, order_id)["status"] == "ALLOCATED")
    return order_id


def place(company: Company, key: str, **changes: Any) -> str:
    answer = company.call("POST", "/orders", company.direct_order() | changes, key=key)
    assert answer.status == 201, answer.body
    return str(answer.json()["order_id"])


def read(company: Company, order_id: str) -> dict[str, Any]:
    answer = company.call("GET", f"/orders/{order_id}")
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json()
    return document


def listed(company: Company, query: str) -> list[str]:
    """Ids of every page of a list."""
    found: list[str] = []
    cursor = ""
    for _ in range(100):
        answer = company.call("GET", f"/orders?{query}{cursor}")
        assert answer.status == 200, answer.body
        page = answer.json()
        found += [order["order_id"] for order in page["orders"]]
        if page["cursor"] is None:
            return found
        cursor = f"&cursor={quote(page['cursor'])}"
    raise AssertionError("the list does not end")


def test_a_kit_leaves_the_shelves_as_what_it_is_made_of(company: Company) -> None:
    sent = company.place("kit")
    company.until_all([sent], LONG_SECONDS, status="DELIVERED")
    (kit,) = company.document(sent)["lines"]
    assert len(kit["components"]) == 4
    (asked,) = (one for one in company.system.outside.requested.values() if one["order_id"] == sent.order_id)
    assert [(line["sku"], line["components"]) for line in asked["lines"]] == [(kit["sku"], kit["components"])]
    for component in kit["components"]:
        rows = company.query("stock_movements", sku=component["sku"])
        entries = [(row["kinds"], one) for row in rows for one in row["entries"]]
        mine = [(one.get("kind", kinds[0]), one["quantity"]) for kinds, one in entries if _is_of(one, sent.order_id)]
        assert sorted(mine) == [("COMMIT", component["quantity"]), ("SHIP", component["quantity"])]


def _is_of(entry: dict[str, Any], order_id: str) -> bool:
    return entry.get("order_id") == order_id


def test_an_order_sent_twice_with_the_same_key_is_one_order(company: Company) -> None:
    key = fresh("key")
    body = company.direct_order()
    first = company.call("POST", "/orders", body, key=key)
    again = company.call("POST", "/orders", body, key=key)
    other = company.call("POST", "/orders", body | {"total_minor": 1}, key=key)
    assert (first.status, again.status, other.status) == (201, 200, 422)
    assert first.json()["order_id"] == again.json()["order_id"]


def test_an_order_of_our_own_shop_is_delivered_like_any_other(company: Company) -> None:
    order_id = place(company, fresh("key"))
    company.until("it is delivered", lambda: read(company, order_id)["status"] == "DELIVERED")
    assert [event["type"] for event in read(company, order_id)["events"]][-1] == "ShipmentDelivered"


def test_a_held_order_is_not_released_until_the_hold_is_gone(company: Company, held: str) -> None:
    assert read(company, held)["fulfillments"][0]["request"] == "UNSUBMITTED"
    explained = company.call("GET", f"/orders/{held}/explanation").json()
    assert explained["waiting_for"] == "HOLD"
    assert explained["who_can_unblock"] == "OPERATIONS"
    company.until("nothing but the hold stops it", lambda: company.waits_in(held) == "Fulfill")
    assert company.call("DELETE", f"/orders/{held}/holds/fraud-check").status == 200
    company.until("it is delivered", lambda: read(company, held)["status"] == "DELIVERED")


def test_an_order_cancelled_by_support_is_never_sent_to_a_warehouse(company: Company, held: str) -> None:
    answer = company.call("POST", f"/orders/{held}/cancellations", {"reason": "CUSTOMER_CHANGED_MIND"})
    assert answer.json()["status"] == "CANCELLED"
    assert held not in {request["order_id"] for request in company.system.outside.requested.values()}
    company.until("its execution ends", lambda: _execution_status(company, held) == "SUCCEEDED")


@pytest.mark.parametrize(("decision", "status"), [("CONTINUE", "DELIVERED"), ("CANCEL", "CANCELLED")])
def test_a_persons_decision_ends_a_review(company: Company, decision: str, status: str) -> None:
    order_id = place(company, fresh("key"), total_minor=1)
    assert read(company, order_id)["reason_code"] == "TOTALS_MISMATCH"
    company.until("its execution waits for the decision", lambda: company.waits_in(order_id) == "Review")
    assert company.call("POST", f"/orders/{order_id}/review", {"decision": decision}).status == 200
    company.until(f"it is {status}", lambda: read(company, order_id)["status"] == status)
    company.until("its execution ends", lambda: _execution_status(company, order_id) == "SUCCEEDED")


def test_an_order_that_waited_for_stock_ships_once_there_is_enough(company: Company) -> None:
    sent = company.place("more_than_there_is")
    company.until_all([sent], waiting_for="STOCK")
    company.until("its execution waits for stock", lambda: company.waits_in(sent.order_id) == "AwaitStock")
    assert sent.order_id in [row["order_id"] for row in company.query("backorders", sku=SHORT_SKU)]
    # A change that is no stock wakes nothing: there still is not enough.
    assert company.call("POST", f"/orders/{sent.order_id}/notes", {"text": "Due on Friday."}).status == 200
    try:
        company.count(SHORT_SKU, SHORT_AT, PLENTY)
        company.until_all([sent], LONG_SECONDS, status="DELIVERED")
        assert sent.order_id not in [row["order_id"] for row in company.query("backorders", sku=SHORT_SKU)]
    finally:
        restore_stock(company.client, company.system.stack.stage)


def _allocated_after_planning_anew(company: Company, order_id: str) -> bool:
    story = _story(company, order_id)
    return "LinesReplanned" in story[-4:] and story[-1] == "OrderAllocated"


def test_units_that_a_count_did_not_find_are_taken_back_and_come_from_elsewhere(company: Company, held: str) -> None:
    work = read(company, held)["fulfillments"][0]
    sku, location_id = work["lines"][0]["sku"], work["location_id"]
    company.until("nothing but the hold stops it", lambda: company.waits_in(held) == "Fulfill")
    try:
        company.count(sku, location_id, 0)
        company.until("it is allocated anew", lambda: _allocated_after_planning_anew(company, held))
        assert {one["location_id"] for one in read(company, held)["fulfillments"]} > {location_id}
    finally:
        restore_stock(company.client, company.system.stack.stage)
    assert company.call("DELETE", f"/orders/{held}/holds/fraud-check").status == 200
    company.until("it is delivered", lambda: read(company, held)["status"] == "DELIVERED", LONG_SECONDS)


def test_what_shows_as_oversold_by_mistake_stops_showing_after_a_sweep(company: Company) -> None:
    sku = fresh("sku")
    nothing = dict.fromkeys(("on_hand", "available", "committed", "reserved", "damaged", "quality_control"), 0)
    marks = {"problem": "OVERSOLD", "problem_since": "2026-01-01T00:00:00Z"}
    company.put("stock", {"sku": sku, "location_id": SHORT_AT} | nothing | marks)
    company.sweep()
    company.until("it shows no more", lambda: "problem" not in company.query("stock", sku=sku)[0])


def test_a_backordered_order_that_is_cancelled_waits_no_longer(company: Company) -> None:
    by_shop, by_support = company.place("more_than_there_is"), company.place("more_than_there_is")
    company.until_all([by_shop, by_support], waiting_for="STOCK")
    company.deliver(company.system.world.shop.message("cancelled", by_shop.identity, seconds_later=1))
    answer = company.call("POST", f"/orders/{by_support.order_id}/cancellations", {"reason": "NO_STOCK"})
    assert answer.status == 200
    company.until_all([by_shop, by_support], status="CANCELLED")
    waiting = {row["order_id"] for row in company.query("backorders", sku=SHORT_SKU)}
    assert waiting.isdisjoint({by_shop.order_id, by_support.order_id})


def test_an_order_of_an_account_that_was_never_set_up_is_refused_and_may_be_sent_again(company: Company) -> None:
    key = fresh("key")
    refused = company.call("POST", "/orders", company.direct_order() | {"account": "nobodys"}, key=key)
    assert refused.status == 422
    assert refused.json()["error"]["details"]["field"] == "account"
    assert company.call("POST", "/orders", company.direct_order(), key=key).status == 201


def test_an_order_is_found_by_everything_people_know_of_it(company: Company) -> None:
    sent = company.place("two_lines")
    company.until_all([sent], status="DELIVERED")
    document, buyer = company.document(sent), sent.identity.buyer
    parcel = document["fulfillments"][0]["shipments"][0]
    today = datetime.fromisoformat(document["placed_at"]).date()
    for query in (
        f"reference={quote(document['order_number'])}",
        f"email={quote(buyer['email'].upper())}",
        f"phone={quote(buyer['phone'])}",
        f"tracking={parcel['carrier']}:{parcel['tracking_number']}",
        f"customer={quote(document['customer_id'])}",
        f"account={quote('shopify#main-street-goods')}&day={today.isoformat()}&limit=3",
    ):
        assert sent.order_id in listed(company, query), query


def test_orders_that_wait_for_the_same_are_listed_page_by_page_the_most_overdue_first(company: Company) -> None:
    orders = [place(company, fresh("key"), total_minor=1) for _ in range(3)]
    whole = listed(company, "waiting_for=REVIEW&limit=100")
    assert set(orders) <= set(whole)
    due = [read(company, order_id)["due_at"] for order_id in whole]
    assert due == sorted(due)
    assert listed(company, "waiting_for=REVIEW&limit=2") == whole
    assert listed(company, "waiting_for=REVIEW&overdue=true") == []


def test_people_are_shown_only_to_those_who_may_see_them(company: Company, held: str) -> None:
    seen = company.call("GET", f"/orders/{held}?include=contact")
    assert seen.json()["contact"]["email"] == company.direct_order()["customer"]["email"]
    assert company.call("GET", f"/orders/{held}?include=contact", client="readonly").status == 403
    assert "contact" not in read(company, held)


def test_stock_is_shown_by_location_and_in_total(company: Company) -> None:
    shown = company.call("GET", "/stock/MUG-STONE-350").json()
    assert {one["location_id"] for one in shown["positions"]} >= {"WH-RENO", "STORE-SEATTLE"}
    assert shown["totals"]["on_hand"] == sum(one["on_hand"] for one in shown["positions"])
    assert company.call("GET", "/stock/NEVER-SOLD").status == 404


def test_a_message_too_large_for_the_queue_becomes_an_order_like_any_other(company: Company) -> None:
    sent = company.order("two_lines", _of_many_lines)
    assert len(sent.message.body) > 200_000
    company.deliver(sent.message)
    company.until_all([sent], waiting_for="REVIEW", reason_code="TOTALS_MISMATCH")
    assert len(company.document(sent)["lines"]) == 201


def _of_many_lines(body: dict[str, Any]) -> None:
    first, second = body["line_items"]
    body["line_items"] = [
        first | {"id": number, "admin_graphql_api_id": f"gid://shopify/LineItem/{number}"} for number in range(1, 201)
    ] + [second]


def test_the_oldest_events_of_a_very_long_story_are_kept_apart_and_still_read(company: Company, held: str) -> None:
    grown = company.lengthen(held)
    answer = company.call("POST", f"/orders/{held}/notes", {"text": "The last straw."})
    assert answer.status == 200, answer.body
    (row,) = company.query("order_history", order_id=held)
    kept = company.query("orders", order_id=held)[0]["events"]
    assert [event["sequence"] for event in row["events"] + kept] == list(range(1, grown + 2))
    assert [event["sequence"] for event in read(company, held)["events"]] == list(range(1, grown + 2))


def test_the_data_of_people_whose_orders_ended_long_ago_is_deleted(company: Company) -> None:
    sent = company.place("two_lines")
    company.until_all([sent], status="DELIVERED")
    order_id, still_open = sent.order_id, place(company, fresh("key"), total_minor=1)
    yesterday = "2026-01-01"
    (document,) = company.query("orders", order_id=order_id)
    company.put("orders", document | {"status_since": f"{yesterday}T00:00:00Z", "updated_at": f"{yesterday}T00:00:00Z"})
    for one in (order_id, still_open):
        (contact,) = company.query("contacts", order_id=one)
        company.put("contacts", contact | {"purge_day": datetime.now(UTC).date().isoformat()})
    purged = company.invoke("schedule-expiry", {})
    assert purged["purged"] >= 1
    assert company.query("contacts", order_id=order_id) == []
    assert company.query("contacts", order_id=still_open)[0]["purge_day"] > datetime.now(UTC).date().isoformat()


def test_an_old_address_of_the_api_is_answered_as_not_found(company: Company) -> None:
    answer = web.send("GET", f"{company.system.description['base_url']}/no/such/path", {})
    assert answer.status == 404


def _story(company: Company, order_id: str) -> list[str]:
    return [event["type"] for event in read(company, order_id)["events"]]


def _execution_status(company: Company, order_id: str) -> str:
    arn = company.system.description["state_machines"]["order_lifecycle"].replace(":stateMachine:", ":execution:")
    execution = company.system.world.states.describe_execution(executionArn=f"{arn}:{order_id}-1")
    return str(execution["status"])
