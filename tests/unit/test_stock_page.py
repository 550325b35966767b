"""docs/stock.md says what the code does: its formula, its kinds of movement."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.domain.availability import FORMULA
from oms.domain.catalog import BackorderRule
from oms.domain.stock import MoveKind
from oms.stores.packing import MAX_ACTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "stock.md").read_text("utf-8")


@pytest.mark.parametrize("term", FORMULA)
def test_the_page_has_every_term_of_the_formula_word_for_word(term: str) -> None:
    assert f"| {term} | {FORMULA[term]} |" in PAGE


@pytest.mark.parametrize("name", [*MoveKind, *BackorderRule])
def test_the_page_names_every_kind_of_movement_and_every_rule_for_what_is_short(name: str) -> None:
    assert name in PAGE


def test_the_page_counts_the_actions_of_a_transaction_as_the_code_does() -> None:
    assert f"fills transactions of {MAX_ACTIONS} actions" in PAGE
