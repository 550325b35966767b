"""The routing problem of one order as an integer programme for HiGHS, written from the formula in
`oms.domain.routing_model` and sharing nothing with the search but the dataclasses.

Per site one binary for every offer and weight step, at most one of them set; whole pieces of every item per site; and
whole kilograms above an offer's last break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import highspy
import numpy as np

from oms.domain.order import Capability
from oms.domain.rates import Tariff
from oms.domain.routing_model import Instance, Offer, Site

_GRAMS_PER_KG = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the solver says: the least cost (None: there is no plan), and no plan costs less than `bound_minor`."""

    cost_minor: int | None
    bound_minor: float
    proven: bool


@dataclass(slots=True)
class Model:
    """Columns and rows as they are added; nothing in it knows of routing."""

    costs: list[float] = field(default_factory=list)
    uppers: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    row_lowers: list[float] = field(default_factory=list)
    row_uppers: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def column(self, cost: float, upper: float, *, whole: bool = True) -> int:
        """A variable from 0 to `upper`; its number."""
        self.costs.append(cost)
        self.uppers.append(upper)
        self.whole.append(whole)
        return len(self.costs) - 1

    def row(
        self, terms: Mapping[int, float], lower: float = -highspy.kHighsInf, upper: float = highspy.kHighsInf
    ) -> None:
        """lower <= sum of value times variable <= upper."""
        self.starts.append(len(self.indices))
        self.indices += terms.keys()
        self.values += terms.values()
        self.row_lowers.append(lower)
        self.row_uppers.append(upper)

    def solve(self, seconds: float | None = None) -> Answer:
        """The answer of HiGHS at its default tolerances, without any gap."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("mip_rel_gap", 0.0)
        if seconds is not None:
            solver.setOptionValue("time_limit", seconds)
        solver.passModel(self._lp())
        solver.run()
        status, info = solver.getModelStatus(), solver.getInfo()
        if status == highspy.HighsModelStatus.kInfeasible:
            return Answer(cost_minor=None, bound_minor=float("inf"), proven=True)
        proven = status == highspy.HighsModelStatus.kOptimal
        found = proven or info.primal_solution_status == 2
        cost = round(info.objective_function_value) if found else None
        return Answer(cost_minor=cost, bound_minor=info.mip_dual_bound, proven=proven)

    def _lp(self) -> highspy.HighsLp:
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.costs), len(self.starts)
        lp.col_cost_ = np.array(self.costs, dtype=np.double)
        lp.col_lower_ = np.zeros(len(self.costs))
        lp.col_upper_ = np.array(self.uppers, dtype=np.double)
        lp.row_lower_ = np.array(self.row_lowers, dtype=np.double)
        lp.row_upper_ = np.array(self.row_uppers, dtype=np.double)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array([*self.starts, len(self.indices)], dtype=np.int32)
        lp.a_matrix_.index_ = np.array(self.indices, dtype=np.int32)
        lp.a_matrix_.value_ = np.array(self.values, dtype=np.double)
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[whole] for whole in self.whole]
        return lp


@dataclass(slots=True)
class SiteColumns:
    """The variables of one site."""

    pieces: list[int]
    used: list[int] = field(default_factory=list)
    grams: dict[int, float] = field(default_factory=dict)
    cm3: dict[int, float] = field(default_factory=dict)
    needs: dict[Capability, int] = field(default_factory=dict)


def model(instance: Instance) -> Model:
    """The integer programme of the order."""
    built = Model()
    sites = [_site(built, instance, site) for site in instance.sites]
    for at, item in enumerate(instance.items):
        built.row({one.pieces[at]: 1.0 for one in sites}, item.pieces, item.pieces)
    built.row({used: 1.0 for one in sites for used in one.used}, upper=instance.max_parcels)
    return built


def solved(instance: Instance, seconds: float | None = None) -> Answer:
    """What HiGHS says of the order."""
    return model(instance).solve(seconds)


def _site(built: Model, instance: Instance, site: Site) -> SiteColumns:
    scarcity = site.scarcity or (0,) * len(instance.items)
    rooms = [min(room, item.pieces) for room, item in zip(site.room, instance.items, strict=True)]
    pieces = [
        built.column(site.unit_minor * item.goods + scarce, room)
        for item, scarce, room in zip(instance.items, scarcity, rooms, strict=True)
    ]
    columns = SiteColumns(pieces)
    for capability in Capability:
        asking = [at for at, item in enumerate(instance.items) if capability in item.needs]
        if asking:
            needed = columns.needs[capability] = built.column(0.0, 1.0)
            for at in asking:
                built.row({pieces[at]: 1.0, needed: -float(rooms[at])}, upper=0.0)
    for offer in site.offers:
        _offer(built, instance, columns, offer, rooms)
    _link(built, instance, site, columns, rooms)
    return columns


def _link(built: Model, instance: Instance, site: Site, columns: SiteColumns, rooms: list[int]) -> None:
    """One parcel at most, never empty, by an offer that carries what is in it, of stock that is there."""
    items, pieces = instance.items, columns.pieces
    one_parcel = dict.fromkeys(columns.used, 1.0)
    built.row(one_parcel, upper=1.0)
    built.row(one_parcel | dict.fromkeys(pieces, -1.0), upper=0.0)
    for at, room in enumerate(rooms):
        if room:
            built.row({pieces[at]: 1.0} | dict.fromkeys(columns.used, -float(room)), upper=0.0)
    carried = {pieces[at]: -float(item.grams) for at, item in enumerate(items) if item.grams}
    built.row(columns.grams | carried, lower=0.0)
    filled = {pieces[at]: -float(item.cm3) for at, item in enumerate(items) if item.cm3}
    built.row(columns.cm3 | filled, lower=0.0)
    if instance.shared:
        for sku in {sku for item in items for sku in item.stock}:
            taken = {pieces[at]: float(item.stock[sku]) for at, item in enumerate(items) if sku in item.stock}
            built.row(taken, upper=site.stock.get(sku, 0))


def _offer(built: Model, instance: Instance, columns: SiteColumns, offer: Offer, rooms: list[int]) -> None:
    most_grams = sum(item.grams * room for item, room in zip(instance.items, rooms, strict=True))
    most_cm3 = sum(item.cm3 * room for item, room in zip(instance.items, rooms, strict=True))
    fixed = offer.handling_minor + offer.capacity_minor + offer.late_minor + offer.preference_minor
    if offer.tariff is None:
        used = built.column(fixed, 1.0)
        columns.used.append(used)
        columns.grams[used], columns.cm3[used] = most_grams, most_cm3
        return
    tariff, dim = offer.tariff, offer.tariff.dim_cm3_per_kg
    heaviest = max(most_grams, -(-most_cm3 * _GRAMS_PER_KG // dim) if dim else 0)
    steps: dict[int, int] = {}
    for step, (grams, price) in enumerate(zip(tariff.breaks, tariff.prices, strict=True)):
        steps[step] = used = built.column(fixed + price, 1.0)
        columns.grams[used] = min(grams, most_grams)
        columns.cm3[used] = min(grams * dim // _GRAMS_PER_KG, most_cm3) if dim else most_cm3
        if grams >= heaviest:
            break
    columns.used += steps.values()
    extra = None
    if heaviest > tariff.breaks[-1] and tariff.extra_kg_minor is not None:
        extra = _above(built, columns, tariff, fixed, (heaviest, most_cm3))
    _surcharges(built, columns, tariff, steps, extra)


def _above(
    built: Model, columns: SiteColumns, tariff: Tariff, fixed: int, most: tuple[int, int]
) -> tuple[int, int, float]:
    """The step above the last break: (its binary, its kilograms begun, how many those can be)."""
    heaviest, most_cm3 = most
    last, dim = tariff.breaks[-1], tariff.dim_cm3_per_kg
    above = built.column(fixed + tariff.prices[-1], 1.0)
    kilograms = float(-(-(heaviest - last) // _GRAMS_PER_KG))
    begun = built.column(tariff.extra_kg_minor or 0, kilograms)
    built.row({begun: 1.0, above: -kilograms}, upper=0.0)
    columns.used.append(above)
    columns.grams[above], columns.grams[begun] = last, _GRAMS_PER_KG
    columns.cm3[above] = last * dim // _GRAMS_PER_KG if dim else most_cm3
    if dim:
        columns.cm3[begun] = dim
    return above, begun, kilograms


def _surcharges(
    built: Model, columns: SiteColumns, tariff: Tariff, steps: Mapping[int, int], extra: tuple[int, int, float] | None
) -> None:
    """What a step costs more where the parcel has all the needs: at least the amount times all of them being there."""
    for one in tariff.surcharges:
        if not one.needs <= columns.needs.keys():
            continue
        there = {columns.needs[need]: -1.0 for need in one.needs}
        amounts = {used: one.amounts[step] for step, used in steps.items()}
        if extra is not None:
            above, begun, kilograms = extra
            amounts[above] = one.amounts[-1]
            if one.extra_kg_minor:
                more = built.column(one.extra_kg_minor, kilograms, whole=False)
                every = dict.fromkeys(there, -kilograms)
                built.row({more: 1.0, begun: -1.0} | every, lower=-kilograms * len(there))
        for amount in set(amounts.values()) - {0}:
            charged = built.column(amount, 1.0, whole=False)
            alike = {used: -1.0 for used, price in amounts.items() if price == amount}
            built.row({charged: 1.0} | there | alike, lower=-float(len(there)))
