"""The demonstration company's reference data, put into a stage that may have gone on since."""

from __future__ import annotations

from oms.runtime import clients
from oms.stores.reference_data import ProductsStore, SettingsStore
from tests.integration.company import at
from tests.integration.listed import Desk
from tests.integration.samples import MainStreet
from tests.integration.stage import PREFIX, Stage
from tools import seed


def test_putting_it_again_leaves_what_channels_were_told(stage: Stage) -> None:
    MainStreet(stage)
    Desk().publishing.mark_changed(["MUG-STONE-350"], at(1))
    listings = stage.rows("listings")
    assert any(row.get("change_version") for row in listings)
    seed.put_reference_data(clients.client, "test", "http://127.0.0.1:9")
    assert stage.rows("listings") == listings


def test_the_rules_and_products_are_such_as_the_system_reads(stage: Stage) -> None:
    MainStreet(stage)
    client = clients.client("dynamodb")
    assert len(SettingsStore(client, PREFIX).availability_rules().rules) == 3
    products = ProductsStore(client, PREFIX).get_many(seed.skus())
    assert all(product.category for product in products.values())
    for kit in products.values():
        assert all(kit.sku in products[one.sku].part_of for one in kit.kit_components)
