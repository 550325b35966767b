"""What may be sold: told to whoever asks, and made ready for the channels whenever it changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from tests.e2e.company import LONG_SECONDS, PRICE_MINOR, Company, fresh

ACCOUNT, OUTLET = "shopify#main-street-goods", "shopify#main-street-outlet"
WAREHOUSE, OTHER, STORE = "WH-RENO", "WH-COLUMBUS", "STORE-SEATTLE"
KEPT_IN_STORE, SHOWN_IN_OUTLET = 2, 20
"""What the rules of the seeded settings hold back of everything in the store, and the most the outlet shows."""


def figures(company: Company, sku: str, channel: str = ACCOUNT) -> dict[str, Any]:
    answer = company.call("GET", f"/availability?sku={sku}&channel={quote(channel)}&country=US&region=OR")
    assert answer.status == 200, answer.body
    (found,) = answer.json()["skus"]
    return dict(found)


def stocked(company: Company, **units: int) -> str:
    """A new product, listed in the shop, with units at these locations (`WH_RENO=3`)."""
    sku = company.product()
    company.put("listings", {"channel_account": ACCOUNT, "channel_sku": sku, "sku": sku})
    for location_id, received in units.items():
        company.receive(sku, location_id.replace("_", "-"), received)
    return sku


def owed(company: Company, sku: str) -> dict[str, Any]:
    """The row that tells the channel of this SKU; empty while it was never owed anything."""
    rows = company.query("deliveries", destination=f"channel#{ACCOUNT}")
    return next((row for row in rows if row["message_key"] == f"availability#{sku}"), {})


def would_be_told(company: Company, sku: str) -> int | None:
    """The figure that is ready for the channel; None while none is."""
    row = owed(company, sku)
    return int(row["message"]["quantity"]) if row.get("status") == "READY" else None


def test_what_may_be_sold_is_what_its_terms_add_up_to(company: Company) -> None:
    sku = stocked(company, WH_RENO=30, STORE_SEATTLE=5)
    company.buy(sku, 40)
    found = {}

    def waits() -> bool:
        found.update(figures(company, sku))
        return bool(found["network"]["backordered"])

    company.until("the order waits for what is not there", waits)
    at, network = {one["location_id"]: one for one in found["locations"]}, found["network"]
    assert (at[WAREHOUSE]["on_hand"], at[STORE]["on_hand"]) == (30, 5)
    assert at[STORE]["safety_stock"] == KEPT_IN_STORE
    for one in at.values():
        assert one["sellable"] == max(0, one["available"] - one["safety_stock"] - one["buffer"])
    assert network["sellable"] == sum(one["sellable"] for one in at.values())
    taken = ("oversold", "backordered", "unallocated", "safety_stock", "buffer")
    assert network["raw"] == network["sellable"] - sum(network[name] for name in taken)
    assert found["available_to_sell"] == max(0, network["raw"]) == 0


def test_a_channel_is_shown_what_the_rules_leave_it(company: Company) -> None:
    sku = stocked(company, WH_RENO=30, STORE_SEATTLE=5)
    assert figures(company, sku)["available_to_sell"] == 30 + 5 - KEPT_IN_STORE
    outlet = figures(company, sku, OUTLET)
    assert outlet["available_to_sell"] == SHOWN_IN_OUTLET
    assert {one["location_id"]: one["excluded"] for one in outlet["locations"]} == {WAREHOUSE: None, STORE: "RULE"}


def test_the_shop_would_be_told_of_units_that_came_and_of_units_that_were_sold(company: Company) -> None:
    sku = stocked(company, WH_RENO=10)
    company.until("it would be told of ten", lambda: would_be_told(company, sku) == 10)
    told = owed(company, sku)["message"]["version"]
    company.buy(sku, 4)
    company.until("it would be told of six", lambda: would_be_told(company, sku) == 6)
    assert owed(company, sku)["message"]["version"] > told
    company.until("whoever asks is told so too", lambda: figures(company, sku)["available_to_sell"] == 6)


def test_of_a_kit_there_are_as_many_as_its_parts_make_at_one_place(company: Company) -> None:
    kit = fresh("KIT")
    cup, lid = (company.product(part_of=[kit]) for _ in range(2))
    parts = [{"sku": cup, "quantity": 1}, {"sku": lid, "quantity": 2}]
    company.put("products", {"sku": kit, "title": kit, "grams": 900, "kit_components": parts})
    for sku, location_id, units in ((cup, WAREHOUSE, 5), (lid, WAREHOUSE, 7), (cup, OTHER, 1), (lid, OTHER, 9)):
        company.receive(sku, location_id, units)
    found = figures(company, kit)
    assert {one["location_id"]: one["sellable"] for one in found["locations"]} == {WAREHOUSE: 3, OTHER: 1}
    assert found["available_to_sell"] == 4
    assert found["components"] == {cup: 1, lid: 2}


def test_nothing_is_said_of_what_nobody_sells(company: Company) -> None:
    answer = company.call("GET", "/availability?sku=NEVER-SOLD")
    assert answer.status == 404


def test_units_that_an_order_waits_for_are_sold_on_no_channel_until_it_is_cancelled(company: Company) -> None:
    sku = stocked(company)
    order_id = company.buy(sku, 12)
    company.until_it_has(order_id, waiting_for="STOCK")
    company.receive(sku, WAREHOUSE, 10)
    found = figures(company, sku)
    assert (found["network"]["sellable"], found["network"]["backordered"], found["available_to_sell"]) == (10, 12, 0)
    company.until("the shop would be told of none", lambda: would_be_told(company, sku) == 0, LONG_SECONDS)
    assert company.call("POST", f"/orders/{order_id}/cancellations", {"reason": "NO_STOCK"}).status == 200
    company.until("the shop would be told of all", lambda: would_be_told(company, sku) == 10, LONG_SECONDS)
    assert figures(company, sku)["available_to_sell"] == 10


def promise(company: Company, sku: str, units: int) -> dict[str, Any]:
    """What is told of units that would go to Portland: a promise, or why there is none."""
    answer = company.call("GET", f"/availability?sku={sku}:{units}&country=US&region=OR&postal_code=97201")
    assert answer.status == 200, answer.body
    return dict(answer.json())


def to_portland(company: Company, sku: str, units: int, promised_by: str) -> dict[str, Any]:
    """The body of an order for it, promised by then."""
    line = {"sku": sku, "quantity": units, "unit_price_minor": PRICE_MINOR}
    body = company.direct_order()
    place = body["ship_to"] | {"city": "Portland", "region": "OR", "postal_code": "97201"}
    sums = {"lines": [line], "shipping_minor": 0, "total_minor": units * PRICE_MINOR}
    return body | sums | {"ship_to": place, "promised_by": promised_by}


def test_what_a_product_page_promises_an_order_may_be_promised_and_gets(company: Company) -> None:
    sku = stocked(company, WH_RENO=5)
    told = promise(company, sku, 2)["promise"]
    assert (told["location_ids"], told["parcels"]) == ([WAREHOUSE], 1)
    placed = company.call("POST", "/orders", to_portland(company, sku, 2, told["deliver_by"]), key=fresh("key"))
    assert placed.status == 201, placed.body
    order_id = placed.json()["order_id"]
    company.until("it is allocated", lambda: bool(company.read(order_id).get("fulfillments")))
    document = company.read(order_id)
    assert document["promised_by"] == document["original_promised_by"] == told["deliver_by"]
    assert document["fulfillments"][0]["location_id"] == WAREHOUSE


def test_a_promise_that_nothing_can_keep_is_refused_and_makes_no_order(company: Company) -> None:
    sku = stocked(company, WH_RENO=5)
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    late = company.call("POST", "/orders", to_portland(company, sku, 2, soon), key=fresh("key"))
    assert (late.status, late.json()["error"]["code"]) == (409, "PromiseNotKept"), late.body
    offered = late.json()["error"]["details"]["alternatives"]
    assert promise(company, sku, 2)["promise"]["deliver_by"] in {one["deliver_by"] for one in offered}
    missing = company.call("POST", "/orders", to_portland(company, sku, 6, "2099-01-01T00:00:00Z"), key=fresh("key"))
    assert missing.json()["error"]["details"]["why"] == {"code": "OUT_OF_STOCK", "shortages": {sku: 1}}
    assert promise(company, sku, 6)["promise"] is None
