"""One system for all end-to-end tests: a local AWS of their own, the real template, the stand-ins."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.company import POP_UP, Company, Sent
from tools import stand_ins, system
from tools.console import Screen
from tools.shop import Shop

QUICK_SECONDS = 0.5
"""How long the stand-ins take where the demonstration lets people watch."""

POP_UP_SECRET = "what-the-pop-up-shop-signs-with"

# The demonstration counts what its orders cost, so it has the system for itself; the books are looked at when all has
# happened, and permissions are judged by the calls that all the others made.
PLACES = {"test_demonstration": 0, "test_audit": 2, "test_books": 2, "test_permissions": 3}
USUAL_PLACE = 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files into the order they need; the sort is stable."""
    items.sort(key=lambda item: PLACES.get(item.path.stem, USUAL_PLACE) if "e2e" in item.path.parts else USUAL_PLACE)


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The running company, on free ports, in a folder of its own; ended whatever happens."""
    place = system.Place(_free_port(), _free_port(), tmp_path_factory.mktemp("oms"))
    with ExitStack() as cleanup, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_ins, "SECONDS_TO_DEPARTURE", QUICK_SECONDS)
        patch.setattr(stand_ins, "SECONDS_ON_THE_ROAD", QUICK_SECONDS)
        yield Company(system.start(place, Screen(), cleanup))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session", autouse=True)
def kept(company: Company) -> Sent:
    """A message kept in quarantine since its account was not set up yet; now it is.

    It is sent before everything else: workers believe for a minute that there is no such account.
    """
    channel, account = POP_UP.split("#")
    name = f"oms/{company.system.stack.stage}/channels/{channel}/{account}"
    secret = json.dumps({"signing_secrets": [POP_UP_SECRET]})
    company.client("secretsmanager").create_secret(Name=name, SecretString=secret)
    shop = Shop(company.system.description["base_url"], account, POP_UP_SECRET)
    identity = shop.new_identity()
    message = shop.message("two_lines", identity)
    assert shop.send(message).status == 200
    company.until("it is in quarantine", lambda: bool(company.query("quarantine", source=POP_UP)))
    company.put("settings", {"kind": "channel_account", "name": POP_UP, "currencies": ["USD"]})
    return Sent(identity, shop.order_id(identity), message)


@pytest.fixture(scope="session")
def calls_folder(company: Company) -> Path:
    """Where the handlers wrote down their AWS calls."""
    return company.system.stack.calls_dir
