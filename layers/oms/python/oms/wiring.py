"""How the parts are put together, where more than one function needs the same whole.

What needs routing stands in `wiring_orders`: who talks with channels starts faster without.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aws_lambda_powertools.metrics import MetricUnit

from oms.channels import registry
from oms.channels.accounts import ChannelAccounts
from oms.domain.catalog import Notice
from oms.domain.errors import Retryable
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, logger, metrics, table_prefix
from oms.runtime.http import HttpClient
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets
from oms.stores.backorders import BackordersStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.open_lines import OpenLinesStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.rate_limits import RateLimits
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.usecases.availability import Availabilities
from oms.usecases.publishing import Publisher, Publishing
from oms.usecases.unmapped import Unmapped


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
        keep_credential=partial(keep_credential, secrets),
    )


def keep_credential(secrets: Secrets, channel: str, account: str, credential: str, used: str, given: str) -> None:
    """A failure is told, not raised: the sign-in worked, and the credential that was used may work for a while yet."""
    try:
        kept = secrets.keep_credential("channels", channel, account, credential=credential, used=used, given=given)
    except Retryable as error:
        told = {"channel_account": f"{channel}#{account}", "credential": credential, "error": type(error).__name__}
        logger.error("a changed credential is not kept", extra=told)
        metrics.add_metric("CredentialsNotKept", MetricUnit.Count, 1)
    else:
        logger.info(
            "a credential changed",
            extra={"channel_account": f"{channel}#{account}", "credential": credential, "kept": kept},
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
