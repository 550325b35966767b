"""What the demonstration tells people at its end: what was checked, what it cost, how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tools import orders_view
from tools.demonstration import READER, Outcome
from tools.stack_file import STACK_FILE

if TYPE_CHECKING:
    from tools.console import Screen
    from tools.world import World

SERVER_LOG = STACK_FILE.parent / "ministack.log"

FIGURES = {
    "state_entries": "states entered",
    "wru": "DynamoDB write units, all tables and indexes",
    "wru_order_document": "of these on the order document",
    "rru": "DynamoDB read units",
    "lambda_invocations": "Lambda invocations",
}


def show_end(world: World, outcome: Outcome) -> None:
    """The table of the orders, the timeline of the first, what was checked and counted."""
    screen, first = world.screen, world.stories[0]
    screen.print()
    screen.print(world.overview("The orders"))
    screen.print()
    if first.document is not None:
        screen.print(orders_view.timeline(first.document, first.number))
        screen.print()
    show_checks(screen, outcome)


def show_checks(screen: Screen, outcome: Outcome) -> None:
    """What was checked, with a mark each, where to look if something is not so, and the counted cost of one two-line
    order."""
    checks = Table(title="Checked", title_justify="left", title_style="bold", show_header=False, box=None)
    for check in outcome.checks:
        checks.add_row("[green]ok[/]" if check.holds else "[bold red]NOT SO[/]", Text(check.says))
    screen.print(checks)
    if not outcome.is_right:
        screen.print(f"What the handlers said: {SERVER_LOG}. To start over: make clean (it takes the log with it).")
    costs = Table(title="\nCounted per two-line order", title_justify="left", title_style="bold", box=None)
    costs.show_header = False
    for name, words in FIGURES.items():
        costs.add_row(f"{outcome.figures.get(name, 0):g}", words)
    screen.print(costs)


def show_use(screen: Screen, stack: dict[str, Any], order_id: str) -> None:
    """How to use the running system: base URL, a token, three requests."""
    client = stack["clients"][READER]
    token = (
        f"TOKEN=$(curl -s {stack['token_url']} -d grant_type=client_credentials "
        f"-u '{client['client_id']}:{client['client_secret']}' "
        "| python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')"
    )
    base, bearer = stack["base_url"].replace("$", "\\$"), '-H "Authorization: Bearer $TOKEN"'
    lines = [
        "",
        f"The system is up at {stack['base_url']}",
        f"For programs: {STACK_FILE}",
        "",
        "A token:",
        f"  {token}",
        "",
        "Three things to ask:",
        f'  curl -s {bearer} "{base}/orders/{order_id}"',
        f'  curl -s {bearer} "{base}/orders?waiting_for=STOCK"',
        f'  curl -s {bearer} "{base}/stock/{stack["skus"][0]}"',
        "",
        "Ctrl-C ends it; what it holds is kept for the next `make run`.",
    ]
    screen.settle()
    # Plain prints: a command that is to be copied must not be wrapped.
    for line in lines:
        print(line, flush=True)
