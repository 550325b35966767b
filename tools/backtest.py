"""Tries a version of the routing policy on past or made-up orders, beside the version in force. Writes nothing.

    python -m tools.backtest --stage dev --policy 4
    python -m tools.backtest --stage prod --policy 4 --from 2026-11-01 --to 2026-11-15 --limit 50000
    python -m tools.backtest --policy 4 --generate 500 --seed 1       an empty system: orders are made up
    python -m tools.backtest --policy 3 --against 4 --json

Past orders are routed again as they were then, on the stock and in the days that their decision records tell of, each
policy with what it would have left over. Costs are the money paid for parcels; the weights of a policy are told apart.
Locations are those of today. Orders without a record (never routed, older than the policy keeps records) are left out
and counted. Made-up orders are on the products and the stock of now (or that of a file), evenly over the days;
nothing comes in.

The version is judged by its own guards, as `python -m tools.routing_policy activate` does. Exit codes: 0 none is
violated, 1 some are (the report says which, with figure and limit), 2 it could not be tried.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from oms.domain.backtest_figures import MAX_CHANGES_TOLD, MIN_ORDERS
from oms.domain.errors import NotFound, OmsError
from oms.domain.policy_versions import Verdict
from oms.domain.routing_items import Stock
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_policy_rules import MAX_VERSION
from oms.runtime import clock
from oms.stores.orders import OrdersStore
from oms.stores.past_orders import PastOrdersStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.routing_policies import RoutingPoliciesStore
from oms.stores.stock import StockStore
from oms.usecases.backtest import MAX_DAYS, MAX_ORDERS, MAX_ORDERS_EVER, Backtest, Period, Report, Told
from oms.usecases.policies import Policies
from tools import backtest_view as view
from tools import stage as stages
from tools.stage import CANNOT_WORK, Stage

VIOLATED, CANNOT = 1, 2
DAYS = 7
MAX_FILE_BYTES = 50_000_000

ClientFactory = Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be tried: orders of a period, by default the last `days`, or `generate` made-up ones over as many, on
    this stock (None: that of now)."""

    days: int = DAYS
    start: date | None = None
    end: date | None = None
    generate: int = 0
    seed: int = 1
    stock: Stock | None = None
    limit: int = MAX_ORDERS
    min_orders: int = MIN_ORDERS
    changes: int = MAX_CHANGES_TOLD

    def period(self, now: datetime) -> Period:
        """The period of past orders. Raises InvalidMessage."""
        end = _midnight(self.end + timedelta(days=1)) if self.end else now
        start = _midnight(self.start) if self.start else end - timedelta(days=self.days)
        return Period(start=start, end=end)


def verdict(client: ClientFactory, stage: str, draft: RoutingPolicy, active: RoutingPolicy, **options: Any) -> Verdict:
    """What orders say of the draft beside the policy in force, by its own guards; options are those of `Wanted`.

    Raises OmsError, and what AWS raises.
    """
    with view.Bar() as bar:
        return tried(client, stage, draft, active, Wanted(**options), bar.told).verdict


def tried(
    client: ClientFactory, stage: str, draft: RoutingPolicy, active: RoutingPolicy, wanted: Wanted, told: Told
) -> Report:
    """The whole report."""
    backtest, now = _backtest(client("dynamodb"), Stage(stage).table_prefix, told), clock.now()
    company = backtest.company()
    if wanted.generate:
        span = timedelta(days=wanted.days)
        days = (now - span, span)
        found = backtest.made_up_orders(wanted.generate, Random(wanted.seed), company, days, wanted.stock)
    else:
        found = backtest.past_orders(wanted.period(now), company, wanted.limit)
    return backtest.compare(
        found, company, active, draft, now, min_orders=wanted.min_orders, most_changes=wanted.changes
    )


def _backtest(dynamodb: Any, prefix: str, told: Told) -> Backtest:
    return Backtest(
        past=PastOrdersStore(dynamodb, prefix),
        orders=OrdersStore(dynamodb, prefix),
        stock=StockStore(dynamodb, prefix),
        locations=LocationsStore(dynamodb, prefix),
        products=ProductsStore(dynamodb, prefix),
        settings=SettingsStore(dynamodb, prefix),
        told=told,
    )


def main(arguments: list[str]) -> int:
    """Parses the command line, tries the version, prints the report; returns the exit code."""
    options = _options(arguments)
    stage = Stage(options.stage)
    try:
        policies = Policies(RoutingPoliciesStore(stage.client("dynamodb"), stage.table_prefix))
        draft = policies.read(options.policy).document
        active = _against(policies, options.against)
        with view.Bar() as bar:
            report = tried(stage.client, stage.name, draft, active, _wanted(options), bar.told)
    except OmsError as error:
        print(f"It could not be tried: {error}.", file=sys.stderr)
        if isinstance(error, NotFound):
            print("`python -m tools.routing_policy list` says which versions there are.", file=sys.stderr)
        return CANNOT
    except CANNOT_WORK as error:
        print(stages.explain(error, stage), file=sys.stderr)
        return CANNOT
    _tell(report, as_json=options.json)
    return 0 if report.verdict.passed else VIOLATED


def _against(policies: Policies, version: int | None) -> RoutingPolicy:
    """The policy to compare with: the named one, else that in force."""
    known = policies.read(version) if version else policies.active()
    return known.document if known else RoutingPolicy()


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(view.plain(asdict(report)), default=str))
        return
    view.screen().print(view.report(report))


def _wanted(options: argparse.Namespace) -> Wanted:
    return Wanted(
        days=options.days or DAYS,
        start=options.start,
        end=options.end,
        generate=options.generate or 0,
        seed=options.seed,
        stock=options.stock,
        limit=options.limit,
        min_orders=options.min_orders,
        changes=options.changes,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"a number from {least} to {most}, not {text!r}")
        return int(text)

    return number


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a day such as 2026-11-22, not {text!r}") from error


def _stock(file: str) -> Stock:
    """The stock that a file tells of."""
    try:
        with Path(file).open(encoding="utf-8") as opened:
            stock = json.loads(opened.read(MAX_FILE_BYTES))
        return {str(sku): {str(one): int(units) for one, units in there.items()} for sku, there in stock.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{file} does not hold a stock: {error}") from error


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.start is None) != (options.end is None):
        parser.error("--from and --to go together")
    if options.start and (options.days or options.generate):
        parser.error("--from and --to name the days: without --days and --generate")
    if options.stock is not None and not options.generate:
        parser.error("--stock is for made-up orders: with --generate")
    if options.start and not 0 <= (options.end - options.start).days < MAX_DAYS:
        parser.error(f"--to must not be before --from, and at most {MAX_DAYS} days can be tried at once")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.backtest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    version, orders = _between(1, MAX_VERSION), _between(1, MAX_ORDERS_EVER)
    parser.add_argument("--policy", type=version, required=True, metavar="VERSION", help="the version to be tried")
    parser.add_argument("--against", type=version, metavar="VERSION", help="default: the active one")
    parser.add_argument("--from", dest="start", type=_day, metavar="DAY", help="orders placed from this day (UTC) on")
    parser.add_argument("--to", dest="end", type=_day, metavar="DAY", help="up to and with this day")
    parser.add_argument("--days", type=_between(1, MAX_DAYS), metavar="N", help=f"the last N days (default {DAYS})")
    parser.add_argument("--generate", type=orders, metavar="N", help="N made-up orders instead of past ones")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="which made-up orders (default 1)")
    parser.add_argument(
        "--stock", type=_stock, metavar="FILE", help='with --generate: this stock, as {"SKU": {"LOCATION": units}}'
    )
    parser.add_argument(
        "--limit", type=orders, default=MAX_ORDERS, metavar="N", help=f"the newest N orders (default {MAX_ORDERS})"
    )
    parser.add_argument(
        "--min-orders",
        type=_between(0, MAX_ORDERS_EVER),
        default=MIN_ORDERS,
        metavar="N",
        help=f"with fewer orders nothing is proven (default {MIN_ORDERS})",
    )
    parser.add_argument(
        "--changes",
        type=_between(0, MAX_ORDERS_EVER),
        default=MAX_CHANGES_TOLD,
        metavar="N",
        help=f"tell of the N orders that change most (default {MAX_CHANGES_TOLD})",
    )
    parser.add_argument("--stage", choices=stages.STAGES, default=stages.DEFAULT_STAGE)
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
