"""Orders that wait in quarantine for a mapping: once what they sell is mapped, they go back to the intake queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.errors import Retryable
from oms.domain.incoming import replayed
from oms.domain.intake_rules import UNMAPPED_SKU

if TYPE_CHECKING:
    from oms.runtime.queues import Queue
    from oms.stores.listings import ListingsStore
    from oms.stores.quarantine import QuarantineStore
    from oms.stores.reference_data import ProductsStore

PAGE, MAX_PAGES = 50, 200
"""Rows of an account that are looked at in one run; those beyond are looked at when those before are gone."""


@dataclass(slots=True)
class Replayed:
    """What a run put back, and the accounts whose turn comes with the next run, each with the class of the error."""

    messages: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Replays messages by account. A row goes only after the queue has its message; twice on the queue is once."""

    quarantine: QuarantineStore
    listings: ListingsStore
    products: ProductsStore
    intake_queue: Queue

    def replay_all(self, channel_accounts: Iterable[str], now: datetime, *, go_on: Callable[[], bool]) -> Replayed:
        """As `replay`, account by account while `go_on` says there is time; one that fails, or has so much that there
        is none left, keeps no other from it: each hour another is the first."""
        done, names = Replayed(), list(channel_accounts)
        first = now.hour % len(names) if names else 0
        for name in names[first:] + names[:first]:
            if not go_on():
                break
            try:
                done.messages += self.replay(name, now, go_on=go_on)
            except Retryable as error:
                done.failed[name] = type(error).__name__
        return done

    def replay(self, channel_account: str, now: datetime, *, go_on: Callable[[], bool]) -> int:
        """Puts back every message of the account whose goods are all known by now; returns how many. What comes back
        meanwhile is left for the next run. Raises Retryable."""
        replayed, cursor = 0, None
        for _ in range(MAX_PAGES):
            page = self.quarantine.of_source(channel_account, limit=PAGE, cursor=cursor)
            waiting = [row for row in page.items if row["reason"] == UNMAPPED_SKU and row.get("skus")]
            known = self._known(channel_account, {sku for row in waiting for sku in row["skus"]})
            for row in waiting:
                if not go_on():
                    return replayed
                if known.issuperset(row["skus"]):
                    self._put_back(row, now)
                    replayed += 1
            cursor = page.cursor
            if cursor is None:
                break
        return replayed

    def _known(self, channel_account: str, names: set[str]) -> set[str]:
        """Those of the channel's names that stand for a product."""
        skus = {name: name for name in names} | self.listings.skus_of(channel_account, sorted(names))
        products = self.products.get_many(skus.values())
        return {name for name, sku in skus.items() if sku in products}

    def _put_back(self, row: Mapping[str, Any], now: datetime) -> None:
        moment = now.isoformat()
        self.quarantine.mark_replayed(row, moment)
        self.intake_queue.send(json.dumps(replayed(row["message"]), separators=(",", ":")), group=row["source"])
        self.quarantine.delete_replayed(row, moment)
