"""Which tracking providers there are. A provider's module is imported when its first message comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from oms.domain.errors import Unauthorized
from oms.domain.incoming import TrackingUpdate

_MODULES = {"easypost": "oms.carriers.easypost"}


class Carrier(Protocol):
    """What the module of a tracking provider offers. Header names are in lower case."""

    SIGNATURE_HEADER: str

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        """Whether the message was signed with one of the secrets. Works on the raw bytes, parses nothing."""
        ...

    def parse(self, body: bytes) -> TrackingUpdate | None:
        """What happened to the parcel, or None if the message is not about one. Raises InvalidMessage."""
        ...


def module(carrier: str) -> Carrier:
    """The provider's module. Raises Unauthorized for one we don't know."""
    path = _MODULES.get(carrier)
    if path is None:
        raise Unauthorized("no such carrier")
    return cast("Carrier", import_module(path))
