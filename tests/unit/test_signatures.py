"""Signatures: what is genuine passes, whatever was touched on the way does not."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from oms.carriers import easypost
from oms.channels import shopify
from oms.runtime.signatures import (
    standard_webhooks_headers,
    standard_webhooks_sign,
    standard_webhooks_valid,
)

NOW = 1_790_000_000
BODY = b'{"id":"msg_1","type":"fulfillment.packed","data":{"fulfillment_id":"o-1-f1"}}'
SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, no less").decode()
OLDER = "whsec_" + base64.b64encode(b"the key that was used last month").decode()
PLAIN_SECRET = "shpss_test_secret_of_the_app"

Headers = dict[str, str]
Verify = Callable[[Mapping[str, str], bytes, Sequence[str]], bool]


def genuine(secrets: Sequence[str] = (SECRET,), at: int = NOW) -> Headers:
    return standard_webhooks_headers(secrets, "msg_1", at, BODY)


def accepted(headers: Mapping[str, str], body: bytes = BODY, secrets: Sequence[str] = (SECRET,)) -> bool:
    return standard_webhooks_valid(headers, body, secrets, NOW)


def test_a_signed_message_is_accepted() -> None:
    assert accepted(genuine())


def test_the_signature_is_the_hmac_of_id_timestamp_and_body() -> None:
    # computed apart from this code, with openssl dgst -sha256 -mac HMAC over `msg_7.1700000000.{"a":1}`
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
    signature = standard_webhooks_sign(secret, "msg_7", 1_700_000_000, b'{"a":1}')
    assert signature == "v1,ZvdTtz7652UDbCW7Eqmf6U8BvF1Er+mQ8MBVby4Z7qc="


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_message_made_within_five_minutes_is_accepted(seconds: int) -> None:
    assert accepted(genuine(at=NOW + seconds))


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_an_older_or_later_message_is_a_replay_and_refused(seconds: int) -> None:
    assert not accepted(genuine(at=NOW + seconds))


def test_while_a_key_is_changed_either_signature_is_accepted() -> None:
    assert accepted(genuine([OLDER]), secrets=[SECRET, OLDER])
    assert accepted(genuine([SECRET]), secrets=[SECRET, OLDER])
    assert accepted(genuine([SECRET, OLDER]), secrets=[OLDER])


def test_once_the_old_key_is_gone_its_signature_is_refused() -> None:
    assert not accepted(genuine([OLDER]), secrets=[SECRET])


def test_signatures_of_other_versions_are_passed_over() -> None:
    headers = genuine()
    headers["webhook-signature"] = "v1a,bm90IG91cnM= " + headers["webhook-signature"]
    assert accepted(headers)
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    assert not accepted(headers)


@pytest.mark.parametrize("joint", [",", ", "])
def test_a_signature_header_sent_twice_is_refused(joint: str) -> None:
    headers = genuine()
    headers["webhook-signature"] = joint.join([headers["webhook-signature"]] * 2)
    assert not accepted(headers)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(name: str) -> None:
    headers = genuine()
    del headers[name]
    assert not accepted(headers)


@pytest.mark.parametrize(
    "timestamp", ["", "abc", "-1", "1e9", "1_790_000_000", "१७९", "9" * 400, f" {NOW}", f"{NOW}\n"]
)
def test_a_timestamp_that_is_not_digits_is_refused(timestamp: str) -> None:
    assert not accepted({**genuine(), "webhook-timestamp": timestamp})


def test_an_id_with_a_full_stop_is_refused_because_the_signed_text_could_be_cut_elsewhere() -> None:
    with pytest.raises(ValueError, match="webhook id"):
        standard_webhooks_sign(SECRET, "msg.1", NOW, BODY)
    # signed as (msg, NOW, "5.…") and presented as (msg.NOW, 5, "…"): the same bytes under the signature
    headers = standard_webhooks_headers([SECRET], "msg", NOW, b"5." + BODY)
    forged = {**headers, "webhook-id": f"msg.{NOW}", "webhook-timestamp": "5"}
    assert not standard_webhooks_valid(forged, BODY, [SECRET], 5)


@pytest.mark.parametrize("secret", ["", "whsec_", "no-prefix", "whsec_***", SECRET.removeprefix("whsec_"), "whsec_é"])
def test_a_malformed_secret_signs_nothing_and_verifies_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        standard_webhooks_sign(secret, "msg_1", NOW, BODY)
    assert not accepted(genuine(), secrets=[secret])
    assert accepted(genuine(), secrets=[secret, SECRET])


def test_without_secrets_nothing_is_signed_or_accepted() -> None:
    with pytest.raises(ValueError, match="without a secret"):
        genuine([])
    assert not accepted(genuine(), secrets=[])


def test_a_header_stuffed_with_signatures_is_refused() -> None:
    headers = genuine()
    headers["webhook-signature"] = " ".join([headers["webhook-signature"]] * 9)
    assert not accepted(headers)


def _standard_webhooks(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    return standard_webhooks_valid(headers, body, secrets, NOW)


SCHEMES: dict[str, tuple[Verify, Headers, str]] = {
    "standard webhooks": (_standard_webhooks, genuine(), SECRET),
    "shopify": (shopify.verify, {"x-shopify-hmac-sha256": shopify.sign(BODY, PLAIN_SECRET)}, PLAIN_SECRET),
    "easypost": (easypost.verify, {"x-hmac-signature": easypost.sign(BODY, PLAIN_SECRET)}, PLAIN_SECRET),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_touched_request_is_accepted(scheme: str) -> None:
    verify, headers, secret = SCHEMES[scheme]
    assert verify(headers, BODY, [secret])
    chance = random.Random(scheme)
    tried = 0
    for _ in range(5_000):
        touched_headers, touched_body = _touched(chance, headers, BODY)
        if (touched_headers, touched_body) == (headers, BODY):
            continue
        tried += 1
        assert not verify(touched_headers, touched_body, [secret]), (touched_headers, touched_body)
    assert tried > 4_000


def _touched(chance: random.Random, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    if chance.random() < 0.5:
        return headers, bytes(_edited(chance, list(body), range(256)))
    name = chance.choice(sorted(headers))
    touch = chance.choice(["edit", "drop", "double", "lower", "empty"])
    if touch == "drop":
        return {key: value for key, value in headers.items() if key != name}, body
    value = {
        "edit": lambda: "".join(map(chr, _edited(chance, list(map(ord, headers[name])), range(33, 300)))),
        "double": lambda: f"{headers[name]},{headers[name]}",
        "lower": headers[name].swapcase,
        "empty": str,
    }[touch]()
    return {**headers, name: value}, body


def _edited(chance: random.Random, symbols: list[int], alphabet: range) -> list[int]:
    """One symbol replaced, left out or put in, or everything from one on cut off."""
    place = chance.randrange(len(symbols))
    symbol = chance.choice(alphabet)
    return chance.choice(
        [
            [*symbols[:place], symbol, *symbols[place + 1 :]],
            [*symbols[:place], *symbols[place + 1 :]],
            [*symbols[:place], symbol, *symbols[place:]],
            symbols[:place],
        ]
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_other_secret_is_accepted(scheme: str) -> None:
    verify, headers, _ = SCHEMES[scheme]
    others = ["", " ", PLAIN_SECRET + "x", PLAIN_SECRET.upper(), OLDER, SECRET.upper()]
    assert not verify(headers, BODY, others)
    assert not verify(headers, BODY, [])


def test_shopify_and_easypost_accept_either_secret_while_it_is_changed() -> None:
    assert shopify.verify({"x-shopify-hmac-sha256": shopify.sign(BODY, "old")}, BODY, ["new", "old"])
    assert easypost.verify({"x-hmac-signature": easypost.sign(BODY, "old")}, BODY, ["new", "old"])


def test_easypost_takes_composed_and_decomposed_spellings_of_a_secret_for_the_same() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert easypost.sign(BODY, composed) == easypost.sign(BODY, decomposed)


def test_a_signature_that_is_not_even_ascii_is_refused_and_breaks_nothing() -> None:
    assert not shopify.verify({"x-shopify-hmac-sha256": "é\u4e2d"}, BODY, [PLAIN_SECRET])
    assert not easypost.verify({"x-hmac-signature": "hmac-sha256-hex=é"}, BODY, [PLAIN_SECRET])
    assert not accepted({**genuine(), "webhook-signature": "v1,é"})
