"""EasyPost tracking webhooks: signature, tracker events, and their statuses in our words.

The signature is `hmac-sha256-hex=` and the hex HMAC-SHA256 of the raw body; the key is the secret in Unicode
form NFKD, as EasyPost's client libraries have it.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from oms.domain.errors import InvalidMessage
from oms.domain.incoming import TrackingUpdate
from oms.domain.shipments import ShipmentStatus
from oms.domain.validation import invalid_message

PROVIDER = "easypost"
SIGNATURE_HEADER = "x-hmac-signature"

# What is missing here (unknown, error, cancelled, whatever comes next) is kept as the carrier's own status
# and moves nothing.
STATUSES = {
    "pre_transit": ShipmentStatus.LABEL_CREATED,
    "in_transit": ShipmentStatus.IN_TRANSIT,
    "out_for_delivery": ShipmentStatus.OUT_FOR_DELIVERY,
    "available_for_pickup": ShipmentStatus.AVAILABLE_FOR_PICKUP,
    "delivered": ShipmentStatus.DELIVERED,
    "failure": ShipmentStatus.DELIVERY_FAILED,
    "return_to_sender": ShipmentStatus.RETURNING,
}


def sign(body: bytes, secret: str) -> str:
    """What EasyPost puts into `X-Hmac-Signature` for this body."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return "hmac-sha256-hex=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed these bytes; every secret is tried, in constant time."""
    given = headers.get(SIGNATURE_HEADER, "").encode()
    equal = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret]
    return any(equal)


def parse(body: bytes) -> TrackingUpdate | None:
    """What happened to the parcel, or None for an event that is not about a tracker.

    Raises InvalidMessage naming the first field that is wrong; a status we don't know is never wrong.
    """
    event = _event(body)
    if not event.description.startswith("tracker."):
        return None
    tracker = _tracker(event)
    return TrackingUpdate(
        message_id=event.id,
        provider=PROVIDER,
        carrier=tracker.carrier.lower(),
        tracking_number=tracker.tracking_code,
        status=STATUSES[tracker.status].value if tracker.status in STATUSES else None,
        carrier_status=tracker.status,
        occurred_at=_occurred_at(event, tracker),
    )


def _moment(value: object) -> datetime | None:
    """A time as EasyPost writes it, in UTC; None for anything else, since scans come with gaps."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _empty_for_none(value: object) -> object:
    return "" if value is None else value


Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Model(BaseModel):
    # What was sent must not get into errors, which get into logs.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


class _Scan(_Model):
    datetime: Moment = None


class _Tracker(_Model):
    tracking_code: Name
    carrier: Name
    status: Annotated[str, Field(max_length=100), BeforeValidator(_empty_for_none)] = ""
    updated_at: Moment = None
    tracking_details: list[_Scan] | None = None


class _Event(_Model):
    id: Name
    description: Annotated[str, BeforeValidator(_empty_for_none)] = ""
    created_at: Moment = None
    # what the event is about; its shape depends on the description
    result: Any = None


def _event(body: bytes) -> _Event:
    try:
        return _Event.model_validate_json(body)
    except ValidationError as error:
        raise invalid_message(error.errors(include_url=False, include_input=False)) from error


def _tracker(event: _Event) -> _Tracker:
    if event.result is None:
        raise InvalidMessage("a tracker event needs result", field="result", reason="MISSING_FIELD")
    try:
        return _Tracker.model_validate(event.result)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise invalid_message(faults, prefix="result.") from error


def _occurred_at(event: _Event, tracker: _Tracker) -> datetime:
    """The newest scan; without one, when the tracker changed; without that, when the event was made."""
    scans = [scan.datetime for scan in tracker.tracking_details or [] if scan.datetime is not None]
    occurred_at = max(scans, default=tracker.updated_at or event.created_at)
    if occurred_at is None:
        message = "no time says when this happened"
        raise InvalidMessage(message, field="result.updated_at", reason="MISSING_FIELD")
    return occurred_at
