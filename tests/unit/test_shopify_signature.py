"""Shopify's signature against 100,000 requests that somebody touched."""

from __future__ import annotations

from oms.channels import shopify
from tests.mutations import MANY, judged, mutated

SIGNATURE = "x-shopify-hmac-sha256"


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {SIGNATURE: shopify.sign(body, secret)}


def test_of_many_touched_requests_no_forged_one_passes_and_no_genuine_one_is_turned_away() -> None:
    result = judged(shopify.verify, shopify.SIGNATURE_HEADERS, mutated(signed, "shopify"))
    assert result.is_right, (result.false_accepts, result.false_rejects)
    assert result.accepted + result.refused == MANY
