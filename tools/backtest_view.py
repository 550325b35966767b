"""A backtest as people see it: a bar on standard error while it works, then a report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from oms.domain.backtest_figures import Comparison, Difference, Figures
from oms.domain.money import format_minor
from oms.domain.routing_terms import TERMS
from oms.usecases.backtest import NEVER_ROUTED, NO_RECORD, UNREADABLE, Report
from tools.console import PLAIN_WIDTH

TERMS_SAID = {
    "freight_minor": "freight",
    "handling_minor": "handling per parcel",
    "units_minor": "work per unit",
    "capacity_minor": "weight: full days",
    "late_minor": "weight: lateness",
    "preference_minor": "weight: preferences",
}
LEFT_OUT_SAID = {
    NEVER_ROUTED: "were never routed (cancelled before, in review, or still waiting)",
    NO_RECORD: "have no decision record (any more) that can be read",
    UNREADABLE: "can't be read",
}
NOWHERE = "no route"


class Bar:
    """How far it is, on standard error: a bar on a terminal, a line per step elsewhere. Use as a context manager."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not self._is_live)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def told(self, what: str, done: int, total: int) -> None:
        """So many of a total."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
            if not self._is_live:
                print(f"{what}: {total}", file=sys.stderr)
        self._progress.update(self._tasks[what], completed=done, total=total)


def report(found: Report) -> RenderableType:
    """All of it."""
    compared = found.comparison
    parts: list[RenderableType] = [_heading(compared), *_left_out(found)]
    if compared.draft.orders:
        parts += [_figures(compared), Text(difference(compared)), _loads(compared)]
    if compared.changes:
        parts.append(_changes(compared))
    return Group(*parts, _verdict(found))


def difference(found: Comparison) -> str:
    """What an order costs more or less, in words."""
    if not found.comparable:
        return f"Costs can't be compared: {found.active.currency} and {found.draft.currency}."
    more, currency = found.difference, found.draft.currency
    if not more.orders:
        return "No order could be routed by both."
    low, high = (money(one, currency) for one in (more.low_minor, more.high_minor))
    return (
        f"An order costs {_more(more, currency)}, with 95 % between {low} and {high}"
        f" (the {more.orders} orders that both route, pair by pair)."
    )


def money(minor: float, currency: str) -> str:
    """An amount as people read it, with its sign."""
    return format_minor(round(minor), currency) if currency else str(round(minor))


def _more(more: Difference, currency: str) -> str:
    """`1.20 USD more (1.50 %)`"""
    way = "less" if more.mean_minor < 0 else "more"
    percent = "" if more.percent is None else f" ({abs(more.percent):.2f} %)"
    return f"{money(abs(more.mean_minor), currency)} {way}{percent}"


def _heading(found: Comparison) -> Text:
    text = f"Version {found.draft.version} of the routing policy beside version {found.active.version}"
    return Text(f"{text}, on {found.draft.orders} orders", style="bold")


def _left_out(found: Report) -> Iterator[Text]:
    for reason, number in found.left_out.items():
        yield Text(f"Left out: {number} orders {LEFT_OUT_SAID.get(reason, reason)}", style="yellow")
    if found.truncated:
        yield Text("Left out: the older orders of the period (--limit)", style="yellow")


def _figures(found: Comparison) -> Table:
    table = Table(title="What they make of them", title_justify="left", title_style="bold")
    table.add_column("")
    for heading in (f"version {found.active.version}", f"version {found.draft.version}"):
        table.add_column(heading, justify="right")
    for name, before, after in zip(_NAMES, _column(found.active), _column(found.draft), strict=True):
        table.add_row(name, before, after)
    return table


_NAMES = (
    *("orders routed", "without a route", "cost per order", "cost of all"),
    *(TERMS_SAID[one] for one in TERMS),
    *("parcels", "split", "late", "days full", "days over capacity"),
)


def _column(one: Figures) -> tuple[str, ...]:
    why = ", ".join(f"{number} {reason}" for reason, number in one.why_not.items())
    return (
        str(one.routed),
        f"{one.unrouted} ({why})" if why else str(one.unrouted),
        money(one.paid_per_order_minor, one.currency),
        money(one.paid_minor, one.currency),
        *(money(one.terms_minor[term], one.currency) for term in TERMS),
        str(one.parcels),
        f"{one.split_percent:.2f} %",
        f"{one.late_percent:.2f} %",
        str(one.full_days),
        str(one.over_days),
    )


def _loads(found: Comparison) -> Table:
    before, after = found.active.loads, found.draft.loads
    table = Table(title="Who ships them", title_justify="left", title_style="bold")
    table.add_column("location")
    for heading in ("parcels", "then", "units", "then", "share", "then"):
        table.add_column(heading, justify="right")
    for one in dict.fromkeys([*after, *before]):
        loads = before.get(one), after.get(one)
        cells = [str(load.parcels) if load else "0" for load in loads]
        cells += [str(load.units) if load else "0" for load in loads]
        cells += [f"{load.share_percent:.1f} %" if load else "" for load in loads]
        table.add_row(one, *cells)
    return table


def _changes(found: Comparison) -> Table:
    title = f"The orders that change most, of {found.changed} that change"
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("order", "from", "to"):
        table.add_column(heading)
    table.add_column("costs more", justify="right")
    for one in found.changes:
        more = money(one.more_minor, found.draft.currency) if one.before and one.after else ""
        table.add_row(Text(one.order_id), _places(one.before), _places(one.after), more)
    return table


def _places(places: tuple[str, ...]) -> Text:
    return Text("\n".join(places) or NOWHERE)


def _verdict(found: Report) -> RenderableType:
    verdict = found.verdict
    if verdict.passed:
        return Text("No guard is violated: this version may become active.", style="green")
    lines = [Text(f"  {one}") for one in verdict.violated]
    return Group(Text("This version may not become active:", style="red"), *lines)


def screen() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)


def plain(found: Mapping[str, object]) -> Mapping[str, object]:
    """The report for programs, figures with two digits after the point."""
    return {name: _rounded(value) for name, value in found.items()}


def _rounded(value: object) -> object:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 2) if isinstance(value, float) else value
