"""A person whose order is not here yet when their deletion is asked: they are forgotten when it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.domain.channel_messages import PrivacyKind, PrivacyRequest
from oms.domain.errors import UnmappedSku, WriteConflict
from oms.domain.order import OrderStatus
from oms.usecases.privacy import AHEAD_DAYS, Privacy, Request
from tests.integration.company import NOON, Worker, at, incoming, line, order_id, worker
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage

ACCOUNT = "shopify#main"


def redact(made: Worker, *channel_order_ids: str, shop: str = "", hours: float = 0) -> bool:
    asked = PrivacyRequest(
        kind=PrivacyKind.REDACT_CUSTOMER,
        channel="shopify",
        account="main",
        request_id="r1",
        channel_order_ids=channel_order_ids,
        about={"shop": shop} if shop else {},
    )
    privacy = Privacy(made.orders, made.contacts, made.settings, made.commit, made.quarantine)
    return privacy.take(Request(asked=asked, received_at=at(0), message={"message_id": "r1"}), "shopify", at(hours))


def names(stage: Stage) -> list[str]:
    """Whose data is here: by name, and so not the rows that only say whom to forget."""
    return [row["name"] for row in stage.rows("contacts") if "name" in row]


def test_an_order_that_comes_after_its_deletion_ends_without_its_person(stage: Stage) -> None:
    made = worker()
    assert not redact(made, "1")
    assert made.contacts.get(order_id()) is None
    order = made.take(incoming()).order
    assert order.forget_person
    assert names(stage) == ["Ada Example"]  # it is to be shipped to them first
    made.take(incoming(cancelled_at=at(1), channel_updated_at=at(1)), hours=1)
    made.expiry.purge(at(1) + timedelta(days=1), go_on=lambda: True)
    assert names(stage) == []


def test_an_order_that_comes_after_its_deletion_and_has_ended_writes_nobody_down(stage: Stage) -> None:
    made = worker()
    redact(made, "1")
    order = made.take(incoming(cancelled_at=NOON)).order
    assert (order.status, order.forget_person) == (OrderStatus.CANCELLED, True)
    assert names(stage) == []
    made.take(incoming(cancelled_at=NOON, channel_updated_at=at(1), order_number="#1-B"), hours=1)
    assert names(stage) == []


def test_an_order_that_waited_in_quarantine_for_its_goods_to_be_mapped_comes_without_its_person_in_the_end(
    stage: Stage,
) -> None:
    made, told = worker(), incoming(cancelled_at=None)
    told = replace(told, lines=(line("L1", "TEA KETTLE", 2),))
    with pytest.raises(UnmappedSku):
        made.take(told)
    made.quarantine.put(ACCOUNT, "m1", at(0), {"reason": "UNMAPPED_SKU"}, {"message_id": "m1"}, at(0))
    assert redact(made, "1")  # the message itself holds the person's data: somebody deletes it, or its day comes
    stage.put("listings", {"channel_account": ACCOUNT, "channel_sku": "TEA KETTLE", "sku": "KETTLE"})
    assert made.take(told).order.forget_person  # as `tools.replay_quarantine` has it taken in
    made.take(replace(told, cancelled_at=at(1), channel_updated_at=at(1)), hours=1)
    made.expiry.purge(at(1) + timedelta(days=1), go_on=lambda: True)
    assert names(stage) == []


def test_an_order_made_while_its_deletion_is_noted_is_made_again_knowing_of_it(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    faults.meanwhile("TransactWriteItems", lambda: redact(rival, "1"))
    with pytest.raises(WriteConflict):
        made.take(incoming(cancelled_at=NOON))
    assert stage.rows("orders") == []
    assert made.take(incoming(cancelled_at=NOON)).order.forget_person  # as the queue hands it over again
    assert names(stage) == []


def test_a_deletion_that_meets_the_making_of_its_order_forgets_the_person_just_written_down(
    stage: Stage, faults: Faults
) -> None:
    made, rival = worker(), worker()
    faults.meanwhile("PutItem", lambda: rival.take(incoming(cancelled_at=NOON)))
    assert not redact(made, "1")
    assert stage.order(order_id()).forget_person
    assert names(stage) == []


@pytest.mark.parametrize("after", [False, True])
def test_a_deletion_killed_half_way_is_done_the_next_time(stage: Stage, faults: Faults, *, after: bool) -> None:
    made = worker()
    (faults.crash_after if after else faults.crash_before)("PutItem")
    with pytest.raises(CrashedError):
        redact(made, "1", "2")
    faults.mend()
    assert not redact(made, "1", "2")
    assert [made.take(incoming(number)).order.forget_person for number in (1, 2)] == [True, True]
    assert len(names(stage)) == 2


def test_what_is_kept_to_forget_somebody_names_nobody_and_goes_in_time(stage: Stage) -> None:
    made = worker()
    redact(made, "1", "2")
    day = (at(0) + timedelta(days=AHEAD_DAYS)).date().isoformat()
    assert stage.rows("contacts") == [
        {"order_id": order_id(number), "forgotten": True, "purge_day": day} for number in (1, 2)
    ]
    made.expiry.purge(at(0) + timedelta(days=AHEAD_DAYS), go_on=lambda: True)
    assert stage.rows("contacts") == []


@pytest.mark.parametrize(
    ("options", "shop", "is_ours"),
    [
        ({"shop": "main.myshopify.com"}, "main.myshopify.com", True),
        ({"shop": "Main.myshopify.com"}, "main.myshopify.com", True),
        ({"shop": "main.myshopify.com"}, "", True),
        ({}, "other.myshopify.com", True),
        ({"shop": "main.myshopify.com"}, "other.myshopify.com", False),
    ],
)
def test_a_deletion_for_another_shop_of_the_same_app_is_put_to_a_person_and_forgets_nobody_here(
    stage: Stage, options: dict[str, str], shop: str, *, is_ours: bool
) -> None:
    made = worker()
    settings = {"kind": "channel_account", "name": ACCOUNT, "currencies": ["USD"], "options": options}
    stage.put("settings", settings)
    made.take(incoming(cancelled_at=NOON))
    assert redact(made, "1", "2", shop=shop) is not is_ours
    assert stage.order(order_id()).forget_person is is_ours
    assert bool(names(stage)) is not is_ours
    assert [row["about"] for row in stage.rows("quarantine")] == ([] if is_ours else [{"shop": shop}])
