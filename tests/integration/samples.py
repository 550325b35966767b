"""The sample events at work: the small company of the demonstration, and each handler fed with files of events/.

The clock stands still at a moment after every sample was made, so that playing one twice can end the same.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from oms.domain.stock import StockPosition
from oms.runtime import clients
from tests.integration.company import everything
from tests.integration.stage import SETTINGS, LambdaContext, Stage, sample
from tools import seed

ORDER_ID = "shopify-main-street-goods-5710000100241"
FULFILLMENT_ID = f"{ORDER_ID}-f1"
NOW = datetime(2026, 11, 16, 15, tzinfo=UTC)
STOCKED = {
    "MUG-STONE-350",
    "TOWEL-LINEN-2",
    "HAMMOCK-COTTON",
    "LAMP-DESK-BRASS",
    "THROW-WOOL",
    "PILLOW-LINEN-50",
    "DUTCH-OVEN-5",
}
PLACED: Steps = (("queue_intake", "two_lines"),)
ALLOCATED: Steps = (*PLACED, ("queue_allocation", "two_lines"))
RELEASED: Steps = (*ALLOCATED, ("task_await", "fulfill"))
SHIPPED: Steps = (*RELEASED, ("queue_fulfillment", "accepted_picking_packed"), ("queue_fulfillment", "shipped"))
DELIVERED: Steps = (*SHIPPED, ("queue_fulfillment", "delivered"))

Steps = tuple[tuple[str, str], ...]
Told = dict[str, list[dict[str, Any]]]


class MainStreet:
    """The company whose orders the samples tell of; what it says to Step Functions is in `told`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.now = NOW
        self.told: Told = {}
        self.started: list[dict[str, Any]] = []
        self.published: list[dict[str, Any]] = []
        seed_company(stage)
        self._listen("stepfunctions", "SendTaskSuccess", lambda call: self._note(call, json.loads(call["output"])))
        self._listen("stepfunctions", "SendTaskFailure", lambda call: self._note(call, {"error": call["error"]}))
        self._listen("stepfunctions", "StartExecution", self.started.append)
        self._listen("events", "PutEvents", lambda call: self.published.extend(call["Entries"]))

    def function(self, name: str) -> ModuleType:
        """A worker of this function with the clock of this company."""
        app = self.stage.function(name)
        if hasattr(app, "now"):
            app.now = lambda: self.now
        return app

    def play(self, function: str, case: str) -> Any:
        """Feeds one sample to a worker that has just started."""
        return self.function(function).handler(sample(function, case), LambdaContext(remaining_millis=60_000))

    def play_all(self, *steps: tuple[str, str]) -> None:
        """Feeds samples one after the other; none of their records may fail."""
        for function, case in steps:
            answer = self.play(function, case)
            assert not answer or answer.get("batchItemFailures") == [], (function, case)

    def _note(self, call: dict[str, Any], answer: dict[str, Any]) -> None:
        self.told.setdefault(call["taskToken"], []).append(answer)

    def _listen(self, service: str, operation: str, note: Any) -> None:
        def hear(params: dict[str, Any], **_: Any) -> None:
            note(dict(params))

        self.stage.hook(service, f"before-parameter-build.{service}.{operation}", hear)


def seed_company(stage: Stage) -> None:
    """Reference data of the demonstration, with the stock of the skus that the samples order."""
    seed.put_reference_data(clients.client, "test", "http://127.0.0.1:9")
    for sku, units in seed.load("stock").items():
        for location_id, on_hand in units.items() if sku in STOCKED else ():
            stage.put("stock", StockPosition(sku=sku, location_id=location_id, on_hand=on_hand, available=on_hand))


def inbox_body(key: str, body: str) -> None:
    """Puts a body where the storefront's door puts those too large for the queue."""
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=key, Body=body.encode())


def replays_the_same(company: MainStreet, function: str, case: str, before: Steps) -> Any:
    """Plays a sample twice after what came before it: same answer, same tables. Returns the answer."""
    company.play_all(*before)
    answer = company.play(function, case)
    left = everything(company.stage)
    assert company.play(function, case) == answer
    assert everything(company.stage) == left
    return answer
