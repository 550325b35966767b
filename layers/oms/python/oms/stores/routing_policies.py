"""Routing policies in `settings`: a row for each version, and the row `active`, a copy of the one routing works by.

Rows hold the whole document, defaults too: what a version said stays so when a default changes in the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from oms.domain.errors import InvariantBroken, Throttled, WriteConflict
from oms.domain.policy_versions import PolicyVersion, Written
from oms.stores.documents import from_document, to_document
from oms.stores.table import MAX_PAGES, ConditionFailedError, Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KIND = "routing_policy"
ACTIVE = "active"

IS_NEW = "attribute_not_exists(#name)"
IS_UNCHANGED = "#revision = :revision AND #status = :status"
IS_STILL_ACTIVE = "#version = :version"

_LAST = "999999"
_CHANGED = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_THROTTLED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})


class RoutingPoliciesStore:
    """Versions are written whole, each under the revision before it, and never deleted: no number is used twice."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}settings")

    def get(self, version: int) -> PolicyVersion | None:
        """The version as it is now (strongly consistent), or None."""
        return self._read(row_name(version))

    def active(self) -> PolicyVersion | None:
        """What routing works by now (strongly consistent); None before the first activation."""
        return self._read(ACTIVE)

    def newest(self, limit: int) -> list[PolicyVersion]:
        """The last versions drafted, newest first."""
        condition, values = "#kind = :kind AND #name <= :last", {":kind": KIND, ":last": _LAST}
        found: list[PolicyVersion] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            left = limit - len(found)
            page = self.table.query(condition, values, limit=left, cursor=cursor, descending=True, consistent=True)
            found += [decode(item) for item in page.items]
            cursor = page.cursor
            if cursor is None or len(found) >= limit:
                break
        return found

    def add(self, version: PolicyVersion) -> PolicyVersion:
        """Writes a new version unless its number is taken; returns what is stored under it then."""
        try:
            self.table.put(_row(version, row_name(version.version)), IS_NEW)
        except ConditionFailedError as error:
            if error.image is None:
                raise
            return decode(error.image)
        return version

    def write(self, change: Written) -> None:
        """Writes a version in place of the one that was read. Raises WriteConflict if somebody else has."""
        try:
            with our_errors():
                self.table.client.put_item(**self._put(change))
        except ConditionFailedError as error:
            raise WriteConflict(f"version {change.before.version} has changed meanwhile") from error

    def swap(self, activated: Written, retired: Written | None, *, instead_of: PolicyVersion | None) -> None:
        """Makes a version active and retires the one before it: all or nothing.

        `instead_of` is what the row `active` said when it was read (None: there was none). Raises WriteConflict when
        any of the rows has changed since.
        """
        changes = [activated, retired] if retired else [activated]
        actions: list[Any] = [{"Put": self._put(change)} for change in changes]
        actions.append({"Put": self._put_active(activated.after, instead_of)})
        try:
            with our_errors():
                self.table.client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons", [])
            codes = {reason["Code"] for reason in reasons}
            if codes & _CHANGED:
                message = f"other versions changed while {activated.after.version} was activated"
                raise WriteConflict(message) from error
            if codes & _THROTTLED:
                raise Throttled("settings") from error
            raise

    def _put(self, change: Written) -> Any:
        values = {":revision": change.before.revision, ":status": change.before.status}
        return self.table.put_action(_row(change.after, row_name(change.after.version)), IS_UNCHANGED, values)

    def _put_active(self, active: PolicyVersion, before: PolicyVersion | None) -> Any:
        row = _row(active, ACTIVE)
        if before is None:
            return self.table.put_action(row, IS_NEW)
        return self.table.put_action(row, IS_STILL_ACTIVE, {":version": before.version})

    def _read(self, name: str) -> PolicyVersion | None:
        item = self.table.get({"kind": KIND, "name": name})
        return decode(item) if item else None


def row_name(version: int) -> str:
    """The name of a version's row, sorting as numbers do."""
    return f"{version:06}"


def decode(item: Mapping[str, Any]) -> PolicyVersion:
    """The version of a stored row, its policy with the same number; percentages lie there as text. Raises
    InvariantBroken naming the row."""
    try:
        version = from_document(PolicyVersion, item, strict=False)
    except msgspec.ValidationError as error:
        raise InvariantBroken(f"settings: {KIND} {item.get('name')!r} can't be read: {error}") from error
    return replace(version, document=replace(version.document, version=version.version))


def plain(version: PolicyVersion) -> dict[str, Any]:
    """The version as a plain document that leaves none of the policy's fields out."""
    header: dict[str, Any] = to_document(version)
    return header | {"document": asdict(version.document)}


def _row(version: PolicyVersion, name: str) -> dict[str, Any]:
    return {"kind": KIND, "name": name, **_storable(plain(version))}


def _storable(value: Any) -> Any:
    """Fractions as text, all the way down: numbers in tables are whole."""
    if isinstance(value, float):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _storable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(part) for part in value]
    return value
