"""Routing policies: draft a version, edit it, make it the one routing works by, retire it.

Nothing is locked. Every write says what it was decided on; where that has changed it is decided anew, or refused with
who was first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oms.domain.errors import NotFound, PolicyRefused, WriteConflict
from oms.domain.policy_versions import (
    Draft,
    PolicyStatus,
    PolicyVersion,
    Verdict,
    Written,
    activated,
    discarded,
    drafted,
    edited,
    must_be_draft,
    superseded,
)
from oms.domain.routing_policy import RoutingPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from oms.stores.routing_policies import RoutingPoliciesStore

MAX_TRIES = 10
"""Numbers tried for a new version, and tries of a change, while others write."""

MAX_LISTED = 200
"""Versions a list shows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version, and what it would take the place of (None: nothing yet), as they were read. A backtest compares
    these two, and its verdict counts for them alone."""

    draft: PolicyVersion
    active: PolicyVersion | None

    @property
    def live(self) -> PolicyVersion | None:
        """The version, if it is the active one and there is nothing left to do."""
        return self.active if self.active and self.active.version == self.draft.version else None

    @property
    def routing_works_by(self) -> RoutingPolicy:
        """The policy in force while this one is not."""
        return self.active.document if self.active else RoutingPolicy()


@dataclass(frozen=True, slots=True)
class Policies:
    """All versions of the routing policy."""

    policies: RoutingPoliciesStore

    def newest(self, limit: int = MAX_LISTED) -> list[PolicyVersion]:
        """The newest versions, newest first."""
        return self.policies.newest(min(limit, MAX_LISTED))

    def read(self, version: int) -> PolicyVersion:
        """One version as it is now. Raises NotFound."""
        known = self.policies.get(version)
        if known is None:
            raise NotFound(f"there is no version {version} of the routing policy", version=version)
        return known

    def active(self) -> PolicyVersion | None:
        """The version routing works by, or None before the first."""
        return self.policies.active()

    def draft(self, draft: Draft, now: datetime) -> PolicyVersion:
        """Writes a new version under the next free number; the same request soon again finds its draft.

        Raises InvalidMessage, WriteConflict.
        """
        recent, active = self.policies.newest(MAX_TRIES), self.policies.active()
        for known in recent:
            if _is_of(draft, known):
                return known
        highest = _highest([*recent, active] if active else recent)
        for number in range(highest + 1, highest + 1 + MAX_TRIES):
            wanted = drafted(draft, number, now)
            stored = self.policies.add(wanted)
            if stored is wanted or _is_of(draft, stored):
                return stored
        raise WriteConflict("others always took the number first: draft it again")

    def edit(
        self, version: int, revision: int, policy: RoutingPolicy, *, note: str | None, actor: str, now: datetime
    ) -> PolicyVersion:
        """Changes a draft of which this revision was read. Raises PolicyRefused when it is no draft or was changed
        since, NotFound, InvalidMessage."""
        for _ in range(MAX_TRIES):
            known = self.read(version)
            wanted = edited(known, policy, note, actor, now)
            if _is_same_edit(known, wanted, revision):
                return known
            if known.revision != revision:
                raise _changed_since(known, revision)
            try:
                self.policies.write(Written(known, wanted))
            except WriteConflict:
                continue
            return wanted
        raise WriteConflict(f"version {version} was always changed first: edit it again")

    def candidate(self, version: int) -> Candidate:
        """The version and the one it would replace, to be compared before it is activated. Raises NotFound, and
        PolicyRefused where it can't be activated whatever the comparison says."""
        found = Candidate(self.read(version), self.policies.active())
        if found.live is None:
            must_be_draft(found.draft, "activated")
        return found

    def activate(
        self,
        seen: Candidate,
        verdict: Verdict | None,
        actor: str,
        now: datetime,
        *,
        forced_note: str | None = None,
    ) -> PolicyVersion:
        """Makes the draft the version routing works by, if both are still what was compared; again changes nothing.

        Raises PolicyRefused without a passed verdict (unless `forced_note` says why), when the draft was changed or
        another version was activated meanwhile: the message names it.
        """
        for _ in range(MAX_TRIES):
            current = self.candidate(seen.draft.version)
            if current.live:
                return current.live
            wanted = activated(current.draft, verdict, actor, now, forced_note=forced_note)
            _must_be_as_seen(seen, current)
            try:
                self.policies.swap(
                    Written(current.draft, wanted),
                    self._retiring(current.active, actor, now),
                    instead_of=current.active,
                )
            except WriteConflict:
                continue
            return wanted
        raise WriteConflict(f"version {seen.draft.version}: others always wrote first; activate it again")

    def retire(self, version: int, actor: str, now: datetime) -> PolicyVersion:
        """Puts a draft aside; again changes nothing. Raises PolicyRefused for the active version, NotFound."""
        for _ in range(MAX_TRIES):
            known = self.read(version)
            if known.status is PolicyStatus.RETIRED:
                return known
            wanted = discarded(known, actor, now)
            try:
                self.policies.write(Written(known, wanted))
            except WriteConflict:
                continue
            return wanted
        raise WriteConflict(f"version {version} was always changed first: retire it again")

    def _retiring(self, active: PolicyVersion | None, actor: str, now: datetime) -> Written | None:
        """The change of the active version's own row; None where there is none."""
        own = self.policies.get(active.version) if active else None
        return Written(own, superseded(own, actor, now)) if own else None


def _highest(known: Iterable[PolicyVersion]) -> int:
    """The highest number in use. A company may have been set up with an active version that has no row of its own."""
    return max((one.version for one in known), default=0)


def _is_of(draft: Draft, known: PolicyVersion) -> bool:
    """Whether the version is what this very request drafted, be it by a try whose answer was lost."""
    return bool(draft.request_id) and known.request_id == draft.request_id


def _is_same_edit(known: PolicyVersion, wanted: PolicyVersion, revision: int) -> bool:
    """Whether the stored version is what this edit of that revision made."""
    same = (known.document, known.note, known.edited_by) == (wanted.document, wanted.note, wanted.edited_by)
    return same and known.revision == revision + 1


def _changed_since(known: PolicyVersion, revision: int) -> PolicyRefused:
    message = (
        f"version {known.version} was changed by {known.edited_by or known.author}: it is at revision {known.revision},"
        f" not {revision}. Look at it, and edit that"
    )
    return PolicyRefused(message, version=known.version, revision=known.revision, changed_by=known.edited_by)


def _must_be_as_seen(seen: Candidate, current: Candidate) -> None:
    """Raises PolicyRefused when either version is no longer what was compared."""
    if current.draft.revision != seen.draft.revision:
        raise _changed_since(current.draft, seen.draft.revision)
    now, before = current.active, seen.active
    if now is not None and now.version != (before.version if before else None):
        message = (
            f"version {now.version} was activated by {now.activated_by} meanwhile:"
            f" compare version {seen.draft.version} with that, and activate it again"
        )
        raise PolicyRefused(message, version=seen.draft.version, active_version=now.version)
