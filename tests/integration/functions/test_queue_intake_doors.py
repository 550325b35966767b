"""The intake queue and the doors before it: sales that are imported, answers that lay in quarantine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.domain.catalog import ChannelAccount
from oms.domain.order import OrderStatus
from oms.runtime import clients
from oms.stores.listings import ListingsStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import ProductsStore
from oms.usecases.unmapped import Unmapped
from tests.integration.company import at
from tests.integration.functions.test_api_orders_till import TILL
from tests.integration.functions.test_queue_intake import hand_in, is_called, message, mug_order, opening_of
from tests.integration.samples import MainStreet
from tests.integration.stage import PREFIX, LambdaContext, Stage
from tests.unit.shopify_bodies import line_item


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize(("location_id", "kept"), [("STORE-9", "sold_at_location_id"), ("WH-EAST", "")])
def test_a_sale_that_is_imported_leaves_the_stock_of_a_location_that_we_have_or_none(
    stage: Stage, location_id: str, kept: str
) -> None:
    sale = TILL | {"account": "main", "sold_at_location_id": location_id}
    taken = message(json.dumps(sale), channel="pos", topic="import")
    assert stage.function("queue_intake").handler({"Records": [taken]}, LambdaContext()) == {"batchItemFailures": []}
    assert [row["field"] for row in stage.rows("quarantine")] == ([kept] if kept else [])
    assert {row["location_id"] for row in stage.rows("stock_movements")} == (set() if kept else {"WH-EAST"})


@pytest.mark.parametrize(("till", "location_id"), [(4711, "WH-EAST"), (4712, "")], ids=["ours", "nobody's"])
def test_a_sale_at_a_shops_till_leaves_the_stock_of_the_location_which_the_account_names_for_it(
    company: MainStreet, till: int, location_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ChannelAccount(currencies=("USD",), options={"shop": "main-street", "location:4711": "WH-EAST"})
    company.stage.put("settings", settings, kind="channel_account", name="shopify#main")
    carried = [line_item(sku="MUG", fulfillment_status="fulfilled")]  # as a till tells of every sale
    sale = mug_order(source_name="pos", location_id=till, shipping_address=None, shipping_lines=[], line_items=carried)
    before = opening_of(company)
    for number in (1, 2):
        assert hand_in(company, message(sale, number)) == []
    order = company.stage.order("shopify-main-5001")
    assert (order.status, order.sold_at_location_id) == (OrderStatus.DELIVERED, location_id)
    assert order.reason_code != "FULFILLED_ELSEWHERE"
    after = opening_of(company)
    sold = {place: before.get(place, 0) - units for place, units in after.items() if units != before.get(place, 0)}
    assert sold == ({("MUG", location_id): 2} if location_id else {})
    assert ("OrdersShippedElsewhere" in capsys.readouterr().out) == (not location_id)


@pytest.mark.parametrize("asked", [True, False], ids=["the channel can be asked", "it can not"])
def test_an_answer_that_lay_in_quarantine_brings_no_order_back_that_was_cancelled_in_its_second(
    company: MainStreet, asked: bool
) -> None:
    if asked:
        is_called(company, "shopify#main")
    body = mug_order(line_items=[line_item(sku="BIG MUG")])
    gone = body | {"cancelled_at": body["updated_at"]}
    assert hand_in(company, message(body, topic="fetched"), message(gone, 2)) == []
    company.stage.put("listings", {"channel_account": "shopify#main", "channel_sku": "BIG MUG", "sku": "MUG"})
    (replayed,) = put_back()
    assert hand_in(company, replayed) == []
    assert company.stage.order("shopify-main-5001").status is OrderStatus.CANCELLED
    assert len(company.stage.messages("poll")) == asked
    assert company.stage.rows("quarantine") == []


def test_an_order_that_had_left_altogether_is_counted_when_it_is_kept_and_only_then(
    company: MainStreet, capsys: pytest.CaptureFixture[str]
) -> None:
    over = mug_order(line_items=[line_item(sku="NOT-SOLD-ANY-MORE", fulfillment_status="fulfilled")])
    assert hand_in(company, message(over, topic="orders/updated"), message(over)) == []
    assert company.stage.order("shopify-main-5001").status is OrderStatus.DELIVERED
    assert hand_in(company, message(mug_order(id=5003, admin_graphql_api_id=None), 3)) == []
    counted = [json.loads(one) for one in capsys.readouterr().out.splitlines() if '"CloudWatchMetrics"' in one]
    assert [one.get("OrdersShippedElsewhere") for one in counted] == [[1.0], None]


def put_back() -> list[dict[str, Any]]:
    """Replays what waited for a mapping, as records of the intake queue."""
    client: Any = clients.client("dynamodb")
    sent: list[dict[str, Any]] = []

    class Intake:
        def send(self, text: str, group: str) -> None:
            sent.append({"messageId": group, "body": text})

    queue: Any = Intake()
    unmapped = Unmapped(
        QuarantineStore(client, PREFIX), ListingsStore(client, PREFIX), ProductsStore(client, PREFIX), queue
    )
    unmapped.replay("shopify#main", at(5), go_on=lambda: True)
    return sent
