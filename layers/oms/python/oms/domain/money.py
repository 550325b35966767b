"""Money in integer minor units: no floats, no cent lost or made."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

# ISO 4217 currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def exponent(currency: str) -> int:
    """How many decimal places the currency has (ISO 4217)."""
    return _EXPONENTS.get(currency, 2)


def to_minor(amount: str | int | Decimal, currency: str) -> int:
    """A decimal amount in minor units: `("19.99", "USD")` is 1999.

    Raises ValueError when it is no finite number or has more decimals than the currency.
    """
    try:
        minor = Decimal(amount).scaleb(exponent(currency))
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is not an amount of money") from error
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise ValueError(f"{amount!r} is not a whole number of {currency} minor units")
    return int(minor)


def format_minor(amount_minor: int, currency: str) -> str:
    """For people: 1999 USD minor units is `19.99 USD`."""
    return f"{Decimal(amount_minor).scaleb(-exponent(currency))} {currency}"


def split(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Shares of an amount in proportion to weights >= 0, adding up to it exactly.

    Largest remainder method (Hamilton): round every share towards zero, then hand out the units left over
    to the largest remainders, earliest first. With only zero weights the shares are as equal as possible.
    Raises ValueError without weights or with a negative one.
    """
    if not weights or min(weights) < 0:
        raise ValueError("weights must be given and not negative")
    total = sum(weights)
    if total == 0:
        return split(amount_minor, [1] * len(weights))
    sign = -1 if amount_minor < 0 else 1
    quotas = [divmod(abs(amount_minor) * weight, total) for weight in weights]
    shares = [share for share, _ in quotas]
    by_remainder = sorted(range(len(weights)), key=lambda index: -quotas[index][1])
    for index in by_remainder[: abs(amount_minor) - sum(shares)]:
        shares[index] += 1
    return [sign * share for share in shares]
