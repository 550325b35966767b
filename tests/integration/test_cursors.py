"""Cursors come from outside: a forged one is the asker's mistake, named, whatever shape it has."""

from __future__ import annotations

import base64

import pytest

from oms.domain.errors import InvalidMessage
from oms.runtime import clients
from oms.stores.table import Table
from tests.integration.functions.api_client import ApiClient
from tests.integration.functions.test_api_orders import EMAIL, PHONE, order
from tests.integration.stage import PREFIX, Stage


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


FORGED = {
    "no base64": "=",
    "no JSON": encoded("not json"),
    "no text": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "a list": encoded("[]"),
    "nothing": encoded("{}"),
    "no typed value": encoded('{"order_id": "a"}'),
    "null": encoded('{"order_id": null}'),
    "a number for a text": encoded('{"order_id": {"S": 5}}'),
    "two types at once": encoded('{"order_id": {"S": "a", "N": "1"}}'),
    "no type": encoded('{"order_id": {}}'),
    "a type no key has": encoded('{"order_id": {"BOOL": true}}'),
    "a map": encoded('{"order_id": {"M": {}}}'),
    "nested without end": encoded("[" * 1_400),
}
LISTS = {
    "waiting_for": {"waiting_for": "ALLOCATION"},
    "customer": {"customer": "web#main#c-1"},
    "account and day": {"account": "web#main", "day": "2026-03-01"},
    "email": {"email": EMAIL},
    "phone": {"phone": PHONE},
}


@pytest.mark.parametrize("cursor", FORGED.values(), ids=list(FORGED))
def test_a_forged_cursor_is_refused_by_name(stage: Stage, cursor: str) -> None:
    table = Table(clients.client("dynamodb"), f"{PREFIX}orders")
    with pytest.raises(InvalidMessage, match="cursor"):
        table.query("#work_queue = :q", {":q": "PICK"}, index="by_work_queue", cursor=cursor)


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_a_cursor_that_the_table_does_not_understand_is_refused_by_name(stage: Stage, code: str) -> None:
    table = Table(clients.client("dynamodb"), f"{PREFIX}orders")
    stage.fail("dynamodb", "Query", code)
    with pytest.raises(InvalidMessage, match="cursor"):
        table.query("#order_id = :o", {":o": "a"}, cursor=encoded('{"elsewhere": {"S": "a"}}'))


@pytest.mark.parametrize("query", LISTS.values(), ids=list(LISTS))
def test_no_list_of_orders_takes_a_forged_cursor(stage: Stage, query: dict[str, str]) -> None:
    api = ApiClient(stage, "api_orders")
    for number in (1, 2):
        named = order(channel_order_id=str(number), order_number=f"#{number}", placed_at="2026-03-01T10:00:00Z")
        assert api.call("POST", "/orders", named, key=f"key-{number}").status == 201
    mark = api.call("GET", "/orders", query=query | {"limit": "1"}).body["cursor"].partition(".")[0]
    for forged in FORGED.values():
        reply = api.call("GET", "/orders", query=query | {"cursor": f"{mark}.{forged}"})
        assert (reply.status, reply.error["details"]["field"]) == (422, "cursor")


def test_a_list_goes_on_where_its_page_ended(stage: Stage) -> None:
    table = Table(clients.client("dynamodb"), f"{PREFIX}order_history")
    for version in range(5):
        table.put({"order_id": "a", "version": version, "events": []})
    first = table.query("#order_id = :o", {":o": "a"}, limit=3)
    second = table.query("#order_id = :o", {":o": "a"}, limit=3, cursor=first.cursor)

    assert [item["version"] for item in first.items + second.items] == [0, 1, 2, 3, 4]
    assert second.cursor is None
