"""Which channels there are. A channel's module is imported when its first message comes, not before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from oms.domain.errors import InvalidMessage, Unauthorized
from oms.domain.incoming import Envelope, IncomingOrder

_MODULES = {"shopify": "oms.channels.shopify"}


class Channel(Protocol):
    """What the module of a channel offers. Header names are in lower case.

    `HEADERS` are those an envelope keeps; none of `SIGNATURE_HEADERS` may be sent twice.
    """

    HEADERS: frozenset[str]
    SIGNATURE_HEADERS: frozenset[str]

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """Whether the message was signed with one of the secrets. Works on the raw bytes, parses nothing."""
        ...

    def describe(self, headers: Mapping[str, str]) -> tuple[str, str]:
        """The topic and the id of the message; empty where the channel sent none."""
        ...

    def parse(self, envelope: Envelope) -> IncomingOrder | None:
        """The order in the message, or None for a topic we do not follow. Raises InvalidMessage."""
        ...


def is_known(channel: str) -> bool:
    """Whether there is such a channel."""
    return channel in _MODULES


def verifier(channel: str) -> Channel:
    """The channel's module, for a message not yet verified. Raises Unauthorized for an unknown channel."""
    if not is_known(channel):
        raise Unauthorized("no such channel")
    return module(channel)


def module(channel: str) -> Channel:
    """The channel's module. Raises InvalidMessage for an unknown channel."""
    path = _MODULES.get(channel)
    if path is None:
        raise InvalidMessage(f"no channel {channel!r}", field="channel", reason="UNKNOWN_CHANNEL")
    return cast(Channel, import_module(path))
