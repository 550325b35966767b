"""Signing secrets and other secret texts from AWS Secrets Manager, kept for minutes and asked for sparingly.

Powertools' parameters utility is not used: it remembers only what exists. Here the sender of a webhook names
the account, so unknown names are remembered too, their number is bounded, and a signature that does not fit a
remembered secret may ask once more, because the secret may just have been changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from oms.domain.errors import CredentialsRefused, Throttled, Unauthorized, Unavailable
from oms.runtime.service_errors import as_retryable, error_code

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import GetSecretValueResponseTypeDef

KNOWN_SECONDS = 300
UNKNOWN_SECONDS = 60
REFETCH_AFTER_SECONDS = 30
MAX_REMEMBERED = 1_000
# Looking up names nobody has costs a call each: a worker does so only this often.
MAX_UNKNOWN_PER_MINUTE = 60
MAX_SIGNING_SECRETS = 2
MAX_KEEPING_TRIES = 2

_WRITTEN_BY_ANOTHER = "ResourceExistsException"
"""There is a version of this id, with another content."""

_NO_SUCH_SECRET = frozenset({"ResourceNotFoundException", "InvalidRequestException", "ValidationException"})


@dataclass(slots=True)
class _Remembered:
    """A secret's text, or None for a name nobody has. Times are in seconds of the clock."""

    text: str | None
    fetched_at: float
    asked_again_at: float

    def is_fresh(self, now: float) -> bool:
        return now - self.fetched_at < (UNKNOWN_SECONDS if self.text is None else KNOWN_SECONDS)


class Secrets:
    """The secrets of one stage. Make one per worker; `clock` counts seconds and never goes back."""

    def __init__(self, client: SecretsManagerClient, stage: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._stage = stage
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._unknown_since = clock()
        self._unknown_count = 0

    def signing_secrets(self, kind: str, *names: str) -> tuple[str, ...]:
        """The secrets that may sign for `oms/<stage>/<kind>/<names>`, newest first, at most two.

        Raises Unauthorized when there is no such secret, Throttled or Unavailable when that is not known now.
        """
        return self._signing_secrets("/".join((kind, *names)))

    def verify(self, kind: str, *names: str, check: Callable[[tuple[str, ...]], bool]) -> None:
        """Raises Unauthorized unless `check` accepts the signing secrets of this name.

        If it does not and the secrets were fetched some time ago, they are fetched once more: they may have
        been changed since. Other errors as `signing_secrets`.
        """
        name = "/".join((kind, *names))
        if check(self._signing_secrets(name)):
            return
        if self._asked_again(name) and check(self._signing_secrets(name)):
            return
        raise Unauthorized("the signature does not fit")

    def credentials(self, kind: str, *names: str, anew: bool = False) -> Mapping[str, str]:
        """What `oms/<stage>/<kind>/<names>` holds as `{"credentials": {"…": "…"}}`, read anew if asked to.

        Raises CredentialsRefused where there are none, Throttled or Unavailable when that is not known now.
        """
        name = "/".join((kind, *names))
        if anew and name in self._remembered:
            self._asked_again(name)
        found = _credentials(self._text(name) or "")
        if not found:
            raise CredentialsRefused(f'secret {name} needs the form {{"credentials": {{"…": "…"}}}}')
        return found

    def keep_credential(self, kind: str, *names: str, credential: str, used: str, given: str) -> bool:
        """Puts a credential in the place of the one that was used, in the secret as it is now; nothing else of it
        changes. False where the used one is not there any more: whoever changed it, theirs stays.

        A version of the secret is replaced once: of two workers at the same time one finds it done. Raises Throttled or
        Unavailable when it is not kept.
        """
        name = "/".join((kind, *names))
        for number in range(MAX_KEEPING_TRIES):
            text, version = self._current(name)
            self._remembered[name] = _Remembered(text, self._clock(), self._clock())
            if _credentials(text).get(credential) != used:
                return False
            changed = json.loads(text)
            changed["credentials"][credential] = given
            if self._replaced(name, f"{version}/{number}", json.dumps(changed)):
                return True
        raise Unavailable(f"secret {name} was changed by others again and again")

    def _current(self, name: str) -> tuple[str, str]:
        """The secret's text and which of its versions that is."""
        answer = self._asked(name)
        if answer is None:
            raise Unavailable(f"there is no secret {name}")
        return answer["SecretString"], answer["VersionId"]

    def _replaced(self, name: str, turn: str, text: str) -> bool:
        """Writes the version whose id follows from the one that it replaces and the number of the try; False where it
        is there already: another was faster, or a person has put the older one in its place again."""
        following = hashlib.sha256(turn.encode()).hexdigest()
        try:
            self._client.put_secret_value(SecretId=self._id(name), SecretString=text, ClientRequestToken=following)
        except ClientError as error:
            if error_code(error) == _WRITTEN_BY_ANOTHER:
                return False
            raise as_retryable(error, "Secrets Manager") from error
        except BotoCoreError as error:
            raise as_retryable(error, "Secrets Manager") from error
        self._remembered[name] = _Remembered(text, self._clock(), self._clock())
        return True

    def text(self, name: str) -> str:
        """A secret of our own that is one plain text, `oms/<stage>/<name>`.

        Raises Throttled or Unavailable, the latter also when it is missing: then the deployment is not complete.
        """
        text = self._text(name)
        if text is None:
            raise Unavailable(f"there is no secret {name}")
        return text

    def _text(self, name: str) -> str | None:
        remembered = self._remembered.get(name)
        if remembered is None or not remembered.is_fresh(self._clock()):
            remembered = self._remember(name)
        return remembered.text

    def _signing_secrets(self, name: str) -> tuple[str, ...]:
        text = self._text(name)
        if text is None:
            raise Unauthorized("no such secret")
        secrets = _listed(text)
        if not secrets:
            # a fault of ours, not of the sender: he may try again once it is put right
            raise Unavailable(f'secret {name} needs the form {{"signing_secrets": ["…"]}}')
        return secrets[:MAX_SIGNING_SECRETS]

    def _asked_again(self, name: str) -> bool:
        """Fetches a secret that is not quite new once more; if that fails, the one we have stays."""
        remembered, now = self._remembered[name], self._clock()
        if now - remembered.asked_again_at <= REFETCH_AFTER_SECONDS:
            return False
        remembered.asked_again_at = now
        return self._remember(name).text is not None

    def _remember(self, name: str) -> _Remembered:
        known = self._remembered.get(name)
        if known is None or known.text is None:
            self._bound_unknown()
        text, now = self._fetch(name), self._clock()
        self._unknown_count += text is None
        self._remembered[name] = _Remembered(text, now, now)
        self._remembered.move_to_end(name)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return self._remembered[name]

    def _bound_unknown(self) -> None:
        """Raises Throttled once too many unknown names were asked for within a minute."""
        now = self._clock()
        if now - self._unknown_since >= 60:
            self._unknown_since, self._unknown_count = now, 0
        if self._unknown_count >= MAX_UNKNOWN_PER_MINUTE:
            raise Throttled("too many unknown accounts in a minute; try again later")

    def _fetch(self, name: str) -> str | None:
        answer = self._asked(name)
        return None if answer is None else answer["SecretString"]

    def _id(self, name: str) -> str:
        return f"oms/{self._stage}/{name}"

    def _asked(self, name: str) -> GetSecretValueResponseTypeDef | None:
        try:
            return self._client.get_secret_value(SecretId=self._id(name))
        except ClientError as error:
            if error_code(error) in _NO_SUCH_SECRET:
                return None
            raise as_retryable(error, "Secrets Manager") from error
        except BotoCoreError as error:
            raise as_retryable(error, "Secrets Manager") from error


def _credentials(text: str) -> dict[str, str]:
    """The credentials in a secret's text; none when it has another form."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    found = content.get("credentials") if isinstance(content, dict) else None
    if not isinstance(found, dict):
        return {}
    # a line end that was pasted along would make a header that can't be sent
    return {name: str(value).strip() for name, value in found.items() if isinstance(value, (str, int))}


def _listed(text: str) -> tuple[str, ...]:
    """The signing secrets in a secret's text; none when it has another form."""
    try:
        content = json.loads(text)
    except ValueError:
        return ()
    listed = content.get("signing_secrets") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return ()
    return tuple(secret for secret in listed if isinstance(secret, str) and secret)
