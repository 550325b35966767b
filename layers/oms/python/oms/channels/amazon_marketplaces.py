"""Amazon's marketplaces and regions: what a country's site is called, sells in, and counts into its prices.

Ids and hosts: developer-docs.amazon.com/sp-api, "Marketplace IDs" and "SP-API Endpoints".
"""

from __future__ import annotations

from typing import NamedTuple

REGIONS = {
    "na": "https://sellingpartnerapi-na.amazon.com",
    "eu": "https://sellingpartnerapi-eu.amazon.com",
    "fe": "https://sellingpartnerapi-fe.amazon.com",
}


class Marketplace(NamedTuple):
    """A country's site. `prices_include_tax`: whether the price a buyer sees holds the tax already."""

    country: str
    currency: str
    prices_include_tax: bool = True


MARKETPLACES = {
    "A2EUQ1WTGCTBG2": Marketplace("CA", "CAD", prices_include_tax=False),
    "ATVPDKIKX0DER": Marketplace("US", "USD", prices_include_tax=False),
    "A1AM78C64UM0Y8": Marketplace("MX", "MXN"),
    "A2Q3Y263D00KWC": Marketplace("BR", "BRL"),
    "A28R8C7NBKEWEA": Marketplace("IE", "EUR"),
    "A1RKKUPIHCS9HS": Marketplace("ES", "EUR"),
    "A1F83G8C2ARO7P": Marketplace("GB", "GBP"),
    "A13V1IB3VIYZZH": Marketplace("FR", "EUR"),
    "AMEN7PMS3EDWL": Marketplace("BE", "EUR"),
    "A1805IZSGTT6HS": Marketplace("NL", "EUR"),
    "A1PA6795UKMFR9": Marketplace("DE", "EUR"),
    "APJ6JRA9NG5V4": Marketplace("IT", "EUR"),
    "A2NODRKZP88ZB9": Marketplace("SE", "SEK"),
    "AE08WJ6YKNBMC": Marketplace("ZA", "ZAR"),
    "A1C3SOZRARQ6R3": Marketplace("PL", "PLN"),
    "ARBP9OOSHTCHU": Marketplace("EG", "EGP"),
    "A33AVAJ2PDY3EV": Marketplace("TR", "TRY"),
    "A17E79C6D8DWNP": Marketplace("SA", "SAR"),
    "A2VIGQ35RCS4UG": Marketplace("AE", "AED"),
    "A21TJRUUN4KGV": Marketplace("IN", "INR"),
    "A19VAU5U5O7RUS": Marketplace("SG", "SGD"),
    "A39IBJ37TRP1C6": Marketplace("AU", "AUD"),
    "A1VC38T7YXB528": Marketplace("JP", "JPY"),
}

ELSEWHERE = Marketplace("", "", prices_include_tax=False)
"""A marketplace that is not in the list: its orders say their currency and address themselves."""


def of_id(marketplace_id: str) -> Marketplace:
    """The marketplace of this id; ELSEWHERE when it is not known here."""
    return MARKETPLACES.get(marketplace_id, ELSEWHERE)


def of_country(country: str) -> str:
    """The id of a country's marketplace; empty when it has none."""
    ids = (marketplace_id for marketplace_id, one in MARKETPLACES.items() if country and one.country == country)
    return next(ids, "")
