"""Signing in by OAuth 2.0: an account's credentials, and the token that an answer holds (RFC 6749, 2.3.1 and 5.1)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from oms.channels.client import AccessToken
from oms.channels.json_answers import content_of
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, Unavailable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.runtime.http import HttpAnswer

REFUSED = frozenset({400, 401, 403})
"""Statuses that mean, of a call for a token, that the credentials are no good."""

REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a name

Exchange = Callable[[Mapping[str, str]], "HttpAnswer"]
"""Asks for a token by these credentials; raises as `ChannelApi.call` does."""


def credential(api: ChannelApi, name: str, credentials: Mapping[str, str] | None = None) -> str:
    """One of the account's credentials, or of these. Raises CredentialsRefused where there is no such one."""
    found = (api.credentials if credentials is None else credentials).get(name, "")
    if not found:
        raise CredentialsRefused(f"{api.channel}#{api.account}: its credentials have no {name}")
    return found


def basic(api: ChannelApi) -> str:
    """The header `Authorization` by the credentials `client_id` and `client_secret`."""
    pair = f"{credential(api, 'client_id')}:{credential(api, 'client_secret')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def signed_in(api: ChannelApi, exchange: Exchange) -> tuple[HttpAnswer, Mapping[str, str]]:
    """The answer of a sign-in and the credentials it was made with: those we know, or where these are refused those
    that somebody, perhaps another worker, has put in their place. Raises CredentialsRefused, Retryable."""
    known = api.credentials
    try:
        return _asked(api, exchange, known), known
    except CredentialsRefused:
        newer = api.read_credentials(True)
        if newer == known:
            raise
    return _asked(api, exchange, newer), newer


def renewed(api: ChannelApi, exchange: Exchange, otherwise_seconds: float) -> AccessToken:
    """Changes the refresh token for an access token. Where the answer holds another refresh token for next time, that
    one is kept in the account's secret; the one that was used may be good for no second time. Raises as `signed_in`."""
    answer, used = signed_in(api, exchange)
    token = access_token(api, answer, otherwise_seconds)
    given = content_of(answer).get(REFRESH_TOKEN)
    if isinstance(given, str) and given and given != used[REFRESH_TOKEN]:
        api.keep_credential(REFRESH_TOKEN, used[REFRESH_TOKEN], given)
    return token


def _asked(api: ChannelApi, exchange: Exchange, credentials: Mapping[str, str]) -> HttpAnswer:
    """A refusal speaks of who asks, never of what is asked for: there is no order to be not found here."""
    try:
        return exchange(credentials)
    except ChannelRefused as error:
        raise CredentialsRefused(
            f"{api.channel}#{api.account}: the sign-in was refused", status=error.status
        ) from error
    except NotFound as error:
        raise Unavailable(f"{api.channel}#{api.account}: nobody answers where it signs in") from error


def access_token(api: ChannelApi, answer: HttpAnswer, otherwise_seconds: float) -> AccessToken:
    """The token in an answer, good for as long as it says. Raises CredentialsRefused where there is none."""
    content = content_of(answer)
    token, seconds = content.get("access_token"), content.get("expires_in")
    if not isinstance(token, str) or not token:
        raise CredentialsRefused(f"{api.channel}#{api.account}: there is no token in the answer")
    return AccessToken(token, float(seconds) if isinstance(seconds, int) else otherwise_seconds)
