"""The stock queue: samples of what locations report of their stock, each booked once however often it comes."""

from __future__ import annotations

from io import StringIO

import pytest

from oms.domain.stock import StockPosition
from tests.integration.faults import Faults
from tests.integration.samples import MainStreet
from tests.integration.samples import replays_the_same as replays
from tests.integration.stage import Stage, cases

FUNCTION = "queue_stock"
QUARANTINED = {"unknown_sku": ["UNKNOWN_SKU"], "scrapped_what_is_not_there": ["NOT_ENOUGH"]}
MUG = "MUG-STONE-350"


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def on_hand(company: MainStreet) -> int:
    return company.stage.position(MUG, "WH-RENO").on_hand


@pytest.mark.parametrize("case", [case for case in cases(FUNCTION) if "snapshot" not in case])
def test_each_sample_is_booked_and_booking_it_twice_changes_nothing(company: MainStreet, case: str) -> None:
    assert replays(company, FUNCTION, case, ()) == {"batchItemFailures": []}
    assert [row["reason"] for row in company.stage.rows("quarantine")] == QUARANTINED.get(case, [])
    assert all(row["status"] == "BOOKED" for row in company.stage.rows("stock_documents"))


def test_what_a_location_counted_and_received_is_on_its_shelves(company: MainStreet) -> None:
    before = on_hand(company)
    company.play_all((FUNCTION, "adjusted_received_and_adjusted_again"))
    assert on_hand(company) == before - 3 + 48
    assert {row["actor"] for row in company.stage.rows("stock_movements")} == {"WH-RENO"}


def test_what_nobody_can_book_is_counted_where_the_alarm_looks(
    company: MainStreet, capsys: pytest.CaptureFixture[str]
) -> None:
    company.play(FUNCTION, "unknown_sku")
    assert '"OrdersQuarantined":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_a_message_that_could_not_be_written_comes_again_and_the_others_are_booked(
    company: MainStreet, faults: Faults
) -> None:
    before = on_hand(company)
    faults.refuse("PutItem", "ThrottlingException", times=3)
    answer = company.play(FUNCTION, "adjusted_received_and_adjusted_again")
    assert len(answer["batchItemFailures"]) == 1
    faults.mend()
    company.play_all((FUNCTION, "adjusted_received_and_adjusted_again"))
    assert on_hand(company) == before - 3 + 48


def test_a_message_of_a_kind_nobody_knows_ends_in_the_dead_letters(company: MainStreet, log: StringIO) -> None:
    app = company.function(FUNCTION)
    answer = app.handler({"Records": [{"messageId": "m-1", "body": '{"kind":"a song"}'}]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert "KeyError" in log.getvalue()


def test_a_position_that_is_oversold_is_planned_anew_and_what_is_missing_still_is_counted(
    company: MainStreet, capsys: pytest.CaptureFixture[str]
) -> None:
    position = StockPosition(sku="DUTCH-OVEN-5", location_id="WH-COLUMBUS", on_hand=6, available=-3, committed=9)
    company.stage.put("stock", position)
    company.play_all((FUNCTION, "replan"))
    assert '"OversoldUnits":[3.0]' in capsys.readouterr().out.replace(" ", "")
