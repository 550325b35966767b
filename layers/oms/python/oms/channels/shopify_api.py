"""Shopify's Admin API of one shop: where it is, how to sign in, its limits, and its errors in our words.

Orders are read by REST, whose orders have the shape of the webhooks; everything else goes by GraphQL. REST is the
legacy API since 2024-10-01 and still offered in this version; were it withdrawn, `shopify_reading` would ask GraphQL's
`orders` and put its answer into the same shape. Credentials: `access_token` of an app made in the shop's admin, or
`client_id` and `client_secret` of one made in the developer dashboard ("Using the client credentials grant"). The app
needs the scopes read_all_orders, write_orders, read_payment_terms, write_inventory, read_locations, read_products, and
to fulfill write_merchant_managed_fulfillment_orders (for other services' orders write_third_party_fulfillment_orders).
Option `shop`: the shop's name on myshopify.com.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from oms.channels.client import AccessToken, ChannelApi, Limit, decimal_json
from oms.channels.oauth_tokens import access_token
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, Retryable, Throttled, Unavailable
from oms.runtime.http import HttpAnswer

API_VERSION = "2026-10"
REST = Limit("rest", per_second=2, burst=40)
"""The standard plan's ("REST Admin API rate limits"); higher plans get more."""

GRAPHQL = Limit("graphql", per_second=5, burst=20)
"""A plan's points per second (100 on the standard one) at 20 a call; what costs more is told by `throttleStatus`."""

SIGN_IN = Limit("sign_in", per_second=1, burst=5)
TOKEN_SECONDS = 3600.0
"""How long a token is used that does not say how long it is good for; one that is not any more is told by a 401."""

GUARDED = 430
"""The shop is guarded against us for a while ("Status and error codes")."""

LONGEST_PAUSE_SECONDS = 60.0
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_LATER = frozenset({"INTERNAL_SERVER_ERROR", "SHOP_INACTIVE", "TIMEOUT"})


def gid(kind: str, number: str) -> str:
    """The id of something in GraphQL. One that is a gid already is left as it is."""
    return number if number.startswith("gid://") else f"gid://shopify/{kind}/{number}"


def number_of(identifier: str) -> str:
    """What a gid's number is: `gid://shopify/LineItem/77` is 77."""
    return identifier.rsplit("/", 1)[-1]


def rest(api: ChannelApi, path: str, query: Mapping[str, str]) -> HttpAnswer:
    """Reads something by REST. Raises as `ChannelApi.call` does."""
    url = f"{_base_url(api)}/admin/api/{API_VERSION}/{path}"
    try:
        return api.call("GET", url, limit=REST, headers=_headers, query=query)
    except ChannelRefused as error:
        raise _unless_guarded(error) from error


def graphql(api: ChannelApi, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The `data` of a GraphQL answer. Its errors come with status 200 ("GraphQL Admin API", error handling).

    Raises as `ChannelApi.call` does; errors of the mutation's own (`userErrors`) are left to the caller.
    """
    url = f"{_base_url(api)}/admin/api/{API_VERSION}/graphql.json"
    body = {"query": document, "variables": dict(variables)}
    try:
        answer = decimal_json(api.call("POST", url, limit=GRAPHQL, headers=_headers, body=body))
    except ChannelRefused as error:
        raise _unless_guarded(error) from error
    if not isinstance(answer, dict):
        raise Unavailable("the answer is no GraphQL")
    if answer.get("errors"):
        _raise(api, answer)
    data = answer.get("data")
    if not isinstance(data, dict):
        raise Unavailable("the answer has no data")
    return data


def is_on(api: ChannelApi, option: str) -> bool:
    """Whether an option of the account is "true"."""
    return api.option(option).lower() == "true"


def order_of(data: dict[str, Any]) -> dict[str, Any]:
    """The `order` that was asked for. Raises NotFound where there is none."""
    order = data.get("order")
    if not isinstance(order, dict):
        raise NotFound("Shopify has no such order, or the app may not see it")
    return order


def refuse(errors: list[dict[str, Any]]) -> None:
    """Raises ChannelRefused for the `userErrors` of a mutation, if there are any: their codes, or where they have none
    the fields they are about. Their texts may hold what we sent."""
    if errors:
        raise ChannelRefused("Shopify refused it", status=200, codes=user_codes(errors))


def user_codes(errors: list[dict[str, Any]]) -> tuple[str, ...]:
    """The codes of `userErrors`, each once."""
    found = [str(one.get("code") or ".".join(map(str, one.get("field") or ["USER_ERROR"]))) for one in errors]
    return tuple(dict.fromkeys(code for code in found if _CODE.fullmatch(code)))[:10]


def _base_url(api: ChannelApi) -> str:
    if api.settings.base_url:
        return api.settings.base_url.rstrip("/")
    shop = api.option("shop")
    if not _SHOP.fullmatch(shop):
        raise CredentialsRefused(f"{api.channel}#{api.account}: option `shop` is not like name.myshopify.com")
    return f"https://{shop}"


def _headers(api: ChannelApi) -> Mapping[str, str]:
    return {"x-shopify-access-token": _access_token(api), "accept": "application/json"}


def _access_token(api: ChannelApi) -> str:
    fixed = api.credentials.get("access_token")
    return fixed or api.token("access", lambda: _signed_in(api))


def _signed_in(api: ChannelApi) -> AccessToken:
    """A token for a day ("Using the client credentials grant")."""
    pair = {name: api.credentials.get(name, "") for name in ("client_id", "client_secret")}
    if not all(pair.values()):
        raise CredentialsRefused(f"{api.channel}#{api.account}: neither access_token nor client_id and client_secret")
    form = {"grant_type": "client_credentials", **pair}
    url = f"{_base_url(api)}/admin/oauth/access_token"
    try:
        answer = api.call("POST", url, limit=SIGN_IN, headers=lambda _: {}, form=form, expired=frozenset())
    except (ChannelRefused, NotFound) as error:
        raise CredentialsRefused(f"{api.channel}#{api.account}: no token was given") from error
    return access_token(api, answer, TOKEN_SECONDS)


def _unless_guarded(error: ChannelRefused) -> Exception:
    return Unavailable("the shop is closed to us", status=error.status) if error.status == GUARDED else error


def _raise(api: ChannelApi, answer: dict[str, Any]) -> None:
    errors = [one for one in answer["errors"] if isinstance(one, dict)] if isinstance(answer["errors"], list) else []
    codes = {str((one.get("extensions") or {}).get("code", "")) for one in errors}
    what = f"{api.channel}#{api.account}: graphql"
    if "THROTTLED" in codes:
        seconds = _seconds_to_wait(answer)
        with suppress(Retryable):  # this caller waits in any case, and the next is told the same
            api.limits.close(f"{api.channel}#{api.account}#{GRAPHQL.name}", GRAPHQL, seconds)
        raise Throttled(f"{what} is throttled", retry_after_seconds=seconds)
    if "ACCESS_DENIED" in codes:
        raise CredentialsRefused(f"{what}: the app lacks a scope")
    if not errors or codes & _LATER:
        raise Unavailable(f"{what} failed")
    known = tuple(sorted(code for code in codes if _CODE.fullmatch(code)))
    raise ChannelRefused(f"{what} refused", status=200, codes=known)


def _seconds_to_wait(answer: dict[str, Any]) -> float:
    """Until the shop has the points again that the call needs ("GraphQL Admin API rate limits")."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    try:
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        seconds = missing / float(status["restoreRate"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        seconds = 1.0
    return min(max(seconds, 1.0), LONGEST_PAUSE_SECONDS)
