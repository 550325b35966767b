"""Versions of the routing policy as people see them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oms.domain.policy_versions import PolicyStatus, PolicyVersion, Verdict
from oms.domain.routing_policy_form import Problem

STYLES = {PolicyStatus.ACTIVE: "green", PolicyStatus.DRAFT: "cyan", PolicyStatus.RETIRED: "dim"}

_SHORT = frozenset({"version", "status", "drafted (UTC)", "active from", "until"})
"""Columns that stay on one line."""


def versions(known: Iterable[PolicyVersion]) -> Table:
    """One row per version."""
    table = Table(title="Routing policy", title_justify="left", title_style="bold")
    for heading in ("version", "status", "author", "note", "drafted (UTC)", "active from", "until", "backtest"):
        table.add_column(heading, justify="right" if heading == "version" else "left", no_wrap=heading in _SHORT)
    for one in known:
        table.add_row(
            str(one.version),
            Text(one.status, style=STYLES[one.status]),
            Text(one.author),
            Text(one.note),
            _day(one.created_at),
            _day(one.activated_at),
            _day(one.retired_at),
            Text(_tried(one)),
        )
    return table


def version(one: PolicyVersion) -> RenderableType:
    """All about one version but its document."""
    grid = Table.grid(padding=(0, 2))
    status = f"{one.status}, revision {one.revision}"
    grid.add_row("status", Text(status, style=STYLES[one.status]))
    grid.add_row("drafted", _by(one.author, one.created_at))
    for label, name, moment in (
        ("edited", one.edited_by, one.edited_at),
        ("activated", one.activated_by, one.activated_at),
        ("retired", one.retired_by, one.retired_at),
    ):
        if moment:
            grid.add_row(label, _by(name, moment))
    for label, text in (("note", one.note), ("based on", one.based_on), ("forced by", one.forced_by)):
        if text:
            grid.add_row(label, Text(str(text)))
    if one.forced_note:
        grid.add_row("because", Text(one.forced_note))
    if one.status is PolicyStatus.DRAFT:
        number = one.version
        doing = f"edit {number} FILE --revision {one.revision}, activate {number}, or retire {number}"
        grid.add_row("next", Text(doing))
    title = Text(f"Version {one.version} of the routing policy", style="bold")
    return Group(title, grid, *([verdict(one.backtest)] if one.backtest else []))


def document(policy: Mapping[str, Any]) -> RenderableType:
    """The policy as a file would say it."""
    return Text(json.dumps(policy, indent=2))


def verdict(found: Verdict) -> RenderableType:
    """What a backtest found."""
    said = (
        Text("Backtest passed", style="green")
        if found.passed
        else Text(f"Backtest did not pass: {', '.join(found.violated) or 'see its figures'}", style="red")
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_row("  at", _day(found.backtested_at))
    for name, figure in found.summary.items():
        text = json.dumps(figure, default=str) if isinstance(figure, Mapping | list | tuple) else str(figure)
        grid.add_row(f"  {name.replace('_', ' ')}", Text(text))
    return Group(said, grid)


def problems(title: str, found: Sequence[Problem]) -> RenderableType:
    """One line each."""
    return Group(Text(title, style="yellow"), *(Text(f"  {one.field}: {one.reason}") for one in found))


def plain_faults(faults: Iterable[Mapping[str, str]]) -> str:
    """What is wrong with a file, for standard error."""
    lines = [f"  {one['field']}: {one['problem']}" for one in faults]
    return "\n".join(["The policy is refused. Mend these and run it again:", *lines])


def now_active(made: PolicyVersion, before: PolicyVersion | None) -> RenderableType:
    """What an activation has done."""
    forced = " against its backtest" if made.forced_by else ""
    text = f"Version {made.version} is active{forced}: routing works by it within a minute."
    if before:
        text += f" Version {before.version} is retired: draft --copy-of {before.version} brings it back."
    return Text(text)


def already_active(one: PolicyVersion) -> RenderableType:
    """That there is nothing to do."""
    return Text(f"Version {one.version} is active already, since {_day(one.activated_at)} by {one.activated_by}.")


def _tried(one: PolicyVersion) -> str:
    if one.forced_by:
        return f"forced by {one.forced_by}"
    return "passed" if one.backtest and one.backtest.passed else ""


def _by(name: str | None, moment: datetime) -> Text:
    return Text(f"{_day(moment)} by {name}")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
