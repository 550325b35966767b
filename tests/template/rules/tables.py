"""Rules about tables: keys and indexes of the design, recovery, encryption, expiry, protection."""

from __future__ import annotations

from typing import Any

from tests.template.expanded import Template, of_type
from tests.template.registry import removes, rule, sets

Keys = tuple[str, ...]

TABLES: dict[str, tuple[Keys, dict[str, Keys]]] = {
    "orders": (
        ("order_id",),
        {
            "by_work_queue": ("work_queue", "due_at"),
            "by_ship_by": ("unshipped_account", "ship_by"),
            "by_customer": ("customer_id", "placed_at"),
            "by_account_day": ("account_day", "placed_at"),
        },
    ),
    "order_references": (("reference", "order_id"), {}),
    "order_history": (("order_id", "version"), {}),
    "contacts": (
        ("order_id",),
        {
            "by_email": ("email_hash", "order_id"),
            "by_phone": ("phone_hash", "order_id"),
            "by_purge_day": ("purge_day", "order_id"),
        },
    ),
    "waits": (("order_id",), {}),
    "stock": (
        ("sku", "location_id"),
        {"by_location": ("location_id", "sku"), "by_problem": ("problem", "problem_since")},
    ),
    "stock_movements": (("sku", "movement_id"), {"by_location_day": ("location_day", "movement_id")}),
    "stock_documents": (("document_id", "part"), {"by_open_status": ("open_status", "received_at")}),
    "backorders": (("sku", "queue_key"), {}),
    "capacity": (("location_id", "day"), {}),
    "routing_decisions": (("order_id", "decision_id"), {}),
    "reservations": (("reservation_id",), {"by_expiry": ("expiry_hour", "expires_at")}),
    "products": (("sku",), {}),
    "locations": (("location_id",), {}),
    "settings": (("kind", "name"), {}),
    "listings": (("channel_account", "channel_sku"), {"by_sku": ("sku", "channel_account")}),
    "deliveries": (("destination", "message_key"), {"by_failed": ("failed_destination", "failed_at")}),
    "quarantine": (("source", "received_key"), {}),
    "fulfillments": (("fulfillment_id",), {"by_location": ("open_location", "ship_by")}),
    "open_lines": (("sku", "line_key"), {}),
    "money_entries": (("account_day", "entry_key"), {}),
    "idempotency": (("id",), {}),
}
"""Every table of the design: its key, and its indexes with theirs."""

PEOPLES_DATA = {"contacts", "quarantine"}
TTL = {"idempotency": "expiration"} | dict.fromkeys(
    ("quarantine", "deliveries", "open_lines", "capacity", "routing_decisions"), "expires_at"
)
REBUILDABLE = {"fulfillments", "open_lines", "money_entries", "idempotency"}
BACKUP_DAYS_OF_PEOPLE = 7


def tables(template: Template) -> dict[str, dict[str, Any]]:
    """Name in the design (after oms-<stage>-) to the table resource."""
    found = of_type(template, "AWS::DynamoDB::Table").values()
    return {table["Properties"]["TableName"].split("-", 2)[2]: table for table in found}


def _keys(schema: list[dict[str, str]]) -> Keys:
    return tuple(key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"] == "RANGE"))


@rule(
    "Every table of the design exists with its key, and no other",
    removes("BackordersTable"),
    sets("StockTable", "KeySchema.1.AttributeName", "warehouse"),
    sets("WaitsTable", "TableName", "oms-prod-waiting"),
)
def tables_are_those_of_the_design(template: Template) -> list[str]:
    """Names and keys are what operators and every store rely on; they cannot be changed later."""
    found = tables(template)
    wrong = [f"table {name} is missing" for name in TABLES.keys() - found.keys()]
    wrong += [f"table {name} is not in the design" for name in found.keys() - TABLES.keys()]
    for name in TABLES.keys() & found.keys():
        key = _keys(found[name]["Properties"]["KeySchema"])
        if key != TABLES[name][0]:
            wrong.append(f"table {name} has the key {key}")
    return wrong


@rule(
    "Every index of the design exists with its key, since AWS adds one per update",
    removes("OrdersTable", "GlobalSecondaryIndexes.3"),
    sets("ContactsTable", "GlobalSecondaryIndexes.0.KeySchema.0.AttributeName", "email"),
    sets("StockTable", "GlobalSecondaryIndexes.1.Projection.ProjectionType", "ALL"),
)
def indexes_are_those_of_the_design(template: Template) -> list[str]:
    """Indexes project only what a list shows: every write pays for them."""
    wrong = []
    for name, table in tables(template).items():
        indexes = table["Properties"].get("GlobalSecondaryIndexes", [])
        found = {index["IndexName"]: _keys(index["KeySchema"]) for index in indexes}
        if found != TABLES.get(name, ((), found))[1]:
            wrong.append(f"table {name} has the indexes {found}")
        everything = [i["IndexName"] for i in indexes if i["Projection"]["ProjectionType"] == "ALL"]
        wrong += [f"index {index} of {name} projects everything" for index in everything]
    return wrong


@rule(
    "Every table can be restored to any second, and people's data not beyond a week",
    removes("StockTable", "PointInTimeRecoverySpecification"),
    sets("ContactsTable", "PointInTimeRecoverySpecification.RecoveryPeriodInDays", 35),
)
def tables_can_be_restored(template: Template) -> list[str]:
    """A backup of a purged contact must not outlive the purge by more than the design says."""
    wrong = []
    for name, table in tables(template).items():
        recovery = table["Properties"].get("PointInTimeRecoverySpecification", {})
        if not recovery.get("PointInTimeRecoveryEnabled"):
            wrong.append(f"table {name} cannot be restored")
        if name in PEOPLES_DATA and recovery.get("RecoveryPeriodInDays", 35) > BACKUP_DAYS_OF_PEOPLE:
            wrong.append(f"backups of {name} are kept too long")
    return wrong


@rule(
    "Every table is encrypted, people's data under the contacts key",
    removes("OrdersTable", "SSESpecification"),
    sets("ContactsTable", "SSESpecification.KMSMasterKeyId", "alias/aws/dynamodb"),
    removes("QuarantineTable", "SSESpecification.KMSMasterKeyId"),
)
def tables_are_encrypted(template: Template) -> list[str]:
    """Only the contacts key lets a role's policy decide who reads people's data."""
    wrong = []
    for name, table in tables(template).items():
        encryption = table["Properties"].get("SSESpecification", {})
        if not encryption.get("SSEEnabled"):
            wrong.append(f"table {name} is not encrypted")
        if (name in PEOPLES_DATA) != encryption.get("KMSMasterKeyId", "").endswith("key/ContactsKey"):
            wrong.append(f"table {name} has the wrong key")
    return wrong


@rule(
    "Rows that expire do, and no others",
    removes("IdempotencyTable", "TimeToLiveSpecification"),
    sets("QuarantineTable", "TimeToLiveSpecification.Enabled", False),
    sets("DeliveriesTable", "TimeToLiveSpecification.AttributeName", "failed_at"),
)
def expiry_is_on(template: Template) -> list[str]:
    """DynamoDB deletes rows whose time has passed, for free."""
    wrong = []
    for name, table in tables(template).items():
        expiry = table["Properties"].get("TimeToLiveSpecification", {})
        attribute = expiry.get("AttributeName") if expiry.get("Enabled") else None
        if attribute != TTL.get(name):
            wrong.append(f"rows of {name} expire by {attribute}, not {TTL.get(name)}")
    return wrong


@rule(
    "No table of production can be deleted",
    sets("OrdersTable", "DeletionProtectionEnabled", False),
    removes("SettingsTable", "DeletionProtectionEnabled"),
    stages=("prod",),
)
def production_is_protected(template: Template) -> list[str]:
    """Deletion protection is the last line: CloudFormation, console and CLI all stop at it."""
    return [
        f"table {name} can be deleted"
        for name, table in tables(template).items()
        if table["Properties"].get("DeletionProtectionEnabled") is not True
    ]


@rule(
    "Deleting the stack keeps every table that cannot be rebuilt",
    sets("OrdersTable", "/DeletionPolicy", "Delete"),
    removes("StockMovementsTable", "/UpdateReplacePolicy"),
)
def data_outlives_the_stack(template: Template) -> list[str]:
    """Read models and idempotency answers can be made again; everything else is the business."""
    return [
        f"table {name} goes with the stack"
        for name, table in tables(template).items()
        if name not in REBUILDABLE
        and (
            table.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate"}
            or table.get("UpdateReplacePolicy") != "Retain"
        )
    ]


@rule(
    "Tables are paid by use and stream what their readers need",
    sets("OrdersTable", "BillingMode", "PROVISIONED"),
    sets("OrdersTable", "StreamSpecification.StreamViewType", "KEYS_ONLY"),
    removes("DeliveriesTable", "StreamSpecification"),
    sets("BackordersTable", "StreamSpecification.StreamViewType", "KEYS_ONLY"),
)
def tables_are_on_demand_and_stream(template: Template) -> list[str]:
    """The publisher compares the old and new document; a delivery is owed by its status, whatever it was.

    Whether others gain by a row of a queue depends on its quantity, before and after.
    """
    wanted = {
        "orders": "NEW_AND_OLD_IMAGES",
        "stock": "NEW_AND_OLD_IMAGES",
        "backorders": "NEW_AND_OLD_IMAGES",
        "deliveries": "NEW_IMAGE",
        "open_lines": "KEYS_ONLY",
    }
    wrong = []
    for name, table in tables(template).items():
        if table["Properties"].get("BillingMode") != "PAY_PER_REQUEST":
            wrong.append(f"table {name} is not on demand")
        view = table["Properties"].get("StreamSpecification", {}).get("StreamViewType")
        if view != wanted.get(name):
            wrong.append(f"table {name} streams {view}")
    return wrong
