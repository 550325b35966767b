"""Counted rows as they are sent: a bad one is refused by number and field, and holds up no good one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.counted_rows import CountedRow, FileFormat, Refused, file_rows, read_rows, unknown_skus
from oms.domain.errors import InvalidMessage

GOOD = {"sku": "MUG", "on_hand": 3}


@pytest.mark.parametrize(
    ("raw", "field", "reason"),
    [
        pytest.param("MUG,3", "row", Refused.NOT_AN_OBJECT, id="no object"),
        pytest.param(None, "row", Refused.NOT_AN_OBJECT, id="nothing"),
        pytest.param({"on_hand": 3}, "sku", Refused.MISSING_FIELD, id="no sku"),
        pytest.param({"sku": 7, "on_hand": 3}, "sku", Refused.NOT_A_SKU, id="a number for a sku"),
        pytest.param({"sku": "  ", "on_hand": 3}, "sku", Refused.NOT_A_SKU, id="a blank sku"),
        pytest.param({"sku": "x" * 101, "on_hand": 3}, "sku", Refused.NOT_A_SKU, id="too long a sku"),
        pytest.param({"sku": "TEE"}, "on_hand", Refused.MISSING_FIELD, id="no quantity"),
        pytest.param({"sku": "TEE", "on_hand": "three"}, "on_hand", Refused.NOT_A_NUMBER, id="a word"),
        pytest.param({"sku": "TEE", "on_hand": "3"}, "on_hand", Refused.NOT_A_NUMBER, id="digits in quotes"),
        pytest.param({"sku": "TEE", "on_hand": 2.5}, "on_hand", Refused.NOT_A_NUMBER, id="half a unit"),
        pytest.param({"sku": "TEE", "on_hand": True}, "on_hand", Refused.NOT_A_NUMBER, id="yes"),
        pytest.param({"sku": "TEE", "on_hand": -1}, "on_hand", Refused.NEGATIVE, id="below none"),
        pytest.param({"sku": "TEE", "on_hand": 10**12}, "on_hand", Refused.TOO_LARGE, id="beyond reason"),
        pytest.param({"sku": " MUG", "on_hand": 4}, "sku", Refused.DUPLICATE_SKU, id="a sku for the second time"),
    ],
)
def test_a_bad_row_is_refused_by_number_and_field(raw: Any, field: str, reason: Refused) -> None:
    read = read_rows([GOOD, raw, {"sku": "BOWL", "on_hand": 0}])
    assert [row.sku for row in read.good] == ["MUG", "BOWL"]
    ((refused),) = read.refused
    assert (refused.row, refused.field, refused.reason) == (2, field, reason.value)


def test_a_refused_row_names_its_sku_where_it_has_one() -> None:
    read = read_rows([{"sku": "TEE", "on_hand": -1}, {"on_hand": 3}])
    assert [row.sku for row in read.refused] == ["TEE", ""]


def test_rows_of_skus_we_do_not_know_are_refused() -> None:
    rows = (CountedRow(row=1, sku="MUG", on_hand=3), CountedRow(row=2, sku="NOPE", on_hand=3))
    ((refused),) = unknown_skus(rows, {"MUG": object()})
    assert (refused.row, refused.sku, refused.reason) == (2, "NOPE", "UNKNOWN_SKU")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("sku,on_hand\nMUG,3\nTEE,0\n", [GOOD, {"sku": "TEE", "on_hand": 0}], id="plain"),
        pytest.param("\ufeffSKU, On_Hand\r\nMUG, 3\r\n", [{"sku": "MUG", "on_hand": 3}], id="from a spreadsheet"),
        pytest.param("name,on_hand,sku\nMug,3,MUG\n", [{"sku": "MUG", "on_hand": 3}], id="more columns, any order"),
        pytest.param('sku,on_hand\n"9"" PLATE",4\n', [{"sku": '9" PLATE', "on_hand": 4}], id="quoted"),
        pytest.param("sku,on_hand\n\nMUG,3\n,,\n", [GOOD], id="empty lines"),
        pytest.param("sku,on_hand\nMUG,x\nTEE\n", [{"sku": "MUG", "on_hand": "x"}, {"sku": "TEE"}], id="bad lines"),
        pytest.param("MUG,3\nTEE,2\n", [{}], id="no line of names"),
        pytest.param("", [], id="empty"),
    ],
)  # fmt: skip
def test_a_csv_file_is_read_by_its_column_names(text: str, rows: list[Any]) -> None:
    assert list(file_rows(FileFormat.CSV, text)) == rows


def test_json_lines_are_read_line_by_line_and_a_broken_one_is_one_bad_row() -> None:
    text = '{"sku":"MUG","on_hand":3}\n\n{"sku":"TEE",\n{"sku":"BOWL","on_hand":1}\n'
    read = read_rows(file_rows(FileFormat.JSON_LINES, text))
    assert [(row.row, row.sku) for row in read.good] == [(1, "MUG"), (3, "BOWL")]
    assert [(row.row, row.field) for row in read.refused] == [(2, "row")]


def test_what_is_no_csv_is_refused_as_a_whole() -> None:
    with pytest.raises(InvalidMessage) as refused:
        list(file_rows(FileFormat.CSV, "sku,on_hand\n" + "x" * 200_000 + ",1\n"))
    assert refused.value.reason == "NOT_CSV"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=120),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sku", "on_hand", "x"]), inner),
    max_leaves=5,
)


@given(st.lists(json_values, max_size=20))
def test_whatever_is_sent_every_row_is_either_good_or_refused(raw: list[Any]) -> None:
    read = read_rows(raw)
    assert sorted(row.row for row in (*read.good, *read.refused)) == list(range(1, len(raw) + 1))
    assert len({row.sku for row in read.good}) == len(read.good)
    assert all(row.on_hand >= 0 and row.sku.strip() == row.sku != "" for row in read.good)


@given(st.text(max_size=200), st.sampled_from(FileFormat))
def test_whatever_a_file_holds_it_is_read_or_refused(text: str, file_format: FileFormat) -> None:
    try:
        rows = list(file_rows(file_format, text))
    except InvalidMessage:
        return
    read = read_rows(rows)
    assert len(read.good) + len(read.refused) == len(rows)
