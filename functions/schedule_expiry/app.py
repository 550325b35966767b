"""Every minute carts' holds end whose time is over; every hour people's data goes that is no longer needed.

The schedule says which by its input. The hourly run also looks for holds that an outage left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, metrics, table_prefix
from oms.stores.contacts import ContactsStore
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.reservations import ReservationsStore
from oms.usecases.expiry import Expiry, ReservationExpiry

RESERVE_MILLISECONDS = 10_000
HOURS_BACK = {"reservations": 1, "contacts": 48}

dynamodb, prefix = client("dynamodb"), table_prefix()
contacts = Expiry(
    orders=OrdersStore(dynamodb, prefix),
    contacts=ContactsStore(dynamodb, prefix),
)
reservations = ReservationExpiry(reservations=ReservationsStore(dynamodb, prefix), commit=GroupCommit(dynamodb, prefix))


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Ends and purges what is due; what it has no time for, the next run finds."""
    what = str(event.get("expire", "contacts"))

    def go_on() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)

    outcome = _end_holds(HOURS_BACK[what], go_on)
    if what == "contacts":
        outcome |= _purge_contacts(go_on)
    if any(outcome.values()):
        logger.info("expired", extra=outcome)
    return outcome


def _end_holds(hours_back: int, go_on: Callable[[], bool]) -> dict[str, int]:
    done = reservations.end_overdue(now(), hours_back=hours_back, go_on=go_on)
    metrics.add_metric("ReservationsExpired", MetricUnit.Count, done.expired)
    if done.failed:
        metrics.add_metric("ReservationsNotExpired", MetricUnit.Count, done.failed)
    return {"expired": done.expired, "failed": done.failed}


def _purge_contacts(go_on: Callable[[], bool]) -> dict[str, int]:
    purged, postponed = contacts.purge(now(), go_on=go_on)
    metrics.add_metric("ContactsPurged", MetricUnit.Count, purged)
    return {"purged": purged, "postponed": postponed}
