"""The outbound queue: a location gets its request signed, as the order is now, or nobody is told anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from oms.runtime import clients
from oms.runtime.http import HttpClient
from oms.runtime.location_client import LocationClient
from oms.runtime.signatures import standard_webhooks_valid
from tests.integration.company import everything
from tests.integration.samples import FULFILLMENT_ID, ORDER_ID, RELEASED, MainStreet
from tests.integration.stage import SIGNING_SECRET, LambdaContext, Stage, cases, sample

KEY = {"destination": "location#WH-RENO", "message_key": f"{ORDER_ID}#{FULFILLMENT_ID}#fulfillment.requested"}


@dataclass
class Warehouse:
    """A warehouse that listens on this machine and answers with `status`."""

    url: str = ""
    status: int = 202
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    made = Warehouse()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/requests"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def company(stage: Stage, warehouse: Warehouse) -> MainStreet:
    made = MainStreet(stage)
    secret = json.dumps({"signing_secrets": [SIGNING_SECRET]})
    clients.client("secretsmanager").create_secret(Name="oms/test/warehouses/WH-RENO", SecretString=secret)
    at_endpoint(stage, warehouse.url)
    return made


def at_endpoint(stage: Stage, url: str) -> None:
    (reno,) = (row for row in stage.rows("locations") if row["location_id"] == "WH-RENO")
    stage.put("locations", reno | {"endpoint_url": url})


def send(company: MainStreet, case: str = "fulfillment_requested", *, loopback: bool = True) -> Any:
    """Has a worker send what the sample names; only in tests and locally may it speak to this machine."""
    app = company.function("queue_outbound")
    if loopback:
        app.outbound = replace(app.outbound, client=LocationClient(HttpClient(allow_loopback=True), app.secrets))
    return app.handler(sample("queue_outbound", case), LambdaContext())["batchItemFailures"]


def delivery(company: MainStreet) -> dict[str, Any]:
    (row,) = company.stage.rows("deliveries")
    return row


@pytest.mark.parametrize("case", cases("queue_outbound"))
def test_each_sample_is_worked_off_and_a_repeat_only_counts_another_attempt(company: MainStreet, case: str) -> None:
    company.play_all(*RELEASED)
    assert send(company, case) == []
    before = everything(company.stage)
    assert send(company, case) == []
    after = everything(company.stage)
    for row in before["deliveries"] + after["deliveries"]:
        row.pop("attempts", None)
    assert after == before


def test_the_request_is_signed_and_says_what_to_ship_where(company: MainStreet, warehouse: Warehouse) -> None:
    company.play_all(*RELEASED)
    assert send(company) == []
    ((headers, body),) = warehouse.heard
    assert standard_webhooks_valid(headers, body, [SIGNING_SECRET], company.now.timestamp())
    message = json.loads(body)
    assert (message["id"], message["type"]) == (f"{FULFILLMENT_ID}:requested", "fulfillment.requested")
    assert message["data"]["ship_to"]["name"] == "Ruth Calloway"
    assert message["data"]["ship_to"]["address1"] == "418 Alder Street"
    assert [(line["sku"], line["quantity"]) for line in message["data"]["lines"]] == [
        ("MUG-STONE-350", 2),
        ("TOWEL-LINEN-2", 1),
    ]
    assert (delivery(company)["status"], delivery(company)["attempts"]) == ("SENT", 1)


def test_the_request_goes_to_the_address_as_it_is_when_it_is_sent(company: MainStreet, warehouse: Warehouse) -> None:
    company.play_all(*RELEASED)
    (person,) = company.stage.rows("contacts")
    company.stage.put("contacts", person | {"ship_to": person["ship_to"] | {"address1": "7 Corrected Road"}})
    send(company)
    assert json.loads(warehouse.heard[0][1])["data"]["ship_to"]["address1"] == "7 Corrected Road"


def test_what_the_location_has_answered_meanwhile_is_not_sent(company: MainStreet, warehouse: Warehouse) -> None:
    company.play_all(*RELEASED, ("queue_fulfillment", "accepted"))
    assert send(company) == []
    assert warehouse.heard == []
    assert delivery(company)["status"] == "OBSOLETE"


def test_a_trigger_that_comes_after_the_answer_leaves_what_was_sent_as_it_was(
    company: MainStreet, warehouse: Warehouse
) -> None:
    company.play_all(*RELEASED)
    assert send(company) == []
    told = delivery(company)
    company.play("queue_fulfillment", "accepted")
    assert send(company) == []
    assert len(warehouse.heard) == 1
    assert delivery(company) == told
    assert told["status"] == "SENT"


def test_a_request_that_was_not_taken_is_noted_and_sent_again(company: MainStreet, warehouse: Warehouse) -> None:
    company.play_all(*RELEASED)
    warehouse.status = 503
    assert len(send(company)) == 1
    row = delivery(company)
    assert (row["status"], row["failed_destination"], row["last_error"]) == (
        "FAILED",
        "location#WH-RENO",
        "Unavailable: answered 503",
    )
    warehouse.status = 202
    assert send(company) == []
    row = delivery(company)
    assert (row["status"], row["attempts"], "failed_destination" in row) == ("SENT", 2, False)


def test_asking_a_silent_location_again_in_vain_comes_again_without_a_bug(
    company: MainStreet, warehouse: Warehouse, log: Any
) -> None:
    company.play_all(*RELEASED)
    send(company)
    warehouse.status = 500
    assert len(send(company)) == 1
    assert delivery(company)["status"] == "SENT"
    assert '"level":"ERROR"' not in log.getvalue()


@pytest.mark.parametrize("url", ["http://warehouse.example.com/requests", "http://127.0.0.1:9/", "https://localhost/"])
def test_nothing_is_sent_in_the_clear_nor_to_the_machine_itself(company: MainStreet, url: str) -> None:
    at_endpoint(company.stage, url)
    company.play_all(*RELEASED)
    assert len(send(company, loopback=False)) == 1
    assert delivery(company)["last_error"] == "Unavailable: only https to another machine is spoken"


@pytest.mark.parametrize("missing", ["secret", "endpoint"])
def test_a_location_that_is_not_fully_set_up_shows_among_the_failed(company: MainStreet, missing: str) -> None:
    company.play_all(*RELEASED)
    if missing == "secret":
        name = "oms/test/warehouses/WH-RENO"
        clients.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    else:
        at_endpoint(company.stage, "")
    assert len(send(company)) == 1
    assert delivery(company)["status"] == "FAILED"
