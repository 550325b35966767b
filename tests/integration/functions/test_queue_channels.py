"""The queue of channels: each sample is told once, and its repeat tells nobody anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from oms.domain.catalog import Notice
from oms.runtime import clients
from tests.integration.bazaar import Bazaar, bazaar
from tests.integration.company import everything
from tests.integration.samples import ORDER_ID, SHIPPED, MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample, template
from tests.scripted_server import Reply

FUNCTION = "queue_channels"
SHOP = "bazaar#main-street-goods"
DESTINATION = f"channel#{SHOP}"


class Company(MainStreet):
    """The company of the samples, whose account on Shopify is one of the bazaar's here."""

    def __init__(self, stage: Stage, shop: Bazaar) -> None:
        super().__init__(stage)
        self.shop = shop
        account = {"base_url": shop.url, "tells": [one.value for one in Notice]}
        stage.put("settings", account, kind="channel_account", name=SHOP)
        secret = json.dumps({"credentials": {"key": "secret"}})
        clients.client("secretsmanager").create_secret(
            Name="oms/test/channels/bazaar/main-street-goods", SecretString=secret
        )
        for row in stage.rows("listings"):
            stage.put("listings", row | {"channel_account": row["channel_account"].replace("shopify#", "bazaar#")})
        self.play_all(*SHIPPED)
        self.owe("shipment", "ShipmentShipped", 8)
        self.owe("acknowledgement", "OrderReceived", 1)

    def owe(self, kind: str, event: str, number: int) -> None:
        """What the projection owes for an event of the order, which the samples know by its number."""
        events = self.stage.order(ORDER_ID).events
        assert number == next(one.sequence for one in events if one.type.value == event)
        row = {"destination": DESTINATION, "message_key": f"{ORDER_ID}#{number}#{kind}", "kind": kind}
        self.stage.put("deliveries", row | {"status": "PENDING", "attempts": 0, "owings": 1, "order_id": ORDER_ID})

    def tell(self, case: str) -> list[dict[str, str]]:
        app = self.function(FUNCTION)
        app.accounts.http._allow_loopback = True
        event = json.loads(json.dumps(sample(FUNCTION, case)).replace("channel#shopify#", "channel#bazaar#"))
        answer: dict[str, list[dict[str, str]]] = app.handler(event, LambdaContext(remaining_millis=100_000))
        return answer["batchItemFailures"]

    @property
    def rows(self) -> dict[str, str]:
        return {row["message_key"]: row["status"] for row in self.stage.rows("deliveries")}


@pytest.fixture
def company(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with bazaar(monkeypatch) as shop:
        yield Company(stage, shop)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_told_and_its_repeat_tells_nothing_new(company: Company, case: str) -> None:
    answer = company.tell(case)
    assert len(answer) == (case == "nobody_knows_the_row")
    told, left = len(company.shop.calls), company.rows
    tables = everything(company.stage) | {"deliveries": []}
    assert company.tell(case) == answer
    assert len(company.shop.calls) == told
    assert set(company.rows) == set(left)
    assert everything(company.stage) | {"deliveries": []} == tables


def test_the_channel_hears_the_tracking_number(company: Company) -> None:
    assert company.tell("shipment_owed") == []
    ((said),) = company.shop.notices
    (parcel,) = company.stage.order(ORDER_ID).fulfillments[0].shipments
    assert (said["tracking_number"], said["completes"]) == (parcel.tracking_number, True)
    assert sorted(said["lines"].values()) == [1, 2]
    assert company.rows[f"{ORDER_ID}#8#shipment"] == "SENT"


def test_the_channel_hears_that_we_have_the_order(company: Company) -> None:
    assert company.tell("acknowledgement_owed") == []
    assert [one.path for one in company.shop.calls] == ["/acknowledgements/5710000100241"]
    assert company.rows[f"{ORDER_ID}#1#acknowledgement"] == "SENT"


def test_the_channel_hears_what_may_be_sold(company: Company) -> None:
    assert company.tell("availability_owed") == []
    assert company.shop.stock["MUG-STONE-350"] == 160 + 131 + 222 + 213 + 114 + 8 - 2 - 2  # two are sold, two kept
    assert len(company.shop.calls) == 1, "an account's figures go together"
    assert company.rows["availability#OUTLET-MUG-350"] == "READY", "an account that is not told"


def test_a_log_line_tells_of_counts_and_of_nobody(company: Company, log: StringIO) -> None:
    company.shop.troubles = [Reply(503, {"message": "dear Ruth"})]
    company.tell("shipment_owed")
    lines = [json.loads(one) for one in log.getvalue().splitlines()]
    (told,) = (one for one in lines if one["message"] == "told")
    assert (told["endings"], told["again"], told["why"]) == ({}, 1, {"Unavailable 503": 1})
    assert "Ruth" not in log.getvalue()
    assert "1Z" not in log.getvalue()


def test_what_can_be_told_is_counted_apart_from_what_cannot(company: Company, capsys: Any) -> None:
    company.tell("availability_owed")
    company.tell("listing_taken_down")
    counted = capsys.readouterr().out
    assert {name for name in ("MessagesSent", "MessagesReady", "MessagesObsolete") if f'"{name}"' in counted} == {
        "MessagesSent",
        "MessagesReady",
        "MessagesObsolete",
    }


def test_a_message_is_hidden_for_longer_than_its_worker_could_need() -> None:
    resources = template()["Resources"]
    queue = resources["ChannelsQueue"]["Properties"]
    mapping = resources["QueueChannelsFunction"]["Properties"]["Events"]["ChannelsMessages"]["Properties"]
    assert queue["VisibilityTimeout"] > 6 * resources["QueueChannelsFunction"]["Properties"]["Timeout"]
    assert (queue["RedrivePolicy"]["maxReceiveCount"], mapping["BatchSize"]) == (1000, 100)
