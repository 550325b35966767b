"""The life of a version of the routing policy: drafted, edited, active, retired.

    DRAFT ──activate──► ACTIVE ──another is activated──► RETIRED
      └──────────────retire (nobody wants it)───────────────┘

Only a draft can change. Exactly one version is active, none before the first. What is retired stays so: who wants it
back drafts a copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from oms.domain.errors import InvalidMessage, PolicyRefused, TooLarge
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_policy_form import invalid
from oms.domain.routing_policy_rules import MAX_VERSION, check
from oms.domain.validation import in_utc_seconds

MAX_AUTHOR = 100
MAX_NOTE = 500


class PolicyStatus(StrEnum):
    """How far a version has come."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a backtest found: whether a draft may become active by the guards of its policy, and which it violates.
    `summary` is a handful of figures worth keeping with the version; fractions are read back as text."""

    passed: bool
    violated: tuple[str, ...]
    summary: dict[str, Any]
    backtested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One version with its history. `revision` rises with every write; `request_id` is who asked for the draft, so
    that a repeat finds its own. `forced_by` and `forced_note`: it went live against its backtest, or without one."""

    version: int
    revision: int
    status: PolicyStatus = PolicyStatus.DRAFT
    author: str
    note: str = ""
    request_id: str = ""
    created_at: datetime
    based_on: int | None = None
    edited_by: str | None = None
    edited_at: datetime | None = None
    activated_by: str | None = None
    activated_at: datetime | None = None
    retired_by: str | None = None
    retired_at: datetime | None = None
    forced_by: str | None = None
    forced_note: str | None = None
    backtest: Verdict | None = None
    document: RoutingPolicy


class Written(NamedTuple):
    """A change of a version: what was read, and what is to be written in its place."""

    before: PolicyVersion
    after: PolicyVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants as a new version."""

    policy: RoutingPolicy
    author: str
    note: str = ""
    based_on: int | None = None
    request_id: str = ""


def drafted(draft: Draft, version: int, now: datetime) -> PolicyVersion:
    """The draft as this version. Raises InvalidMessage for a policy that breaks a rule, TooLarge past the last one."""
    if version > MAX_VERSION:
        raise TooLarge(f"there can be no more than {MAX_VERSION} versions of the routing policy")
    return PolicyVersion(
        version=version,
        revision=1,
        author=_text("author", draft.author, MAX_AUTHOR, required=True),
        note=_text("note", draft.note, MAX_NOTE),
        request_id=draft.request_id,
        created_at=in_utc_seconds(now),
        based_on=draft.based_on,
        document=sound(draft.policy, version),
    )


def edited(known: PolicyVersion, policy: RoutingPolicy, note: str | None, actor: str, now: datetime) -> PolicyVersion:
    """The draft with another document, and another note where one is given. Raises PolicyRefused, InvalidMessage."""
    must_be_draft(known, "changed")
    return replace(
        known,
        revision=known.revision + 1,
        note=known.note if note is None else _text("note", note, MAX_NOTE),
        edited_by=_text("author", actor, MAX_AUTHOR, required=True),
        edited_at=in_utc_seconds(now),
        document=sound(policy, known.version),
    )


def activated(
    known: PolicyVersion, verdict: Verdict | None, actor: str, now: datetime, *, forced_note: str | None = None
) -> PolicyVersion:
    """The draft as the active version. Raises PolicyRefused without a passed verdict; `forced_note` overrules that and
    is kept, with who said so."""
    must_be_draft(known, "activated")
    forced = verdict is None or not verdict.passed
    if forced and forced_note is None:
        raise _not_allowed(known, verdict)
    actor = _text("author", actor, MAX_AUTHOR, required=True)
    return replace(
        known,
        revision=known.revision + 1,
        status=PolicyStatus.ACTIVE,
        activated_by=actor,
        activated_at=in_utc_seconds(now),
        forced_by=actor if forced else None,
        forced_note=_text("note", forced_note or "", MAX_NOTE, required=True) if forced else None,
        backtest=verdict,
        document=sound(known.document, known.version),
    )


def superseded(known: PolicyVersion, actor: str, now: datetime) -> PolicyVersion:
    """The active version once another takes its place."""
    return _retired(known, actor, now)


def discarded(known: PolicyVersion, actor: str, now: datetime) -> PolicyVersion:
    """The draft that nobody wants. Raises PolicyRefused for the active version: routing works by it."""
    if known.status is PolicyStatus.ACTIVE:
        message = f"version {known.version} is the one routing works by: it retires when another is activated"
        raise PolicyRefused(message, version=known.version, status=known.status.value)
    return _retired(known, actor, now)


def sound(policy: RoutingPolicy, version: int) -> RoutingPolicy:
    """The policy as this version. Raises InvalidMessage with every field that breaks a rule."""
    policy = replace(policy, version=version)
    problems = check(policy)
    if problems:
        raise invalid(problems)
    return policy


def must_be_draft(known: PolicyVersion, done: str) -> None:
    """Raises PolicyRefused for a version whose time has begun, or is over."""
    if known.status is not PolicyStatus.DRAFT:
        message = f"version {known.version} is {known.status} and can't be {done}: draft a copy of it"
        raise PolicyRefused(message, version=known.version, status=known.status.value)


def _retired(known: PolicyVersion, actor: str, now: datetime) -> PolicyVersion:
    return replace(
        known,
        revision=known.revision + 1,
        status=PolicyStatus.RETIRED,
        retired_by=_text("author", actor, MAX_AUTHOR, required=True),
        retired_at=in_utc_seconds(now),
    )


def _not_allowed(known: PolicyVersion, verdict: Verdict | None) -> PolicyRefused:
    if verdict is None:
        message = f"version {known.version} was not tried on past orders: run its backtest, or force it with a note"
        return PolicyRefused(message, version=known.version, violated=[])
    guards = ", ".join(verdict.violated) or "its backtest did not pass"
    message = f"version {known.version} violates its guards ({guards}): edit the draft, or force it with a note"
    return PolicyRefused(message, version=known.version, violated=list(verdict.violated))


def _text(field: str, text: str, most: int, *, required: bool = False) -> str:
    if (required and not text.strip()) or len(text) > most:
        raise InvalidMessage(f"{field} must be {1 if required else 0} to {most} characters", field=field)
    return text.strip()
