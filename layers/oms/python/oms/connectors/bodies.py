"""What the bodies of all reports of locations have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from oms.domain.validation import in_utc

Name = Annotated[str, Field(min_length=1, max_length=100)]
Time = Annotated[AwareDatetime, AfterValidator(in_utc)]


class Body(BaseModel):
    """A report, or a part of one. What we do not know of it is left out."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True, str_strip_whitespace=True)
