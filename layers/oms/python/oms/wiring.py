"""How the parts are put together, where more than one function needs the same whole."""

from __future__ import annotations

from collections.abc import Callable

from oms.channels import registry
from oms.channels.accounts import ChannelAccounts
from oms.domain.catalog import Notice
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.executions import Executions
from oms.runtime.functions import environment, table_prefix
from oms.runtime.http import HttpClient
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets
from oms.stores.backorders import BackordersStore
from oms.stores.capacity import CapacityStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.group_commit import GroupCommit
from oms.stores.listings import ListingsStore
from oms.stores.open_lines import OpenLinesStore
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.rate_limits import RateLimits
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.stores.waits import WaitsStore
from oms.usecases.availability import Availabilities
from oms.usecases.lifecycle import Lifecycle
from oms.usecases.publishing import Publisher, Publishing
from oms.usecases.sourcing import Sourcing
from oms.usecases.unmapped import Unmapped


def executions() -> Executions:
    """The executions of the order lifecycle."""
    return Executions(client("stepfunctions"), environment("ORDER_LIFECYCLE_ARN"))


def sourcing() -> Sourcing:
    """The stock, locations and settings that routing needs."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Sourcing(
        stock=StockStore(dynamodb, prefix),
        locations=LocationsStore(dynamodb, prefix),
        settings=SettingsStore(dynamodb, prefix),
        backorders=BackordersStore(dynamodb, prefix),
        capacity=CapacityStore(dynamodb, prefix),
    )


def availabilities() -> Availabilities:
    """Every term of what may be sold."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Availabilities(
        stock=StockStore(dynamodb, prefix),
        backorders=BackordersStore(dynamodb, prefix),
        open_lines=OpenLinesStore(dynamodb, prefix),
        products=ProductsStore(dynamodb, prefix),
        locations=LocationsStore(dynamodb, prefix),
        settings=SettingsStore(dynamodb, prefix),
    )


def publishing() -> Publishing:
    """For the streams of what goes into the figures: who must be told anew."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Publishing(
        listings=ListingsStore(dynamodb, prefix),
        deliveries=DeliveriesStore(dynamodb, prefix),
        products=ProductsStore(dynamodb, prefix),
    )


def channel_accounts(settings: SettingsStore, secrets: Secrets) -> ChannelAccounts:
    """For the functions that ask channels or tell them: every account, signed in, within the limits of all workers."""
    return ChannelAccounts(
        settings_of=settings.channel_account,
        credentials_of=lambda channel, account, anew: secrets.credentials("channels", channel, account, anew=anew),
        http=HttpClient(allow_loopback=environment("STAGE") == "local"),
        limits=RateLimits(client("dynamodb"), table_prefix()),
        now=now,
    )


def publisher_of(settings: SettingsStore, accounts: ChannelAccounts) -> Callable[[str], Publisher | None]:
    """For whoever tells channels what they may sell: how an account is told, None for one that is not."""

    def find(channel_account: str) -> Publisher | None:
        channel, _, account = channel_account.partition("#")
        found = settings.channel_account(channel, account)
        if found is None or Notice.AVAILABILITY not in found.tells or not accounts.can(channel_account, "publish"):
            return None
        at_once = registry.module(channel).MAX_PUBLISHED
        return Publisher(at_once, lambda messages: accounts.run(channel_account, "publish", messages))

    return find


def unmapped() -> Unmapped:
    """For whoever looks after accounts: orders that waited for a mapping. Needs `INTAKE_QUEUE_URL`."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Unmapped(
        quarantine=QuarantineStore(dynamodb, prefix),
        listings=ListingsStore(dynamodb, prefix),
        products=ProductsStore(dynamodb, prefix),
        intake_queue=Queue(client("sqs"), environment("INTAKE_QUEUE_URL")),
    )


def lifecycle() -> Lifecycle:
    """For the functions that may notice that an order can go on: the state, the stream, the sweep."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Lifecycle(
        orders=OrdersStore(dynamodb, prefix),
        waits=WaitsStore(dynamodb, prefix),
        commit=GroupCommit(dynamodb, prefix),
        sourcing=sourcing(),
        executions=executions(),
    )
