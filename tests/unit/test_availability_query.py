"""The question of `GET /availability`: skus, quantities after a colon, a channel, a destination."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from oms.domain.baskets import Wanted
from oms.domain.errors import InvalidMessage
from oms.domain.order import ShipTo
from oms.runtime.availability_api import MAX_SKUS, AvailabilityQuery


@pytest.mark.parametrize(
    ("text", "skus", "basket"),
    [
        ("MUG", ["MUG"], []),
        ("MUG,BOWL", ["MUG", "BOWL"], []),
        (" MUG , BOWL ", ["MUG", "BOWL"], []),
        ("MUG:2", ["MUG"], [Wanted("MUG", 2)]),
        ("MUG:2,BOWL", ["MUG", "BOWL"], [Wanted("MUG", 2)]),
        ("MUG:2,MUG:3", ["MUG"], [Wanted("MUG", 2), Wanted("MUG", 3)]),
        ('TASSE grün,9" #2,50%-MIX', ["TASSE grün", '9" #2', "50%-MIX"], []),
        ("A:B", ["A:B"], []),
        ("A:7:2", ["A:7"], [Wanted("A:7", 2)]),
        ("A:²", ["A:²"], []),
    ],
)
def test_skus_are_parted_by_commas_and_a_number_follows_the_last_colon(
    text: str, skus: list[str], basket: list[Wanted]
) -> None:
    query = AvailabilityQuery(sku=text)
    assert (query.skus, query.basket) == (skus, basket)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("MUG,,BOWL", id="a sku without letters"),
        pytest.param(",", id="nothing but a comma"),
        pytest.param(":2", id="a number without a sku"),
        pytest.param("MUG:0", id="none of it"),
        pytest.param("MUG:1234567", id="millions of it"),
        pytest.param("x" * 101, id="a sku too long"),
        pytest.param(",".join(f"S{n}" for n in range(MAX_SKUS + 1)), id="too many skus"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        AvailabilityQuery(sku=text).skus  # noqa: B018 - reading it is what raises
    assert refused.value.field == "sku"


def test_a_destination_needs_its_country() -> None:
    assert AvailabilityQuery(sku="MUG").ship_to is None
    with pytest.raises(InvalidMessage) as refused:
        AvailabilityQuery(sku="MUG", region="NY").ship_to  # noqa: B018 - reading it is what raises
    assert refused.value.field == "country"


def test_a_destination_is_read_in_any_case() -> None:
    asked = AvailabilityQuery(sku="MUG", country="us", region="ny", postal_code="12207")
    assert asked.ship_to == ShipTo(country="US", region="NY", postal_prefix="12207")


@pytest.mark.parametrize("wrong", [{"country": "USA"}, {"channel": "shopify"}, {"quantity": "2"}, {"sku": ""}])
def test_a_parameter_of_the_wrong_form_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AvailabilityQuery.model_validate({"sku": "MUG"} | wrong)
