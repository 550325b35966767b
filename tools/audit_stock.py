"""Proves that the stock adds up: positions, movements, orders, carts and the queues for stock say the same.

    python -m tools.audit_stock --stage dev
    python -m tools.audit_stock --stage prod --segments 16 --json
    python -m tools.audit_stock --stage prod --sku MUG-STONE-350
    python -m tools.audit_stock --stage prod --repair
    python -m tools.audit_stock --stage prod --repair --sku MUG-STONE-350 --trust ledger

Of every position: on_hand = available + committed + reserved + damaged + quality_control; its movements add up to it,
bucket by bucket; committed is what open orders hold there, reserved what carts hold; every movement names an order
and a version of it that there was; and every row of `backorders` is what its order waits for. Tables are read whole,
in `--segments` parts at the same time, while traffic goes on: what looks wrong is read again for certain, and only
what is still wrong then is told, with who is concerned and what to do.

`--repair` repairs what is safe (it asks before, unless `--yes`): it writes one movement per position that says what it
corrects, and never edits history. Where a person must decide who is right, `--trust` says so, for one sku: the
`ledger` (the position is set to it), the `position` (the ledger gets what it lacks), or the `orders` and carts
(position and ledger agree, but the documents are right). Safe to run again, and twice at once.

Exit codes: 0 all adds up (or does now), 1 something does not, or could not be read, 2 it could not start.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from oms.domain import audit_words as words
from oms.domain.audit_facts import Holder
from oms.domain.auditing import Drift, DriftKind, Repair, Trust, examine, examine_queue
from oms.domain.errors import Retryable
from oms.runtime.clock import now
from tools import stage as stages
from tools.audit_reading import BusyError, Looking, Row, Tables, UnreadableError
from tools.audit_repair import Repairing
from tools.audit_scan import Scan
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

READERS = 8
"""Skus that are looked at again at the same time."""

COULD_NOT_START, DOES_NOT_ADD_UP = 2, 1

T = TypeVar("T")


@dataclass(slots=True)
class Audited:
    """What came of it: rows read, skus and orders looked at again, what does not agree, who could not be looked at."""

    stage: str
    movements: int = 0
    orders: int = 0
    reservations: int = 0
    backorders: int = 0
    positions: int = 0
    looked_at_again: int = 0
    repaired: int = 0
    drifts: list[Drift] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        return not self.drifts and not self.busy


@dataclass(slots=True)
class Audit:
    """Two passes over the stock of a stage, and its repairs."""

    tables: Tables
    result: Audited
    screen: Screen
    segments: int = stages.DEFAULT_SEGMENTS
    sku: str | None = None
    clock: Callable[[], datetime] = now
    looking: Looking = field(init=False)
    _seen: dict[str, dict[str, Row]] = field(default_factory=dict)
    _holders: dict[str, set[Holder]] = field(default_factory=dict)
    _told_already: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.looking = Looking(self.tables)

    def run(self) -> None:
        """Reads everything, then again what looks wrong."""
        suspects = Scan(self.tables, self.segments, self._told, self.sku).run()
        self._holders = suspects.skus
        self.result.looked_at_again = len(suspects.skus) + len(suspects.queues)
        drifts = list(suspects.unreadable)
        self._told_already = {name for one in drifts for name in (one.sku, *one.orders)}
        drifts += self._each("second looks", sorted(suspects.skus), self._at_sku)
        drifts += self._each("queues", sorted(suspects.queues.items()), lambda one: self._at_queue(*one))
        self.result.drifts = sorted(drifts, key=lambda one: (one.sku, one.location_id, one.kind, one.orders))
        self.screen.settle()

    def repairable(self, trust: Trust | None) -> list[tuple[Drift, Repair]]:
        """The repairs that are safe, or those that believe whom a person believes."""
        if trust is None:
            return [(one, one.safe) for one in self.result.drifts if one.safe]
        return [(one, repair) for one in self.result.drifts for repair in one.repairs if repair.trust is trust]

    def repair(self, repairs: Iterable[tuple[Drift, Repair]]) -> None:
        """Repairs, then looks again at the skus that were repaired."""
        skus = set()
        for drift, repair in repairs:
            skus.add(drift.sku)
            try:
                seen = self._seen.get(drift.sku, {}).get(drift.location_id)
                written = Repairing(self.tables).apply(drift, repair, seen, self.clock())
            except Retryable as error:
                self.screen.say(f"it is not known whether this was repaired: {error}")
                continue
            self.result.repaired += written
            if not written:
                self.screen.say(f"{drift.sku} at {drift.location_id} has changed, or somebody else repaired it")
        kept = [one for one in self.result.drifts if one.sku not in skus or not _is_of_stock(one)]
        self.result.drifts = kept + self._each("repaired skus", sorted(skus), self._at_sku)
        self.screen.settle()

    def _at_sku(self, sku: str) -> list[Drift]:
        try:
            look = self.looking.at_sku(sku, self._holders.get(sku, ()))
        except UnreadableError as error:
            return self._unreadable("stock", sku, error, sku=sku)
        self._seen[sku] = dict(look.seen)
        return examine(look.picture)

    def _at_queue(self, order_id: str, keys: set[tuple[str, str]]) -> list[Drift]:
        try:
            look = self.looking.at_queue(order_id, keys)
        except UnreadableError as error:
            return self._unreadable("orders", order_id, error, orders=(order_id,))
        return examine_queue(order_id, look.order, look.rows)

    def _unreadable(self, table: str, name: str, error: UnreadableError, **whose: Any) -> list[Drift]:
        """What can't be read, unless the first pass told of it already."""
        if name in self._told_already:
            return []
        says, advice = words.unreadable(table, name, str(error))
        return [Drift(kind=DriftKind.UNREADABLE, says=says, advice=advice, **whose)]

    def _each(self, title: str, names: list[T], look: Callable[[T], list[Drift]]) -> list[Drift]:
        """What each look finds; who can't be looked at is told, and the rest goes on."""

        def carefully(name: T) -> tuple[T, list[Drift], Exception | None]:
            try:
                return name, look(name), None
            except (BusyError, Retryable) as error:
                return name, [], error

        drifts: list[Drift] = []
        with ThreadPoolExecutor(READERS) as readers:
            for done, (name, found, error) in enumerate(readers.map(carefully, names), start=1):
                self.screen.progress(title, done, len(names))
                drifts += found
                if error is not None:
                    shown = name if isinstance(name, str) else str(name)
                    self.result.busy.append(shown)
                    self.screen.say(f"{shown} could not be looked at ({type(error).__name__}); run the audit again")
        return drifts

    def _told(self, name: str, done: int, total: int) -> None:
        setattr(self.result, name, done)
        self.screen.progress(name, done, total)


def _is_of_stock(drift: Drift) -> bool:
    """Whether a look at the sku tells of it."""
    return drift.kind is not DriftKind.QUEUE_DIFFERS


def as_row(drift: Drift) -> dict[str, Any]:
    """A drift for programs."""
    repairs = [repair.trust.value for repair in drift.repairs]
    shown = asdict(drift) | {"safe": drift.safe.trust.value if drift.safe else None, "repairs": repairs}
    return {name: value for name, value in shown.items() if value not in ("", (), {})}


def main(arguments: list[str]) -> int:
    """Parses the command line, audits and repairs; returns the exit code."""
    options = _options(arguments)
    stage, screen, result = Stage(options.stage), Screen(), Audited(options.stage)
    try:
        tables = Tables(stage.client("dynamodb"), stage.table_prefix)
        audit = Audit(tables, result, screen, options.segments, options.sku)
        audit.run()
        _tell(result)
        if options.repair:
            _repair(audit, options)
    except (*CANNOT_WORK, Retryable) as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    if options.json:
        print(json.dumps(asdict(result) | {"drifts": [as_row(one) for one in result.drifts]}))
    return 0 if result.adds_up else DOES_NOT_ADD_UP


def _repair(audit: Audit, options: argparse.Namespace) -> None:
    repairs = audit.repairable(options.trust)
    for drift, repair in repairs:
        print(f"To be repaired: {drift.sku} at {drift.location_id}, believing the {repair.trust.lower()}")
    if not repairs or options.dry_run:
        return
    if not options.yes and not _agreed(len(repairs)):
        print("Nothing was repaired.")
        return
    before = audit.result.repaired
    audit.repair(repairs)
    print(f"Repaired: {audit.result.repaired - before}, left: {len(audit.result.drifts)}")


def _agreed(number: int) -> bool:
    """Asks; who can't answer has not agreed."""
    try:
        return input(f"Repair {number} position(s)? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _tell(result: Audited) -> None:
    print(
        f"Read: {result.positions} positions, {result.movements} movements, {result.orders} orders, "
        f"{result.reservations} reservations, {result.backorders} backorders; "
        f"looked at again: {result.looked_at_again}"
    )
    for one in result.drifts:
        print(f"\n{one.kind}: {one.says}\n    {one.advice}")
    if result.adds_up:
        print("All adds up.")
    else:
        print(f"\nDoes not add up: {len(result.drifts)}; could not be looked at: {len(result.busy)}")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.trust is not None:
        options.trust = Trust(options.trust.upper())
        if not options.sku or not options.repair:
            parser.error("--trust goes with --repair and --sku: a person decides for one sku at a time")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.audit_stock", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    stages.add_segments(parser)
    parser.add_argument("--sku", help="look at this sku only (orders and reservations are read whole all the same)")
    parser.add_argument("--repair", action="store_true", help="repair what is safe to repair")
    parser.add_argument("--yes", action="store_true", help="do not ask before repairing")
    parser.add_argument("--trust", choices=[one.lower() for one in Trust], help="who is right, where it can't be told")
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
