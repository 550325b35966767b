"""Which channels there are: a channel is a file of this package. It is imported when its first message comes.

Adding one is adding its file: `HEADERS` … `parse` for what it sends us, `pull` … `listed` for what we ask and tell it.
What a channel can't do, its file leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from oms.domain.errors import InvalidMessage, NotSupported, Unauthorized
from oms.domain.incoming import Envelope

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import (
        AcknowledgementNotice,
        CancellationNotice,
        ListedPage,
        Parsed,
        PulledOrder,
        PulledPage,
        ShipmentNotice,
        Window,
    )
    from oms.domain.listings import AvailabilityMessage

SHARED = frozenset({"accounts", "client", "direct", "envelopes", "registry"})
"""Files of this package that are no channels; parts of a channel's own have an underscore: `shopify_orders`."""

CHANNELS = frozenset(
    file.stem for file in Path(__file__).parent.glob("*.py") if "_" not in file.stem and file.stem not in SHARED
)
DIRECT = frozenset({"web", "phone", "pos"})
"""Orders placed with us: what `direct` reads. Nobody is told anything there."""


class Channel(Protocol):
    """What the file of a channel offers. Only `parse` must be there.

    A channel that sends webhooks has all of `HEADERS` (kept in the envelope, lower case), `SIGNATURE_HEADERS` (of
    which none may come twice), `verify` and `describe`.
    """

    HEADERS: frozenset[str]
    SIGNATURE_HEADERS: frozenset[str]

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """Whether the message was signed with one of the secrets. Works on the raw bytes, parses nothing."""
        ...

    def describe(self, headers: Mapping[str, str]) -> tuple[str, str]:
        """The topic and the id of the message; empty where the channel sent none."""
        ...

    def is_ping(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether this is no message but a channel's unsigned question if anybody is there. It is answered 200 and
        leads to nothing. Only for channels that ask so."""
        ...

    def parse(self, envelope: Envelope) -> Parsed | None:
        """What the message means, or None for one we do not follow. A topic `envelopes.FETCHED` holds an order as
        `fetch` or `pull` got it. Raises InvalidMessage with field and reason."""
        ...

    LAG_SECONDS: int
    """How long before now a window must end at least; 0 where the file does not say."""

    def pull(self, api: ChannelApi, window: Window, token: str | None) -> PulledPage:
        """One page of the orders that changed within the window. Raises Retryable, ChannelRefused."""
        ...

    def fetch(self, api: ChannelApi, channel_order_id: str) -> PulledOrder:
        """The whole order as it is now, its body never None. Raises NotFound, Retryable, ChannelRefused."""
        ...

    def acknowledge(self, api: ChannelApi, notice: AcknowledgementNotice) -> None:
        """Tells that we have the order, for channels that want to hear it; told twice is told once. Raises as `call`
        does, NotSupported."""
        ...

    def confirm_shipment(self, api: ChannelApi, notice: ShipmentNotice) -> None:
        """Tells of a parcel; told twice, the channel still has it once. Raises as `call` does, NotSupported."""
        ...

    def confirm_cancellation(self, api: ChannelApi, notice: CancellationNotice) -> None:
        """Tells of units that will not ship; told twice is told once. Raises as `call` does, NotSupported."""
        ...

    MAX_PUBLISHED: int
    """How many figures `publish` takes at once."""

    def publish(self, api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
        """Tells what may be sold; returns why not, by channel_sku, for those that the channel did not take: a code, or
        nothing for what may be taken later. Raises Retryable when none was taken."""
        ...

    MAX_QUANTITY: int
    """The most units that the channel takes of a listing, where it has such a bound; `publish` tells no more."""

    def listed(self, api: ChannelApi, token: str | None) -> ListedPage:
        """One page of what the channel believes may be sold. Raises Retryable, ChannelRefused."""
        ...


def is_known(channel: str) -> bool:
    """Whether there is such a channel."""
    return channel in CHANNELS


def verifier(channel: str) -> Channel:
    """The channel's module, for a message not yet verified. Raises Unauthorized for one that sends no webhooks."""
    if not is_known(channel):
        raise Unauthorized("no such channel")
    found = module(channel)
    if not hasattr(found, "verify"):
        raise Unauthorized("this channel sends no webhooks")
    return found


def is_ping(channel: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a channel that does so asks if anybody is there. Raises Unauthorized as `verifier` does."""
    found = verifier(channel)
    return hasattr(found, "is_ping") and found.is_ping(headers, body)


def module(channel: str) -> Channel:
    """The channel's module. Raises InvalidMessage for an unknown channel."""
    if channel in DIRECT:
        return cast(Channel, import_module("oms.channels.direct"))
    if not is_known(channel):
        raise InvalidMessage(f"no channel {channel!r}", field="channel", reason="UNKNOWN_CHANNEL")
    return cast(Channel, import_module(f"oms.channels.{channel}"))


def can(channel: str, operation: str) -> bool:
    """Whether the channel's file has this operation: `pull`, `confirm_shipment`, …"""
    return is_known(channel) and hasattr(module(channel), operation)


def operation(channel: str, name: str) -> Callable[..., Any]:
    """The operation of a channel. Raises NotSupported where its file has none."""
    if not can(channel, name):
        raise NotSupported(f"{channel} has no {name}")
    return cast(Callable[..., Any], getattr(module(channel), name))
