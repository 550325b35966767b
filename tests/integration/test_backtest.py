"""Backtests on the orders of a stage: which are tried, on what stock, and that nothing is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from oms.domain.backtesting import Company
from oms.domain.errors import InvalidMessage
from oms.domain.routing_policy import Constraints, Costs, RoutingPolicy, Segment
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.movements import document_row
from oms.stores.orders import OrdersStore
from oms.stores.past_orders import PastOrdersStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.usecases import backtest as backtests
from oms.usecases.backtest import NEVER_ROUTED, NO_RECORD, UNREADABLE, Backtest, Period
from tests.integration.company import NOON, incoming, received, worker
from tests.integration.stage import LOCATIONS, PREFIX, Stage
from tests.unit.builders import line
from tests.unit.past_orders import Past
from tests.unit.past_orders import shelves as on_shelves
from tests.unit.rate_cards import small_card

EAST, WEST = (replace(one, tags=(one.location_id,)) for one in LOCATIONS)
COMPANY = Company(locations=(EAST, WEST), cards=(small_card(),))
DAY = Period(start=NOON - timedelta(hours=1), end=NOON + timedelta(days=1))
ELSEWHERE = RoutingPolicy(version=2, costs=Costs(preferences_minor={"WH-EAST": 100_000}))


@pytest.fixture
def company(stage: Stage) -> Company:
    for one in (EAST, WEST):
        stage.put("locations", one)
    return COMPANY


def backtest(**more: Any) -> Backtest:
    client: Any = clients.client("dynamodb")
    return Backtest(
        past=PastOrdersStore(client, PREFIX),
        orders=OrdersStore(client, PREFIX),
        stock=StockStore(client, PREFIX),
        locations=LocationsStore(client, PREFIX),
        products=ProductsStore(client, PREFIX),
        settings=SettingsStore(client, PREFIX),
        **more,
    )


def keep(stage: Stage, past: Past) -> None:
    """Puts the orders and their records where a stage has them."""
    for order, decision in past.kept:
        stage.put("orders", order)
        stage.put("routing_decisions", decision)


def mugs(**there: int) -> dict[str, dict[str, int]]:
    return on_shelves(MUG={f"WH-{one}": units for one, units in there.items()})


def test_orders_of_the_period_are_tried_in_the_order_they_were_routed(stage: Stage, company: Company) -> None:
    past = Past(mugs(EAST=9, WEST=9), company)
    for minute in (0, 7, 3):
        past.routed(minute)
    past.routed(2 * 24 * 60)
    past.routed(-90)
    keep(stage, past)
    tried = backtest().past_orders(DAY, company)
    assert [one.order.order_id for one in tried.decisions] == ["shopify-main-1", "shopify-main-3", "shopify-main-2"]
    assert (dict(tried.left_out), tried.truncated) == ({}, False)


def test_orders_without_a_record_are_counted_and_left_out(stage: Stage, company: Company) -> None:
    past = Past(mugs(EAST=9, WEST=9), company)
    for minute in range(5):
        past.routed(minute)
    keep(stage, past)
    stage.put("routing_decisions", past.kept[4][1], decided_at="long ago")
    order = past.kept[0][0]
    stage.put("orders", replace(order, events=()))
    key = {"order_id": {"S": past.kept[1][1].order_id}, "decision_id": {"S": past.kept[1][1].decision_id}}
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}routing_decisions", Key=key)
    stage.put("orders", past.kept[2][0], method="BY_PIGEON")
    tried = backtest().past_orders(DAY, company)
    assert [one.order.order_id for one in tried.decisions] == ["shopify-main-4"]
    assert dict(tried.left_out) == {NEVER_ROUTED: 1, NO_RECORD: 2, UNREADABLE: 1}


def test_of_too_many_orders_the_newest_are_tried_and_it_is_told(stage: Stage, company: Company) -> None:
    past = Past(mugs(EAST=9, WEST=9), company)
    for minute in range(4):
        past.routed(minute)
    keep(stage, past)
    tried = backtest().past_orders(DAY, company, most=2)
    assert [one.order.order_id for one in tried.decisions] == ["shopify-main-3", "shopify-main-4"]
    assert tried.truncated
    assert not backtest().past_orders(DAY, company, most=4).truncated


def test_lists_are_read_page_by_page(stage: Stage, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oms.stores.past_orders.PAGE", 2)
    monkeypatch.setattr("oms.usecases.backtest._CHUNK", 2)
    told: list[tuple[str, int, int]] = []
    past = Past(mugs(EAST=9, WEST=9), company)
    for minute in range(5):
        past.routed(minute)
    keep(stage, past)
    trying = backtest(told=lambda *one: told.append(one))
    tried = trying.past_orders(DAY, company)
    assert len(tried.decisions) == 5
    assert told == [("orders read", 2, 5), ("orders read", 4, 5), ("orders read", 5, 5)]
    trying.compare(tried, company, RoutingPolicy(), ELSEWHERE, NOON)
    assert told[-1] == ("orders routed", 5, 5)


def test_what_allocation_wrote_can_be_tried(stage: Stage, company: Company) -> None:
    made = worker()
    ids = [made.take(incoming(number, {"MUG": 2})).order.order_id for number in (1, 2, 3)]
    assert made.allocate(*ids) == []
    now = [one.location_id for one_id in ids for one in stage.order(one_id).fulfillments]
    trying = backtest()
    tried = trying.past_orders(DAY, trying.company())
    report = trying.compare(tried, trying.company(), RoutingPolicy(), ELSEWHERE, NOON, min_orders=1)
    assert {one: load.parcels for one, load in report.comparison.active.loads.items()} == {now[0]: 3}
    assert {one: load.parcels for one, load in report.comparison.draft.loads.items()} == {"WH-WEST": 2, "WH-EAST": 1}
    assert report.comparison.active.paid_minor == sum(
        one.cost_minor for one_id in ids for one in stage.order(one_id).fulfillments
    )


def test_a_location_that_was_ruled_out_is_tried_with_the_stock_it_had_then(stage: Stage, company: Company) -> None:
    ruled_out = Segment(name="all", never_tags=("WH-WEST",))
    of_then = RoutingPolicy(constraints=Constraints(segments=(ruled_out,)))
    past = Past(mugs(EAST=9, WEST=1), company, policy=of_then)
    past.routed(0, line("L1", "MUG", 2))
    keep(stage, past)
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST", on_hand=5, available=5))
    trying = backtest()
    (now,) = trying.past_orders(DAY, company).decisions
    assert now.stock == {"MUG": {"WH-EAST": 9, "WH-WEST": 5}}
    receipt = received("MUG", "WH-WEST", 4, hours=2)
    stage.put("stock_movements", document_row(receipt, receipt.moves))
    (then,) = trying.past_orders(DAY, company).decisions
    assert then.stock == {"MUG": {"WH-EAST": 9, "WH-WEST": 1}}


def test_stock_that_does_not_add_up_is_not_reckoned_with(stage: Stage, company: Company) -> None:
    ruled_out = Segment(name="all", never_tags=("WH-WEST",))
    past = Past(mugs(EAST=9), company, policy=RoutingPolicy(constraints=Constraints(segments=(ruled_out,))))
    past.routed(0)
    keep(stage, past)
    stage.put("stock", {"sku": "MUG", "location_id": "WH-WEST", "on_hand": 5, "available": 4})
    (one,) = backtest().past_orders(DAY, company).decisions
    assert one.stock == {"MUG": {"WH-EAST": 9}}


def test_made_up_orders_are_on_the_stages_own_products_and_stock(stage: Stage, company: Company) -> None:
    trying = backtest()
    tried = trying.made_up_orders(40, Random(1), trying.company(), (NOON, timedelta(days=1)))
    skus = {line.sku for one in tried.decisions for line in one.order.lines}
    assert {"MUG", "BOWL", "KETTLE", "SET"} == skus
    report = trying.compare(tried, trying.company(), RoutingPolicy(), RoutingPolicy(version=2), NOON)
    units = sum(load.units for load in report.comparison.draft.loads.values())
    assert 0 < units <= 22
    assert report.comparison.draft.unrouted == report.comparison.active.unrouted > 0
    assert report.verdict.passed


def test_made_up_orders_can_be_on_a_stock_that_is_not_there_yet(stage: Stage, company: Company) -> None:
    stock = {"KETTLE": {"WH-EAST": 500}}
    tried = backtest().made_up_orders(40, Random(1), company, (NOON, timedelta(days=1)), stock)
    assert {line.sku for one in tried.decisions for line in one.order.lines} == {"KETTLE"}
    report = backtest().compare(tried, company, RoutingPolicy(), RoutingPolicy(version=2), NOON)
    assert report.comparison.draft.routed == 40


def test_a_backtest_writes_nothing(stage: Stage, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    past = Past(mugs(EAST=9, WEST=9), company)
    past.routed(0)
    keep(stage, past)
    operations: set[str] = set()
    stage.hook("dynamodb", "before-call.dynamodb", lambda model, **_: operations.add(model.name))
    trying = backtest()
    tried = trying.past_orders(DAY, trying.company())
    trying.made_up_orders(5, Random(1), trying.company(), (NOON, timedelta(days=1)))
    trying.compare(tried, trying.company(), RoutingPolicy(), ELSEWHERE, NOON)
    assert operations <= {"Query", "BatchGetItem", "Scan", "GetItem"}


@pytest.mark.parametrize("days", [0, -1, backtests.MAX_DAYS + 1])
def test_a_period_goes_forward_and_is_not_endless(days: int) -> None:
    with pytest.raises(InvalidMessage):
        Period(start=NOON, end=NOON + timedelta(days=days))


def test_the_days_of_a_period_are_those_on_which_its_orders_were_placed() -> None:
    period = Period(start=NOON, end=NOON.replace(hour=0) + timedelta(days=2))
    assert list(period.days()) == ["2026-03-03", "2026-03-02"]
