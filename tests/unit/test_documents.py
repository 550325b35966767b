"""Documents: what is stored of an order is all there is to it, however it is written."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.catalog import Location, Policy, Product
from oms.domain.changes import Backorder, Delivery, OrderChange
from oms.domain.events import Event, EventType
from oms.domain.incoming import Contact
from oms.domain.order import Order
from oms.domain.reservations import Reservation
from oms.domain.stock import Incoming
from oms.stores import documents
from oms.stores import orders as orders_module
from oms.stores.attribute_values import from_item, to_attribute, to_item
from oms.stores.documents import from_document, to_document
from oms.stores.orders import OrdersStore
from tests.unit.builders import NOON, line, order

KINDS = (Order, Reservation, Incoming, Backorder, Delivery, Contact, Product, Location, Policy)
NEW_YORK = timezone(timedelta(hours=-5))
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.sampled_from([UTC, NEW_YORK]))  # noqa: DTZ001
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=5),
    int: st.integers(-3, 10**12),
    bool: st.booleans(),
    datetime: TIMES.map(lambda moment: moment.replace(microsecond=0)),
    Any: JSON,
    types.NoneType: st.none(),
}


def of_hint(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type can have."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(of_hint, inner))
    if origin is tuple:
        return st.lists(of_hint(inner[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(of_hint(inner[0]), of_hint(inner[1]), max_size=2)
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return any_of(hint)


@functools.cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any object of a dataclass, its fields often at their defaults."""
    hints = typing.get_type_hints(kind)
    chosen = {field.name: of_hint(hints[field.name]) for field in dataclasses.fields(kind)}
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            chosen[field.name] = st.just(field.default) | chosen[field.name]
    return st.builds(kind, **chosen)


def plainly(value: Any) -> Any:
    """What a document is, rule by rule: slow, and easy to check by eye."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if dataclasses.is_dataclass(value):
        parts = {field.name: (field, getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: plainly(part) for name, (field, part) in parts.items() if not is_default(field, part)}
    if isinstance(value, Mapping):
        return {str(plainly(key)): plainly(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plainly(part) for part in value]
    return value


def is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if isinstance(value, Enum) or value is None:
        return value is None
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return bool(value == default)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_a_document_says_what_differs_from_the_defaults_and_comes_back_whole(kind: Any, data: st.DataObject) -> None:
    value = data.draw(any_of(kind))
    document = plainly(value)
    assert to_document(value) == document
    assert to_item(value) == to_item(document)
    assert from_item(to_item(value)) == document
    assert from_document(kind, from_item(to_item(value))) == value


class Colour(StrEnum):
    RED = "RED"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Painted:
    colour: Colour = Colour.RED


def test_an_enum_is_told_even_where_it_is_the_default() -> None:
    assert to_document(Painted()) == {"colour": "RED"}
    assert to_item(Painted()) == {"colour": {"S": "RED"}}
    assert type(to_item(Painted())["colour"]["S"]) is str


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        ("a", {"S": "a"}),
        (0, {"N": "0"}),
        (-12, {"N": "-12"}),
        (True, {"BOOL": True}),
        (None, {"NULL": True}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ((), {"L": []}),
        ({"a": {"b": False}}, {"M": {"a": {"M": {"b": {"BOOL": False}}}}}),
        (datetime(2026, 3, 1, 7, 30, 5, 999_999, tzinfo=NEW_YORK), {"S": "2026-03-01T12:30:05Z"}),
    ],
)
def test_every_kind_of_value_has_one_typed_form(value: Any, typed: dict[str, Any]) -> None:
    assert to_attribute(value) == typed


@pytest.mark.parametrize(
    "value", [1.5, b"bytes", {1, 2}, object(), [{"deep": 0.1}]], ids=lambda value: type(value).__name__
)
def test_what_does_not_belong_in_a_table_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="can't be stored"):
        to_attribute(value)


def test_an_attribute_of_a_type_we_never_write_is_refused() -> None:
    with pytest.raises(TypeError, match="SS"):
        from_item({"tags": {"SS": ["a"]}})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    note: str | None
    colour: Colour | None


def test_nothing_is_left_out_even_where_there_is_no_default() -> None:
    assert to_document(Bare(note=None, colour=None)) == {}
    assert to_item(Bare(note="", colour=None)) == {"note": {"S": ""}}


def test_the_names_in_a_map_are_plain_text() -> None:
    assert to_document({Colour.RED: 1, 3: 2}) == {"RED": 1, "3": 2}
    assert {type(name) for name in to_item({Colour.RED: 1, 3: 2})} == {str}


def test_an_order_gives_up_events_only_when_its_document_itself_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [Event(version=n, sequence=n, type=EventType.NOTE_ADDED, at=NOON, actor="desk") for n in range(1, 9)]
    long = order(line("1", "CUP"), version=8, events=tuple(events))
    store, size = OrdersStore(None, "oms-test-"), len(msgspec.json.encode(to_document(long)))

    monkeypatch.setattr(orders_module, "MAX_DOCUMENT_BYTES", size)
    assert len(store.write_actions(OrderChange(order=long))[1]) == 0
    monkeypatch.setattr(orders_module, "MAX_DOCUMENT_BYTES", size - 1)
    assert len(store.write_actions(OrderChange(order=long))[1]) == 1


AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-5)
from oms.domain.order import Order
from oms.domain.routing_record import Decision
from oms.stores.documents import from_document
barrier = threading.Barrier(8)

def read():
    barrier.wait()
    for kind in (Order, Decision):
        try:
            from_document(kind, {"lines": [{"line_id": "1", "sku": "A", "ordered": 1}], "fulfillments": [{}]})
        except ValueError:
            pass

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_documents_of_a_kind_may_be_read_by_several_threads_at_once() -> None:
    layer = str(Path(documents.__file__).parents[2])
    for _ in range(12):
        script = [sys.executable, "-c", AT_ONCE]
        done = subprocess.run(script, env={"PYTHONPATH": layer}, capture_output=True, check=False, timeout=60)  # noqa: S603 - ours
        assert done.returncode == 0, done
