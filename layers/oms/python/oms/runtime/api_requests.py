"""Bodies and queries of the HTTP API, beside the order itself (see `channels.direct`)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from oms.domain.errors import InvalidMessage
from oms.domain.order import WaitingFor

MAX_PAGE, DEFAULT_PAGE = 100, 25
IDEMPOTENCY_KEY = r"^[!-~]{1,255}$"
QUESTIONS = ("waiting_for", "customer", "reference", "email", "phone", "tracking", "account")


class _Body(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, str_strip_whitespace=True
    )


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _code(text: str) -> str:
    return "_".join(text.replace("-", " ").upper().split())


# Reasons become part of events, which are published: codes, not sentences that may name people.
Code = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9 _-]{0,59}$"), AfterValidator(_code)]
Decision = Annotated[Literal["CONTINUE", "CANCEL"], BeforeValidator(_upper)]


class CancellationRequest(_Body):
    """Cancel everything that is not released yet."""

    reason: Code = Field(description="A code, such as CUSTOMER_CHANGED_MIND; blanks become underscores.")


class HoldRequest(_Body):
    """Stop the release until the hold is released."""

    hold_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")] | None = Field(
        default=None, description="Names the hold; the same again changes nothing. Default: made of the type."
    )
    type: Code = Field(description="A code, such as FRAUD_CHECK; blanks become underscores.")
    reason: Annotated[str, Field(max_length=200, description="For colleagues. Nothing personal.")] = ""

    @property
    def name(self) -> str:
        """The hold's id, given or made of its type."""
        return self.hold_id or self.type.lower().replace("_", "-")


class NoteRequest(_Body):
    """Write something down for colleagues."""

    text: Annotated[str, Field(min_length=1, max_length=500, description="Nothing personal.")]


class ReviewRequest(_Body):
    """A person's decision: the order goes on as it is, or is cancelled."""

    decision: Decision
    reason: Code = Field(default="REVIEW", description="Why it is cancelled: a code.")


class RoutingQuery(_Query):
    """Which decision, and which location is asked about."""

    decision_id: Annotated[str, Field(pattern=r"^[0-9]{6,12}-[0-9a-f]{8}$")] | None = Field(
        default=None, description="One of the order's decisions; without it the newest."
    )
    why_not: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="A location_id: what would have had to be true for it to ship the order?"
    )


class OrderReadQuery(_Query):
    """What comes with the document."""

    include: Literal["contact"] | None = Field(
        default=None, description="`contact` adds the person's data; needs the scope contacts.read and is audited."
    )


class OrderListQuery(_Query):
    """Exactly one question: waiting_for, customer, reference, email, phone, tracking, or account with day."""

    waiting_for: WaitingFor | None = Field(default=None, description="Orders that wait for this, most overdue first.")
    overdue: bool = Field(default=False, description="With waiting_for: only those past their due time.")
    customer: Annotated[str, Field(pattern=r"^[a-z]+#[a-z0-9-]{1,40}#.{1,100}$")] | None = Field(
        default=None, description="`channel#account#customer`, the document's customer_id: newest orders first."
    )
    reference: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="What people quote: `1001`, `#1001`, `ORDER#1001`, `RMA#…`, `ERP#…`."
    )
    email: Annotated[str, Field(min_length=3, max_length=254, pattern="@")] | None = Field(
        default=None, description="The email the order was placed with."
    )
    phone: Annotated[str, Field(max_length=40, pattern="[0-9]")] | None = Field(
        default=None, description="The phone number the order was placed with, in any notation."
    )
    tracking: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,30}:.{1,100}$")] | None = Field(
        default=None, description="`carrier:number`, such as `ups:1Z999AA10123456784`."
    )
    account: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}#[a-z0-9-]{1,40}$")] | None = Field(
        default=None, description="`channel#account`; needs day."
    )
    day: date | None = Field(default=None, description="With account: the day the orders were placed (UTC).")
    cursor: Annotated[str, Field(min_length=1, max_length=2_000)] | None = Field(
        default=None, description="From the page before."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE

    def check(self) -> None:
        """Raises InvalidMessage unless it is exactly one question, with what belongs to it."""
        asked = [name for name in QUESTIONS if getattr(self, name) is not None]
        if len(asked) != 1:
            message = f"ask exactly one of {', '.join(QUESTIONS)}"
            raise InvalidMessage(message, field=asked[1] if asked else "query", reason="ONE_QUESTION")
        if (self.day is None) == (asked == ["account"]):
            raise InvalidMessage("account and day go together", field="day", reason="INVALID_FIELD")
        if self.overdue and asked != ["waiting_for"]:
            raise InvalidMessage("overdue goes with waiting_for", field="overdue", reason="INVALID_FIELD")
