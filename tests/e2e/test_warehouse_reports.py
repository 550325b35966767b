"""What locations and carriers report out of the ordinary: too early, not in stock, no thanks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.e2e.company import LONG_SECONDS, Company, Sent
from tools import signing, web
from tools.parcels import Parcel, tracker_event, tracking_number

CARRIER_PATH = "/webhooks/carriers/easypost/main"
RENO = "WH-RENO"


def test_a_carriers_news_that_comes_before_its_shipment_is_booked_is_not_lost(company: Company) -> None:
    parcel = Parcel("ups", tracking_number("ups"), {"country": "US"})
    reference = f"TRACKING#ups#{parcel.tracking_number}"
    with company.down(RENO):
        sent = company.place("must_be_split")
        work = _asked_of(company, sent, RENO)
        _track(company, parcel, "delivered")
        company.until("the news is kept", lambda: bool(company.query("quarantine", source=reference)))
        _report(company, RENO, "fulfillment.shipped", work, carrier="ups", tracking_number=parcel.tracking_number)
        company.until("the parcel is delivered", lambda: _work_of(company, sent, RENO)["work"] == "DELIVERED")
    company.until("nothing is kept", lambda: company.query("quarantine", source=reference) == [])
    company.until_all([sent], LONG_SECONDS, status="DELIVERED")


def test_work_that_a_location_rejects_is_done_by_another(company: Company) -> None:
    sent = company.place("two_lines")
    company.until("it has a location", lambda: bool(company.document(sent).get("fulfillments")))
    first = company.document(sent)["fulfillments"][0]["location_id"]
    with company.down(first):
        work = _asked_of(company, sent, first)
        _report(company, first, "fulfillment.rejected", work, reason_code="OTHER")
        company.until_all([sent], LONG_SECONDS, status="DELIVERED")
    rejected, done = company.document(sent)["fulfillments"]
    assert (rejected["location_id"], rejected["request"]) == (first, "REJECTED")
    assert done["location_id"] != first
    assert done["work"] == "DELIVERED"
    _assert_every_unit_left_once(company, sent)


def test_work_rejected_while_nothing_is_woken_is_done_by_another_by_the_sweep_alone(company: Company) -> None:
    sent = company.place("two_lines")
    company.until("it has a location", lambda: bool(company.document(sent).get("fulfillments")))
    first = company.document(sent)["fulfillments"][0]["location_id"]
    with company.down(first):
        work = _asked_of(company, sent, first)
        company.until("its execution waits", lambda: company.waits_in(sent.order_id) == "Fulfill")
        with company.nobody_wakes():
            _report(company, first, "fulfillment.rejected", work, reason_code="OTHER")
            company.until("it was heard", lambda: _work_of(company, sent, first)["request"] == "REJECTED")
            company.sweep_until("another delivers it", lambda: company.all_have([sent], status="DELIVERED"))
    _assert_every_unit_left_once(company, sent)


def test_a_report_of_work_that_a_location_was_never_given_is_refused(company: Company) -> None:
    answer = company.report(RENO, "fulfillment.accepted", {"fulfillment_id": "shopify-nobody-1-f1"})
    assert answer.status == 404
    assert answer.json()["error"]["code"] == "FulfillmentNotFound"


def test_a_report_nobody_understands_is_refused_by_the_name_of_its_field(company: Company) -> None:
    answer = company.report(RENO, "fulfillment.teleported", {"fulfillment_id": "shopify-nobody-1-f1"})
    assert answer.status == 422
    assert "type" in answer.body.decode()


def test_a_signed_report_that_is_replayed_later_is_refused(company: Company) -> None:
    yesterday = int(datetime.now(UTC).timestamp()) - 86_400
    answer = company.report(RENO, "fulfillment.accepted", {"fulfillment_id": "shopify-nobody-1-f1"}, at=yesterday)
    assert answer.status == 401


def _work_of(company: Company, sent: Sent, location_id: str) -> dict[str, Any]:
    fulfillments = company.document(sent).get("fulfillments", [])
    return next((one for one in fulfillments if one["location_id"] == location_id), {"request": ""})


def _asked_of(company: Company, sent: Sent, location_id: str) -> dict[str, Any]:
    """The order's work at a location, once the location was asked for it."""
    company.until("it is released", lambda: _work_of(company, sent, location_id)["request"] == "SUBMITTED")
    return _work_of(company, sent, location_id)


def _report(company: Company, location_id: str, kind: str, work: dict[str, Any], **more: Any) -> None:
    """A location's report of all that it was asked for."""
    lines = [{"line_id": line["line_id"], "quantity": line["assigned"]} for line in work["lines"]]
    data = {"fulfillment_id": work["fulfillment_id"], "lines": lines, **more}
    if kind == "fulfillment.shipped":
        data |= {"shipment_id": f"{work['fulfillment_id']}-p1", "service": "ground"}
    answer = company.report(location_id, kind, data)
    assert answer.status == 202, answer.body


def _track(company: Company, parcel: Parcel, status: str) -> None:
    """A scan as the tracking service tells of it."""
    body = json.dumps(tracker_event(parcel, status, datetime.now(UTC))).encode()
    signature = signing.easypost_signature(company.system.outside.carrier_secret, body)
    headers = {"content-type": "application/json", "x-hmac-signature": signature}
    assert web.send("POST", company.system.description["base_url"] + CARRIER_PATH, headers, body).status == 200


def _assert_every_unit_left_once(company: Company, sent: Sent) -> None:
    document = company.document(sent)
    assert all(line["shipped"] == line["ordered"] for line in document["lines"])
    for line in document["lines"]:
        moved = company.moved(sent.order_id, line["sku"])
        assert moved["SHIP"] == line["ordered"]
        assert moved["COMMIT"] == moved["SHIP"] + moved["RELEASE"]
