"""Whether a plan is what it says: every piece in one parcel, nothing that is not there, at the price of the formula in
`oms.domain.routing_model`. Written from the formula, shared with nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from oms.domain.routing_model import Instance, Item, Offer, Parcel, Solution


def wrong(instance: Instance, solution: Solution) -> list[str]:
    """What is wrong with the plan, nothing if it is as it should be."""
    return list(_wrong(instance, solution))


def _wrong(instance: Instance, solution: Solution) -> Iterator[str]:
    parcels = solution.parcels
    for at, item in enumerate(instance.items):
        shipped = sum(parcel.pieces[at] for parcel in parcels)
        if shipped != item.pieces:
            yield f"item {at}: {shipped} of {item.pieces} pieces are shipped"
    names = [parcel.site.location_id for parcel in parcels]
    if len(set(names)) != len(names):
        yield f"a location sends two parcels: {names}"
    if not 1 <= len(parcels) <= instance.max_parcels:
        yield f"{len(parcels)} parcels, at most {instance.max_parcels}"
    if sum(parcel.cost_minor for parcel in parcels) != solution.cost_minor:
        yield "the parcels do not cost what the plan costs"
    if solution.bound_minor > solution.cost_minor:
        yield "the bound is above the cost"
    for parcel in parcels:
        yield from _wrong_parcel(instance, parcel)


def _wrong_parcel(instance: Instance, parcel: Parcel) -> Iterator[str]:
    site, name = parcel.site, parcel.site.location_id
    if not any(one is site for one in instance.sites) or not any(one is parcel.offer for one in site.offers):
        yield f"{name}: not a location or an offer of this order"
    if sum(parcel.pieces) == 0 or min(parcel.pieces) < 0:
        yield f"{name}: a parcel of {parcel.pieces}"
    if any(number > room for number, room in zip(parcel.pieces, site.room, strict=True)):
        yield f"{name}: there is not room for {parcel.pieces}"
    taken: Counter[str] = Counter()
    for item, number in zip(instance.items, parcel.pieces, strict=True):
        for sku, units in item.stock.items():
            taken[sku] += units * number
    if instance.shared and any(units > site.stock.get(sku, 0) for sku, units in taken.items()):
        yield f"{name}: there is not stock for {parcel.pieces}"
    cost = cost_minor(instance, parcel)
    if cost != parcel.cost_minor:
        yield f"{name}: costs {cost}, not {parcel.cost_minor}"


def cost_minor(instance: Instance, parcel: Parcel) -> int | None:
    """What the parcel costs by the formula; None where its offer does not carry it."""
    packed = [(item, number) for item, number in zip(instance.items, parcel.pieces, strict=True) if number]
    offer, site = parcel.offer, parcel.site
    freight = _freight(offer, packed)
    if freight is None:
        return None
    work = offer.handling_minor + site.unit_minor * sum(item.goods * number for item, number in packed)
    scarce = sum(each * number for each, number in zip(site.scarcity or (), parcel.pieces, strict=False))
    return freight + work + offer.capacity_minor + offer.late_minor + offer.preference_minor + scarce


def _freight(offer: Offer, packed: list[tuple[Item, int]]) -> int | None:
    tariff = offer.tariff
    if tariff is None:
        return 0
    billable = sum(item.grams * number for item, number in packed)
    if tariff.dim_cm3_per_kg:
        cm3 = sum(item.cm3 * number for item, number in packed)
        billable = max(billable, (cm3 * 1000 + tariff.dim_cm3_per_kg - 1) // tariff.dim_cm3_per_kg)
    steps = [at for at, grams in enumerate(tariff.breaks) if billable <= grams]
    further, step = 0, steps[0] if steps else len(tariff.breaks) - 1
    if not steps:
        if tariff.extra_kg_minor is None:
            return None
        further = (billable - tariff.breaks[-1] + 999) // 1000
    needs = {need for item, _ in packed for need in item.needs}
    asked = [one for one in tariff.surcharges if needs.issuperset(one.needs)]
    each_kg = (tariff.extra_kg_minor or 0) + sum(one.extra_kg_minor for one in asked)
    return tariff.prices[step] + sum(one.amounts[step] for one in asked) + further * each_kg
