"""What the demonstration says at its end."""

from __future__ import annotations

import pytest

from tools.console import Screen
from tools.demonstration import Outcome
from tools.guide import show_checks


@pytest.mark.parametrize("holds", [True, False])
def test_where_something_is_not_so_it_says_where_to_look_and_how_to_start_over(
    holds: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome()
    outcome.check("every order is shipped", holds)
    show_checks(Screen(), outcome)
    told = capsys.readouterr().out
    assert ("ministack.log" in told, "make clean" in told) == (not holds, not holds)
