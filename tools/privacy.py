"""People's data: shows what is held of them, and forgets them.

    python -m tools.privacy --export shopify-main-5001 shopify-main-5002 --stage prod > person.json
    python -m tools.privacy --redact shopify-main-5001 --dry-run
    python -m tools.privacy --redact-account shopify#main --stage prod

--export prints as JSON, per order, the person's data and what the order says that leads back to the person. Messages
that lie in quarantine are not looked through: they are deleted after 30 days.

--redact deletes the person's data of orders that have ended, and marks the others so that it is deleted within a day of
their end. An order that is not here is marked when it comes, if it does within 60 days. --redact-account does so for
every order of an account whose person's data is still there, and says so where there is none: the account may be
misspelt. Doing it again changes nothing.

Exit codes: 0 done, 1 some orders could not be done (run it again) or nothing of the account is here, 2 it could not
start.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from oms.domain.errors import OmsError, Retryable
from oms.domain.order import Order
from oms.stores.contacts import ContactsStore
from oms.stores.documents import to_document
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.privacy import Forgotten, Privacy
from tools import stage as stages
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

ACTOR = "tools.privacy"
COULD_NOT_START, SOME_FAILED = 2, 1


@dataclass(slots=True)
class Redacted:
    """What came of it: orders by outcome, and those that could not be done, with why."""

    dry_run: bool
    outcomes: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def count(self, outcome: str) -> None:
        """One order more that ended so."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


@dataclass(frozen=True, slots=True)
class People:
    """The orders and their people."""

    orders: OrdersStore
    contacts: ContactsStore
    settings: SettingsStore
    privacy: Privacy
    screen: Screen

    def export(self, order_ids: Iterable[str]) -> list[dict[str, Any]]:
        """What is held of each order's person. Raises Retryable."""
        return [self._export(order_id) for order_id in order_ids]

    def _export(self, order_id: str) -> dict[str, Any]:
        order, contact = self.orders.get(order_id), self.contacts.get(order_id)
        if order is None:
            return {"order_id": order_id, "held": False}
        return {
            "order_id": order_id,
            "held": True,
            "contact": to_document(contact) if contact else None,
            "order": _of_the_person(order),
        }

    def redact(self, order_ids: Iterable[str], *, dry_run: bool) -> Redacted:
        """Forgets the people of these orders, one after the other; an order that fails leaves the others alone."""
        result = Redacted(dry_run)
        for done, order_id in enumerate(order_ids, start=1):
            try:
                result.count(self._redact(order_id, dry_run=dry_run))
            except Retryable as error:
                result.failed[order_id] = type(error).__name__
            self.screen.status(f"orders: {done} looked at, {len(result.failed)} failed")
        self.screen.settle()
        return result

    def _redact(self, order_id: str, *, dry_run: bool) -> str:
        if dry_run:
            return "WOULD_BE_FORGOTTEN" if self.orders.get(order_id) else Forgotten.NOT_HERE
        return self.privacy.forget([order_id], ACTOR, datetime.now(UTC))[order_id]

    def of_account(self, channel_account: str) -> Iterator[str]:
        """Ids of the account's orders whose person's data is still there. Raises Retryable."""
        channel, _, account = channel_account.partition("#")
        for order_ids in self.contacts.order_ids():
            for order in self.orders.get_many(order_ids):
                if (order.channel, order.account) == (channel, account):
                    yield order.order_id
            self.screen.status(f"looking for the orders of {channel_account}")

    def not_here(self, channel_account: str) -> str:
        """What to say where no person's data of the account is here."""
        accounts = ", ".join(sorted(self.settings.channel_accounts())) or "none"
        return (
            f"Nobody's data of {channel_account} is here: nothing was done. The accounts that were set up: {accounts}"
        )


def _of_the_person(order: Order) -> dict[str, Any]:
    """What of the order says who the person is or what they did: nothing else of it is about them."""
    return {
        "channel": order.channel,
        "account": order.account,
        "order_number": order.order_number,
        "customer_id": order.customer_id,
        "placed_at": to_document(order.placed_at),
        "status": order.status.value,
        "ship_to": to_document(order.ship_to),
        "lines": [{"sku": line.sku, "title": line.title, "quantity": line.ordered} for line in order.lines],
        "total": {"amount_minor": order.totals.total_minor, "currency": order.currency},
        "tracking_numbers": [one.tracking_number for work in order.fulfillments for one in work.shipments],
    }


def main(arguments: list[str]) -> int:
    """Parses the command line and does what it asks; returns the exit code."""
    options = _parser().parse_args(arguments)
    stage = Stage(options.stage)
    screen = Screen()
    try:
        people = _people(stage, screen)
        if options.export:
            print(json.dumps(people.export(options.export), indent=2, ensure_ascii=False))
            return 0
        chosen = options.redact or people.of_account(options.redact_account)
        result = people.redact(chosen, dry_run=options.dry_run)
        found = bool(result.outcomes or result.failed)
        missing = "" if found else people.not_here(options.redact_account)
    except OmsError as error:
        screen.settle()
        print(f"could not go on: {error}", file=sys.stderr)
        return COULD_NOT_START
    except CANNOT_WORK as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    _show(result, as_json=options.json)
    if missing:
        print(missing, file=sys.stderr)
    return SOME_FAILED if result.failed or missing else 0


def _people(stage: Stage, screen: Screen) -> People:
    dynamodb, prefix = stage.client("dynamodb"), stage.table_prefix
    orders, contacts = OrdersStore(dynamodb, prefix), ContactsStore(dynamodb, prefix)
    commit, quarantine = GroupCommit(dynamodb, prefix, contacts), QuarantineStore(dynamodb, prefix)
    settings = SettingsStore(dynamodb, prefix)
    return People(orders, contacts, settings, Privacy(orders, contacts, settings, commit, quarantine), screen)


def _show(result: Redacted, *, as_json: bool) -> None:
    for outcome, count in sorted(result.outcomes.items()):
        print(f"{count:6}  {outcome}")
    for order_id, why in result.failed.items():
        print(f"not done, run it again: {order_id} ({why})")
    if as_json:
        print(json.dumps(asdict(result)))


def _account(text: str) -> str:
    channel, _, account = text.partition("#")
    if not channel or not account:
        raise argparse.ArgumentTypeError(f"an account is named like shopify#main, not {text!r}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.privacy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--export", nargs="+", metavar="ORDER", help="print what is held of these orders' people")
    what.add_argument("--redact", nargs="+", metavar="ORDER", help="forget these orders' people")
    what.add_argument(
        "--redact-account", type=_account, metavar="CHANNEL#ACCOUNT", help="forget everyone's of an account"
    )
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
