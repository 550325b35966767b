"""Requests as somebody could have touched them on the way, to see that a signature tells every one of them.

`mutated` makes them from requests that `sign` signed; each says what was done to it and whether it is still genuine.
`judged` hands them to a `verify` through the reading of the webhook doors and counts the wrong answers.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oms.domain.errors import Unauthorized
from oms.runtime import webhooks

MANY = 100_000
POOL = 64
"""Genuine requests that the others are made of."""
SHOWN = 5

Headers = dict[str, str]
Sign = Callable[[bytes, str], Headers]
Verify = Callable[[Mapping[str, str], bytes, Sequence[str]], bool]
Secret = Callable[[random.Random], str]

_PRINTABLE = range(33, 127)
_BEYOND_ASCII = (0xA0, 0xE9, 0x130, 0x2170, 0xFF21, 0x1D7CE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it arrives and the secrets we hold. `is_genuine`: what the signature covers is as it was signed."""

    headers: Headers
    body: bytes
    secrets: tuple[str, ...]
    touched: str = "nothing"
    is_genuine: bool = True


@dataclass(slots=True)
class Judged:
    """How the requests were answered: how many of each kind, and the first wrong answers of either sort."""

    accepted: int = 0
    refused: int = 0
    false_accepts: list[Sent] = field(default_factory=list)
    false_rejects: list[Sent] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def is_right(self) -> bool:
        """Whether nothing was answered wrongly, and there was something to accept and something to refuse."""
        return bool(self.accepted and self.refused) and not self.false_accepts and not self.false_rejects


def judged(verify: Verify, signature_headers: frozenset[str], requests: Iterator[Sent]) -> Judged:
    """Asks `verify` of every request, read as the webhook doors read them."""
    result = Judged()
    for sent in requests:
        result.kinds[sent.touched] += 1
        is_accepted = _accepts(verify, signature_headers, sent)
        result.accepted += is_accepted
        result.refused += not is_accepted
        if is_accepted and not sent.is_genuine and len(result.false_accepts) < SHOWN:
            result.false_accepts.append(sent)
        if not is_accepted and sent.is_genuine and len(result.false_rejects) < SHOWN:
            result.false_rejects.append(sent)
    return result


def mutated(
    sign: Sign, seed: str, *, new_secret: Secret | None = None, covers_body: bool = True, count: int = MANY
) -> Iterator[Sent]:
    """So many requests, the same for the same seed: about one in six is untouched or touched where it does not matter.

    `sign` gives the headers (names in lower case) of a body under a secret. `new_secret` makes secrets of the form that
    the scheme asks for. With `covers_body` False the scheme proves who sent the body, not what is in it.
    """
    chance = random.Random(seed)
    new_secret = new_secret or _any_secret
    pool = [_signed(chance, sign, new_secret) for _ in range(POOL)]
    for _ in range(count):
        genuine, other = chance.choice(pool), chance.choice(pool)
        name, touch = chance.choice(_TOUCHES)
        sent = touch(chance, genuine, other)
        is_genuine = (
            all(sent.headers.get(header) == value for header, value in genuine.headers.items())
            and (sent.body == genuine.body or not covers_body)
            and genuine.secrets[0] in sent.secrets
        )
        yield Sent(
            headers=_spelled(chance, sent.headers),
            body=sent.body,
            secrets=sent.secrets,
            touched=name,
            is_genuine=is_genuine,
        )


def _accepts(verify: Verify, signature_headers: frozenset[str], sent: Sent) -> bool:
    try:
        request = webhooks.read(_event(sent))
        request.require_single(*signature_headers)
        return verify(request.headers, request.body, sent.secrets)
    except Unauthorized:
        return False


def _event(sent: Sent) -> dict[str, Any]:
    """The request as API Gateway hands it on: what is not text, and some of what is, comes in base64."""
    if len(sent.body) % 3:
        try:
            return {"headers": sent.headers, "body": sent.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"headers": sent.headers, "body": base64.b64encode(sent.body).decode(), "isBase64Encoded": True}


def _signed(chance: random.Random, sign: Sign, new_secret: Secret) -> Sent:
    body = b'{"id":"%d","note":"%s"}' % (chance.getrandbits(40), bytes(chance.choices(range(97, 123), k=20)))
    secret = new_secret(chance)
    return Sent(headers=sign(body, secret), body=body, secrets=(secret,))


def _any_secret(chance: random.Random) -> str:
    return "".join(chr(chance.choice(_PRINTABLE)) for _ in range(32))


def _spelled(chance: random.Random, headers: Headers) -> Headers:
    """Header names in small, capital or mixed letters, in any order: to HTTP all the same."""
    spelling = chance.choice([str.lower, str.upper, str.title])
    names = list(headers)
    chance.shuffle(names)
    return {spelling(name): headers[name] for name in names}


def _nothing(_chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    return genuine


def _another_header(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    return _with(genuine, headers={f"x-extra-{chance.randrange(9)}": "1", **genuine.headers})


def _another_secret_too(chance: random.Random, genuine: Sent, other: Sent) -> Sent:
    secrets = [*genuine.secrets, *other.secrets, ""]
    chance.shuffle(secrets)
    return _with(genuine, secrets=tuple(secrets))


def _body_edited(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    return _with(genuine, body=bytes(_edited(chance, list(genuine.body), range(256))))


def _body_bit(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    body = bytearray(genuine.body)
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return _with(genuine, body=bytes(body))


def _body_framed(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    before = chance.choice([b"", b"", b"\xef\xbb\xbf", b" ", b"\x00"])
    after = chance.choice([b"\n", b"\r\n", b" ", b"\x00", genuine.body])
    return _with(genuine, body=before + genuine.body + after)


def _body_swapped(_chance: random.Random, genuine: Sent, other: Sent) -> Sent:
    return _with(genuine, body=other.body)


def _body_lost(_chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    return _with(genuine, body=b"")


def _header_edited(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    name = chance.choice(list(genuine.headers))
    symbols = (*_PRINTABLE, *_BEYOND_ASCII)
    value = "".join(map(chr, _edited(chance, list(map(ord, genuine.headers[name])), symbols)))
    return _with(genuine, headers={**genuine.headers, name: value})


def _header_lost(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    lost = chance.choice(list(genuine.headers))
    return _with(genuine, headers={name: value for name, value in genuine.headers.items() if name != lost})


def _header_written_otherwise(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    name = chance.choice(list(genuine.headers))
    value = genuine.headers[name]
    otherwise = chance.choice(
        [
            "",
            value.swapcase(),
            value.upper(),
            value.lower(),
            value.rstrip("="),
            value + "=",
            value[::-1],
            f'"{value}"',
            f"{value},{value}",
            f"{value}, {value}",
            value.translate(str.maketrans("+/", "-_")),
            value.partition("=")[2],
        ]
    )
    return _with(genuine, headers={**genuine.headers, name: otherwise})


def _header_of_another(chance: random.Random, genuine: Sent, other: Sent) -> Sent:
    name = chance.choice(list(genuine.headers))
    return _with(genuine, headers={**genuine.headers, name: other.headers[name]})


def _headers_cut_elsewhere(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    """A letter goes from the end of one header to the front of another: side by side they read the same."""
    one, another = chance.choice(list(genuine.headers)), chance.choice(list(genuine.headers))
    value = genuine.headers[one]
    moved = {**genuine.headers, one: value[:-1]}
    return _with(genuine, headers={**moved, another: value[-1:] + moved[another]})


def _secret_of_another(_chance: random.Random, genuine: Sent, other: Sent) -> Sent:
    return _with(genuine, secrets=other.secrets)


def _secret_edited(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    letters = [*range(65, 91), *range(97, 123)]
    return _with(genuine, secrets=("".join(map(chr, _edited(chance, list(map(ord, genuine.secrets[0])), letters))),))


def _secrets_lost(chance: random.Random, genuine: Sent, _other: Sent) -> Sent:
    return _with(genuine, secrets=chance.choice([(), ("",), (" ",), ("", " ")]))


_TOUCHES: tuple[tuple[str, Callable[[random.Random, Sent, Sent], Sent]], ...] = tuple(
    (touch.__name__.strip("_").replace("_", " "), touch)
    for touch in (
        _nothing,
        _another_header,
        _another_secret_too,
        _body_edited,
        _body_edited,
        _body_bit,
        _body_framed,
        _body_swapped,
        _body_lost,
        _header_edited,
        _header_edited,
        _header_edited,
        _header_lost,
        _header_written_otherwise,
        _header_of_another,
        _headers_cut_elsewhere,
        _secret_of_another,
        _secret_edited,
        _secrets_lost,
    )
)


def _with(sent: Sent, **changes: Any) -> Sent:
    facts = {"headers": sent.headers, "body": sent.body, "secrets": sent.secrets}
    return Sent(**{**facts, **changes})


def _edited(chance: random.Random, symbols: list[int], alphabet: Sequence[int]) -> list[int]:
    """One symbol replaced, left out or put in, two neighbours exchanged, or everything from one on cut off."""
    place = chance.randrange(len(symbols))
    symbol = chance.choice(alphabet)
    match chance.randrange(5):
        case 0:
            return [*symbols[:place], symbol, *symbols[place + 1 :]]
        case 1:
            return [*symbols[:place], *symbols[place + 1 :]]
        case 2:
            return [*symbols[:place], symbol, *symbols[place:]]
        case 3:
            return [*symbols[:place], *symbols[place : place + 2][::-1], *symbols[place + 2 :]]
        case _:
            return symbols[:place]
