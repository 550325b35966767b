"""What a line keeps of its product from the day the order came in: weight, size, and what a location must handle."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.catalog import Product
from oms.domain.order import Capability
from tests.unit.test_kits import kit, taken_in

CUP = Product(sku="CUP", length_mm=100, width_mm=100, height_mm=100)
POT = Product(sku="POT", length_mm=200, width_mm=200, height_mm=150)


@pytest.mark.parametrize(
    ("side_mm", "volume"),
    [
        pytest.param(0, 2 * 1000 + 6000, id="the sum of its components where the kit names no size"),
        pytest.param(250, 15_625, id="its own where it names one"),
    ],
)
def test_a_kit_takes_up(side_mm: int, volume: int) -> None:
    boxed = kit(length_mm=side_mm, width_mm=side_mm, height_mm=side_mm)
    assert taken_in({"TEA": boxed, "CUP": CUP, "POT": POT}).lines[0].unit_cm3 == volume


@pytest.mark.parametrize(
    ("of_kit", "of_cup", "of_pot", "needs"),
    [
        pytest.param((), (), (), (), id="nothing that needs care"),
        pytest.param((), (Capability.HAZMAT,), (), (Capability.HAZMAT,), id="a component that does"),
        pytest.param(
            (Capability.OVERSIZED,),
            (Capability.HAZMAT,),
            (Capability.HAZMAT,),
            (Capability.HAZMAT, Capability.OVERSIZED),
            id="all that the kit and its components need, each once",
        ),
    ],
)
def test_a_kit_needs_what_its_components_need(
    of_kit: tuple[Capability, ...],
    of_cup: tuple[Capability, ...],
    of_pot: tuple[Capability, ...],
    needs: tuple[Capability, ...],
) -> None:
    catalogue = {"TEA": kit(needs=of_kit), "CUP": replace(CUP, needs=of_cup), "POT": replace(POT, needs=of_pot)}
    assert taken_in(catalogue).lines[0].needs == needs


def test_weight_size_and_needs_are_kept_as_they_were_when_the_order_came_in() -> None:
    battery = replace(CUP, grams=250, needs=(Capability.HAZMAT,))
    (taken,) = taken_in({"CUP": battery}, ("CUP",)).lines
    assert (taken.unit_grams, taken.unit_cm3, taken.needs) == (250, 1000, (Capability.HAZMAT,))


def test_a_kit_whose_component_nobody_knows_counts_what_is_known() -> None:
    (taken,) = taken_in({"TEA": kit(), "POT": replace(POT, grams=900, needs=(Capability.OVERSIZED,))}).lines
    assert (taken.unit_grams, taken.unit_cm3, taken.needs) == (900, 6000, (Capability.OVERSIZED,))
