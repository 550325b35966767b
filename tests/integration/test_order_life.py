"""An order from its webhook to its delivery through every function: how it ends, what it tells, what it never tells."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest

from oms.domain.order import OrderStatus
from oms.runtime import clients
from tests.integration.company import everything, held_by_orders, worker
from tests.integration.machine import System
from tests.integration.samples import FULFILLMENT_ID, NOW, ORDER_ID, MainStreet
from tests.integration.stage import MACHINE, LambdaContext, Stage, sample

CANARIES = {
    "name": "Canary Nameson",
    "first_name": "Canaryfirst",
    "last_name": "Canarylast",
    "email": "canary.mail@example.org",
    "phone": "+12025550177",
    "address1": "77 Canary Street",
    "address2": "Canary Flat 7",
    "city": "Canaryville",
    "zip": "97299",
    "company": "Canary Holding",
    "note": "leave it with canary next door",
}
MAX_LINE_BYTES = 300


@pytest.fixture
def system(stage: Stage) -> System:
    return System(MainStreet(stage))


def reports(case: str) -> list[Any]:
    return [json.loads(record["body"]) for record in sample("queue_fulfillment", case)["Records"]]


def place(system: System) -> None:
    system.call("queue_intake", sample("queue_intake", "two_lines"))


def finish(system: System) -> None:
    """The warehouse packs and ships, the carrier delivers."""
    for case in ("accepted_picking_packed", "shipped", "in_transit", "out_for_delivery", "delivered"):
        system.hand_to("queue_fulfillment", *reports(case))
        system.run()


def sweep(system: System, hours: float) -> None:
    system.company.now = NOW + timedelta(hours=hours)
    system.call("schedule_sweep", sample("schedule_sweep", "after_an_outage") | {"due_before": "2027-12-31T00:00:00Z"})
    system.run()


def stop_executions(system: System) -> None:
    """Every execution is stopped, in the picture and in Step Functions."""
    system.stop_all()
    for order_id, generation in system.executions:
        arn = MACHINE.replace(":stateMachine:", ":execution:") + f":{order_id}-{generation}"
        clients.client("stepfunctions").stop_execution(executionArn=arn)


def told(system: System) -> list[tuple[int, str]]:
    details = [json.loads(entry["Detail"]) for entry in system.company.published]
    return [(one["sequence"], one["type"]) for one in details]


def ended_well(system: System) -> None:
    order = system.company.stage.order(ORDER_ID)
    assert order.status is OrderStatus.DELIVERED
    assert not any(one.alive for one in system.executions.values())
    assert sum(held_by_orders(system.company.stage).values()) == 0
    assert told(system) == [(event.sequence, event.type) for event in order.events]


def test_an_order_goes_from_its_message_to_its_delivery_in_three_states_that_work(system: System) -> None:
    place(system)
    system.run()
    assert system.company.stage.messages("outbound")[0]["message_key"].startswith(f"{ORDER_ID}#{FULFILLMENT_ID}#")
    finish(system)
    ended_well(system)
    assert [type_ for _, type_ in told(system)] == [
        "OrderReceived",
        "OrderRouted",
        "OrderAllocated",
        "OrderReleased",
        "FulfillmentAccepted",
        "PickingStarted",
        "FulfillmentPacked",
        "ShipmentShipped",
        "ShipmentMoved",
        "ShipmentMoved",
        "ShipmentDelivered",
    ]
    # Allocate, Fulfill and Deliver; CancelWindow, the fourth, only waits.
    assert system.entries == 3


@pytest.mark.parametrize("done", [[], ["accepted_picking_packed"], ["accepted_picking_packed", "shipped"]])
def test_stopping_every_execution_in_the_middle_loses_nothing(system: System, done: list[str]) -> None:
    place(system)
    system.run()
    for case in done:
        system.hand_to("queue_fulfillment", *reports(case))
        system.run()
    stop_executions(system)
    sweep(system, 24)
    assert max(generation for _, generation in system.executions) == 2
    finish(system)
    ended_well(system)


def test_without_any_wake_up_the_sweep_and_the_last_time_out_end_it_the_same(system: System) -> None:
    system.wake_ups = False
    place(system)
    system.run()
    for case in ("accepted_picking_packed", "shipped"):
        system.hand_to("queue_fulfillment", *reports(case))
        sweep(system, 1)
    system.hand_to("queue_fulfillment", *reports("delivered"))
    sweep(system, 2)
    assert [one.state for one in system.executions.values() if one.alive] == ["Deliver"]
    system.time_out()
    system.run()
    ended_well(system)


def test_an_order_no_location_may_ship_waits_for_a_person_and_then_goes_on(system: System) -> None:
    locations = [row for row in system.company.stage.rows("locations") if row["status"] == "ACTIVE"]
    for row in locations:
        system.company.stage.put("locations", row | {"status": "DRAINING"})
    place(system)
    system.run()
    order = system.company.stage.order(ORDER_ID)
    assert (order.waiting_for, order.reason_code) == ("REVIEW", "NO_ROUTE")
    for row in locations:
        system.company.stage.put("locations", row)
    worker().decisions.resolve_review(ORDER_ID, "desk", NOW)
    system.run()
    assert system.company.stage.order(ORDER_ID).status is OrderStatus.RELEASED
    finish(system)
    ended_well(system)


def test_a_rejected_order_is_routed_again_and_delivered_from_elsewhere(system: System) -> None:
    place(system)
    system.run()
    system.hand_to("queue_fulfillment", *reports("rejected"))
    system.run()
    order = system.company.stage.order(ORDER_ID)
    assert order.status is OrderStatus.RELEASED
    assert [one.location_id == "WH-RENO" for one in order.fulfillments] == [True, False]
    assert [execution.state for execution in system.executions.values()] == ["Fulfill"]


def with_canaries(body: dict[str, Any]) -> dict[str, Any]:
    """The order with a canary in every field that is about a person."""
    for name in ("shipping_address", "billing_address"):
        body[name] |= {key: value for key, value in CANARIES.items() if key in body[name]}
    body["customer"] |= {key: CANARIES[key] for key in ("first_name", "last_name", "email", "phone")}
    body |= {"email": CANARIES["email"], "contact_email": CANARIES["email"], "note": CANARIES["note"]}
    body["line_items"][0]["properties"] = [{"name": "Engraving", "value": CANARIES["name"]}]
    return body


def test_nothing_personal_leaves_the_contacts_table_and_no_log_line_is_long(
    system: System, log: StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[Any] = []
    hear = lambda params, **_: sent.append(params)  # noqa: E731
    sends = (("sqs", "SendMessage"), ("sqs", "SendMessageBatch"), ("events", "PutEvents"), ("stepfunctions", "*"))
    for service, operation in sends:
        system.company.stage.hook(service, f"before-parameter-build.{service}.{operation}", hear)
    event = sample("queue_intake", "two_lines")
    envelope = json.loads(event["Records"][0]["body"])
    envelope["body"] = json.dumps(with_canaries(json.loads(envelope["body"])))
    system.hand_to("queue_intake", envelope)
    system.run()
    finish(system)
    purge = system.company.function("schedule_expiry")
    purge.handler(sample("schedule_expiry", "every_hour"), LambdaContext(remaining_millis=60_000))
    ended_well(system)
    tables = everything(system.company.stage)
    people = json.dumps(tables.pop("contacts"))
    lines = log.getvalue().splitlines() + capsys.readouterr().out.splitlines()
    told = json.dumps([sent, system.company.published, system.company.started, tables], default=str) + "\n".join(lines)
    assert [field for field, value in CANARIES.items() if value not in people and value not in told] == [
        "first_name",
        "last_name",
    ]
    assert [field for field, value in CANARIES.items() if value.lower() in told.lower()] == []
    assert len(sent) > 10
    assert len(log.getvalue().splitlines()) > 8
    assert [line for line in log.getvalue().splitlines() if len(line.encode()) > MAX_LINE_BYTES] == []
