"""How the parts that bring orders on are put together, where more than one function needs the same whole."""

from __future__ import annotations

from oms.runtime.clients import client
from oms.runtime.executions import Executions
from oms.runtime.functions import environment, table_prefix
from oms.stores.backorders import BackordersStore
from oms.stores.capacity import CapacityStore
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import LocationsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.stores.waits import WaitsStore
from oms.usecases.lifecycle import Lifecycle
from oms.usecases.sourcing import Sourcing


def executions() -> Executions:
    """The executions of the order lifecycle."""
    return Executions(client("stepfunctions"), environment("ORDER_LIFECYCLE_ARN"))


def sourcing() -> Sourcing:
    """The stock, locations and settings that routing needs."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Sourcing(
        stock=StockStore(dynamodb, prefix),
        locations=LocationsStore(dynamodb, prefix),
        settings=SettingsStore(dynamodb, prefix),
        backorders=BackordersStore(dynamodb, prefix),
        capacity=CapacityStore(dynamodb, prefix),
    )


def lifecycle() -> Lifecycle:
    """For the functions that may notice that an order can go on: the state, the stream, the sweep."""
    dynamodb, prefix = client("dynamodb"), table_prefix()
    return Lifecycle(
        orders=OrdersStore(dynamodb, prefix),
        waits=WaitsStore(dynamodb, prefix),
        commit=GroupCommit(dynamodb, prefix),
        sourcing=sourcing(),
        executions=executions(),
    )
