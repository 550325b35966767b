"""What Walmart is told: parcels, cancellations, stock; told twice it is told once."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from oms.channels import walmart
from oms.domain.channel_messages import NoticeLine
from oms.domain.errors import ChannelRefused, NotSupported, Throttled
from tests.integration.channels.walmart_seller import (
    ACKNOWLEDGEMENT,
    ORDER_PATH,
    TOKEN,
    account,
    cancellation,
    figure,
    order,
    sample,
    shipment,
)
from tests.scripted_server import Asked, Reply, ScriptedServer, in_order


def order_in(*statuses: dict[str, Any], second: str = "Acknowledged") -> dict[str, Any]:
    """The order with its first line in these statuses and its second in another."""
    body = order()
    lines = body["orderLines"]["orderLine"]
    lines[0]["orderLineStatuses"]["orderLineStatus"] = list(statuses)
    lines[1]["orderLineStatuses"]["orderLineStatus"][0]["status"] = second
    return body


def status(name: str, units: int, tracking_number: str = "") -> dict[str, Any]:
    quantity = {"unitOfMeasurement": "EACH", "amount": str(units)}
    tracking = {"trackingInfo": {"trackingNumber": tracking_number}} if tracking_number else {}
    return {"status": name, "statusQuantity": quantity, **tracking}


def _walmart(found: Any, *answers: Reply) -> tuple[dict[str, Any], list[Any]]:
    """A Walmart that has this order and answers what it is told; what it is told is kept."""
    told: list[Any] = []
    left = list(answers)

    def answer(asked: Asked) -> Reply:
        told.append((asked.path.removeprefix(ORDER_PATH), asked.json if asked.body else None))
        return left.pop(0) if left else Reply(200, {"order": order()})

    get = found if callable(found) else Reply(200, {"order": found})
    routes = {"/v3/token": TOKEN, ORDER_PATH: get}
    return {**routes, **{f"{ORDER_PATH}/{one}": answer for one in ("shipping", "cancel", "acknowledge")}}, told


def acknowledged_by(routes: dict[str, Any]) -> None:
    with ScriptedServer(routes) as server:
        walmart.acknowledge(account(server), ACKNOWLEDGEMENT)


REFUSED = Reply(400, {"errors": {"error": [{"code": "INVALID_REQUEST"}]}})


def test_an_order_that_came_in_is_acknowledged() -> None:
    routes, told = _walmart(order())
    acknowledged_by(routes)
    assert told == [("/acknowledge", None)]


def test_an_order_of_which_a_line_was_cancelled_meanwhile_is_acknowledged_for_the_rest() -> None:
    routes, told = _walmart(order_in(status("Created", 2), second="Cancelled"))
    acknowledged_by(routes)
    assert [path for path, _ in told] == ["/acknowledge"]


@pytest.mark.parametrize("name", ["Acknowledged", "Shipped", "Delivered", "Cancelled"])
def test_an_order_is_not_acknowledged_where_walmart_has_no_line_that_is_new(name: str) -> None:
    routes, told = _walmart(order_in(status(name, 2), second=name))
    acknowledged_by(routes)
    assert told == []


def test_an_order_that_somebody_else_acknowledged_in_between_is_no_refusal() -> None:
    found = in_order(Reply(200, {"order": order()}), Reply(200, {"order": order_in(status("Acknowledged", 2))}))
    routes, told = _walmart(found, REFUSED)
    acknowledged_by(routes)
    assert len(told) == 1


def test_an_acknowledgement_that_walmart_refuses_stays_refused_with_its_code() -> None:
    routes, _ = _walmart(order(), REFUSED)
    with pytest.raises(ChannelRefused) as caught:
        acknowledged_by(routes)
    assert caught.value.codes == ("INVALID_REQUEST",)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_order_can_be_cancelled_before_and_after_it_was_acknowledged(acknowledged: bool) -> None:
    name = "Acknowledged" if acknowledged else "Created"
    routes, told = _walmart(order_in(status(name, 2), second=name))
    with ScriptedServer(routes) as server:
        walmart.confirm_cancellation(account(server), cancellation(units=2))
    assert [path for path, _ in told] == ["/cancel"]


def test_a_parcel_is_told_line_by_line_after_the_order_was_acknowledged() -> None:
    routes, told = _walmart(order())
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), shipment())
    assert [path for path, _ in told] == ["/acknowledge", "/shipping"]
    (line,) = told[1][1]["orderShipment"]["orderLines"]["orderLine"]
    assert (line["lineNumber"], line["sellerOrderId"], line["intentToCancelOverride"]) == ("1", "ord_1", False)
    (one,) = line["orderLineStatuses"]["orderLineStatus"]
    assert one["statusQuantity"] == {"unitOfMeasurement": "EACH", "amount": "2"}
    assert one["trackingInfo"] == {
        "shipDateTime": 1795431600000,
        "carrierName": {"carrier": "FedEx"},
        "methodCode": "Express",
        "trackingNumber": "794600000001",
    }


def test_a_parcel_is_told_though_another_worker_acknowledged_the_order_in_between() -> None:
    routes, told = _walmart(order(), Reply(400, {"errors": {"error": [{"code": "INVALID_REQUEST"}]}}))
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), shipment())
    assert [path for path, _ in told] == ["/acknowledge", "/shipping"]


def test_units_of_a_new_order_are_cancelled_without_more_ado() -> None:
    routes, told = _walmart(order())
    with ScriptedServer(routes) as server:
        walmart.confirm_cancellation(account(server), cancellation(units=5, whole=True))
    (path, body), *others = told
    (line,) = body["orderCancellation"]["orderLines"]["orderLine"]
    assert (path, others) == ("/cancel", [])
    assert line["orderLineStatuses"]["orderLineStatus"][0]["statusQuantity"]["amount"] == "2"


def test_a_cancellation_of_a_line_that_walmart_does_not_show_is_told_for_walmart_to_judge() -> None:
    notice = cancellation()
    strange = replace(notice, lines=(replace(notice.lines[0], line_id="9"),))
    routes, told = _walmart(order())
    with ScriptedServer(routes) as server:
        walmart.confirm_cancellation(account(server), strange)
    assert told[0][1]["orderCancellation"]["orderLines"]["orderLine"][0]["lineNumber"] == "9"


def test_part_of_a_line_is_told_and_then_the_rest_in_another_parcel() -> None:
    routes, told = _walmart(order_in(status("Shipped", 1, "first"), status("Acknowledged", 1)))
    rest = shipment(tracking_number="second", lines=(NoticeLine(line_id="1", sku="MUG-1", quantity=1),))
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), rest)
    assert [path for path, _ in told] == ["/shipping"]
    (line,) = told[0][1]["orderShipment"]["orderLines"]["orderLine"]
    assert line["orderLineStatuses"]["orderLineStatus"][0]["statusQuantity"]["amount"] == "1"


def test_a_parcel_told_before_is_not_told_again() -> None:
    routes, told = _walmart(order_in(status("Shipped", 2, "794600000001")))
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), shipment())
    assert told == []


@pytest.mark.parametrize(
    ("at_walmart", "before", "told_units"),
    [
        pytest.param(1, 1, "1", id="the second box, after the first was told"),
        pytest.param(2, 1, None, id="the second box, told before"),
        pytest.param(0, 1, "2", id="the second box, before the first was told: it is told with it"),
        pytest.param(2, 0, None, id="the first box, told with the second"),
    ],
)
def test_boxes_under_one_tracking_number_are_each_told_once(
    at_walmart: int, before: int, told_units: str | None
) -> None:
    held = [status("Shipped", at_walmart, "794600000001")] if at_walmart else []
    routes, told = _walmart(order_in(*held, status("Acknowledged", 2 - at_walmart)))
    one = NoticeLine(line_id="1", sku="MUG-1", quantity=1, so_far=before + 1)
    earlier = (NoticeLine(line_id="1", sku="MUG-1", quantity=before),) if before else ()
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), shipment(lines=(one,), told_before=earlier))
    lines = [line for _, body in told for line in body["orderShipment"]["orderLines"]["orderLine"]]
    units = [line["orderLineStatuses"]["orderLineStatus"][0]["statusQuantity"]["amount"] for line in lines]
    assert units == ([told_units] if told_units else [])


def test_a_parcel_that_another_worker_told_in_between_is_told_once() -> None:
    before, after = order_in(status("Acknowledged", 2)), order_in(status("Shipped", 2, "794600000001"))
    found = in_order(Reply(200, {"order": before}), Reply(200, {"order": after}))
    routes, told = _walmart(found, Reply(400, {"errors": {"error": [{"code": "INVALID_REQUEST"}]}}))
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), shipment())
    assert len(told) == 1


def test_a_parcel_that_walmart_refuses_stays_refused_with_its_code() -> None:
    refusal = Reply(400, {"errors": {"error": [{"code": "INVALID_REQUEST_CONTENT"}]}})
    routes, _ = _walmart(order_in(status("Acknowledged", 2)), refusal)
    with ScriptedServer(routes) as server, pytest.raises(ChannelRefused) as caught:
        walmart.confirm_shipment(account(server), shipment())
    assert caught.value.codes == ("INVALID_REQUEST_CONTENT",)


def test_a_parcel_that_left_though_the_customer_wanted_to_cancel_says_so() -> None:
    found = order_in(status("Acknowledged", 2))
    found["orderLines"]["orderLine"][0]["intentToCancel"] = "true"
    routes, told = _walmart(found)
    with ScriptedServer(routes) as server:
        walmart.confirm_shipment(account(server), shipment())
    assert told[0][1]["orderShipment"]["orderLines"]["orderLine"][0]["intentToCancelOverride"] is True


def test_a_carrier_walmart_does_not_know_needs_a_page_to_follow_it() -> None:
    routes, told = _walmart(order_in(status("Acknowledged", 2)))
    with ScriptedServer(routes) as server:
        with pytest.raises(NotSupported):
            walmart.confirm_shipment(account(server), shipment(carrier="Pony Express"))
        api = account(server, tracking_url="https://example.com/track?n={tracking_number}")
        walmart.confirm_shipment(api, shipment(carrier="Pony Express"))
    (one,) = told[0][1]["orderShipment"]["orderLines"]["orderLine"][0]["orderLineStatuses"]["orderLineStatus"]
    assert one["trackingInfo"]["carrierName"] == {"otherCarrier": "Pony Express"}
    assert one["trackingInfo"]["trackingURL"] == "https://example.com/track?n=794600000001"


@pytest.mark.parametrize(
    ("reason", "wished", "theirs"),
    [
        ("NO_STOCK", False, "SELLER_CANCEL_OUT_OF_STOCK"),
        ("FRAUD", False, "SELLER_CANCEL_FRAUD_STOP_SHIPMENT"),
        ("WRONG_ADDRESS", False, "SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE"),
        ("BUYER_REQUEST", True, "CUSTOMER_REQUESTED_SELLER_TO_CANCEL"),
        ("BUYER_REQUEST", False, "SELLER_CANCEL_OUT_OF_STOCK"),
    ],
)
def test_a_cancellation_gives_one_of_walmarts_reasons(reason: str, wished: bool, theirs: str) -> None:
    found = order_in(status("Acknowledged", 2))
    found["orderLines"]["orderLine"][0]["intentToCancel"] = str(wished).lower()
    routes, told = _walmart(found)
    with ScriptedServer(routes) as server:
        walmart.confirm_cancellation(account(server), cancellation(reason))
    (line,) = told[0][1]["orderCancellation"]["orderLines"]["orderLine"]
    (one,) = line["orderLineStatuses"]["orderLineStatus"]
    assert (one["cancellationReason"], one["statusQuantity"]["amount"]) == (theirs, "1")


@pytest.mark.parametrize("whole", [True, False])
def test_units_that_are_cancelled_already_are_not_cancelled_again(whole: bool) -> None:
    routes, told = _walmart(order_in(status("Cancelled", 2)))
    with ScriptedServer(routes) as server:
        walmart.confirm_cancellation(account(server), cancellation(units=2, whole=whole))
    assert told == []


@pytest.mark.parametrize(
    ("cancelled", "so_far", "told_units"),
    [
        pytest.param(0, 1, "1", id="the first unit"),
        pytest.param(1, 1, None, id="the first unit, told before"),
        pytest.param(1, 2, "1", id="the second unit, after the first was told"),
        pytest.param(2, 2, None, id="the second unit, told before"),
        pytest.param(0, 2, "2", id="the second unit, before the first was told"),
    ],
)
def test_units_cancelled_one_after_the_other_are_each_told_once(
    cancelled: int, so_far: int, told_units: str | None
) -> None:
    notice = cancellation()
    notice = replace(notice, lines=(replace(notice.lines[0], so_far=so_far),))
    statuses = [status("Acknowledged", 3 - cancelled), *([status("Cancelled", cancelled)] if cancelled else [])]
    found = order_in(*statuses)
    found["orderLines"]["orderLine"][0]["orderLineQuantity"]["amount"] = "3"
    routes, told = _walmart(found)
    with ScriptedServer(routes) as server:
        walmart.confirm_cancellation(account(server), notice)
    lines = [one for _, body in told for one in body["orderCancellation"]["orderLines"]["orderLine"]]
    units = [one["orderLineStatuses"]["orderLineStatus"][0]["statusQuantity"]["amount"] for one in lines]
    assert units == ([told_units] if told_units else [])


def test_a_parcel_without_a_tracking_number_is_a_persons_work() -> None:
    with ScriptedServer({"/v3/token": TOKEN}) as server, pytest.raises(NotSupported, match="Seller Center"):
        walmart.confirm_shipment(account(server), shipment(tracking_number=""))


def test_what_may_be_sold_is_told_sku_by_sku_and_refusals_are_named() -> None:
    def answer(asked: Asked) -> Reply:
        replies = {"GONE": Reply(404), "ODD": Reply(400, {"errors": [{"code": "INVALID_REQUEST_PARAM"}]})}
        return replies.get(asked.query["sku"], Reply(200, asked.json))

    with ScriptedServer({"/v3/token": TOKEN, "/v3/inventory": answer}) as server:
        refused = walmart.publish(account(server, ship_node="7001"), [figure("MUG 1/2"), figure("GONE"), figure("ODD")])
        first = server.of("/v3/inventory")[0]
    assert refused == {"GONE": "NOT_FOUND", "ODD": "INVALID_REQUEST_PARAM"}
    assert first.query == {"sku": "MUG 1/2", "shipNode": "7001"}
    assert first.json == {"sku": "MUG 1/2", "quantity": {"unit": "EACH", "amount": 7}}


def test_figures_wait_when_walmart_is_busy() -> None:
    with ScriptedServer({"/v3/token": TOKEN, "/v3/inventory": Reply(429)}) as server, pytest.raises(Throttled):
        walmart.publish(account(server), [figure("MUG-1")])


@pytest.mark.parametrize("trouble", [Reply(429), Reply(503), Reply(hangs_up=True)])
def test_figures_that_walmart_took_before_it_was_busy_are_not_told_again(trouble: Reply) -> None:
    answers = in_order(Reply(200, {}), Reply(404), trouble)
    with ScriptedServer({"/v3/token": TOKEN, "/v3/inventory": answers}) as server:
        refused = walmart.publish(account(server), [figure(sku) for sku in ("MUG-1", "GONE", "MUG-2", "MUG-3")])
        asked = [one.query["sku"] for one in server.of("/v3/inventory")]
    assert refused == {"GONE": "NOT_FOUND", "MUG-2": "", "MUG-3": ""}
    assert (asked[0], asked[1], set(asked[2:])) == ("MUG-1", "GONE", {"MUG-2"})


@pytest.mark.parametrize(("node", "units"), [("", 15), ("7001", 12)])
def test_what_walmart_holds_is_listed_to_the_last_page(node: str, units: int) -> None:
    last = deepcopy(sample("inventories.json"))
    last["meta"] = {"totalCount": 2}
    last["elements"]["inventories"][0]["sku"] = "SAUCER-1"
    pages = in_order(Reply(200, sample("inventories.json")), Reply(200, last))
    with ScriptedServer({"/v3/token": TOKEN, "/v3/inventories": pages}) as server:
        api = account(server, ship_node=node)
        first = walmart.listed(api, None)
        second = walmart.listed(api, first.next_token)
        assert server.asked[-1].query == {"limit": "50", "nextCursor": "page-2"}
    assert (first.quantities, second.quantities) == ({"MUG-1": units}, {"SAUCER-1": units})
    assert second.next_token is None
