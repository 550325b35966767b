"""Files of orders: how their rows become bodies of the API, and the examples that come with the project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms.channels import direct
from oms.domain.intake import totals_difference
from oms.domain.migrated import faults
from tools import migration_file, order_csv, seed
from tools.order_csv import Entry, UnusableError

EXAMPLES = seed.SEED_DATA / "imports"
HEADER = "channel,account,channel_order_id,line.sku,line.quantity,prices_include_tax,ship_to.city,payment.method"


def entries(*rows: str) -> list[Entry]:
    return list(order_csv.read_csv([f"{row}\n" for row in (HEADER, *rows)]))


def bodies(*rows: str) -> list[dict[str, object]]:
    return [json.loads(entry.body) for entry in entries(*rows)]


def test_rows_of_one_order_are_its_lines_and_say_of_the_order_what_the_first_says() -> None:
    assert bodies("pos,main,1,MUG,2,true,Reno,CASH", "pos,main,1,BOWL,1,,,", "pos,main,2,MUG,1,FALSE,,") == [
        {
            "channel": "pos",
            "account": "main",
            "channel_order_id": "1",
            "prices_include_tax": True,
            "ship_to": {"city": "Reno"},
            "payments": [{"method": "CASH"}],
            "lines": [{"sku": "MUG", "quantity": 2}, {"sku": "BOWL", "quantity": 1}],
        },
        {
            "channel": "pos",
            "account": "main",
            "channel_order_id": "2",
            "prices_include_tax": False,
            "lines": [{"sku": "MUG", "quantity": 1}],
        },
    ]


def test_the_same_number_on_another_channel_is_another_order() -> None:
    assert [entry.rows for entry in entries("pos,main,1,MUG,1,,,", "phone,main,1,MUG,1,,,")] == [(2,), (3,)]


def test_a_field_of_a_line_is_told_with_the_row_it_stands_in() -> None:
    (entry,) = entries("pos,main,1,MUG,2,,,", "", "pos,main,1,BOWL,1,,,")
    assert [entry.row_of(field) for field in ("lines.0.sku", "lines.1", "lines.9.sku", "currency")] == [2, 4, 2, 2]


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        ("pos,main,1,BOWL,1,true,Elko,", "ship_to.city"),
        ("pos,main,1,BOWL,1,false,Reno,", "prices_include_tax"),
        ("pos,main,1,BOWL,1,true,Reno,CASH", ""),
        ("pos,main,1,BOWL,1,,,", ""),
    ],
)
def test_rows_of_one_order_that_say_different_things_of_it_are_seen(second: str, fault: str) -> None:
    (entry,) = entries("pos,main,1,MUG,2,true,Reno,CASH", second)
    assert entry.fault == fault


def test_what_is_no_number_stays_as_it_is_to_be_refused_by_its_name() -> None:
    assert bodies("pos,main,1,MUG,two,maybe,,")[0] == {
        "channel": "pos",
        "account": "main",
        "channel_order_id": "1",
        "prices_include_tax": "maybe",
        "lines": [{"sku": "MUG", "quantity": "two"}],
    }


def test_a_row_with_too_many_cells_makes_the_file_unusable() -> None:
    with pytest.raises(UnusableError, match="row 2 has 9 cells"):
        entries("pos,main,1,MUG,2,,,,")


def lines(name: str) -> Iterator[str]:
    yield from Path(EXAMPLES / name).read_text("utf-8").splitlines(keepends=True)


@pytest.mark.parametrize(("name", "count"), [("orders.csv", 2), ("orders.jsonl", 1)])
def test_the_examples_of_orders_can_be_imported(name: str, count: int) -> None:
    read = order_csv.read_csv if name.endswith(".csv") else order_csv.read_json_lines
    found = list(read(lines(name)))
    assert len(found) == count
    for entry in found:
        assert entry.fault == ""
        assert totals_difference(direct.imported_order(direct.read(entry.body.encode()))) == 0


def test_the_examples_of_open_orders_can_be_loaded() -> None:
    found = list(migration_file.rows(lines("open_orders.jsonl")))
    assert len(found) == 2
    for row in found:
        assert row.migrated is not None
        assert faults(row.migrated) == []
        assert totals_difference(row.migrated.incoming) == 0


def test_what_an_open_order_says_of_people_is_not_in_its_digest() -> None:
    text = next(lines("open_orders.jsonl"))
    (one,) = migration_file.rows([text])
    (other,) = migration_file.rows([text.replace("ada@example.com", "eve@example.com").replace("Elm", "Oak")])
    (changed,) = migration_file.rows([text.replace('"quantity": 2', '"quantity": 1')])
    assert one.migrated
    assert other.migrated
    assert changed.migrated
    assert one.migrated.content == other.migrated.content != changed.migrated.content
