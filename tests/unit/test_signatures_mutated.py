"""Signature schemes against their published vectors, and against 100,000 requests that somebody touched."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from oms.carriers import easypost
from oms.runtime.signatures import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    standard_webhooks_headers,
    standard_webhooks_valid,
)
from tests.mutations import MANY, Judged, Verify, judged, mutated

PAYLOADS = Path(__file__).parents[3] / "shared/payloads"
NOW = 1_790_000_000
NONE_ASKED_TO_BE_SINGLE: frozenset[str] = frozenset()
"""The door for locations leaves it to the signature to refuse what was sent twice."""


def published(name: str) -> bytes:
    path = PAYLOADS / name
    if not path.exists():
        pytest.skip(f"vendors' material is not part of the project: there is no {name}")
    return path.read_bytes()


def standard_webhooks_verify(now_seconds: float) -> Verify:
    def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        return standard_webhooks_valid(headers, body, secrets, now_seconds)

    return verify


def standard_webhooks_secret(chance: random.Random) -> str:
    return "whsec_" + base64.b64encode(chance.randbytes(24)).decode()


def standard_webhooks_signed(body: bytes, secret: str) -> dict[str, str]:
    return standard_webhooks_headers([secret], f"msg_{len(body)}{secret[6:12].strip('+/')}", NOW, body)


def easypost_signed(body: bytes, secret: str) -> dict[str, str]:
    return {easypost.SIGNATURE_HEADER: easypost.sign(body, secret)}


def easypost_secret(chance: random.Random) -> str:
    return "sécret " + chance.randbytes(12).hex()


def test_what_standard_webhooks_published_as_valid_is_accepted() -> None:
    vectors: list[dict[str, Any]] = json.loads(published("standard_webhooks/vectors.json"))
    assert vectors
    for vector in vectors:
        headers = {name: str(vector[name]) for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)}
        body, secret, at = vector["body"].encode(), vector["secret"], int(vector[TIMESTAMP_HEADER])
        assert vector["valid"]
        assert standard_webhooks_headers([secret], headers[ID_HEADER], at, body) == headers
        assert standard_webhooks_valid(headers, body, [secret], at)
        assert not standard_webhooks_valid(headers, body + b" ", [secret], at)


def test_what_easypost_published_as_valid_is_accepted() -> None:
    vector: dict[str, str] = json.loads(published("easypost/webhook_hmac_vector.json"))
    body = published(f"easypost/{vector['body_file']}").removesuffix(b"\n")
    headers = {easypost.SIGNATURE_HEADER: vector[easypost.SIGNATURE_HEADER]}
    assert easypost.sign(body, vector["secret"]) == headers[easypost.SIGNATURE_HEADER]
    assert easypost.verify(headers, body, [vector["secret"]])
    assert not easypost.verify(headers, body + b"\n", [vector["secret"]])


@pytest.mark.parametrize("off_by_seconds", [-300, 0, 300])
def test_of_100_000_touched_standard_webhooks_none_is_misjudged(off_by_seconds: int) -> None:
    count = MANY if off_by_seconds == 0 else MANY // 20
    requests = mutated(standard_webhooks_signed, "standard webhooks", new_secret=standard_webhooks_secret, count=count)
    result = judged(standard_webhooks_verify(NOW + off_by_seconds), NONE_ASKED_TO_BE_SINGLE, requests)
    assert_right(result, count)


def test_a_standard_webhook_that_is_too_old_is_refused_however_it_was_touched() -> None:
    requests = mutated(standard_webhooks_signed, "too old", new_secret=standard_webhooks_secret, count=MANY // 20)
    result = judged(standard_webhooks_verify(NOW + 301), NONE_ASKED_TO_BE_SINGLE, requests)
    assert (result.accepted, result.refused) == (0, MANY // 20)


def test_of_100_000_touched_easypost_requests_none_is_misjudged() -> None:
    requests = mutated(easypost_signed, "easypost", new_secret=easypost_secret)
    assert_right(judged(easypost.verify, frozenset({easypost.SIGNATURE_HEADER}), requests), MANY)


def test_the_requests_find_a_verification_that_looks_at_too_little_and_one_that_is_too_strict() -> None:
    def first_letters_only(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        given = headers.get(easypost.SIGNATURE_HEADER, "")
        return any(given[:40] == easypost.sign(body, secret)[:40] for secret in secrets if secret)

    def first_secret_only(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
        return easypost.verify(headers, body, secrets[:1])

    single = frozenset({easypost.SIGNATURE_HEADER})
    for verify, is_wrong in ((first_letters_only, "false_accepts"), (first_secret_only, "false_rejects")):
        result = judged(verify, single, mutated(easypost_signed, "wrong", new_secret=easypost_secret, count=2_000))
        assert getattr(result, is_wrong)
        assert not result.is_right


def assert_right(result: Judged, count: int) -> None:
    assert not result.false_accepts
    assert not result.false_rejects
    assert result.is_right
    assert result.accepted + result.refused == count
    assert result.accepted > count // 10
