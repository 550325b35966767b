"""`GET /availability`: the question in its query, the figures and what could be promised as its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from oms.domain.availability import FORMULA, Availability
from oms.domain.baskets import Wanted, missing
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Address
from oms.domain.order import ShipTo
from oms.domain.promise_quotes import Question, Quote, Quoted, last_parcel, told
from oms.domain.promise_words import SAYS
from oms.domain.routing import RoutingPlan
from oms.runtime.api_requests import _Query

MAX_SKUS = 25
MAX_SKU_LENGTH = 100
MAX_DIGITS = 6


def _upper(text: str) -> str:
    return text.strip().upper()


ServiceLevel = Annotated[Literal["STANDARD", "EXPRESS"], BeforeValidator(_upper)]


class AvailabilityQuery(_Query):
    """What is asked: some skus, perhaps with quantities, perhaps on a channel, perhaps to a destination."""

    sku: Annotated[str, Field(min_length=1, max_length=MAX_SKUS * (MAX_SKU_LENGTH + MAX_DIGITS + 2))] = Field(
        description=f"1 to {MAX_SKUS} SKUs, parted by commas. `MUG:2` also asks whether two can be had, together with"
        " all others that have a number. A SKU that ends in a colon and digits needs a number after it."
    )
    channel: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}#[a-z0-9-]{1,40}$")] | None = Field(
        default=None, description="`channel#account`: its rules hold too. Default: only rules that name no channel."
    )
    country: Annotated[str, Field(pattern=r"^[A-Za-z]{2}$"), AfterValidator(_upper)] | None = Field(
        default=None,
        description="Where it would be sent to: locations that can't do not count, and `promise` says when it would"
        " arrive.",
    )
    region: Annotated[str, Field(max_length=40), AfterValidator(_upper)] = ""
    postal_code: Annotated[str, Field(max_length=20), AfterValidator(_upper)] = ""
    service_level: ServiceLevel | None = Field(
        default=None, description="How it would be sent. Needs a country. Default: STANDARD."
    )

    @property
    def ship_to(self) -> ShipTo | None:
        """The destination, None without a country. Raises InvalidMessage for a part of one without it."""
        if self.country is None:
            if self.region or self.postal_code or self.service_level:
                message = "region, postal_code and service_level need a country"
                raise InvalidMessage(message, field="country", reason="MISSING_FIELD")
            return None
        return ShipTo(country=self.country, region=self.region, postal_prefix=self.postal_code)

    @property
    def question(self) -> Question | None:
        """What could be promised of it, one unit of what has no number; None without a country.

        Raises InvalidMessage.
        """
        if self.ship_to is None:
            return None
        units: Counter[str] = Counter()
        for sku, quantity in self._named():
            units[sku] += quantity or 1
        return Question(
            units=units,
            ship_to=Address(country=self.country or "", region=self.region, postal_code=self.postal_code),
            service_level=self.service_level or "STANDARD",
            channel=(self.channel or "").partition("#")[0],
        )

    @property
    def skus(self) -> list[str]:
        """The skus asked about, each once, in the order they were named. Raises InvalidMessage."""
        return list(dict.fromkeys(sku for sku, _ in self._named()))

    @property
    def basket(self) -> list[Wanted]:
        """What has a number. Raises InvalidMessage."""
        return [Wanted(sku, quantity) for sku, quantity in self._named() if quantity is not None]

    def _named(self) -> list[tuple[str, int | None]]:
        named = [_named(part.strip()) for part in self.sku.split(",")]
        if len(named) > MAX_SKUS:
            raise InvalidMessage(f"at most {MAX_SKUS} skus", field="sku", reason="TOO_MANY")
        return named


def _named(part: str) -> tuple[str, int | None]:
    """`MUG:2` is two mugs. Raises InvalidMessage."""
    sku, colon, digits = part.rpartition(":")
    has_number = bool(colon) and digits.isascii() and digits.isdigit()
    sku, quantity = (sku, int(digits[: MAX_DIGITS + 1])) if has_number else (part, None)
    if not 0 < len(sku) <= MAX_SKU_LENGTH:
        raise InvalidMessage(f"a sku has 1 to {MAX_SKU_LENGTH} characters", field="sku", reason="INVALID_FIELD")
    if quantity is not None and (quantity < 1 or len(digits) > MAX_DIGITS):
        message = f"the number after a sku is at least 1 and has at most {MAX_DIGITS} digits"
        raise InvalidMessage(message, field="sku", reason="INVALID_FIELD")
    return sku, quantity


def availability_answer(
    query: AvailabilityQuery, figures: Mapping[str, Availability], at: datetime, quoted: Quoted | None = None
) -> dict[str, Any]:
    """The figures of each sku asked about, with all their terms, whether the basket can be had, and by when."""
    answer: dict[str, Any] = {
        "at": _plain(at),
        "channel": query.channel,
        "skus": [_plain(asdict(figures[sku])) | (_quote(quoted.skus[sku]) if quoted else {}) for sku in query.skus],
        "formula": dict(FORMULA),
    }
    if query.basket:
        short = missing(query.basket, figures)
        answer["basket"] = {"enough": not short, "short": short}
    return answer | (_quote(quoted.basket) if quoted else {})


def _quote(quote: Quote) -> dict[str, Any]:
    if quote.plan is None:
        return {"promise": None, "why": dict(quote.why)}
    return {"promise": _promise(quote.plan, quote.fastest), "why": None}


def _promise(plan: RoutingPlan, fastest: RoutingPlan | None) -> dict[str, Any]:
    """The plan in the words of a product page; the carrier is that of the parcel which arrives last."""
    promise = told(plan) | {
        "carrier": last_parcel(plan).carrier,
        "location_ids": [one.location_id for one in plan.assignments],
        "parcels": len(plan.assignments),
        "warnings": [
            {"location_id": location_id, "code": str(code), "says": SAYS[code]}
            for location_id, codes in plan.warnings.items()
            for code in codes
        ],
    }
    return promise | ({"fastest": told(fastest)} if fastest else {})


def _plain(value: Any) -> Any:
    """Figures in full: also zeros and what does not apply are told."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
