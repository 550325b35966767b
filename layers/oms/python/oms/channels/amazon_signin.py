"""How an account of the Selling Partner API is called: signed in with Amazon, and within Amazon's limits.

A refresh token is exchanged for an access token of an hour ("Connect to the Selling Partner API"). People's data needs
a restricted token only in Orders v0 ("Tokens API"); in Orders 2026-01-01 the app's roles decide ("Access Orders PII").
Options of an account: `marketplace_ids` (comma-separated), `region` (na, eu, fe), `token_url`, `seller_id`,
`orders_api` (2026-01-01, v0). Its credentials: `client_id`, `client_secret`, `refresh_token`. Its `poll_seconds` are
180 or more: Amazon allows one search in three minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oms.channels.amazon_marketplaces import REGIONS, of_country
from oms.channels.client import AccessToken, ChannelApi, Headers, Limit, decimal_json
from oms.channels.oauth_tokens import credential, signed_in
from oms.domain.errors import NotSupported, Unavailable
from oms.runtime.http import HttpAnswer

RATE_HEADER = "x-amzn-RateLimit-Limit"
EXPIRED = frozenset({401, 403})
"""Amazon answers 403 both for a token that expired and for a role that the app does not have."""

TOKEN_URL = "https://api.amazon.com/auth/o2/token"  # noqa: S105 - an address
USER_AGENT = "oms/1 (Language=Python)"
LONGEST_TOKEN_SECONDS = 3600.0

SIGN_IN = Limit("sign-in", per_second=1, burst=10)
RESTRICTED_TOKEN = Limit("restricted-token", per_second=1, burst=10, rate_header=RATE_HEADER)

_RESTRICTED = (
    {"method": "GET", "path": "/orders/v0/orders/{orderId}", "dataElements": ["buyerInfo", "shippingAddress"]},
    {"method": "GET", "path": "/orders/v0/orders/{orderId}/orderItems", "dataElements": ["buyerInfo"]},
    {"method": "GET", "path": "/orders/v0/orders/{orderId}/address"},
)


def signed(api: ChannelApi) -> Mapping[str, str]:
    """The headers of a call."""
    return _headers(api.token("access", lambda: _signed_in(api)))


def signed_for_people(api: ChannelApi) -> Mapping[str, str]:
    """The headers of a call of Orders v0 whose answer holds people's data."""
    return _headers(api.token("restricted", lambda: _restricted(api)))


def call(
    api: ChannelApi,
    method: str,
    path: str,
    limit: Limit,
    *,
    headers: Headers = signed,
    query: Mapping[str, str] | None = None,
    body: Any = None,
) -> HttpAnswer:
    """Calls an operation of the account's region. Raises as `ChannelApi.call` does."""
    url = f"{_host(api)}{path}"
    return api.call(method, url, limit=limit, headers=headers, query=query, body=body, expired=EXPIRED)


def marketplace_ids(api: ChannelApi) -> tuple[str, ...]:
    """The marketplaces the account sells on: those of the option, or that of the account's country."""
    named = api.option("marketplace_ids") or of_country(api.settings.country)
    return tuple(one.strip() for one in named.split(",") if one.strip())


def required_marketplaces(api: ChannelApi) -> tuple[str, ...]:
    """As `marketplace_ids`. Raises NotSupported where the account names none."""
    found = marketplace_ids(api)
    if not found:
        raise NotSupported(f"amazon#{api.account}: set the option marketplace_ids, or the account's country")
    return found


def seller_id(api: ChannelApi) -> str:
    """Who the seller is to Amazon. Raises NotSupported where the account does not say."""
    found = api.option("seller_id")
    if not found:
        raise NotSupported(f"amazon#{api.account}: set the option seller_id (the Merchant Token of Seller Central)")
    return found


def _host(api: ChannelApi) -> str:
    if api.settings.base_url:
        return api.settings.base_url.rstrip("/")
    region = api.option("region", "na")
    if region not in REGIONS:
        raise NotSupported(f"amazon#{api.account}: the option region is one of {', '.join(REGIONS)}")
    return REGIONS[region]


def _headers(token: str) -> dict[str, str]:
    return {"x-amz-access-token": token, "user-agent": USER_AGENT, "accept": "application/json"}


def _signed_in(api: ChannelApi) -> AccessToken:
    """Signs in; once more with credentials read anew when Amazon refuses those we have. The refresh token in the answer
    is the one that was sent ("Connect to the Selling Partner API")."""

    def exchange(credentials: Mapping[str, str]) -> HttpAnswer:
        names = ("refresh_token", "client_id", "client_secret")
        return api.call(
            "POST",
            api.option("token_url", TOKEN_URL),
            limit=SIGN_IN,
            headers=lambda _: {"user-agent": USER_AGENT, "accept": "application/json"},
            form={"grant_type": "refresh_token", **{name: credential(api, name, credentials) for name in names}},
            expired=frozenset(),
        )

    answer, _ = signed_in(api, exchange)
    return _token(decimal_json(answer), "access_token", "expires_in")


def _restricted(api: ChannelApi) -> AccessToken:
    body = {"restrictedResources": list(_RESTRICTED)}
    answer = call(api, "POST", "/tokens/2021-03-01/restrictedDataToken", RESTRICTED_TOKEN, body=body)
    return _token(decimal_json(answer), "restrictedDataToken", "expiresIn")


def _token(content: Any, name: str, seconds_name: str) -> AccessToken:
    text = content.get(name) if isinstance(content, dict) else None
    seconds = content.get(seconds_name) if isinstance(content, dict) else None
    if not isinstance(text, str) or not text or not isinstance(seconds, int):
        raise Unavailable(f"the answer has no {name}")
    return AccessToken(text, min(seconds, LONGEST_TOKEN_SECONDS))
