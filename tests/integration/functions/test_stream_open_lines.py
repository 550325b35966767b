"""The stream of open lines: when more or fewer units wait for a location, channels are owed news of the sku."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.samples import MainStreet
from tests.integration.stage import Stage, cases, template

FUNCTION = "stream_open_lines"
MUG, KIT, OUTLET = "availability#MUG-STONE-350", "availability#POUR-OVER-SET", "availability#OUTLET-MUG-350"
AMAZON = "availability#MSG-MUG-350-SLATE"
OWED = {
    "lines_wait_for_a_location": [MUG, OUTLET, KIT, AMAZON],
    "a_line_found_its_location": [MUG, OUTLET, KIT, AMAZON],
    "closed_lines_expired": [],
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def rows(company: MainStreet) -> list[tuple[str, str]]:
    return sorted((row["message_key"], row["status"]) for row in company.stage.rows("deliveries"))


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_owes_the_listings_of_its_skus_and_a_repeat_owes_nothing_more(
    company: MainStreet, case: str
) -> None:
    assert company.play(FUNCTION, case) == {"batchItemFailures": []}
    owed = company.stage.rows("deliveries")
    assert rows(company) == sorted((key, "PENDING") for key in OWED[case])
    assert company.play(FUNCTION, case) == {"batchItemFailures": []}
    assert company.stage.rows("deliveries") == owed


def test_many_lines_of_one_sku_count_as_one_change(company: MainStreet) -> None:
    company.play(FUNCTION, "lines_wait_for_a_location")
    versions = {row["channel_sku"]: row.get("change_version", 0) for row in company.stage.rows("listings")}
    changed = {"MUG-STONE-350": 1, "OUTLET-MUG-350": 1, "POUR-OVER-SET": 1, "MSG-MUG-350-SLATE": 1}
    assert versions == changed | {"DUTCH-OVEN-5": 0, "MSG-BOWL-16": 0, "LANTERN-STEEL": 0}


def test_a_sku_that_could_not_be_noted_comes_again_with_all_after_it(company: MainStreet) -> None:
    company.stage.fail("dynamodb", "Query", "ProvisionedThroughputExceededException", times=1)
    (failed,) = company.play(FUNCTION, "lines_wait_for_a_location")["batchItemFailures"]
    assert failed["itemIdentifier"] == "222200000000000000000101"


def test_only_lines_that_wait_for_a_location_reach_the_function() -> None:
    """What a location holds is out of its stock already, and the stream of stock tells of it."""
    stream: dict[str, Any] = template()["Resources"]["StreamOpenLinesFunction"]["Properties"]["Events"][
        "OpenLinesStream"
    ]
    (only,) = stream["Properties"]["FilterCriteria"]["Filters"]
    assert json.loads(only["Pattern"]) == {"dynamodb": {"Keys": {"line_key": {"S": [{"prefix": "UNALLOCATED#"}]}}}}
