"""Names of carriers, compared by what they have in common: warehouses write the same one in several ways."""

from __future__ import annotations


def by_letters(carrier: str) -> str:
    """A carrier's name as small letters and digits only: "Canada Post", "canada_post", "CanadaPost" are one."""
    return "".join(letter for letter in carrier.lower() if letter.isalnum())
