"""EasyPost trackers in our words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.carriers import easypost, registry
from oms.domain.errors import InvalidMessage, Unauthorized
from oms.domain.incoming import TrackingUpdate
from oms.domain.shipments import ShipmentStatus


def scan(moment: str | None, status: str = "in_transit") -> dict[str, Any]:
    return {"object": "TrackingDetail", "datetime": moment, "status": status}


def tracker(**changes: Any) -> dict[str, Any]:
    facts = {
        "object": "Tracker",
        "tracking_code": "1Z0001",
        "carrier": "UPS",
        "status": "in_transit",
        "updated_at": "2026-03-04T10:00:00Z",
        "tracking_details": [scan("2026-03-03T08:00:00Z"), scan("2026-03-04T09:30:00Z")],
    }
    return facts | changes


def event(result: Any, **changes: Any) -> bytes:
    facts = {
        "object": "Event",
        "id": "evt_1",
        "description": "tracker.updated",
        "created_at": "2026-03-04T11:00:00Z",
        "result": result,
    }
    return json.dumps(facts | changes).encode()


def update(**changes: Any) -> TrackingUpdate:
    parsed = easypost.parse(event(tracker(**changes)))
    assert parsed is not None
    return parsed


def refusal(body: bytes) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        easypost.parse(body)
    return caught.value


def test_an_update_says_which_parcel_what_and_when() -> None:
    assert update() == TrackingUpdate(
        message_id="evt_1",
        provider="easypost",
        carrier="ups",
        tracking_number="1Z0001",
        status="IN_TRANSIT",
        carrier_status="in_transit",
        occurred_at=datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("pre_transit", ShipmentStatus.LABEL_CREATED),
        ("in_transit", ShipmentStatus.IN_TRANSIT),
        ("out_for_delivery", ShipmentStatus.OUT_FOR_DELIVERY),
        ("available_for_pickup", ShipmentStatus.AVAILABLE_FOR_PICKUP),
        ("delivered", ShipmentStatus.DELIVERED),
        ("failure", ShipmentStatus.DELIVERY_FAILED),
        ("return_to_sender", ShipmentStatus.RETURNING),
    ],
)
def test_each_status_has_a_word_of_ours(theirs: str, ours: ShipmentStatus) -> None:
    assert update(status=theirs).status == ours.value


@pytest.mark.parametrize("status", ["unknown", "error", "cancelled", "teleported", "", None])
def test_a_status_we_do_not_know_is_kept_and_never_refused(status: str | None) -> None:
    assert (update(status=status).status, update(status=status).carrier_status) == (None, status or "")


def test_the_newest_scan_says_when_wherever_it_stands_in_the_list() -> None:
    scans = [scan("2026-03-05T09:00:00+02:00"), scan("2026-03-01T00:00:00Z"), scan(None), scan("soon")]
    assert update(tracking_details=scans).occurred_at == datetime(2026, 3, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize("scans", [None, [], [scan(None)], [scan("0001-01-01T00:00:00+23:00")]])
def test_without_scans_the_trackers_own_time_counts(scans: Any) -> None:
    assert update(tracking_details=scans).occurred_at == datetime(2026, 3, 4, 10, tzinfo=UTC)


def test_without_that_the_time_of_the_event_counts() -> None:
    assert update(tracking_details=[], updated_at=None).occurred_at == datetime(2026, 3, 4, 11, tzinfo=UTC)


def test_a_time_without_offset_is_utc() -> None:
    assert update(tracking_details=[scan("2026-03-05T09:00:00")]).occurred_at == datetime(2026, 3, 5, 9, tzinfo=UTC)


def test_news_without_any_time_are_refused() -> None:
    error = refusal(event(tracker(tracking_details=[], updated_at=None), created_at=None))
    assert (error.field, error.reason) == ("result.updated_at", "MISSING_FIELD")


@pytest.mark.parametrize("description", ["batch.created", "payment.completed", "", None])
def test_events_about_other_things_are_no_updates(description: str | None) -> None:
    assert easypost.parse(event({"object": "Batch"}, description=description)) is None


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b"", "body", "MALFORMED_JSON"),
        (b"{", "body", "MALFORMED_JSON"),
        (b"\xff{}", "body", "MALFORMED_JSON"),
        (b"[]", "body", "INVALID_FIELD"),
        (b"{}", "id", "MISSING_FIELD"),
        (event(None), "result", "MISSING_FIELD"),
        (event([]), "result", "INVALID_FIELD"),
        (event({}), "result.tracking_code", "MISSING_FIELD"),
        (event(tracker(tracking_code="")), "result.tracking_code", "INVALID_FIELD"),
        (event(tracker(tracking_code=1)), "result.tracking_code", "INVALID_FIELD"),
        (event(tracker(carrier=None)), "result.carrier", "INVALID_FIELD"),
        (event(tracker(tracking_details={})), "result.tracking_details", "INVALID_FIELD"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, field: str, reason: str) -> None:
    error = refusal(body)
    assert (error.field, error.reason) == (field, reason)


def test_an_unknown_carrier_is_not_authorized() -> None:
    assert registry.module("easypost") is easypost
    with pytest.raises(Unauthorized):
        registry.module("json")
