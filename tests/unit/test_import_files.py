"""Files of orders: how their rows become bodies of the API, and the examples that come with the project."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms.channels import direct
from oms.domain.errors import InvalidMessage
from oms.domain.intake import totals_difference
from oms.domain.migrated import faults
from tools import migration_file, order_csv, order_report, seed
from tools.order_csv import Entry, UnusableError
from tools.order_report import Told

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


@pytest.mark.parametrize("more", [",,,BOWL,1,,,", "pos,,,BOWL,1,,,", ",,1,BOWL,1,,,", ",main,1,BOWL,1,,,"])
def test_a_row_that_does_not_say_whose_it_is_belongs_to_the_order_above(more: str) -> None:
    (entry,) = entries("pos,main,1,MUG,2,,,", more)
    assert [line["sku"] for line in json.loads(entry.body)["lines"]] == ["MUG", "BOWL"]
    assert entry.fault == ""


@pytest.mark.parametrize("other", [",,2,BOWL,1,,,", "phone,,,BOWL,1,,,", "phone,main,1,BOWL,1,,,"])
def test_a_row_that_names_anything_else_begins_another_order(other: str) -> None:
    assert [entry.rows for entry in entries("pos,main,1,MUG,2,,,", other)] == [(2,), (3,)]


def test_an_order_whose_rows_lie_apart_is_known_by_its_name() -> None:
    apart = entries("pos,main,1,MUG,2,,,", "pos,main,2,MUG,1,,,", "pos,main,1,BOWL,1,,,")
    assert [entry.identity for entry in apart] == [("pos", "main", "1"), ("pos", "main", "2"), ("pos", "main", "1")]


@pytest.mark.parametrize("quantity", ["9" * 5_000, "-" * 9, "--5", "²", "1_000", "1e3", "=1+1"])
def test_what_looks_like_a_number_and_is_none_stays_as_it_is(quantity: str) -> None:
    (body,) = bodies(f"pos,main,1,MUG,{quantity},,,")
    assert body["lines"] == [{"sku": "MUG", "quantity": quantity}]


def test_a_line_of_json_nested_too_deep_is_an_order_that_can_not_be_read() -> None:
    (entry,) = order_csv.read_json_lines(["[" * 100_000])
    with pytest.raises(InvalidMessage) as caught:
        direct.read(entry.body.encode())
    assert (entry.name, caught.value.reason) == ("", "MALFORMED_JSON")


def test_a_report_is_no_program(tmp_path: Path) -> None:
    """Whoever opens it in a spreadsheet must not run what a file of orders calls its orders."""
    report = [Told(2, name, "REFUSED", "line.sku", "UNKNOWN_SKU", "=cmd") for name in ("=1+1", "+1", "-1", "@a", "A-1")]
    order_report.write(tmp_path / "report.csv", report)
    with (tmp_path / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["order"] for row in rows] == ["'=1+1", "'+1", "'-1", "'@a", "A-1"]
    assert {row["message"] for row in rows} == {"'=cmd"}


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


def migrated(**changes: object) -> migration_file.Row:
    """The first open order of the examples, changed."""
    body = json.loads(next(lines("open_orders.jsonl")))
    (row,) = migration_file.rows([json.dumps(body | changes)])
    return row


MUG = {"sku": "MSG-MUG-350-SLATE", "quantity": 2, "unit_price_minor": 0}
HERE = {"location_id": "WH-RENO", "quantity": 1}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        pytest.param({"lines": [MUG]}, "lines.0.line_id", "MISSING_FIELD", id="a line the channel would not know"),
        pytest.param(
            {
                "lines": [
                    MUG | {"line_id": "1", "allocated": [HERE | {"asked": True}]},
                    MUG | {"line_id": "2", "allocated": [HERE]},
                ],
            },
            "lines.1.allocated",
            "ASKED_IN_PART",
            id="a location asked for some of its units",
        ),
        pytest.param({"channel": "faxes"}, "channel", "UNKNOWN_CHANNEL", id="no such channel"),
    ],
)
def test_an_open_order_that_would_go_wrong_later_is_refused_by_its_field(
    changes: dict[str, object], field: str, reason: str
) -> None:
    row = migrated(**{"channel": "shopify", "shipments": [], **changes})
    assert row.migrated is None
    assert row.error
    assert (row.error.field, row.error.reason) == (field, reason)


def test_lines_of_our_own_orders_may_go_by_their_number() -> None:
    row = migrated(channel="phone", shipments=[], lines=[MUG])
    assert row.migrated
    assert [line.line_id for line in row.migrated.incoming.lines] == ["1"]


def test_what_an_open_order_says_of_people_is_not_in_its_digest() -> None:
    text = next(lines("open_orders.jsonl"))
    (one,) = migration_file.rows([text])
    (other,) = migration_file.rows([text.replace("ada@example.com", "eve@example.com").replace("Elm", "Oak")])
    (changed,) = migration_file.rows([text.replace('"quantity": 2', '"quantity": 1')])
    assert one.migrated
    assert other.migrated
    assert changed.migrated
    assert one.migrated.content == other.migrated.content != changed.migrated.content
