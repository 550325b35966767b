"""`open_lines` follows the documents: twice, late, out of order, by two workers at once, and killed half way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oms.domain.order import Component, Fulfillment, FulfillmentLine, Order, Request
from oms.domain.projection import OpenLine, open_lines
from oms.runtime import clients
from oms.stores.open_lines import CLOSED_KEPT, OpenLinesStore
from oms.stores.orders import OrdersStore
from oms.usecases import projection as projections
from oms.usecases.projection import Projection
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage
from tests.unit.builders import NOON, line, order

UNITS = 3
ORDER = "shopify-main-1"


def document(version: int, east: int = 0, gone: int = 0, *, released: bool = False, order_id: str = ORDER) -> Order:
    """An order of three units: so many at WH-EAST, so many shipped or cancelled, the rest looking for a location."""
    part = FulfillmentLine(line_id="L1", sku="MUG", assigned=UNITS, open=east, cancelled=UNITS - east)
    request = Request.SUBMITTED if released else Request.UNSUBMITTED
    work = Fulfillment(fulfillment_id="f1", location_id="WH-EAST", request=request, lines=(part,))
    free = UNITS - east - gone
    made = line("L1", "MUG", UNITS, unallocated=free, in_fulfillment=east, cancelled=gone)
    return order(made, fulfillments=(work,), version=version, order_id=order_id)


def projection() -> Projection:
    """A worker's use case."""
    client: Any = clients.client("dynamodb")
    return Projection(OrdersStore(client, PREFIX), OpenLinesStore(client, PREFIX))


def project(*order_ids: str) -> projections.Projected:
    return projection().project(order_ids or (ORDER,), NOON)


def write(stage: Stage, made: Order) -> None:
    """The document becomes this version; the history of events is of no matter here."""
    stage.put("orders", made)


def shown(stage: Stage) -> dict[str, int]:
    """Place to units of the rows that are open."""
    return {row["line_key"].split("#")[0]: row["quantity"] for row in stage.rows("open_lines") if row["quantity"]}


def says(made: Order) -> dict[str, int]:
    return {row.line_key.split("#")[0]: row.quantity for row in open_lines(made) if row.quantity}


def test_an_order_is_looked_for_then_held_then_gone(stage: Stage) -> None:
    for made, expected in (
        (document(1), {"UNALLOCATED": 3}),
        (document(2, east=2), {"UNALLOCATED": 1, "WH-EAST": 2}),
        (document(3, east=3), {"WH-EAST": 3}),
        (document(4, gone=3), {}),
    ):
        write(stage, made)
        assert not project().failed
        assert shown(stage) == expected


def test_a_document_that_nobody_can_read_keeps_no_other_from_being_shown(stage: Stage) -> None:
    write(stage, document(1, east=2))
    stage.put("orders", {"order_id": "shopify-main-broken", "version": "one"})
    assert project(ORDER, "shopify-main-broken").failed == {"shopify-main-broken": "InvariantBroken"}
    assert shown(stage) == {"UNALLOCATED": 1, "WH-EAST": 2}


def test_a_projection_that_comes_again_writes_nothing(stage: Stage) -> None:
    write(stage, document(1, east=1))
    assert project().written == 2
    rows = stage.rows("open_lines")
    assert project().written == 0
    assert stage.rows("open_lines") == rows


def test_only_rows_whose_content_changed_are_written(stage: Stage) -> None:
    write(stage, document(1, east=1))
    project()
    write(stage, document(2, east=1))
    assert project().written == 0
    write(stage, document(3, east=1, released=True))
    assert project().written == 1


def test_a_closed_row_stays_for_a_while_and_then_expires(stage: Stage) -> None:
    write(stage, document(1))
    project()
    write(stage, document(2, gone=3))
    project()
    (row,) = stage.rows("open_lines")
    assert (row["quantity"], row["source_version"]) == (0, 2)
    assert row["expires_at"] == int((NOON + CLOSED_KEPT).timestamp())
    write(stage, document(3))
    project()
    (row,) = stage.rows("open_lines")
    assert row["quantity"] == 3
    assert "expires_at" not in row


def test_a_kit_shows_under_what_it_is_made_of(stage: Stage) -> None:
    kit = (Component(sku="MUG", quantity=2), Component(sku="BOX", quantity=1))
    write(stage, order(line("L1", "SET", 2, components=kit)))
    project()
    assert {row["sku"]: row["quantity"] for row in stage.rows("open_lines")} == {"MUG": 4, "BOX": 2}


def test_an_order_that_there_is_not_changes_nothing(stage: Stage) -> None:
    assert not project("nobody").failed
    assert stage.rows("open_lines") == []


def test_an_older_projection_that_comes_late_cannot_bring_a_closed_row_back(stage: Stage, faults: Faults) -> None:
    write(stage, document(1))
    project()
    write(stage, document(2, east=3))

    def overtaken() -> None:
        write(stage, document(3, gone=3))
        project()

    faults.meanwhile("PutItem", overtaken)
    assert not project().failed
    assert shown(stage) == {}


def test_a_row_made_of_an_older_document_never_replaces_a_newer_one_closed_ones_included(stage: Stage) -> None:
    store = OpenLinesStore(clients.client("dynamodb"), PREFIX)
    (free, held) = open_lines(document(2, east=1))
    assert store.put(free, NOON)
    assert store.put(replace(held, quantity=0), NOON)
    rows = stage.rows("open_lines")
    assert not store.put(replace(free, quantity=3, source_version=1), NOON)
    assert not store.put(replace(held, quantity=3, source_version=1), NOON)
    assert stage.rows("open_lines") == rows


def test_a_row_left_alone_by_the_newer_projection_is_not_left_to_the_older(stage: Stage, faults: Faults) -> None:
    """The newer one found nothing to write; then the older one writes. Its own second look mends that."""
    write(stage, document(1, east=1))
    project()
    write(stage, document(2, east=2))

    def overtaken() -> None:
        write(stage, document(3, east=1))
        assert project().written == 0

    faults.meanwhile("PutItem", overtaken)
    assert not project().failed
    assert shown(stage) == says(document(3, east=1))


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("crash", ["crash_before", "crash_after"])
def test_a_worker_that_dies_between_two_rows_is_made_good_by_the_next(
    stage: Stage, faults: Faults, crash: str, nth: int
) -> None:
    write(stage, document(1))
    project()
    write(stage, document(2, east=3))
    getattr(faults, crash)("PutItem", nth=nth)
    with pytest.raises(CrashedError):
        project()
    assert not project().failed
    assert shown(stage) == {"WH-EAST": 3}


def test_a_worker_that_dies_before_its_second_look_is_made_good_by_its_message(stage: Stage, faults: Faults) -> None:
    write(stage, document(1, east=1))
    project()
    write(stage, document(2, east=2))
    faults.meanwhile("PutItem", lambda: write(stage, document(3, east=1)))
    faults.crash_before("BatchGetItem", nth=3)
    with pytest.raises(CrashedError):
        project()
    assert shown(stage) != says(document(3, east=1))
    assert not project().failed
    assert shown(stage) == says(document(3, east=1))


@pytest.mark.parametrize("operation", ["PutItem", "BatchGetItem"])
@pytest.mark.parametrize("fault", ["time_out_before", "time_out_after"])
def test_a_write_or_a_look_whose_outcome_is_not_known_comes_again(
    stage: Stage, faults: Faults, fault: str, operation: str
) -> None:
    write(stage, document(1, east=1))
    getattr(faults, fault)(operation, times=3)
    assert project().failed == {ORDER: "Unavailable"}
    faults.mend()
    assert not project().failed
    assert shown(stage) == says(document(1, east=1))


def test_one_order_that_cannot_be_written_holds_up_no_other(stage: Stage, faults: Faults) -> None:
    write(stage, document(1))
    write(stage, document(1, order_id="other"))
    faults.refuse("PutItem", "ThrottlingException", times=3)
    assert list(project(ORDER, "other").failed.values()) == ["Throttled"]
    assert len(stage.rows("open_lines")) == 1


def test_an_order_that_never_stands_still_comes_again(stage: Stage, faults: Faults) -> None:
    write(stage, document(1))
    versions = iter(range(2, 100))

    def moves_on() -> None:
        number = next(versions)
        write(stage, document(number, east=number % 3))

    faults.before("BatchGetItem", lambda _: moves_on(), times=100)
    assert project().failed == {ORDER: projections.KEPT_CHANGING}
    faults.mend()
    assert not project().failed


def test_keys_that_dynamodb_left_unread_are_asked_for_again(stage: Stage) -> None:
    for number in range(3):
        write(stage, document(1, order_id=f"order-{number}"))
    client, whole = clients.client("dynamodb"), clients.client("dynamodb").batch_get_item

    def one_at_a_time(RequestItems: Any) -> Any:  # noqa: N803 - boto3's name
        ((table, asked),) = RequestItems.items()
        answer = whole(RequestItems={table: asked | {"Keys": asked["Keys"][:1]}})
        left = asked["Keys"][1:]
        return answer | {"UnprocessedKeys": {table: asked | {"Keys": left}} if left else {}}

    client.batch_get_item = one_at_a_time
    try:
        assert project("order-0", "order-1", "order-2").written == 3
    finally:
        del client.batch_get_item


def test_units_that_look_for_a_location_are_added_up_over_orders(stage: Stage) -> None:
    for number in range(3):
        short = line("L1", "MUG", 3, unallocated=number, shipped=3 - number, backordered=number // 2)
        write(stage, order(short, order_id=f"order-{number}"))
    write(stage, document(1, east=3, order_id="held"))
    project("order-0", "order-1", "order-2", "held")
    store = OpenLinesStore(clients.client("dynamodb"), PREFIX)
    assert store.unallocated("MUG") == (3, 1)
    assert store.unallocated("BOWL") == (0, 0)


def test_what_orders_hold_at_a_location_comes_page_by_page(stage: Stage) -> None:
    for number in range(5):
        write(stage, document(1, east=number % 3, order_id=f"order-{number}"))
    project(*(f"order-{number}" for number in range(5)))
    store = OpenLinesStore(clients.client("dynamodb"), PREFIX)
    held: list[OpenLine] = []
    page = store.at("MUG", "WH-EAST", limit=1)
    held += page.rows
    while page.cursor:
        page = store.at("MUG", "WH-EAST", limit=1, cursor=page.cursor)
        held += page.rows
    assert [(row.order_id, row.quantity) for row in held] == [("order-1", 1), ("order-2", 2), ("order-4", 1)]
    assert store.at("MUG", "WH-EA").rows == []


STEPS = st.dictionaries(
    st.integers(1, 9),
    st.tuples(st.sampled_from(["overtaken", "moves on", "another worker", "crash"]), st.integers(0, 1)),
    max_size=4,
)
"""At the n-th call: what happens just before it, and the units at WH-EAST if the document moves on."""


class Interleaving:
    """Before each call of a worker something else may happen: workers stack up within each other's calls."""

    def __init__(self, stage: Stage, steps: dict[int, tuple[str, int]]) -> None:
        self.stage, self.steps, self.calls = stage, steps, 0
        self.busy = False
        self.messages: list[int] = []
        self.made = document(1)
        write(stage, self.made)
        project()
        self.move_on(1)

    def play(self) -> None:
        """Handles messages until none is left."""
        for operation in ("PutItem", "BatchGetItem"):
            self.stage.hook("dynamodb", f"before-call.dynamodb.{operation}", self.meanwhile)
        try:
            for _ in range(100):
                self.handle()
        finally:
            self.stage.mend()
        assert not self.messages

    def meanwhile(self, **_: Any) -> None:
        if self.busy:
            return
        self.calls += 1
        step, east = self.steps.get(self.calls, ("nothing", 0))
        if step in ("moves on", "overtaken"):
            self.move_on(east)
        if step in ("another worker", "overtaken"):
            self.handle()
        if step == "crash":
            raise CrashedError

    def move_on(self, east: int) -> None:
        self.made = document(self.made.version + 1, east=east)
        self.busy = True
        write(self.stage, self.made)
        self.busy = False
        self.messages.append(self.made.version)

    def handle(self) -> None:
        """A worker takes a message; it is gone only if the worker lived and did all of it."""
        if not self.messages:
            return
        message = self.messages.pop()
        try:
            failed = project().failed
        except CrashedError:
            failed = {ORDER: "crashed"}
        if failed:
            self.messages.append(message)


@settings(deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_however_workers_overtake_each_other_and_die_the_rows_end_as_the_document_says(
    stage: Stage, steps: dict[int, tuple[str, int]]
) -> None:
    for row in stage.rows("open_lines"):
        key = {"sku": {"S": row["sku"]}, "line_key": {"S": row["line_key"]}}
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}open_lines", Key=key)
    played = Interleaving(stage, steps)
    played.play()
    assert shown(stage) == says(played.made)


def test_rows_without_an_order_and_rows_it_does_not_hold_are_told_apart(stage: Stage) -> None:
    made = document(4, east=3)
    write(stage, made)
    (free, held) = open_lines(replace(made, version=2))
    stale = replace(free, quantity=3)
    orphan = replace(held, order_id="nobody", line_key="WH-EAST#nobody#L1")
    closed, orphans = projection().strays([stale, held, orphan])
    assert [(row.line_key, row.quantity, row.source_version) for row in closed] == [(free.line_key, 0, 4)]
    assert orphans == [orphan]
