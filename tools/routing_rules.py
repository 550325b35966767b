"""How others choose locations, to be compared with: line by line, without looking at the whole parcel."""

from __future__ import annotations

from collections.abc import Callable

from oms.domain.routing_model import Instance, Item, Site, contents, fits

Rule = Callable[[Item, Site], float]
"""What the rule goes by: the location with the least of it gets the item."""


def nearest(instance: Instance) -> int | None:
    """Per line the nearest location that has it: what shops do that know no prices."""
    return _by_line(instance, lambda _item, site: min(offer.zone or 0 for offer in site.offers))


def cheapest_each(instance: Instance) -> int | None:
    """Per line the location that would ship it cheapest by itself."""

    def cost(item: Item, site: Site) -> float:
        prices = [offer.price_minor(item.grams, item.cm3, item.needs) for offer in site.offers]
        return min(
            [price + site.unit_minor * item.goods for price in prices if price is not None], default=float("inf")
        )

    return _by_line(instance, cost)


def set_cover(instance: Instance) -> int | None:
    """The usual greedy: again and again the location with the lowest price per unit of what it could still add."""
    open_pieces, parcels = [item.pieces for item in instance.items], dict[int, list[int]]()
    while any(open_pieces):
        offers = []
        for at, site in enumerate(instance.sites):
            if at not in parcels:
                pieces = _most(instance, site, open_pieces)
                cost = _price(instance, site, pieces) if any(pieces) else None
                if cost is not None:
                    offers.append((cost / contents(instance.items, pieces)[2], at, pieces))
        if not offers:
            return None
        _, at, pieces = min(offers)
        parcels[at] = pieces
        open_pieces = [left - taken for left, taken in zip(open_pieces, pieces, strict=True)]
    return _total(instance, parcels)


def _by_line(instance: Instance, rule: Rule) -> int | None:
    """Each item whole from the location the rule likes best; where none has it whole, from several in that order."""
    parcels: dict[int, list[int]] = {}
    for number, item in enumerate(instance.items):
        liked = sorted((rule(item, site), at) for at, site in enumerate(instance.sites) if site.room[number])
        whole = [at for _, at in liked if instance.sites[at].room[number] >= item.pieces]
        left = item.pieces
        for at in whole[:1] or [at for _, at in liked]:
            held = parcels.setdefault(at, [0] * len(instance.items))
            while left and held[number] < instance.sites[at].room[number] and _may_add(instance, at, held, number):
                held[number] += 1
                left -= 1
        if left:
            return None
    return _total(instance, {at: pieces for at, pieces in parcels.items() if any(pieces)})


def _may_add(instance: Instance, at: int, held: list[int], number: int) -> bool:
    more = [count + (place == number) for place, count in enumerate(held)]
    return not instance.shared or fits(instance.items, more, instance.sites[at].stock)


def _most(instance: Instance, site: Site, open_pieces: list[int]) -> list[int]:
    pieces = [0] * len(open_pieces)
    for number, (left, room) in enumerate(zip(open_pieces, site.room, strict=True)):
        for count in range(min(left, room), 0, -1):
            more = [*pieces[:number], count, *pieces[number + 1 :]]
            if not instance.shared or fits(instance.items, more, site.stock):
                pieces = more
                break
    return pieces


def _price(instance: Instance, site: Site, pieces: list[int]) -> int | None:
    grams, cm3, goods, needs = contents(instance.items, pieces)
    prices = [offer.price_minor(grams, cm3, needs) for offer in site.offers]
    scarce = sum(each * count for each, count in zip(site.scarcity or (), pieces, strict=False))
    best = min([price for price in prices if price is not None], default=None)
    return None if best is None else best + site.unit_minor * goods + scarce


def _total(instance: Instance, parcels: dict[int, list[int]]) -> int | None:
    """What the parcels cost; None where they are too many or one is too heavy."""
    costs = [_price(instance, instance.sites[at], pieces) for at, pieces in parcels.items()]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) <= instance.max_parcels and all(map(any, parcels.values())) else None
