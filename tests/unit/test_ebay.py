"""What an eBay order means to us."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oms.channels import ebay, envelopes
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.intake import totals_difference
from oms.domain.order import Method

FIXTURES = Path(__file__).parents[1] / "fixtures/ebay"


def order_json() -> Any:
    return json.loads((FIXTURES / "order.json").read_text())


def envelope(body: Any) -> Envelope:
    return Envelope(
        channel="ebay",
        account="main",
        topic=envelopes.FETCHED,
        message_id="12-00001-10001@2026-11-23T11:20:00+00:00",
        received_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        body=body if isinstance(body, str) else json.dumps(body),
    )


def parsed(body: Any) -> IncomingOrder:
    order = ebay.parse(envelope(body))
    assert order is not None
    return order


def usd(value: str) -> dict[str, str]:
    return {"value": value, "currency": "USD"}


def way_of(body: Any) -> Any:
    return body["fulfillmentStartInstructions"][0]


def test_an_order_is_read_whole() -> None:
    order = parsed(order_json())
    assert (order.channel_order_id, order.order_number) == ("12-00001-10001", "12-00001-10001")
    assert order.placed_at == datetime(2026, 11, 23, 10, 15, 30, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 11, 23, 11, 20, 0, tzinfo=UTC)
    assert order.ship_by == datetime(2026, 11, 24, 7, 59, 59, tzinfo=UTC)
    assert order.deliver_by == datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
    assert (order.currency, order.service_level, order.payment_status) == ("USD", "STANDARD", "PAID")
    assert [(line.line_id, line.sku, line.quantity) for line in order.lines] == [
        ("10001", "MUG-1", 2),
        ("10002", "variation:5005", 1),
    ]
    assert order.contact.ship_to.address1 == "1 Test Street"
    assert order.contact.bill_to.address1 == "9 Home Road"
    assert order.contact.free_text == {"note": "Leave it at the porch"}
    assert (order.method, order.cancelled_at, order.cancel_requested) == (Method.SHIP, None, "")


@pytest.mark.parametrize(("status", "units"), [("FULFILLED", 2), ("IN_PROGRESS", 0), ("NOT_STARTED", 0)])
def test_what_has_left_at_ebay_is_known(status: str, units: int) -> None:
    body = order_json()
    body["lineItems"][0]["lineItemFulfillmentStatus"] = status
    assert parsed(body).lines[0].fulfilled_quantity == units


def test_its_money_adds_up_to_the_cent() -> None:
    order = parsed(order_json())
    assert totals_difference(order) == 0
    assert (order.totals.total_minor, order.totals.tax_minor, order.totals.fees_minor) == (3894, 293, 50)
    mug = order.lines[0]
    assert mug.unit_price_minor * 2 - mug.discount_minor == 2151


def _remitted_apart(body: Any) -> None:
    """Not broken down: eBay's tax is on the lines, and neither in the sum of taxes nor in the total."""
    del body["pricingSummary"]["tax"]
    body["pricingSummary"]["total"] = usd("36.01")


def _remitted_beside_the_sellers(body: Any) -> None:
    body["pricingSummary"]["tax"] = usd("0.83")
    body["pricingSummary"]["total"] = usd("38.94")


def _within_the_prices(body: Any) -> None:
    body["pricingSummary"]["total"] = usd("36.01")


def _dearer(body: Any) -> None:
    body["pricingSummary"]["adjustment"] = usd("1.00")
    body["pricingSummary"]["total"] = usd("40.94")


@pytest.mark.parametrize(
    ("change", "tax_minor", "prices_include_tax"),
    [
        pytest.param(_remitted_apart, 210, True, id="eBay's tax is not in the total"),
        pytest.param(_remitted_beside_the_sellers, 293, False, id="eBay's tax comes on top of the seller's"),
        pytest.param(_within_the_prices, 293, True, id="the prices hold the tax"),
        pytest.param(_dearer, 293, False, id="the price was raised afterwards"),
    ],
)
def test_the_total_says_which_taxes_it_holds(change: Any, tax_minor: int, prices_include_tax: bool) -> None:
    body = order_json()
    change(body)
    order = parsed(body)
    assert totals_difference(order) == 0
    assert (order.totals.tax_minor, order.prices_include_tax) == (tax_minor, prices_include_tax)


def test_a_total_that_is_off_stays_off_for_a_person_to_see() -> None:
    body = order_json()
    body["pricingSummary"]["total"] = usd("38.95")
    assert totals_difference(parsed(body)) == 1


def test_what_a_buyer_paid_in_another_currency_is_kept_beside() -> None:
    body = order_json()
    body["pricingSummary"]["total"] |= {"convertedFromValue": "30.10", "convertedFromCurrency": "GBP"}
    order = parsed(body)
    assert (order.currency, order.presentment_currency, order.presentment_total_minor) == ("USD", "GBP", 3010)


def _request(initiator: str, state: str, reason: str = "BUYER_ASKED_CANCEL") -> dict[str, str]:
    return {"cancelInitiator": initiator, "cancelRequestState": state, "cancelReason": reason}


@pytest.mark.parametrize(
    ("state", "requests", "asked"),
    [
        ("NONE_REQUESTED", [], ""),
        ("IN_PROGRESS", [_request("Buyer", "REQUESTED")], "BUYER_ASKED_CANCEL"),
        ("IN_PROGRESS", [_request("BUYER", "REQUESTED", "")], "CANCEL_REQUESTED"),
        ("IN_PROGRESS", [_request("Seller", "REQUESTED", "OUT_OF_STOCK")], ""),
        ("IN_PROGRESS", [_request("Buyer", "REJECTED")], ""),
        ("IN_PROGRESS", [], "CANCEL_REQUESTED"),
        ("SOMETHING_NEW", [], ""),
        ("CANCELED", [_request("Buyer", "COMPLETED")], ""),
    ],
)
def test_a_buyers_open_wish_to_cancel_is_heard(state: str, requests: list[Any], asked: str) -> None:
    body = order_json() | {"cancelStatus": {"cancelState": state, "cancelRequests": requests}}
    assert parsed(body).cancel_requested == asked


def test_a_cancelled_order_says_when_and_why() -> None:
    status = {"cancelState": "CANCELED", "cancelledDate": "2026-11-23T11:00:00.000Z"}
    order = parsed(order_json() | {"cancelStatus": {**status, "cancelRequests": [_request("Buyer", "COMPLETED")]}})
    assert order.cancelled_at == datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert order.cancel_reason == "BUYER_ASKED_CANCEL"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("PENDING", "PENDING"), ("FAILED", "VOIDED"), ("FULLY_REFUNDED", "REFUNDED"), ("NEW_ONE", "NEW_ONE")],
)
def test_the_payment_is_told_in_our_words_where_we_have_one(theirs: str, ours: str) -> None:
    assert parsed(order_json() | {"orderPaymentStatus": theirs}).payment_status == ours


def test_an_order_that_ebay_ships_is_not_ours() -> None:
    by_instruction = order_json()
    way_of(by_instruction)["fulfillmentInstructionsType"] = "FULFILLED_BY_EBAY"
    by_program = order_json() | {"program": {"fulfillmentProgram": {"fulfilledBy": "EBAY"}}}
    assert ebay.parse(envelope(by_instruction)) is None
    assert ebay.parse(envelope(by_program)) is None


def test_an_order_for_pickup_names_the_store() -> None:
    body = order_json()
    way = {"fulfillmentInstructionsType": "PREPARE_FOR_PICKUP", "pickupStep": {"merchantLocationKey": "STORE-RENO"}}
    body["fulfillmentStartInstructions"] = [way]
    order = parsed(body)
    assert (order.method, order.pickup_location_id) == (Method.PICKUP, "STORE-RENO")
    assert order.contact.ship_to.address1 == ""


def test_what_is_digital_is_not_shipped() -> None:
    body = order_json()
    body["fulfillmentStartInstructions"] = [{"fulfillmentInstructionsType": "DIGITAL"}]
    assert [line.requires_shipping for line in parsed(body).lines] == [False, False]


def test_a_gift_card_is_not_shipped_and_its_message_stays_with_the_persons_data() -> None:
    body = order_json()
    body["lineItems"][1]["giftDetails"] = {"message": "Enjoy", "recipientEmail": "bob@example.com"}
    order = parsed(body)
    assert [line.requires_shipping for line in order.lines] == [True, False]
    assert order.contact.free_text["10002"] == "Enjoy"


def test_the_number_under_which_ebay_has_collected_the_tax_is_there_for_customs() -> None:
    body = order_json()
    for line in body["lineItems"]:
        tax = {"taxType": "VAT", "ebayReference": {"name": "IOSS", "value": "IM2760000742"}}
        line["ebayCollectAndRemitTaxes"] = [tax]
    assert parsed(body).contact.free_text["customs"] == "IOSS IM2760000742"


def test_what_goes_abroad_through_ebay_goes_to_its_hub_with_the_reference_above_the_street() -> None:
    body = order_json()
    way = way_of(body)
    way |= {"ebaySupportedFulfillment": True, "finalDestinationAddress": {"city": "Leeds", "countryCode": "GB"}}
    way["shippingStep"]["shipToReferenceId"] = "1234567890123456"
    order = parsed(body)
    assert order.contact.ship_to.company == "Reference #1234567890123456"
    assert order.contact.ship_to.country == "US"


@pytest.mark.parametrize(
    ("code", "level"), [("USPSExpressFlatRateBox", "EXPRESS"), ("UPSNextDayAir", "EXPRESS"), ("Other", "STANDARD")]
)
def test_a_fast_service_makes_the_order_express(code: str, level: str) -> None:
    body = order_json()
    way_of(body)["shippingStep"]["shippingServiceCode"] = code
    assert parsed(body).service_level == level


@pytest.mark.parametrize(
    ("names", "sku"),
    [
        ({"sku": "A", "legacyVariationId": "5"}, "A"),
        ({"sku": "", "legacyVariationId": "0", "legacyItemId": "7"}, "item:7"),
        ({"sku": None, "legacyVariationId": None, "legacyItemId": None}, ""),
    ],
)
def test_a_line_without_a_sku_is_called_by_what_ebay_calls_it(names: dict[str, Any], sku: str) -> None:
    body = order_json()
    body["lineItems"][0] |= names
    assert parsed(body).lines[0].sku == sku


@pytest.mark.parametrize(
    "missing", ["buyer", "cancelStatus", "fulfillmentStartInstructions", "lastModifiedDate", "buyerCheckoutNotes"]
)
def test_what_may_be_missing_is_not_missed(missing: str) -> None:
    body = order_json()
    del body[missing]
    assert parsed(body).channel_order_id == "12-00001-10001"


def _no_total(body: Any) -> None:
    del body["pricingSummary"]["total"]


def _twice(body: Any) -> None:
    body["lineItems"].append(deepcopy(body["lineItems"][0]))


def _line(name: str, value: object) -> Any:
    return lambda body: body["lineItems"][0].update({name: value})


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        pytest.param(_twice, "DUPLICATE_LINE", "lineItems.2.lineItemId", id="a line twice"),
        pytest.param(_no_total, "MISSING_FIELD", "pricingSummary.total", id="no total"),
        pytest.param(_line("quantity", 0), "QUANTITY_NOT_POSITIVE", "lineItems.0.quantity", id="no units"),
        pytest.param(
            _line("lineItemCost", usd("-1.00")), "NEGATIVE_PRICE", "lineItems.0.lineItemCost", id="a negative price"
        ),
        pytest.param(
            _line("lineItemCost", usd("much")), "INVALID_FIELD", "lineItems.0.lineItemCost.value", id="no amount"
        ),
        pytest.param(
            lambda body: body.update(creationDate="soon"), "INVALID_FIELD", "creationDate", id="a time that is none"
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: Any, reason: str, field: str) -> None:
    body = order_json()
    change(body)
    with pytest.raises(InvalidMessage) as caught:
        ebay.parse(envelope(body))
    assert (caught.value.reason, caught.value.field) == (reason, field)
