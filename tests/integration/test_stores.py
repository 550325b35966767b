"""Documents that outgrow their item, people's data and its last day: what the tables hold in the end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from oms.domain.order import WaitingFor
from oms.domain.publication import news
from oms.runtime import clients
from oms.stores import orders as orders_module
from oms.usecases.reading import Reading
from tests.integration.company import (
    ADA,
    NOON,
    RENO,
    Worker,
    at,
    incoming,
    order_id,
    released,
    report,
    tracked,
    worker,
)
from tests.integration.faults import Faults
from tests.integration.queueing import Reads
from tests.integration.stage import PREFIX, Stage

LARGE = 330


def grown(stage: Stage, made: Worker) -> None:
    """An order with so many events that its document is above 300 KB."""
    made.take(incoming())
    (row,) = stage.rows("orders")
    model = row["events"][0]
    events = [model | {"sequence": n, "version": n, "data": {"why": "x" * 850}} for n in range(1, LARGE + 1)]
    stage.put("orders", row | {"version": LARGE, "events": events})
    assert len(json.dumps(stage.rows("orders")[0], separators=(",", ":"))) > orders_module.MAX_DOCUMENT_BYTES


def whole_story(made: Worker) -> list[int]:
    return [event["sequence"] for event in Reading(made.orders, made.contacts).document(order_id())["events"]]


def document(stage: Stage) -> dict[str, Any]:
    (row,) = stage.rows("orders")
    return row


def test_a_document_above_300_kb_moves_its_oldest_events_and_its_story_stays_whole(stage: Stage) -> None:
    made = worker()
    grown(stage, made)
    made.decisions.place_hold(order_id(), "h", "FRAUD", "", "desk", NOON)
    after = document(stage)
    assert len(json.dumps(after, separators=(",", ":"))) < orders_module.MAX_DOCUMENT_BYTES
    assert after["events"][-1]["sequence"] == LARGE + 1
    assert whole_story(made) == list(range(1, LARGE + 2))


def test_moving_old_events_does_not_change_what_is_published(stage: Stage) -> None:
    made = worker()
    grown(stage, made)
    before = document(stage)
    made.decisions.place_hold(order_id(), "h", "FRAUD", "", "desk", NOON)
    assert [event["type"] for event in news(document(stage), before)] == ["HoldPlaced"]


def test_changes_made_one_upon_the_other_tell_each_event_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one worker the order in hand still has the events that its last write moved away."""
    monkeypatch.setattr(orders_module, "MAX_DOCUMENT_BYTES", 1_000)
    made = worker()
    order = released(made)
    for parcel in ("p1", "p2", "p3"):
        made.report(report("shipped", order, shipment_id=parcel, lines={"L1": 1}), tracked("IN_TRANSIT", parcel))
    sequences = whole_story(made)
    assert sequences == list(range(1, sequences[-1] + 1))
    assert stage.rows("order_history") != []


def test_old_events_move_in_the_very_transaction_or_not_at_all(stage: Stage, faults: Faults) -> None:
    made = worker()
    grown(stage, made)
    faults.cancel(times=6)
    with pytest.raises(Exception, match="always held by others"):
        made.decisions.place_hold(order_id(), "h", "FRAUD", "", "desk", NOON)
    assert stage.rows("order_history") == []
    assert whole_story(made) == list(range(1, LARGE + 1))


def test_a_change_of_a_long_document_whose_answer_is_lost_is_made_once(stage: Stage, faults: Faults) -> None:
    made = worker()
    grown(stage, made)
    faults.time_out_after(times=1)
    made.decisions.add_note(order_id(), "The customer called.", "desk", NOON)
    assert len(document(stage)["notes"]) == 1
    assert whole_story(made) == list(range(1, LARGE + 2))


def ended(made: Worker, how: str) -> None:
    """An order delivered two hours after NOON, or cancelled one hour after."""
    if how == "delivered":
        made.report(report("shipped", released(made)), hours=1)
        made.report(tracked("DELIVERED"), hours=2)
    else:
        made.take(incoming())
        made.decisions.cancel(order_id(), "CUSTOMER", "desk", at(1))


def purge(made: Worker, days: float) -> tuple[int, int]:
    return made.expiry.purge(at(24 * days), go_on=lambda: True)


@pytest.mark.parametrize("how", ["delivered", "cancelled"])
def test_a_persons_data_goes_21_days_after_the_end_and_no_day_before(stage: Stage, how: str) -> None:
    made = worker()
    ended(made, how)
    assert purge(made, 20) == (0, 0)
    assert len(stage.rows("contacts")) == 1
    assert purge(made, 21) == (1, 0)
    assert stage.rows("contacts") == []


def test_nothing_personal_is_left_anywhere_once_it_is_purged(stage: Stage) -> None:
    made = worker()
    ended(made, "delivered")
    purge(made, 21)
    tables = [table for table in clients.client("dynamodb").list_tables()["TableNames"] if table.startswith(PREFIX)]
    left = json.dumps([stage.rows(table.removeprefix(PREFIX)) for table in tables])
    for personal in (ADA.name, ADA.email, ADA.phone, ADA.ship_to.address1, ADA.ship_to.city):
        assert personal not in left


def test_the_person_of_an_order_that_is_open_for_long_stays_until_21_days_after_its_end(stage: Stage) -> None:
    made = worker()
    order = released(made)
    for day in range(21, 30):
        assert purge(made, day) == (0, 1)
    made.report(report("shipped", order), hours=24 * 29)
    made.report(tracked("DELIVERED"), hours=24 * 29 + 1)
    assert purge(made, 30) == (0, 1)
    assert stage.rows("contacts")[0]["purge_day"] == (at(24 * 29) + timedelta(days=21)).date().isoformat()
    assert purge(made, 50) == (1, 0)


@pytest.mark.parametrize("how", ["delivered", "cancelled"])
def test_what_the_channel_tells_late_does_not_keep_a_person_longer(stage: Stage, how: str) -> None:
    made = worker()
    ended(made, how)
    renamed = incoming(contact=replace(ADA, email="new@example.com"), channel_updated_at=at(24 * 20))
    made.take(renamed, hours=24 * 20)
    assert stage.rows("contacts")[0]["email"] == "new@example.com"
    assert purge(made, 21) == (1, 0)
    assert stage.rows("contacts") == []


def test_days_on_which_the_purge_did_not_run_are_made_up_for(stage: Stage) -> None:
    made = worker()
    ended(made, "cancelled")
    assert purge(made, 50) == (1, 0)
    assert stage.rows("contacts") == []


def test_a_purge_that_meets_a_new_address_leaves_it_alone(stage: Stage, faults: Faults) -> None:
    """The order is cancelled when the purge looks; the person's data is written anew before it deletes."""
    made, desk = worker(), worker()
    ended(made, "cancelled")
    (person,) = stage.rows("contacts")
    anew = person | {"purge_day": date(2026, 4, 20).isoformat()}
    faults.meanwhile("DeleteItem", lambda: desk.contacts.table.put(anew))
    purge(made, 21)
    assert stage.rows("contacts") == [anew]


def test_an_address_change_puts_the_purge_off_together_with_the_address(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    moved = incoming(contact=ADA.__class__(name=ADA.name, email=ADA.email, ship_to=RENO), channel_updated_at=at(48))
    made.take(moved, hours=48)
    (person,) = stage.rows("contacts")
    assert (person["ship_to"]["city"], person["purge_day"]) == ("Reno", "2026-03-25")


def test_people_are_found_by_keyed_hashes_however_they_write_themselves(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    assert made.contacts.orders_of_email(" ADA@Example.com ", limit=5, cursor=None).items[0]["order_id"] == order_id()
    assert made.contacts.orders_of_phone("775-555-0100", limit=5, cursor=None).items[0]["order_id"] == order_id()
    (row,) = stage.rows("contacts")
    assert "ada@example.com" not in (row["email_hash"], row["phone_hash"])


def test_between_a_moment_and_an_earlier_one_nothing_is_due_and_nothing_is_asked(stage: Stage) -> None:
    made = worker()
    counted = Reads(stage)
    assert made.orders.due(WaitingFor.HOLD, NOON, after=NOON + timedelta(seconds=1), limit=5) == []
    assert counted.calls == {}
    assert made.orders.due(WaitingFor.HOLD, NOON, after=NOON, limit=5) == []
    assert counted.of("Query") == 1
