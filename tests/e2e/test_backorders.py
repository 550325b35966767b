"""Short of stock: who has waited longest is served first, as soon as goods arrive, and nobody has to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.e2e.company import LONG_SECONDS, Company

HERE = "WH-ALLENTOWN"


def waits_for_stock(company: Company, sku: str, units: int, hours_ago: int = 0) -> str:
    """An order of units that are not there, placed so many hours ago, whose execution waits for stock."""
    placed_at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    order_id = company.buy(sku, units, placed_at=placed_at)
    company.until("its execution waits for stock", lambda: company.waits_in(order_id) == "AwaitStock")
    company.until_it_has(order_id, waiting_for="STOCK")
    return order_id


def test_goods_that_arrive_are_sent_to_whoever_waited_longest_and_no_sweep_is_needed(company: Company) -> None:
    sku = company.product()
    with company.nobody_sweeps():
        younger, older = waits_for_stock(company, sku, 2), waits_for_stock(company, sku, 3, hours_ago=1)
        assert company.waiting(sku) == [(older, 3), (younger, 2)]
        company.receive(sku, HERE, 4)
        company.until_it_has(older, LONG_SECONDS, status="DELIVERED")
        assert company.read(younger)["waiting_for"] == "STOCK"
        assert company.waiting(sku) == [(younger, 2)]
        company.receive(sku, HERE, 1)
        company.until_it_has(younger, LONG_SECONDS, status="DELIVERED")
    assert company.waiting(sku) == []
    assert company.position(sku, HERE)["on_hand"] == 0


def test_what_arrived_for_an_older_order_is_sold_to_a_younger_one_only_once_the_older_is_cancelled(
    company: Company,
) -> None:
    sku = company.product()
    older = waits_for_stock(company, sku, 3, hours_ago=1)
    company.receive(sku, HERE, 2)
    younger = waits_for_stock(company, sku, 1)
    assert company.position(sku, HERE)["available"] == 2
    with company.nobody_sweeps():
        assert company.call("POST", f"/orders/{older}/cancellations", {"reason": "NO_STOCK"}).status == 200
        company.until_it_has(younger, LONG_SECONDS, status="DELIVERED")
    assert company.position(sku, HERE)["available"] == 1


def test_an_order_has_what_is_there_and_is_sent_together_with_the_rest(company: Company) -> None:
    sku = company.product()
    company.receive(sku, HERE, 2)
    order_id = waits_for_stock(company, sku, 5)
    assert company.read(order_id)["status"] == "PARTIALLY_ALLOCATED"
    assert company.committed(sku) == 2
    assert company.waiting(sku) == [(order_id, 3)]
    company.receive(sku, HERE, 3)
    company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")
    assert len(company.read(order_id)["fulfillments"][0]["shipments"]) == 1
