"""The fulfillment queue: samples of what locations and carriers report, each applied once however often it comes."""

from __future__ import annotations

import pytest

from oms.domain.order import Order, OrderStatus, Request, WaitingFor, Work
from oms.domain.shipments import ShipmentStatus
from oms.stores.group_commit import MAX_UNANSWERED
from tests.integration.faults import Faults
from tests.integration.samples import DELIVERED, FULFILLMENT_ID, ORDER_ID, RELEASED, SHIPPED, MainStreet, Steps
from tests.integration.samples import replays_the_same as replays
from tests.integration.stage import Stage, cases

FUNCTION = "queue_fulfillment"
BEFORE: dict[str, Steps] = {
    "delivered": SHIPPED,
    "in_transit": SHIPPED,
    "out_for_delivery": SHIPPED,
    "unknown_order": (),
    "unknown_parcel": SHIPPED,
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def order_after(company: MainStreet, *steps: tuple[str, str]) -> Order:
    company.play_all(*steps)
    return company.stage.order(ORDER_ID)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_applied_and_applying_it_twice_changes_nothing(company: MainStreet, case: str) -> None:
    assert replays(company, FUNCTION, case, BEFORE.get(case, RELEASED)) == {"batchItemFailures": []}
    kept = [row["reason"] for row in company.stage.rows("quarantine")]
    expected = {"unknown_order": ["OrderNotFound"], "unknown_parcel": ["UNKNOWN_TRACKING_NUMBER"]}
    assert kept == expected.get(case, [])


def test_accepted_picking_and_packed_of_one_batch_are_one_version(company: MainStreet) -> None:
    version = order_after(company, *RELEASED).version
    order = order_after(company, (FUNCTION, "accepted_picking_packed"))
    assert order.version == version + 1
    assert (order.fulfillments[0].work, order.fulfillments[0].request) == (Work.PACKED, Request.ACCEPTED)
    assert order.waiting_for is WaitingFor.SHIP


def test_the_order_of_the_samples_is_delivered(company: MainStreet) -> None:
    order = order_after(company, *DELIVERED)
    assert order.status is OrderStatus.DELIVERED
    assert order.fulfillments[0].fulfillment_id == FULFILLMENT_ID
    assert {row["reference"] for row in company.stage.rows("order_references")} >= {"TRACKING#ups#1ZSAMPLE0000000241"}


def test_scans_on_the_way_move_the_parcel_and_never_back(company: MainStreet) -> None:
    order_after(company, *SHIPPED, (FUNCTION, "out_for_delivery"), (FUNCTION, "in_transit"))
    parcel = company.stage.order(ORDER_ID).fulfillments[0].shipments[0]
    assert parcel.status is ShipmentStatus.OUT_FOR_DELIVERY


def test_a_short_pick_and_a_rejection_send_the_units_elsewhere(company: MainStreet) -> None:
    order = order_after(company, *RELEASED, (FUNCTION, "short_picked"), (FUNCTION, "rejected"))
    assert sum(line.unallocated for line in order.lines) == 3
    assert all(line.excluded_locations == ("WH-RENO",) for line in order.lines)
    order = order_after(company, ("queue_allocation", "two_lines"))
    assert order.fulfillments[-1].location_id != "WH-RENO"


def test_reports_that_could_not_be_written_come_again(company: MainStreet, faults: Faults) -> None:
    company.play_all(*RELEASED)
    faults.refuse("PutItem", "InternalServerError", times=MAX_UNANSWERED)
    assert len(company.play(FUNCTION, "accepted_picking_packed")["batchItemFailures"]) == 3
    assert order_after(company, (FUNCTION, "accepted_picking_packed")).fulfillments[0].work is Work.PACKED
