"""What warehouses, stores and 3PLs report: the body of `POST /webhooks/warehouses/{location_id}`.

{"id", "type", "occurred_at", "data": {"fulfillment_id", "lines": [{"line_id", "quantity"}], …}}
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from oms.connectors.bodies import Body, Name, Time
from oms.domain.fulfilling import REPORT_TYPES
from oms.domain.incoming import FulfillmentReport
from oms.domain.stock_documents import STOCK_REPORT_TYPES
from oms.domain.validation import invalid_message

ReasonCode = Literal["NOT_IN_STOCK", "DAMAGED", "OTHER"]
MAX_UNITS = 1_000_000

# What a type can't do without, beside `fulfillment_id`.
_NEEDED: dict[str, tuple[str, ...]] = {
    "fulfillment.rejected": ("reason_code",),
    "fulfillment.short_picked": ("reason_code",),
    "fulfillment.shipped": ("shipment_id", "carrier", "tracking_number", "lines"),
}


def _known_type(name: str) -> str:
    if name not in REPORT_TYPES:
        known = ", ".join((*REPORT_TYPES, *STOCK_REPORT_TYPES))
        raise PydanticCustomError("unknown_type", "one of {known}", {"known": known})
    return name


class _Line(Body):
    line_id: Name
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]


class _Data(Body):
    fulfillment_id: Name
    lines: Annotated[list[_Line], Field(max_length=2_000)] = Field(default_factory=list)
    shipment_id: Name | None = None
    carrier: Name | None = None
    service: Annotated[str, Field(max_length=100)] | None = None
    tracking_number: Name | None = None
    reason_code: ReasonCode | None = None


class _Report(Body):
    id: Name
    type: Annotated[str, AfterValidator(_known_type)]
    occurred_at: Time
    data: _Data

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> _Report:
        missing = [name for name in _NEEDED.get(self.type, ()) if not getattr(self.data, name)]
        if missing:
            problem = PydanticCustomError("missing", "needed for {type}", {"type": self.type})
            faults = [InitErrorDetails(type=problem, loc=("data", name), input=None) for name in missing]
            raise ValidationError.from_exception_data("report", faults)
        return self


def parse(body: bytes, location_id: str) -> FulfillmentReport:
    """The report in a body, made by this location. Raises InvalidMessage naming every field that is wrong."""
    try:
        report = _Report.model_validate_json(body)
    except ValidationError as error:
        raise invalid_message(error.errors(include_url=False, include_input=False)) from error
    units: Counter[str] = Counter()
    for line in report.data.lines:
        units[line.line_id] += line.quantity
    return FulfillmentReport(
        message_id=report.id,
        type=report.type,
        occurred_at=report.occurred_at,
        location_id=location_id,
        fulfillment_id=report.data.fulfillment_id,
        lines=dict(units),
        shipment_id=report.data.shipment_id or "",
        carrier=(report.data.carrier or "").lower(),
        service=report.data.service or "",
        tracking_number=report.data.tracking_number or "",
        reason_code=report.data.reason_code or "",
    )


def to_message(report: FulfillmentReport) -> dict[str, object]:
    """For the fulfillment queue: plain values only; `kind` says what the message is."""
    fields = {name: getattr(report, name) for name in FulfillmentReport.__slots__}
    return {"kind": "fulfillment_report", **fields, "occurred_at": report.occurred_at.isoformat()}
