"""The deliveries stream: the key of each new row is queued for who sends it, in its destination's own group."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.company import everything
from tests.integration.samples import FULFILLMENT_ID, ORDER_ID, MainStreet
from tests.integration.stage import Stage, cases

FUNCTION = "stream_deliveries"
RENO = {"destination": "location#WH-RENO", "message_key": f"{ORDER_ID}#{FULFILLMENT_ID}#fulfillment.requested"}
DALLAS = {"destination": "location#WH-DALLAS", "message_key": f"{ORDER_ID}#{ORDER_ID}-f2#fulfillment.requested"}
QUEUED: dict[str, list[dict[str, str]]] = {
    "request_owed": [RENO],
    "request_sent": [],
    "two_requests_owed": [RENO, DALLAS],
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_queued_and_a_repeat_queues_the_same_keys(company: MainStreet, case: str) -> None:
    before = everything(company.stage)
    assert company.play(FUNCTION, case) == {"batchItemFailures": []}
    assert company.stage.messages("outbound") == QUEUED[case]
    company.play(FUNCTION, case)
    assert company.stage.messages("outbound") == QUEUED[case]
    assert everything(company.stage) == before


def test_each_destination_has_its_own_group_so_that_none_crowds_out_another(company: MainStreet) -> None:
    groups: list[Any] = []
    note = lambda params, **_: groups.append(params["MessageGroupId"])  # noqa: E731
    company.stage.hook("sqs", "before-parameter-build.sqs.SendMessage", note)
    company.play(FUNCTION, "two_requests_owed")
    assert groups == ["location#WH-RENO", "location#WH-DALLAS"]


def test_the_first_row_that_could_not_be_queued_and_all_after_it_come_again(company: MainStreet) -> None:
    company.stage.fail("sqs", "SendMessage", "RequestThrottled", times=1)
    (failed,) = company.play(FUNCTION, "two_requests_owed")["batchItemFailures"]
    assert failed["itemIdentifier"] == "111100000000000000000001"
    assert company.stage.messages("outbound") == []
