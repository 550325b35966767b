"""Versions of the routing policy in their table: numbered, edited, activated all or nothing, retired."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain.errors import InvalidMessage, NotFound, PolicyRefused, Throttled, Unavailable, WriteConflict
from oms.domain.policy_versions import Draft, PolicyStatus, PolicyVersion, Verdict, drafted
from oms.domain.routing_policy import Constraints, Costs, Guards, Relaxation, RoutingPolicy, Segment, Unroutable
from oms.domain.routing_policy_rules import MAX_NAMED
from oms.runtime import clients
from oms.stores import reference_data
from oms.stores.reference_data import SettingsStore
from oms.stores.routing_policies import ACTIVE, KIND, RoutingPoliciesStore
from oms.usecases.policies import MAX_TRIES, Candidate, Policies
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
POLICY = RoutingPolicy(currency="USD")
THREE_PARCELS = replace(POLICY, constraints=Constraints(max_parcels=3))
FULL = RoutingPolicy(
    currency="USD",
    constraints=Constraints(max_parcels=2, segments=(Segment(name="food", only_tags=("cold",), countries=("US",)),)),
    costs=Costs(late_day_minor=0, preferences_minor={"third-party": 75}, exchange_rates={"EUR": 10_900}),
    fallbacks=(Relaxation.ANY_SEGMENT,),
    unroutable=Unroutable.CANCEL,
    guards=Guards(max_cost_increase_percent=None, max_split_percent=12.5, max_unrouted_percent=0.25),
)
PASSED = Verdict(
    passed=True, violated=(), summary={"orders": 500, "cost_change_percent": -1.25, "late": None}, backtested_at=NOW
)
FAILED = Verdict(passed=False, violated=("max_split_percent",), summary={}, backtested_at=NOW)

LONG_NAMES = tuple(f"{number:064}" for number in range(MAX_NAMED))


@pytest.fixture
def policies(stage: Stage) -> Policies:
    return Policies(store())


def store() -> RoutingPoliciesStore:
    return RoutingPoliciesStore(clients.client("dynamodb"), PREFIX)


def settings() -> SettingsStore:
    """Of a worker that has just started."""
    return SettingsStore(clients.client("dynamodb"), PREFIX)


def draft(policies: Policies, policy: RoutingPolicy = POLICY, author: str = "ana", **more: Any) -> PolicyVersion:
    return policies.draft(Draft(policy=policy, author=author, **more), NOW)


def activate(policies: Policies, version: int, actor: str = "ben", verdict: Verdict | None = PASSED) -> PolicyVersion:
    return policies.activate(policies.candidate(version), verdict, actor, LATER)


def statuses(policies: Policies) -> dict[int, str]:
    return {one.version: one.status.value for one in policies.newest()}


def rows(stage: Stage) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in stage.rows("settings") if row["kind"] == KIND}


def test_before_the_first_activation_routing_works_by_the_defaults(stage: Stage, policies: Policies) -> None:
    draft(policies)
    assert settings().routing_policy() == RoutingPolicy()
    assert policies.active() is None


def test_what_was_drafted_is_read_as_it_was_written(stage: Stage, policies: Policies) -> None:
    made = draft(policies, FULL, note="winter", based_on=None)
    assert policies.read(1) == made
    assert made.document == replace(FULL, version=1)


def test_what_routing_reads_is_the_very_policy_that_was_activated(stage: Stage, policies: Policies) -> None:
    draft(policies, FULL)
    activate(policies, 1)
    assert settings().routing_policy() == replace(FULL, version=1)
    assert settings().routing_policy_version(1) == replace(FULL, version=1)


def test_a_row_tells_the_whole_policy_so_that_later_defaults_do_not_change_it(stage: Stage, policies: Policies) -> None:
    draft(policies)
    row = rows(stage)["000001"]
    assert row["status"] == "DRAFT"
    assert row["document"]["cancel_after_hours"] == POLICY.cancel_after_hours
    assert row["document"]["guards"]["max_cost_increase_percent"] == "2.0"
    assert row["document"]["guards"]["max_late_percent"] is None


def test_the_active_row_is_a_copy_of_its_version(stage: Stage, policies: Policies) -> None:
    draft(policies)
    activate(policies, 1)
    stored = rows(stage)
    assert stored[ACTIVE] == stored["000001"] | {"name": ACTIVE}
    assert stored[ACTIVE]["backtest"]["summary"] == {"orders": 500, "cost_change_percent": "-1.25", "late": None}


def test_an_order_s_version_can_be_read_long_after(stage: Stage, policies: Policies) -> None:
    draft(policies)
    activate(policies, 1)
    draft(policies, THREE_PARCELS)
    activate(policies, 2)
    reader = settings()
    assert reader.routing_policy_version(1) == replace(POLICY, version=1)
    assert reader.routing_policy_version(0) == RoutingPolicy()
    assert reader.routing_policy_version(3) is None


def test_a_worker_goes_on_by_the_policy_it_knows_for_a_minute(
    stage: Stage, policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = [0.0]
    monkeypatch.setattr(reference_data.Kept.__init__, "__defaults__", (lambda: time[0],))
    worker = settings()
    draft(policies)
    activate(policies, 1)
    assert worker.routing_policy().version == 1
    draft(policies, THREE_PARCELS)
    activate(policies, 2)
    time[0] = reference_data.KEPT_SECONDS - 1
    assert worker.routing_policy().version == 1
    time[0] = reference_data.KEPT_SECONDS
    assert worker.routing_policy().version == 2


def test_versions_are_numbered_one_by_one_and_a_retired_number_is_not_used_again(
    stage: Stage, policies: Policies
) -> None:
    for _ in range(3):
        draft(policies)
    policies.retire(3, "ana", LATER)
    assert draft(policies).version == 4
    assert [one.version for one in policies.newest()] == [4, 3, 2, 1]


def set_up(stage: Stage, version: int) -> None:
    """A company that was given its active policy, and no row of that version."""
    row = {"kind": KIND, "name": ACTIVE, "version": version, "revision": 2, "status": "ACTIVE", "author": "set-up"}
    stage.put("settings", row, created_at="2026-03-02T09:00:00Z", document={"version": version, "currency": "USD"})


def test_a_company_set_up_with_an_active_version_goes_on_from_its_number(stage: Stage, policies: Policies) -> None:
    set_up(stage, 5)
    assert draft(policies).version == 6
    activate(policies, 6)
    assert settings().routing_policy().version == 6
    assert set(rows(stage)) == {"000006", ACTIVE}


def test_of_two_activations_at_once_one_wins_in_a_company_that_was_set_up_too(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    set_up(stage, 5)
    mine, theirs = draft(policies).version, draft(policies).version
    faults.meanwhile("TransactWriteItems", lambda: activate(policies, theirs, "cleo"))
    with pytest.raises(PolicyRefused, match="activated by cleo meanwhile"):
        activate(policies, mine)
    assert statuses(policies) == {7: "ACTIVE", 6: "DRAFT"}


def test_two_drafts_at_once_both_get_a_number(stage: Stage, policies: Policies, faults: Faults) -> None:
    others: list[PolicyVersion] = []
    faults.meanwhile("PutItem", lambda: others.append(draft(policies, THREE_PARCELS, author="ben")))
    mine = draft(policies)
    assert (others[0].version, mine.version) == (1, 2)
    assert (policies.read(1).author, policies.read(2).author) == ("ben", "ana")


def test_a_draft_ends_after_so_many_numbers_were_taken_by_others(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    def take(number: int) -> Any:
        return lambda: store().add(drafted(Draft(policy=POLICY, author="ben"), number, NOW))

    for number in range(1, MAX_TRIES + 1):
        faults.meanwhile("PutItem", take(number), nth=2 * number - 1)
    with pytest.raises(WriteConflict, match="draft it again"):
        draft(policies)
    assert {one.author for one in policies.newest()} == {"ben"}


def test_a_draft_whose_answer_is_lost_is_found_when_it_is_asked_for_again(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    faults.time_out_after("PutItem")
    with pytest.raises(Unavailable):
        draft(policies, request_id="a-request")
    assert draft(policies, request_id="a-request").version == 1
    assert statuses(policies) == {1: "DRAFT"}


def test_a_draft_that_is_sent_twice_is_one_draft(stage: Stage, policies: Policies, faults: Faults) -> None:
    faults.meanwhile("PutItem", lambda: draft(policies, request_id="a-request"))
    assert draft(policies, request_id="a-request").version == 1
    assert faults.hits == 1
    assert statuses(policies) == {1: "DRAFT"}


def test_a_policy_that_breaks_a_rule_is_not_written(stage: Stage, policies: Policies) -> None:
    with pytest.raises(InvalidMessage) as refused:
        draft(policies, replace(POLICY, currency="", cancel_after_hours=0))
    assert [one["field"] for one in refused.value.details["faults"]] == ["cancel_after_hours", "currency"]
    assert rows(stage) == {}


def edit(policies: Policies, revision: int, policy: RoutingPolicy = THREE_PARCELS, actor: str = "ben") -> PolicyVersion:
    return policies.edit(1, revision, policy, note=None, actor=actor, now=LATER)


def test_a_draft_is_edited(stage: Stage, policies: Policies) -> None:
    draft(policies)
    made = edit(policies, 1)
    assert (made.revision, made.document.constraints.max_parcels) == (2, 3)
    assert policies.read(1) == made


def test_the_same_edit_again_changes_nothing(stage: Stage, policies: Policies) -> None:
    draft(policies)
    assert edit(policies, 1) == edit(policies, 1)
    assert policies.read(1).revision == 2


def test_an_edit_that_is_sent_twice_is_one_edit(stage: Stage, policies: Policies, faults: Faults) -> None:
    draft(policies)
    faults.meanwhile("PutItem", lambda: edit(policies, 1))
    assert edit(policies, 1).revision == 2
    assert faults.hits == 1


def test_an_edit_of_what_somebody_else_has_changed_is_refused_and_names_them(stage: Stage, policies: Policies) -> None:
    draft(policies)
    edit(policies, 1, actor="cleo")
    with pytest.raises(PolicyRefused, match="changed by cleo: it is at revision 2, not 1"):
        edit(policies, 1, POLICY)
    assert policies.read(1).document.constraints.max_parcels == 3


def test_of_two_edits_at_once_one_wins_and_the_other_is_told(stage: Stage, policies: Policies, faults: Faults) -> None:
    draft(policies)
    faults.meanwhile("PutItem", lambda: edit(policies, 1, actor="cleo"))
    with pytest.raises(PolicyRefused, match="changed by cleo"):
        edit(policies, 1, POLICY)
    assert policies.read(1).edited_by == "cleo"


def test_an_edit_that_comes_too_late_does_not_touch_the_active_policy(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    faults.meanwhile("PutItem", lambda: activate(policies, 1))
    with pytest.raises(PolicyRefused, match="ACTIVE and can't be changed"):
        edit(policies, 1)
    assert settings().routing_policy() == replace(POLICY, version=1)


def test_activating_another_version_retires_the_one_before(stage: Stage, policies: Policies) -> None:
    for policy in (POLICY, THREE_PARCELS):
        activate(policies, draft(policies, policy).version)
    assert statuses(policies) == {2: "ACTIVE", 1: "RETIRED"}
    assert settings().routing_policy().version == 2
    before = policies.read(1)
    assert (before.retired_by, before.retired_at, before.activated_by) == ("ben", LATER, "ben")


def test_activating_again_changes_nothing(stage: Stage, policies: Policies) -> None:
    draft(policies)
    seen = policies.candidate(1)
    policies.activate(seen, PASSED, "ben", LATER)
    stored = rows(stage)
    assert policies.activate(seen, PASSED, "cleo", LATER).activated_by == "ben"
    assert policies.activate(policies.candidate(1), None, "cleo", LATER).activated_by == "ben"
    assert rows(stage) == stored


@pytest.mark.parametrize("verdict", [None, FAILED], ids=["not tried", "guard violated"])
def test_without_a_passed_backtest_nothing_becomes_active(
    stage: Stage, policies: Policies, verdict: Verdict | None
) -> None:
    draft(policies)
    with pytest.raises(PolicyRefused):
        activate(policies, 1, verdict=verdict)
    assert statuses(policies) == {1: "DRAFT"}
    assert policies.active() is None


def test_who_forces_a_policy_and_why_is_kept_with_it(stage: Stage, policies: Policies) -> None:
    draft(policies)
    policies.activate(policies.candidate(1), FAILED, "ben", LATER, forced_note="the warehouse burns")
    row = rows(stage)["000001"]
    assert (row["forced_by"], row["forced_note"]) == ("ben", "the warehouse burns")
    assert row["backtest"]["violated"] == ["max_split_percent"]


@pytest.mark.parametrize("has_active", [False, True], ids=["the first ever", "in place of another"])
def test_of_two_activations_at_once_one_wins_and_the_other_is_told_who(
    stage: Stage, policies: Policies, faults: Faults, has_active: bool
) -> None:
    if has_active:
        activate(policies, draft(policies).version)
    mine, theirs = draft(policies).version, draft(policies, THREE_PARCELS).version
    faults.meanwhile("TransactWriteItems", lambda: activate(policies, theirs, "cleo"))
    with pytest.raises(PolicyRefused, match=f"version {theirs} was activated by cleo meanwhile"):
        activate(policies, mine)
    assert statuses(policies)[mine] == "DRAFT"
    assert settings().routing_policy().version == theirs
    assert list(statuses(policies).values()).count("ACTIVE") == 1


def test_two_who_activate_the_same_version_at_once_both_see_it_active(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    faults.meanwhile("TransactWriteItems", lambda: activate(policies, 1, "cleo"))
    assert activate(policies, 1).activated_by == "cleo"


def test_a_version_that_goes_live_while_it_is_looked_at_is_told_as_it_is_now(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    seen = policies.candidate(1)
    faults.meanwhile("GetItem", lambda: activate(policies, 1, "cleo"), nth=2)
    made = policies.activate(seen, PASSED, "ben", LATER)
    assert (made.status, made.activated_by) == (PolicyStatus.ACTIVE, "cleo")


def test_a_verdict_does_not_count_for_a_draft_edited_since(stage: Stage, policies: Policies) -> None:
    draft(policies)
    compared = policies.candidate(1)
    edit(policies, 1)
    with pytest.raises(PolicyRefused, match="changed by ben"):
        policies.activate(compared, PASSED, "ben", LATER)
    assert policies.active() is None


def test_a_draft_edited_during_its_activation_does_not_go_live(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    faults.meanwhile("TransactWriteItems", lambda: edit(policies, 1, actor="cleo"))
    with pytest.raises(PolicyRefused, match="changed by cleo"):
        activate(policies, 1)
    assert statuses(policies) == {1: "DRAFT"}


def test_a_verdict_does_not_count_beside_another_policy_than_it_was_compared_with(
    stage: Stage, policies: Policies
) -> None:
    draft(policies)
    draft(policies, THREE_PARCELS)
    compared = policies.candidate(1)
    activate(policies, 2, "cleo")
    with pytest.raises(PolicyRefused, match="version 2 was activated by cleo"):
        policies.activate(compared, PASSED, "ben", LATER)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_activation_that_meets_another_transaction_is_tried_again(
    stage: Stage, policies: Policies, faults: Faults, at: int
) -> None:
    activate(policies, draft(policies).version)
    draft(policies, THREE_PARCELS)
    faults.cancel("TransactionConflict", at=at, times=2)
    assert activate(policies, 2).status is PolicyStatus.ACTIVE
    assert faults.hits == 2
    assert statuses(policies) == {2: "ACTIVE", 1: "RETIRED"}


def test_an_activation_ends_after_so_many_conflicts_and_nothing_has_changed(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    faults.cancel("TransactionConflict", times=1_000)
    with pytest.raises(WriteConflict, match="activate it again"):
        activate(policies, 1)
    assert faults.hits == MAX_TRIES
    assert statuses(policies) == {1: "DRAFT"}


def test_an_activation_that_is_throttled_says_so(stage: Stage, policies: Policies, faults: Faults) -> None:
    draft(policies)
    faults.cancel("ThrottlingError", times=1_000)
    with pytest.raises(Throttled):
        activate(policies, 1)


def test_an_activation_whose_answer_is_lost_is_active_and_is_so_when_asked_again(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    faults.time_out_after()
    with pytest.raises(Unavailable):
        activate(policies, 1)
    assert activate(policies, 1).status is PolicyStatus.ACTIVE
    assert settings().routing_policy().version == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_who_dies_activating_has_changed_all_or_nothing(
    stage: Stage, policies: Policies, faults: Faults, moment: str
) -> None:
    activate(policies, draft(policies).version)
    draft(policies, THREE_PARCELS)
    (faults.crash_before if moment == "before" else faults.crash_after)()
    with pytest.raises(CrashedError):
        activate(policies, 2)
    expected = {2: "DRAFT", 1: "ACTIVE"} if moment == "before" else {2: "ACTIVE", 1: "RETIRED"}
    assert statuses(policies) == expected
    assert settings().routing_policy().version == (1 if moment == "before" else 2)
    assert activate(policies, 2).status is PolicyStatus.ACTIVE


def test_what_is_retired_comes_back_as_a_copy(stage: Stage, policies: Policies) -> None:
    for policy in (POLICY, THREE_PARCELS):
        activate(policies, draft(policies, policy).version)
    with pytest.raises(PolicyRefused, match="draft a copy"):
        policies.candidate(1)
    copy = draft(policies, policies.read(1).document, based_on=1)
    activate(policies, copy.version)
    assert settings().routing_policy() == replace(POLICY, version=3)
    assert policies.read(3).based_on == 1


def test_a_draft_is_retired_and_again_changes_nothing(stage: Stage, policies: Policies) -> None:
    draft(policies)
    first = policies.retire(1, "cleo", LATER)
    assert policies.retire(1, "ben", LATER + timedelta(hours=1)) == first
    assert (first.status, first.retired_by) == (PolicyStatus.RETIRED, "cleo")
    assert policies.read(1) == first


def test_a_draft_that_goes_live_while_somebody_retires_it_stays_active(
    stage: Stage, policies: Policies, faults: Faults
) -> None:
    draft(policies)
    faults.meanwhile("PutItem", lambda: activate(policies, 1))
    with pytest.raises(PolicyRefused, match="routing works by"):
        policies.retire(1, "cleo", LATER)
    assert statuses(policies) == {1: "ACTIVE"}


def test_a_retirement_that_is_sent_twice_is_one(stage: Stage, policies: Policies, faults: Faults) -> None:
    draft(policies)
    faults.meanwhile("PutItem", lambda: policies.retire(1, "ben", LATER))
    assert policies.retire(1, "cleo", LATER).retired_by == "ben"
    assert policies.read(1).revision == 2


@pytest.mark.parametrize("ask", ["read", "candidate"])
def test_a_version_that_never_was_is_not_found(stage: Stage, policies: Policies, ask: str) -> None:
    with pytest.raises(NotFound):
        getattr(policies, ask)(9)


def test_a_candidate_is_compared_with_what_routing_works_by(stage: Stage, policies: Policies) -> None:
    draft(policies)
    assert policies.candidate(1).routing_works_by == RoutingPolicy()
    activate(policies, 1)
    draft(policies, THREE_PARCELS)
    seen: Candidate = policies.candidate(2)
    assert (seen.live, seen.routing_works_by) == (None, replace(POLICY, version=1))


def test_the_list_goes_on_where_a_page_of_the_table_ends(stage: Stage, policies: Policies) -> None:
    """DynamoDB cuts pages at 1 MB."""
    large = replace(POLICY, constraints=Constraints(segments=(Segment(name="all", channels=LONG_NAMES),)))
    for _ in range(9):
        draft(policies, large)
    assert [one.version for one in policies.newest()] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert [one.version for one in policies.newest(3)] == [9, 8, 7]


def test_other_settings_are_none_of_the_versions(stage: Stage, policies: Policies) -> None:
    stage.put("settings", {}, kind="routing_policy_notes", name="000007")
    assert policies.newest() == []
    assert draft(policies).version == 1
