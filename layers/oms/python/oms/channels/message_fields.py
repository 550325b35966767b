"""The kinds of fields that storefronts' JSON is made of, and how a text becomes a model of them.

Absent, null and (where PHP or a form wrote it) the empty text mean the same. Amounts are exact decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from oms.channels import envelopes
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope
from oms.domain.validation import invalid_message

MAX_BODY_BYTES = 4_000_000
"""More than the doors take in: an order of 500 lines that was fulfilled names each of them twice, and is pulled."""

MAX_QUANTITY = 1_000_000
_LONGEST_NAME = 255
_LONGEST_TEXT = 10_000

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def _empty_for_none(value: object) -> object:
    return "" if value is None else value


def _text_of_number(value: object) -> object:
    """Numbers as the text they stand for: `123`, `"123"`; nothing for null."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "" if value is None else value


def _zero_for_none(value: object) -> object:
    return 0 if value is None or value == "" else value


def _nothing_for_none(value: object) -> object:
    return [] if value is None or value == "" else value


def _none_for_nothing(value: object) -> object:
    """An empty object comes as an empty list, or as an empty text, from PHP."""
    return None if value in ([], "") else value


Amount = Annotated[Decimal, BeforeValidator(_zero_for_none), Field(max_digits=24, allow_inf_nan=False)]
RequiredAmount = Annotated[Decimal, Field(max_digits=24, allow_inf_nan=False)]
# the length next to the text: a fault is then told in characters, not in items
Name = Annotated[str, Field(max_length=_LONGEST_NAME), BeforeValidator(_empty_for_none)]
Text = Annotated[str, Field(max_length=_LONGEST_TEXT), BeforeValidator(_empty_for_none)]
NumberText = Annotated[str, Field(max_length=_LONGEST_NAME), BeforeValidator(_text_of_number)]
Id = Annotated[str, BeforeValidator(_text_of_number), Field(pattern=r"^[1-9][0-9]{0,29}$")]
Quantity = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
NoneIsZero = BeforeValidator(_zero_for_none)
OrNothing = BeforeValidator(_nothing_for_none)
OrNone = BeforeValidator(_none_for_nothing)


class Model(BaseModel):
    """What every model here is: it never changes, and no error of it repeats what was sent."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


def text_of(envelope: Envelope) -> str:
    """The body as text. Raises InvalidMessage (TOO_LARGE, NOT_UTF8)."""
    body = envelopes.body_bytes(envelope)
    if len(body) > MAX_BODY_BYTES:
        raise InvalidMessage(f"more than {MAX_BODY_BYTES} bytes", field="body", reason="TOO_LARGE")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        # no cause: it would carry the body into logs
        raise InvalidMessage("the body is not UTF-8", field="body", reason="NOT_UTF8") from None


def read(model: type[AnyModel], text: str) -> AnyModel:
    """The model in a JSON text. Raises InvalidMessage naming what is wrong."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise invalid_message(error.errors(include_url=False, include_input=False)) from error
