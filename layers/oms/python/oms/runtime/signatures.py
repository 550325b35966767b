"""Standard Webhooks signatures, both ways: what we send is signed, what warehouses send is verified.

The scheme (standardwebhooks.com, version 1.0.0): base64 HMAC-SHA256 of `id.timestamp.body` under a key that
is written as `whsec_` and base64; the header holds one signature or, while a key is changed, several with
blanks between. Only the symmetric scheme `v1` is spoken here; others in the header are passed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

TOLERANCE_SECONDS = 300
ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX = "whsec_"
_MAX_SIGNATURES = 8
# No full stop: the signed text is id.timestamp.body; a stop in the id would let it be cut elsewhere.
_ID = re.compile(r"[A-Za-z0-9_:=+/-]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
# One entry of the header. A doubled header arrives joined by a comma, which no entry can hold a second time.
_SIGNATURE = re.compile(r"v[0-9]{1,2}a?,[A-Za-z0-9+/]{1,128}={0,2}")


def standard_webhooks_sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature` for one secret: `v1,<base64>`. `timestamp` is in Unix seconds.

    Raises ValueError for a secret that is not `whsec_` and base64, or an id the scheme can't carry safely.
    """
    if not _ID.fullmatch(message_id):
        raise ValueError("a webhook id holds letters, digits and _:=+/- only, at most 128")
    return _signature(_key(secret), message_id, str(timestamp), body)


def standard_webhooks_headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """All headers of a signed message; with two secrets both sign, so that the receiver may know either.

    Raises ValueError as `standard_webhooks_sign` does, or without a secret.
    """
    if not secrets:
        raise ValueError("a message can't be signed without a secret")
    signatures = [standard_webhooks_sign(secret, message_id, timestamp, body) for secret in secrets]
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(signatures),
    }


def standard_webhooks_valid(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_seconds: float
) -> bool:
    """Whether one of the signatures is that of one of the secrets, and was made within five minutes of now.

    Header names are in lower case. Compared in constant time, as text, so that there is one spelling of each
    signature. A secret that is not `whsec_` and base64 verifies nothing.
    """
    message_id = headers.get(ID_HEADER, "")
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    signatures = headers.get(SIGNATURE_HEADER, "").split(" ")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now_seconds - int(timestamp)) > TOLERANCE_SECONDS or len(signatures) > _MAX_SIGNATURES:
        return False
    if not all(_SIGNATURE.fullmatch(signature) for signature in signatures):
        return False
    expected = [_signature(key, message_id, timestamp, body) for key in _usable_keys(secrets)]
    return _any_equal(signatures, expected)


def _any_equal(given: Sequence[str], expected: Sequence[str]) -> bool:
    """Compares every pair: neither the time nor the order tells which one fits."""
    equal = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected]
    return any(equal)


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _usable_keys(secrets: Sequence[str]) -> list[bytes]:
    keys = []
    for secret in secrets:
        try:
            keys.append(_key(secret))
        except ValueError:
            continue  # the other secret may still fit, and nothing is signed with this one
    return keys


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a Standard Webhooks secret is whsec_ and base64") from error
    if not secret.startswith(_PREFIX) or not key:
        raise ValueError("a Standard Webhooks secret is whsec_ and base64")
    return key
