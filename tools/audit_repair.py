"""Repairs of an audit: the position or the ledger is brought to what the other and the documents say.

A commit adds the same to both, so this is the one place where they are changed apart: in one transaction, with a
movement that says so (`kinds` CORRECTION, `reason_code` AUDIT), and only while the position lies as it was seen.
The movement's id follows from what was seen: two audits at once repair once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from oms.domain.auditing import Disagreement, Drift, Repair
from oms.domain.errors import Retryable
from oms.domain.ids import short_hash
from oms.domain.stock import PARTS_OF_ON_HAND, Bucket, correction
from oms.stores.documents import format_time
from oms.stores.movements import changes_of
from oms.stores.table import our_errors
from tools.audit_reading import AS_SEEN, Row, Tables

ACTOR, REASON = "audit", "AUDIT"
NEVER_CHANGED = "2000-01-01T00:00:00Z"
"""When a repair happened whose position does not say when it last changed: before every count."""


@dataclass(frozen=True, slots=True)
class Repairing:
    """Writes repairs."""

    tables: Tables

    def apply(self, drift: Drift, repair: Repair, seen: Row | None, now: datetime) -> bool:
        """Whether this repair was written by us now; not if the position has changed, or another audit was first.

        Raises Retryable when nobody knows: the audit is to be run again.
        """
        row = movement_row(drift, repair, seen, now)
        actions: Any = [
            self._position_action(drift, repair, seen, now),
            {"Put": self.tables.movements.put_action(row)},
        ]
        try:
            with our_errors():
                self.tables.client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            if error.response["Error"]["Code"] == "TransactionCanceledException":
                return False
            raise
        except Retryable as error:
            raise type(error)(f"{drift.sku} at {drift.location_id}: {error}") from error
        return True

    def _position_action(self, drift: Drift, repair: Repair, seen: Row | None, now: datetime) -> dict[str, Any]:
        table, key = self.tables.stock.table, {"sku": drift.sku, "location_id": drift.location_id}
        condition, values = _as_seen(seen)
        if not any(repair.position.values()):
            return {"ConditionCheck": table.delete_action(key, condition, values)}  # a check says what a delete says
        adds = ", ".join(f"#{bucket} :add_{bucket}" for bucket in Bucket)
        values |= {f":add_{bucket}": repair.position.get(bucket, 0) for bucket in Bucket} | {":now": format_time(now)}
        if repair.position.get(Bucket.ON_HAND):
            adds, values = f"{adds}, #on_hand_version :one", values | {":one": 1}
        return {"Update": table.update_action(key, f"ADD {adds} SET #updated_at = :now", values, condition)}


def movement_row(drift: Drift, repair: Repair, seen: Row | None, now: datetime) -> Row:
    """The ledger's row of a repair. `changes` is what it adds to the ledger, `position_changes` to the position.

    Raises InvariantBroken where the ledger would not add up by it.
    """
    effective_at = (seen or {}).get("updated_at", NEVER_CHANGED)
    change_id = _change_id(drift, repair, seen)
    move = correction(drift.sku, drift.location_id, repair.ledger)
    units = move.quantity or sum(abs(repair.position.get(bucket, 0)) for bucket in PARTS_OF_ON_HAND)
    row = {
        "sku": drift.sku,
        "movement_id": f"{effective_at}#{drift.location_id}#{short_hash(change_id)}",
        "location_id": drift.location_id,
        "location_day": f"{drift.location_id}#{effective_at[:10]}",
        "effective_at": effective_at,
        "recorded_at": format_time(now),
        "kinds": [move.kind.value],
        "changes": changes_of([move]),
        "position_changes": {bucket.value: units for bucket, units in repair.position.items() if units},
        "change_id": change_id,
        "actor": ACTOR,
        "reason_code": REASON,
    }
    return row | {"entries": [_entry(one) for one in repair.shares] or [{"change_id": change_id, "quantity": units}]}


def _entry(share: Disagreement) -> Row:
    """Whose units the repair accounts for. Its `quantity` is theirs, its bucket says what was added, signed."""
    holder = {name: value for name, value in share.holder._asdict().items() if value}
    return {**holder, "quantity": abs(share.missing), share.bucket.value: share.missing}


def _change_id(drift: Drift, repair: Repair, seen: Row | None) -> str:
    stands = [f"{name}={(seen or {}).get(name)}" for name in AS_SEEN]
    ledger = [f"{bucket}={drift.ledger.get(bucket, 0)}" for bucket in Bucket]
    shares = [f"{one.holder}{one.bucket}{one.missing}" for one in repair.shares]
    return "audit-" + short_hash(drift.sku, drift.location_id, repair.trust, *stands, *ledger, *shares)


def _as_seen(seen: Row | None) -> tuple[str, dict[str, Any]]:
    """The condition that the position lies as it was seen, and its values."""
    if seen is None:
        return "attribute_not_exists(sku)", {}
    absent = [f"attribute_not_exists(#{name})" for name in AS_SEEN if name not in seen]
    there = [f"#{name} = :seen_{name}" for name in AS_SEEN if name in seen]
    return " AND ".join(absent + there), {f":seen_{name}": seen[name] for name in AS_SEEN if name in seen}
