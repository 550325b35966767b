"""What a backtest tries: orders as they were when they were routed, and made-up ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from oms.domain.backtest_orders import Ledger, decision_ids, first_decisions, past_decision, untold
from oms.domain.backtesting import Company, PastDecision, replay
from oms.domain.catalog import LocationStatus, Product
from oms.domain.network import Ineligible
from oms.domain.routing_policy import Constraints, RoutingPolicy, Segment
from oms.usecases.generated_orders import generated
from tests.unit.builders import NOON, line
from tests.unit.past_orders import COMPANY, EAST, Past, from_where, preferring, shelves, with_capacity


def test_an_order_is_decided_again_as_it_was_then() -> None:
    past = Past(shelves(MUG={"EAST": 2, "WEST": 4}))
    promised_by = NOON + timedelta(days=9)
    past.routed(0, line("L1", "MUG", 5, excluded_locations=("NOWHERE",)), promised_by=promised_by)
    document, _ = past.kept[0]
    assert document.lines[0].unallocated == 0
    (one,) = past.decisions()
    assert [part.unallocated for part in one.order.lines] == [5]
    assert one.order.lines[0].excluded_locations == ("NOWHERE",)
    assert (one.order.promised_by, one.decided_at) == (promised_by, NOON)
    assert one.stock == {"MUG": {"EAST": 2, "WEST": 4}}
    assert set(one.taken) == {("MUG", "EAST"), ("MUG", "WEST")}
    assert sum(one.taken.values()) == 5
    assert (one.order.events, one.order.fulfillments, one.given_back_at) == ((), (), None)


def test_units_that_were_routed_again_are_decided_about_once() -> None:
    past = Past(shelves(MUG={"EAST": 2, "WEST": 4}))
    past.routed(0, line("L1", "MUG", 3), line("L2", "MUG"))
    document, decision = past.kept[0]
    later = replace(decision, decided_at=NOON + timedelta(hours=1), decision_id="000003-b", lines={"L1": 2})
    assert [units for _, units in first_decisions(document, [later, decision])] == [{"L1": 3, "L2": 1}]
    part = replace(decision, lines={"L1": 1})
    assert [units for _, units in first_decisions(document, [later, part])] == [{"L1": 1}, {"L1": 2}]


def test_only_decisions_that_were_carried_out_are_named() -> None:
    past = Past(shelves(MUG={"EAST": 2}))
    assert decision_ids(past.routed(0)) == [past.kept[0][1].decision_id]


def test_stock_that_the_record_does_not_tell_of_is_taken_from_the_ledger() -> None:
    segment = Segment(name="all", never_tags=("west",))
    past = Past(shelves(MUG={"EAST": 4, "WEST": 4}), policy=RoutingPolicy(constraints=Constraints(segments=(segment,))))
    past.routed(0)
    document, decision = past.kept[0]
    assert untold(decision, ["EAST", "WEST"]) == ["WEST"]
    ledger = Ledger({"EAST": 90, "WEST": 7}, [(NOON - timedelta(hours=1), "WEST", 2), (NOON, "WEST", 4)])
    ((_, units),) = first_decisions(document, [decision])
    one = past_decision(document, decision, units, ["EAST", "WEST"], {"MUG": ledger})
    assert one.stock == {"MUG": {"EAST": 4, "WEST": 3}}
    assert from_where(replay([one], preferring("west"), COMPANY)) == [["WEST"]]


def test_a_location_that_the_record_names_for_having_none_has_none() -> None:
    past = Past(shelves(MUG={"EAST": 4, "WEST": 0}))
    past.routed(0)
    decision = past.kept[0][1]
    assert decision.why_eliminated("WEST") == Ineligible.NO_STOCK
    assert untold(decision, ["EAST", "WEST"]) == []


@pytest.mark.parametrize(("minutes", "units"), [(-1, 1), (0, 1), (1, 5), (9, 5), (10, 5), (11, 3), (30, 3)], ids=str)
def test_a_ledger_tells_what_was_there_before_a_moment(minutes: int, units: int) -> None:
    ledger = Ledger({"EAST": 3}, [(NOON + timedelta(minutes=10), "EAST", -2), (NOON, "EAST", 4)])
    assert ledger.before(NOON + timedelta(minutes=minutes), "EAST") == units
    assert ledger.before(NOON, "WEST") == 0


def test_an_order_routed_in_a_wave_does_not_count_its_own_place_twice() -> None:
    past = Past(shelves(MUG={"EAST": 4}), company=with_capacity(3))
    past.planned["EAST", "2026-03-02"] = 1
    past.routed(0)
    document, decision = past.kept[0]
    in_wave = replace(decision, in_wave=True, places={"2026-03-02": {"EAST": 2}})
    past.kept[0] = (document, in_wave)
    assert past.decisions()[0].planned == {("EAST", "2026-03-02"): 1}


# Made-up orders


PRODUCTS = {one: Product(sku=one, grams=300) for one in ("MUG", "BOWL", "VASE")}


def made_up(seed: int = 1, company: Company = COMPANY, number: int = 40) -> list[PastDecision]:
    stock = {"MUG": {"EAST": 30, "WEST": 30}, "BOWL": {"EAST": 20}}
    return list(generated(number, Random(seed), company, PRODUCTS, stock, NOON, timedelta(days=2)))


def test_made_up_orders_are_the_same_for_the_same_seed_and_only_for_it() -> None:
    assert made_up(1) == made_up(1)
    assert made_up(1) != made_up(2)


def test_made_up_orders_are_for_what_is_there_and_go_where_parcels_go() -> None:
    orders = made_up()
    assert {part.sku for one in orders for part in one.order.lines} == {"MUG", "BOWL"}
    assert {one.order.ship_to.region for one in orders} <= {"NY", "NJ", "CA", "NV"}
    assert [one.decided_at for one in orders] == sorted(one.decided_at for one in orders)
    assert orders[0].decided_at == NOON
    assert orders[-1].decided_at < NOON + timedelta(days=2)


def test_made_up_orders_use_up_the_stock() -> None:
    units = sum(
        quantity
        for one in replay(made_up(number=120), RoutingPolicy(), COMPANY)
        for parcel in one.parcels
        for quantity in parcel.lines.values()
    )
    assert 60 < units <= 80


def test_a_company_that_ships_nowhere_or_has_nothing_gets_no_orders() -> None:
    closed = Company(locations=(replace(EAST, status=LocationStatus.CLOSED),), cards=())
    assert made_up(company=closed) == []
    assert list(generated(5, Random(1), COMPANY, PRODUCTS, {}, NOON, timedelta(days=1))) == []
