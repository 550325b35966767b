"""The streams of stock and its queues: orders are woken, what is oversold shows and is planned anew, channels hear."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.domain.stock import StockPosition
from oms.runtime import clients
from tests.integration.company import everything
from tests.integration.samples import MainStreet, Steps
from tests.integration.stage import PREFIX, LambdaContext, Stage, cases, sample

FUNCTION = "stream_stock"
OVEN, PLACE = "DUTCH-OVEN-5", "WH-COLUMBUS"
ORDER_ID = "shopify-main-street-goods-5710000100265"
WAITING: Steps = (("queue_intake", "more_than_there_is"), ("queue_allocation", "more_than_there_is"))
TOKEN = "sample-token-awaitstock-100265"
ASKED = {"kind": "replan", "sku": OVEN, "location_id": PLACE}
DONE: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    """An order waits for 26 of its 40 ovens."""
    made = MainStreet(stage)
    made.play_all(*WAITING)
    entry = {"order_id": ORDER_ID, "state": "AwaitStock", "generation": 1, "retry_count": 0, "task_token": TOKEN}
    stage.put("waits", entry | {"entered_at": "2026-11-16T14:05:20.417Z"})
    return made


def ovens(company: MainStreet, available: int, **marks: str) -> None:
    """Puts the position as the sample's last record says it is."""
    position = StockPosition(sku=OVEN, location_id=PLACE, on_hand=9 + available, available=available, committed=9)
    company.stage.put("stock", position, **marks)


def problem(company: MainStreet) -> str | None:
    return company.stage.position(OVEN, PLACE).problem


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_noticed_and_noticing_it_twice_changes_nothing(company: MainStreet, case: str) -> None:
    ovens(company, 60)
    assert company.play(FUNCTION, case) == DONE
    left = [everything(company.stage)[table] for table in ("orders", "stock", "backorders", "waits")]
    assert company.play(FUNCTION, case) == DONE
    assert [everything(company.stage)[table] for table in ("orders", "stock", "backorders", "waits")] == left


@pytest.mark.parametrize("case", ["goods_arrived", "a_busy_minute"])
def test_when_goods_arrive_the_order_that_waits_for_them_is_woken(company: MainStreet, case: str) -> None:
    ovens(company, 60)
    company.play_all((FUNCTION, case))
    assert company.told[TOKEN] == [{}]


def moved(number: int, before: int, available: int) -> dict[str, Any]:
    """A record of the stream: the ovens at the place went from so many available to so many."""
    record: dict[str, Any] = json.loads(json.dumps(sample(FUNCTION, "goods_arrived")["Records"][0]))
    record["dynamodb"] |= {"SequenceNumber": str(number)}
    for image, units in (("OldImage", before), ("NewImage", available)):
        record["dynamodb"][image] |= {"available": {"N": str(units)}}
    return record


@pytest.mark.parametrize("batches", [1, 2])
def test_who_began_to_wait_for_the_last_units_is_woken_when_they_come_back(company: MainStreet, batches: int) -> None:
    ovens(company, 60)
    records = [moved(1, 60, 0), moved(2, 0, 60)]
    for start in range(0, 2, 2 // batches):
        event = {"Records": records[start : start + 2 // batches]}
        assert company.function(FUNCTION).handler(event, LambdaContext(remaining_millis=60_000)) == DONE
    assert company.told[TOKEN] == [{}]


def test_when_somebody_leaves_the_queue_without_stock_those_behind_are_woken(company: MainStreet) -> None:
    ovens(company, 60)
    for case in ("left_the_queue", "waits_for_less"):
        company.told.clear()
        company.play_all((FUNCTION, case))
        assert company.told == {TOKEN: [{}]}


@pytest.mark.parametrize("case", ["promised", "oversold", "marked_oversold"])
def test_where_stock_only_fell_nobody_is_looked_at(company: MainStreet, case: str) -> None:
    ovens(company, 60)
    read: list[str] = []
    company.stage.hook("dynamodb", "before-call.dynamodb", lambda params, **_: read.append(params["body"].decode()))
    company.play_all((FUNCTION, case))
    assert company.told.keys() == {"sample-token-allocate-100265-1"}
    assert [body for body in read if f"{PREFIX}backorders" in body or f"{PREFIX}waits" in body] == []


def test_what_is_oversold_shows_and_is_planned_anew(company: MainStreet) -> None:
    ovens(company, -3)
    company.play_all((FUNCTION, "oversold"))
    assert problem(company) == "OVERSOLD"
    assert company.stage.messages("stock") == [ASKED]


def test_the_mark_itself_asks_for_nothing(company: MainStreet) -> None:
    ovens(company, -3, problem="OVERSOLD", problem_since="2026-11-16T14:20:01Z")
    before = everything(company.stage)
    company.play_all((FUNCTION, "marked_oversold"))
    assert company.stage.messages("stock") == []
    assert everything(company.stage) == before


def test_what_has_recovered_does_not_show_any_more(company: MainStreet) -> None:
    ovens(company, 9, problem="OVERSOLD", problem_since="2026-11-16T14:20:01Z")
    company.play_all((FUNCTION, "recovered"))
    assert problem(company) is None


@pytest.mark.parametrize(
    ("case", "skus"),
    [
        ("goods_arrived", {OVEN}),
        ("promised", {"MUG-STONE-350"}),
        ("a_busy_minute", {OVEN, "MUG-STONE-350", "THROW-WOOL"}),
        ("marked_oversold", set()),
        ("left_the_queue", set()),
    ],
)
def test_channels_are_owed_news_of_what_may_be_sold(company: MainStreet, case: str, skus: set[str]) -> None:
    for row in company.stage.rows("listings"):
        key = {name: {"S": row[name]} for name in ("channel_account", "channel_sku")}
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}listings", Key=key)
    for sku in (OVEN, "MUG-STONE-350", "THROW-WOOL", "LAMP-DESK-BRASS"):
        company.stage.put("listings", {"channel_account": "shopify#one", "channel_sku": f"ONE-{sku}", "sku": sku})
    ovens(company, 0)
    company.play_all((FUNCTION, case))
    changed = {row["sku"] for row in company.stage.rows("listings") if row.get("change_version")}
    assert changed == skus


def test_a_sku_that_fails_comes_again_with_what_follows_it_and_the_others_are_done(company: MainStreet) -> None:
    ovens(company, 60)
    company.stage.fail("stepfunctions", "SendTaskSuccess", "ThrottlingException")
    assert company.play(FUNCTION, "a_busy_minute") == {
        "batchItemFailures": [{"itemIdentifier": "222200000000000000000002"}]
    }


def test_without_time_left_the_record_comes_again(company: MainStreet) -> None:
    ovens(company, 60)
    event = sample(FUNCTION, "goods_arrived")
    answer = company.function(FUNCTION).handler(event, LambdaContext(remaining_millis=5_000))
    assert answer["batchItemFailures"] == [{"itemIdentifier": "222200000000000000000001"}]
    assert TOKEN not in company.told


def test_how_many_were_woken_is_counted(company: MainStreet, capsys: pytest.CaptureFixture[str]) -> None:
    ovens(company, 60)
    company.play_all((FUNCTION, "goods_arrived"))
    assert '"OrdersWoken":[1.0]' in capsys.readouterr().out.replace(" ", "")
