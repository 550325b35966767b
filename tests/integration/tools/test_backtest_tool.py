"""The operator's command that tries a policy, and the gate it is for activation."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from oms.domain.backtesting import Company
from oms.domain.policy_versions import Draft
from oms.domain.routing_policy import Costs, Guards, RoutingPolicy
from oms.runtime import clients, clock
from oms.stores.reference_data import SettingsStore
from oms.stores.routing_policies import RoutingPoliciesStore
from oms.usecases.policies import Policies
from tests.integration.company import NOON
from tests.integration.stage import LOCATIONS, PREFIX, Stage
from tests.unit.past_orders import Past, shelves
from tests.unit.rate_cards import small_card
from tools import backtest, routing_policy
from tools import stage as stages

EAST, WEST = (replace(one, tags=(one.location_id,)) for one in LOCATIONS)
COMPANY = Company(locations=(EAST, WEST), cards=(small_card(),))
WESTWARDS = {"preferences_minor": {"WH-EAST": 100_000}}
ADA_DOES_NOT_APPEAR = ("Ada", "ada@example.com", "555")


@dataclass(frozen=True)
class Shell:
    """Types commands; what they print is kept apart from what they say meanwhile."""

    capture: pytest.CaptureFixture[str]
    folder: Path

    def run(self, tool: Any, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a command that ends with this exit code."""
        self.capture.readouterr()
        assert tool.main(list(arguments)) == code
        printed = self.capture.readouterr()
        return printed.out, printed.err

    def report(self, *arguments: str, code: int = 0) -> str:
        """The report, its spaces evened out."""
        return " ".join(self.run(backtest, *arguments, code=code)[0].split())

    def told(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The report as programs read it: all that is on standard output."""
        found: dict[str, Any] = json.loads(self.run(backtest, *arguments, "--json", code=code)[0])
        return found

    def policy(self, **policy: Any) -> str:
        """A file that says this policy."""
        path = self.folder / "policy.json"
        path.write_text(json.dumps({"currency": "USD"} | policy))
        return str(path)


@pytest.fixture
def shell(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    monkeypatch.setenv("LOGNAME", "ana")
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(days=1))
    for one in (EAST, WEST):
        stage.put("locations", one)
    return Shell(capsys, tmp_path)


@pytest.fixture
def forty_orders(stage: Stage) -> Past:
    """Forty mugs that went east, a minute apart; both locations had plenty."""
    past = Past(shelves(MUG={"WH-EAST": 90, "WH-WEST": 90}), COMPANY)
    for minute in range(40):
        past.routed(minute)
    for order, decision in past.kept:
        stage.put("orders", order)
        stage.put("routing_decisions", decision)
    return past


def draft(**facts: Any) -> int:
    """A new version of the policy; its number."""
    policies = Policies(RoutingPoliciesStore(clients.client("dynamodb"), PREFIX))
    return policies.draft(Draft(policy=RoutingPolicy(currency="USD", **facts), author="ana"), NOON).version


def test_a_draft_goes_live_only_once_it_violates_none_of_its_guards(shell: Shell, forty_orders: Past) -> None:
    shell.run(routing_policy, "draft", shell.policy(costs=WESTWARDS))
    out, err = shell.run(routing_policy, "activate", "1", code=1)
    assert "max_cost_increase_percent: orders cost 28.57 % more, at most 2 % are allowed" in " ".join(err.split())
    assert "Backtest did not pass" in out
    assert SettingsStore(clients.client("dynamodb"), PREFIX).routing_policy().version == 0

    mended = shell.policy(costs={"preferences_minor": {"WH-WEST": 10}})
    shell.run(routing_policy, "edit", "1", mended, "--revision", "1")
    out, _ = shell.run(routing_policy, "activate", "1")
    assert "Version 1 is active" in out
    live = SettingsStore(clients.client("dynamodb"), PREFIX).routing_policy()
    assert (live.version, live.costs.preferences_minor) == (1, {"WH-WEST": 10})
    kept = Policies(RoutingPoliciesStore(clients.client("dynamodb"), PREFIX)).read(1).backtest
    assert kept is not None
    assert kept.passed
    assert kept.summary["orders"] == 40


def test_without_orders_nothing_is_proven_and_nothing_goes_live(shell: Shell) -> None:
    shell.run(routing_policy, "draft", shell.policy())
    _, err = shell.run(routing_policy, "activate", "1", code=1)
    assert "orders: 0 could be tried, at least 30 are needed" in " ".join(err.split())


def test_the_report_says_what_would_change(shell: Shell, forty_orders: Past) -> None:
    version = draft(costs=Costs(preferences_minor={"WH-EAST": 100_000}), guards=Guards(max_cost_increase_percent=50))
    report = shell.report("--policy", str(version), "--days", "2")
    for said in (
        "Version 1 of the routing policy beside version 0, on 40 orders",
        "An order costs 2.00 USD more (28.57 %), with 95 % between 2.00 USD and 2.00 USD",
        "The orders that change most, of 40 that change",
        "WH-EAST ups GROUND",
        "No guard is violated: this version may become active.",
    ):
        assert said in report
    assert not any(word in report for word in ADA_DOES_NOT_APPEAR)


def test_a_violated_guard_is_said_with_figure_and_limit_and_ends_with_1(shell: Shell, forty_orders: Past) -> None:
    version = draft(guards=Guards(max_location_share_percent=80))
    report = shell.report("--policy", str(version), code=1)
    assert "max_location_share_percent: 100.00 % of the parcels come from WH-EAST, at most 80 % may" in report


def test_programs_read_the_report_as_json(shell: Shell, forty_orders: Past) -> None:
    version = draft(costs=Costs(preferences_minor={"WH-EAST": 100_000}))
    told = shell.told("--policy", str(version), "--changes", "3", code=1)
    found = told["comparison"]
    assert (found["active"]["paid_per_order_minor"], found["draft"]["paid_per_order_minor"]) == (700, 900)
    assert found["draft"]["loads"] == {"WH-WEST": {"parcels": 40, "units": 40, "share_percent": 100}}
    assert found["difference"]["percent"] == 28.57
    assert (found["changed"], len(found["changes"])) == (40, 3)
    assert found["changes"][0]["after"] == ["WH-WEST ups GROUND"]
    assert told["verdict"]["passed"] is False


def test_how_far_it_is_goes_to_standard_error(shell: Shell, forty_orders: Past) -> None:
    version = draft()
    out, err = shell.run(backtest, "--policy", str(version), "--json")
    assert "orders read" in err
    assert "orders routed" in err
    json.loads(out)


def test_on_a_terminal_a_bar_moves_and_leaves_nothing_in_the_report(
    shell: Shell, forty_orders: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = draft()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    out, err = shell.run(backtest, "--policy", str(version), "--json")
    json.loads(out)
    assert "orders routed: 40" not in err


def test_orders_of_other_days_are_left_alone(shell: Shell, forty_orders: Past) -> None:
    version = draft()
    of_the_day = shell.told("--policy", str(version), "--from", "2026-03-02", "--to", "2026-03-02")
    assert of_the_day["comparison"]["draft"]["orders"] == 40
    before = shell.report("--policy", str(version), "--from", "2026-02-20", "--to", "2026-03-01", code=1)
    assert "orders: 0 could be tried" in before


def test_the_newest_orders_are_tried_and_the_report_says_that_others_are_left_out(
    shell: Shell, forty_orders: Past
) -> None:
    version = draft()
    report = shell.report("--policy", str(version), "--limit", "10", "--min-orders", "5")
    assert "on 10 orders" in report
    assert "Left out: the older orders of the period" in report


def test_a_policy_can_be_tried_on_an_empty_system(shell: Shell) -> None:
    version = draft()
    told = shell.told("--policy", str(version), "--generate", "50", "--seed", "7")
    assert told["comparison"]["draft"]["orders"] == 50
    assert told == shell.told("--policy", str(version), "--generate", "50", "--seed", "7")
    assert told != shell.told("--policy", str(version), "--generate", "50", "--seed", "8")


def test_made_up_orders_can_be_on_the_stock_of_a_file(shell: Shell) -> None:
    version, file = draft(), shell.folder / "stock.json"
    file.write_text(json.dumps({"KETTLE": {"WH-WEST": 500}}))
    told = shell.told("--policy", str(version), "--generate", "50", "--stock", str(file))
    assert list(told["comparison"]["draft"]["loads"]) == ["WH-WEST"]
    assert told["comparison"]["draft"]["unrouted"] == 0


def test_any_two_versions_can_be_compared(shell: Shell, forty_orders: Past) -> None:
    first = draft(costs=Costs(preferences_minor={"WH-EAST": 100_000}))
    second = draft()
    told = shell.told("--policy", str(second), "--against", str(first))
    assert (told["comparison"]["active"]["version"], told["comparison"]["draft"]["version"]) == (first, second)
    assert told["comparison"]["difference"]["mean_minor"] == -200


def test_a_version_that_never_was_cannot_be_tried(shell: Shell) -> None:
    out, err = shell.run(backtest, "--policy", "9", code=2)
    assert out == ""
    assert "there is no version 9" in err
    assert "routing_policy list" in err


def test_a_stage_that_is_not_there_is_explained(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "STAGES", ("elsewhere",))
    _, err = shell.run(backtest, "--policy", "1", "--stage", "elsewhere", code=2)
    assert "The stage elsewhere can't be worked on" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--policy"),
        (["--policy", "none"], "a number from 1"),
        (["--policy", "1", "--from", "2026-03-02"], "go together"),
        (["--policy", "1", "--from", "2026-03-02", "--to", "2026-03-01"], "must not be before"),
        (["--policy", "1", "--from", "2025-03-02", "--to", "2026-03-01"], "at most"),
        (["--policy", "1", "--from", "2026-03-01", "--to", "2026-03-02", "--days", "3"], "without --days"),
        (["--policy", "1", "--from", "yesterday", "--to", "2026-03-02"], "a day such as"),
        (["--policy", "1", "--limit", "0"], "a number from 1"),
        (["--policy", "1", "--generate", "9", "--stock", "nowhere.json"], "does not hold a stock"),
        (["--policy", "1", "--stock", __file__, "--generate", "9"], "does not hold a stock"),
    ],
)
def test_a_command_that_makes_no_sense_says_what_is_missing(
    shell: Shell, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        backtest.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
