"""Signing in by OAuth 2.0: an account's credentials, and the token that an answer holds (RFC 6749, 2.3.1 and 5.1)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from oms.channels.client import AccessToken
from oms.channels.json_answers import content_of
from oms.domain.errors import CredentialsRefused

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.runtime.http import HttpAnswer

REFUSED = frozenset({400, 401, 403})
"""Statuses that mean, of a call for a token, that the credentials are no good."""


def credential(api: ChannelApi, name: str) -> str:
    """One of the account's credentials. Raises CredentialsRefused where it has no such one."""
    found = api.credentials.get(name, "")
    if not found:
        raise CredentialsRefused(f"{api.channel}#{api.account}: its credentials have no {name}")
    return found


def basic(api: ChannelApi) -> str:
    """The header `Authorization` by the credentials `client_id` and `client_secret`."""
    pair = f"{credential(api, 'client_id')}:{credential(api, 'client_secret')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def access_token(api: ChannelApi, answer: HttpAnswer, otherwise_seconds: float) -> AccessToken:
    """The token in an answer, good for as long as it says. Raises CredentialsRefused where there is none."""
    content = content_of(answer)
    token, seconds = content.get("access_token"), content.get("expires_in")
    if not isinstance(token, str) or not token:
        raise CredentialsRefused(f"{api.channel}#{api.account}: there is no token in the answer")
    return AccessToken(token, float(seconds) if isinstance(seconds, int) else otherwise_seconds)
