"""The body of `POST /stock/adjustments`: what it may hold, and the lines of the stock document it becomes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from oms.domain.ids import short_hash
from oms.domain.stock import Disposition
from oms.domain.stock_documents import MAX_DAYS_BACK, MAX_LINES, outside
from oms.domain.stock_lines import (
    MAX_QUANTITY,
    AdjustmentReason,
    DocumentLine,
    Fault,
    LineType,
    faults,
    too_many_deliveries,
)
from oms.domain.validation import in_utc_seconds, invalid_message
from oms.runtime.api_requests import _Body

Time = Annotated[AwareDatetime, AfterValidator(in_utc_seconds)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
LocationId = Annotated[str, Field(min_length=1, max_length=64)]


class StockLine(_Body):
    """One thing that happened to stock."""

    type: LineType
    sku: Name
    location_id: LocationId
    quantity: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)] = Field(
        description="At least 1. ADJUST: signed, not 0. EXPECT: 0 says that nothing more will come."
    )
    reason_code: AdjustmentReason | None = Field(default=None, description="ADJUST needs one.")
    to_location_id: LocationId | None = Field(default=None, description="TRANSFER: where the units go.")
    disposition: Disposition | None = Field(default=None, description="RETURN: what can be done with the units.")
    reference: Name | None = Field(
        default=None, description="EXPECT: names the delivery. RECEIVE: the delivery that the units are part of."
    )
    expected_at: Time | None = Field(default=None, description="EXPECT: when the delivery will arrive.")

    def line(self, number: int) -> DocumentLine:
        """The line in our words, the n-th of its document."""
        told = {name: getattr(self, name) for name in StockLine.model_fields}
        return DocumentLine(line=number, **told)


class StockAdjustments(_Body):
    """Changes of stock that no order asks for: each line is booked by itself, once."""

    effective_at: Time | None = Field(
        default=None, description=f"When it happened, at most {MAX_DAYS_BACK} days ago. Default: now."
    )
    lines: Annotated[list[StockLine], Field(min_length=1, max_length=MAX_LINES)]

    @property
    def content_hash(self) -> str:
        """The same for every repeat of this request."""
        return short_hash(self.model_dump_json(exclude_unset=True), length=32)

    def document_lines(self, now: datetime) -> list[DocumentLine]:
        """The lines, numbered from 1. Raises InvalidMessage naming every field that does not go with the others."""
        lines = [line.line(number) for number, line in enumerate(self.lines, start=1)]
        found: list[Fault] = [fault for line in lines for fault in faults(line, "lines", line.line - 1)]
        problem = outside(self.effective_at, now)
        if problem:
            found.append({"loc": ("effective_at",), "type": "not_allowed", "msg": problem})
        crowded = too_many_deliveries(lines)
        if crowded:
            path = ("lines", crowded.line - 1, "reference")
            found.append({"loc": path, "type": "not_allowed", "msg": "too many deliveries of this sku at once"})
        if found:
            raise invalid_message(found)
        return lines
