"""Identity from outside: the same thing told twice gets the same id, so a repeat is a no-op by its key."""

from __future__ import annotations

import hashlib
import re

MAX_ID_LENGTH = 64
_SAFE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_PART = 20


def short_hash(*parts: str, length: int = 20) -> str:
    """A stable lower-case hex digest of the parts; ("a", "bc") and ("ab", "c") differ."""
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(framed.encode()).hexdigest()[:length]


def order_id(channel: str, account: str, channel_order_id: str) -> str:
    """The order's id, `[a-z0-9-]`, at most 64 characters, a function of who calls the order what.

    Parts that are short and safe stay readable (`shopify-main-street-goods-5001`). Where joining them could be
    read in two ways, or a part is long or holds other characters, a hash of all three makes the id unambiguous.
    """
    parts = (channel, account, channel_order_id)
    digits_last = channel_order_id.isascii() and channel_order_id.isdigit() and len(channel_order_id) <= _MAX_PART
    if digits_last and _is_plain(channel) and _is_short_and_safe(account):
        return "-".join(parts)
    prefix = channel if _is_plain(channel) else "order"
    return f"{prefix}-{short_hash(*parts, length=32)}"


def _is_plain(part: str) -> bool:
    """Safe without a dash, so that the first dash of an id always ends it."""
    return _is_short_and_safe(part) and "-" not in part


def _is_short_and_safe(part: str) -> bool:
    return len(part) <= _MAX_PART and _SAFE.fullmatch(part) is not None


def fulfillment_id(order: str, number: int) -> str:
    """The id of the order's n-th fulfillment; it leads back to the order without a look-up."""
    return f"{order}-f{number}"


def order_of_fulfillment(fulfillment: str) -> str | None:
    """The order id inside a fulfillment id, or None if it is none of ours."""
    match = re.fullmatch(r"([a-z0-9-]{1,64})-f[0-9]{1,4}", fulfillment)
    return match.group(1) if match else None


def tracking_reference(carrier: str, tracking_number: str) -> str:
    """What `order_references` calls a parcel: `TRACKING#ups#1Z999`; carrier lower case, number upper, no blanks."""
    return f"TRACKING#{carrier.lower()}#{_without_blanks(tracking_number)}"


def order_reference(number: str) -> str:
    """What `order_references` calls an order number: `#1001` and `1001` are both `ORDER#1001`."""
    return f"ORDER#{number.strip().lstrip('#').upper()}"


def _without_blanks(text: str) -> str:
    return "".join(text.split()).upper()
