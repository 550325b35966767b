"""Why did it ship from there: every order that is allocated can say so, whatever went wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oms.domain.order import Method
from oms.runtime import clients
from oms.stores.routing_decisions import BATCH, MAX_LISTED, MAX_ROUNDS, RoutingDecisionsStore
from tests.integration.carts import Desk
from tests.integration.company import ADA, Worker, activate_routing_policy, at, incoming, order_id, received, worker
from tests.integration.faults import CrashedError, Faults, refusal
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.stage import LOCATIONS, PREFIX, Stage
from tests.unit.builders import candidate, line, order
from tests.unit.decisions import decided

COASTS = ("WH-EAST", "WH-WEST")


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_orders")


def taken(made: Worker, number: int = 1, lines: dict[str, int] | None = None, **changes: Any) -> str:
    """An order that was taken in and allocated."""
    name = made.take(incoming(number, lines, **changes)).order.order_id
    assert made.allocate(name) == []
    return name


def told(stage: Stage, name: str) -> list[str]:
    """The decisions that the order's events name."""
    events = stage.order(name).events
    return [event.data["decision_id"] for event in events if event.type == "OrderRouted"]


def kept(stage: Stage) -> list[str]:
    return [row["decision_id"] for row in stage.rows("routing_decisions")]


def routing(api: ApiClient, name: str, **query: str) -> Reply:
    return api.call("GET", f"/orders/{name}/routing", query=query or None)


# --- writing


def test_an_order_that_is_allocated_names_the_record_of_its_decision(stage: Stage) -> None:
    name = taken(worker())
    (row,) = stage.rows("routing_decisions")
    assert (row["order_id"], [row["decision_id"]]) == (name, told(stage, name))
    assert (row["cost_minor"], row["stock"]) == (1100, {"WH-EAST": "10 3", "WH-WEST": "5 0"})
    assert row["expires_at"] > at(24 * 89).timestamp()


def test_nothing_in_a_record_is_personal(stage: Stage) -> None:
    taken(worker())
    text = str(stage.rows("routing_decisions"))
    personal = (ADA.name, ADA.email, ADA.phone, ADA.ship_to.address1, ADA.ship_to.city)
    assert not [one for one in personal if one and one in text]


def test_orders_of_one_batch_are_each_recorded_with_the_stock_that_was_left_for_them(stage: Stage) -> None:
    made = worker()
    names = [made.take(incoming(number, {"BOWL": 1})).order.order_id for number in (1, 2)]
    assert made.allocate(*names) == []
    rows = {row["order_id"]: row for row in stage.rows("routing_decisions")}
    assert [rows[name]["stock"] for name in names] == [{"WH-EAST": "3"}, {"WH-EAST": "2"}]


def test_what_orders_that_were_routed_together_got_is_recorded_as_such(stage: Stage) -> None:
    for location_id in COASTS:
        stage.put("stock", {"sku": "BOWL", "location_id": location_id, "on_hand": 1, "available": 1})
    made = worker()
    names = []
    for number, region in ((1, "CA"), (2, "NV")):
        contact = replace(ADA, ship_to=replace(ADA.ship_to, region=region))
        names.append(made.take(incoming(number, {"BOWL": 1}, contact=contact)).order.order_id)
    assert made.allocate(*names) == []
    rows = {row["order_id"]: row for row in stage.rows("routing_decisions") if row["decision_id"] in told_all(stage)}
    assert [(rows[name]["parcels"][0]["location_id"], rows[name]["in_wave"]) for name in names] == [
        ("WH-EAST", True),
        ("WH-WEST", True),
    ]


def told_all(stage: Stage) -> set[str]:
    return {one for row in stage.rows("orders") for one in told(stage, row["order_id"])}


def test_an_order_that_is_allocated_bit_by_bit_has_a_decision_for_each(stage: Stage) -> None:
    activate = {"kind": "policy", "name": "active", "cancel_window_seconds": 0, "backorder_rule": "SHIP_AVAILABLE"}
    stage.put("settings", activate)
    made = worker()
    name = taken(made, lines={"BOWL": 5})
    made.commit.commit_one(received("BOWL", "WH-EAST", 2))
    made.allocate(name)
    assert len(told(stage, name)) == 2
    assert sorted(told(stage, name)) == sorted(kept(stage))
    assert [row["lines"] for row in stage.rows("routing_decisions")] == [{"L1": 3}, {"L1": 2}]


def test_an_order_made_upon_a_cart_s_hold_has_its_decision_too(stage: Stage) -> None:
    desk = Desk()
    desk.hold(("MUG", 2))
    placed = desk.place().order
    assert told(stage, placed.order_id) == kept(stage) != []


# --- whatever goes wrong


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalServerError"])
def test_where_the_record_can_not_be_kept_the_order_is_asked_for_again_and_holds_nothing(
    stage: Stage, faults: Faults, code: str
) -> None:
    made = worker()
    name = made.take(incoming()).order.order_id
    faults.refuse("BatchWriteItem", code, times=100)
    assert made.allocate(name) == [name]
    assert stage.order(name).fulfillments == ()
    assert stage.position("MUG", "WH-EAST").committed == 0
    faults.mend()
    assert made.allocate(name) == []
    assert told(stage, name) == kept(stage)


@pytest.mark.parametrize("crash", [Faults.crash_before, Faults.crash_after])
@pytest.mark.parametrize("operation", ["BatchWriteItem", "TransactWriteItems"])
def test_wherever_a_worker_dies_what_is_committed_can_be_explained(
    stage: Stage, faults: Faults, crash: Callable[..., None], operation: str
) -> None:
    made = worker()
    name = made.take(incoming()).order.order_id
    crash(faults, operation)
    with pytest.raises(CrashedError):
        made.allocate(name)
    assert set(told(stage, name)) <= set(kept(stage))
    faults.mend()
    assert worker().allocate(name) == []
    assert len(told(stage, name)) == 1
    assert set(told(stage, name)) <= set(kept(stage))


def test_a_record_whose_answer_was_lost_is_the_same_row_again(stage: Stage, faults: Faults) -> None:
    made = worker()
    name = made.take(incoming()).order.order_id
    faults.time_out_after("BatchWriteItem")
    made.allocate(name)
    made.allocate(name)
    assert told(stage, name) == kept(stage)


def some(number: int) -> list[Any]:
    """So many decisions, of one order each."""
    decision = decided(order(line("1", "MUG")), [candidate("wh", MUG=1)])
    return [replace(decision, order_id=f"web-main-{one}") for one in range(number)]


def store() -> RoutingDecisionsStore:
    return RoutingDecisionsStore(clients.client("dynamodb"), PREFIX)


def test_many_are_written_in_calls_of_a_few_and_no_decisions_in_none(stage: Stage) -> None:
    assert store().keep([]) == []
    decisions = some(2 * BATCH + 1)
    assert store().keep([*decisions, *decisions]) == []
    assert len(kept(stage)) == 2 * BATCH + 1
    assert store().get("web-main-7", decisions[7].decision_id) == decisions[7]


def test_a_call_that_fails_costs_only_its_own_orders(stage: Stage, faults: Faults) -> None:
    doomed = some(2 * BATCH)

    def refuse(request: Any) -> Any:
        throttled = f'"{doomed[0].order_id}"'.encode() in request.body
        return refusal(request, "ProvisionedThroughputExceededException") if throttled else None

    faults.before("BatchWriteItem", refuse, times=100)
    (unkept,) = store().keep(doomed)
    assert unkept.order_ids == [one.order_id for one in doomed[:BATCH]]
    written = {row["order_id"] for row in stage.rows("routing_decisions")}
    assert written == {one.order_id for one in doomed[BATCH:]}


def leave_out(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """DynamoDB leaves the last row of each call unwritten, so many times; returns how many rows each call had."""
    client: Any = clients.client("dynamodb")
    write, calls = client.batch_write_item, []

    def partly(RequestItems: dict[str, list[Any]]) -> Any:  # noqa: N803 - as the client calls it
        ((table, rows),) = RequestItems.items()
        calls.append(len(rows))
        if len(calls) > times:
            return write(RequestItems=RequestItems)
        if rows[:-1]:
            write(RequestItems={table: rows[:-1]})
        return {"UnprocessedItems": {table: rows[-1:]}}

    monkeypatch.setattr(client, "batch_write_item", partly)
    return calls


def test_what_dynamodb_leaves_out_is_written_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = leave_out(monkeypatch, times=1)
    assert store().keep(some(3)) == []
    assert (calls, len(kept(stage))) == ([3, 1], 3)


def test_and_told_if_it_is_left_out_again_and_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = leave_out(monkeypatch, times=MAX_ROUNDS)
    (unkept,) = store().keep(some(3))
    assert (unkept.order_ids, len(calls), len(kept(stage))) == (["web-main-2"], MAX_ROUNDS, 2)


def test_an_order_lists_its_newest_decisions_first_and_so_many_at_most(stage: Stage) -> None:
    (decision,) = some(1)
    made = [replace(decision, decision_id=f"{number:06}-00000000") for number in range(MAX_LISTED + 5)]
    assert store().keep(made) == []
    listed = [one.decision_id for one in store().of_order("web-main-0")]
    assert listed == [one.decision_id for one in reversed(made)][:MAX_LISTED]


# --- reading


def test_a_person_reads_what_was_chosen_what_it_cost_and_what_else_there_was(stage: Stage, api: ApiClient) -> None:
    name = taken(worker(), lines={"MUG": 2})
    body = routing(api, name).body
    assert body["text"] == "WH-EAST ships it for 11.00 USD, proved to be the cheapest."
    assert [(one["location_id"], one["lines"]) for one in body["parcels"]] == [("WH-EAST", {"L1": 2})]
    assert body["alternative"]["without"] == "WH-EAST"
    assert body["alternative"]["differences"] == {"freight_minor": 500}
    assert {one["location_id"]: one["stock"] for one in body["told"]} == {
        "WH-EAST": {"MUG": 10},
        "WH-WEST": {"MUG": 5},
    }
    assert [one["decision_id"] for one in body["decisions"]] == [body["decision_id"]] == told(stage, name)
    assert {one["location_id"] for one in body["warnings"]} == {"WH-EAST"}


def test_why_not_the_other_location(stage: Stage, api: ApiClient) -> None:
    name = taken(worker(), lines={"MUG": 2})
    answer = routing(api, name, why_not="WH-WEST").body["why_not"]
    assert (answer["verdict"], answer["difference_minor"] > 0) == ("DEARER", True)
    assert answer["wishes"][0]["code"] == "CHEAPER"
    assert "reference_data_changed" not in answer
    bowl = taken(worker(), 2, {"BOWL": 1})
    empty = routing(api, bowl, why_not="WH-WEST").body["why_not"]
    assert (empty["reason"], empty["wishes"][0]["text"]) == (
        "NO_STOCK",
        "it has 0 of BOWL, needs 1: even with all it needs it would have been dearer",
    )


def test_a_location_that_has_changed_since_is_answered_with_a_warning(stage: Stage) -> None:
    name = taken(worker(), lines={"MUG": 2})
    stage.put("locations", replace(LOCATIONS[0], handling_per_parcel_minor=1))
    answer = routing(ApiClient(stage, "api_orders"), name, why_not="WH-WEST").body["why_not"]
    assert answer["reference_data_changed"] is True


def test_the_policy_that_routed_it_answers_even_when_another_is_active(stage: Stage) -> None:
    forbids = {"constraints": {"lateness": "FORBIDDEN"}}
    activate_routing_policy(stage, **forbids)
    row = next(one for one in stage.rows("settings") if one["kind"] == "routing_policy")
    stage.put("settings", row | {"name": "000003", "document": {"version": 3, **forbids}})
    name = taken(worker(), lines={"MUG": 2})
    activate_routing_policy(stage, constraints={"max_parcels": 1}, costs={"late_day_minor": 1})
    body = routing(ApiClient(stage, "api_orders"), name, why_not="WH-WEST").body
    assert (body["policy_version"], body["why_not"]["verdict"]) == (3, "DEARER")
    assert "reference_data_changed" not in body["why_not"]


def test_an_older_decision_is_read_by_its_id(stage: Stage, api: ApiClient) -> None:
    stage.put(
        "settings",
        {"kind": "policy", "name": "active", "cancel_window_seconds": 0, "backorder_rule": "SHIP_AVAILABLE"},
    )
    made = worker()
    name = taken(made, lines={"BOWL": 5})
    made.commit.commit_one(received("BOWL", "WH-EAST", 2))
    made.allocate(name)
    first, second = told(stage, name)
    newest = routing(api, name).body
    assert (newest["decision_id"], newest["lines"]) == (second, {"L1": 2})
    assert routing(api, name, decision_id=first).body["lines"] == {"L1": 3}
    assert [one["decision_id"] for one in newest["decisions"]] == [second, first]


def test_a_kit_is_explained_by_its_components(stage: Stage, api: ApiClient) -> None:
    name = taken(worker(), lines={"SET": 2})
    body = routing(api, name, why_not="WH-WEST").body
    assert body["told"][0]["stock"] == {"MUG": 10}
    assert body["why_not"]["verdict"] == "DEARER"


def test_an_order_that_is_collected_is_explained_without_a_carrier(stage: Stage, api: ApiClient) -> None:
    for one in LOCATIONS:
        stage.put("locations", replace(one, methods=(Method.SHIP, Method.PICKUP)))
    name = taken(worker(), lines={"MUG": 1}, method=Method.PICKUP, pickup_location_id="WH-WEST")
    body = routing(api, name, why_not="WH-EAST").body
    assert [one["location_id"] for one in body["parcels"]] == ["WH-WEST"]
    assert body["why_not"]["reason"] == "OTHER_PICKUP_LOCATION"


def test_what_can_not_be_answered_says_what_can(stage: Stage, api: ApiClient) -> None:
    made = worker()
    waits = made.take(incoming(2)).order.order_id
    never = routing(api, waits)
    assert (never.status, never.error["message"]) == (404, "the order was never routed: it waits for ALLOCATION")
    assert routing(api, "no-such-order").status == 404
    name = taken(made)
    unknown = routing(api, name, why_not="WH-MARS")
    assert (unknown.status, unknown.error["details"]["field"]) == (422, "why_not")
    assert "WH-MARS" in unknown.error["message"]
    other = routing(api, name, decision_id="000002-00000000")
    assert (other.status, other.error["details"]["kept"]) == (404, told(stage, name))
    assert routing(api, name, decision_id="x").status == 422


def test_a_record_whose_days_are_over_is_said_to_be_gone(stage: Stage, api: ApiClient) -> None:
    name = taken(worker())
    (decision_id,) = told(stage, name)
    key = {"order_id": {"S": name}, "decision_id": {"S": decision_id}}
    clients.client("dynamodb").delete_item(TableName=f"{PREFIX}routing_decisions", Key=key)
    gone = routing(api, name)
    assert (gone.status, gone.error["details"]) == (404, {"decision_id": decision_id, "kept": []})


def test_a_plan_that_was_never_carried_out_is_not_listed(stage: Stage, api: ApiClient) -> None:
    name = taken(worker())
    stray = decided(order(line("1", "MUG"), order_id=order_id()), [candidate("wh", MUG=1)])
    store().keep([replace(stray, order_id=name)])
    assert len(kept(stage)) == 2
    assert [one["decision_id"] for one in routing(api, name).body["decisions"]] == told(stage, name)


def test_a_decision_that_saw_too_much_stock_for_a_row_is_kept_without_it_and_fails_no_others(stage: Stage) -> None:
    small, large = some(2)
    large = replace(large, stock={f"wh-{number}": "1 " * 50_000 for number in range(10)})
    assert store().keep([small, large]) == []
    assert store().get(large.order_id, large.decision_id) == replace(large, stock={})
    assert store().get(small.order_id, small.decision_id) == small
