"""What a routing policy may say, and the life of its versions."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.catalog import Location
from oms.domain.errors import InvalidMessage, PolicyRefused, TooLarge
from oms.domain.policy_versions import (
    Draft,
    PolicyStatus,
    PolicyVersion,
    Verdict,
    activated,
    discarded,
    drafted,
    edited,
    superseded,
)
from oms.domain.routing_policy import Constraints, Costs, Guards, Lateness, Relaxation, RoutingPolicy, Segment
from oms.domain.routing_policy_form import parse
from oms.domain.routing_policy_rules import BOUNDS, MAX_NAMED, MAX_SEGMENTS, MAX_VERSION, check, warnings

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SOUND = RoutingPolicy(version=1, currency="USD")
PASSED = Verdict(passed=True, violated=(), summary={"orders": 500}, backtested_at=NOW)
FAILED = Verdict(passed=False, violated=("max_split_percent",), summary={}, backtested_at=NOW)


def problems(policy: RoutingPolicy) -> dict[str, str]:
    return {one.field: one.reason for one in check(policy)}


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(InvalidMessage) as refused:
        parse(document)
    return {one["field"]: one["problem"] for one in refused.value.details["faults"]}


def with_segments(*segments: Segment) -> RoutingPolicy:
    return replace(SOUND, constraints=Constraints(segments=segments))


def with_costs(**costs: Any) -> RoutingPolicy:
    return replace(SOUND, costs=Costs(**costs))


def test_what_holds_where_no_policy_was_written_breaks_no_rule() -> None:
    assert check(RoutingPolicy()) == []


def test_a_policy_that_was_written_names_its_currency() -> None:
    assert list(problems(RoutingPolicy(version=1))) == ["currency"]


@pytest.mark.parametrize("currency", ["usd", "US", "EURO", "U$D", "US1"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    assert list(problems(replace(SOUND, currency=currency))) == ["currency"]


def with_number(path: str, value: float) -> RoutingPolicy:
    """A sound policy but for this one number."""
    *parts, name = path.split(".")
    if not parts:
        return replace(SOUND, **{name: value})
    part = getattr(SOUND, parts[0])
    return replace(SOUND, **{parts[0]: replace(part, **{name: value})})


@pytest.mark.parametrize(("path", "least", "most"), BOUNDS)
def test_every_number_has_a_least_and_a_most(path: str, least: int, most: int) -> None:
    assert check(with_number(path, most)) == []
    assert path == "version" or check(with_number(path, least)) == []
    assert problems(with_number(path, most + 1)) == {path: f"must be from {least} to {most}"}
    assert problems(with_number(path, least - 1)) == {path: f"must be from {least} to {most}"}


def test_every_number_of_a_policy_is_bounded() -> None:
    numbers = {
        f"{prefix}{name}"
        for prefix, part in (
            ("", SOUND),
            ("constraints.", SOUND.constraints),
            ("costs.", SOUND.costs),
            ("guards.", SOUND.guards),
        )
        for name, value in asdict(part).items()
        if isinstance(value, int | float | None)
    }
    assert numbers == {path for path, _, _ in BOUNDS}


def test_a_guard_that_is_no_number_at_all_is_refused() -> None:
    assert list(problems(with_number("guards.max_late_percent", float("nan")))) == ["guards.max_late_percent"]


def test_a_guard_may_be_left_open() -> None:
    unguarded = Guards(max_cost_increase_percent=None, max_unrouted_percent=None)
    assert check(replace(SOUND, guards=unguarded)) == []


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (with_costs(exchange_rates={"EUR": -1}), "costs.exchange_rates.EUR"),
        (with_costs(exchange_rates={"EUR": 0}), "costs.exchange_rates.EUR"),
        (with_costs(exchange_rates={"euro": 10_900}), "costs.exchange_rates.euro"),
        (with_costs(exchange_rates={"USD": 10_000}), "costs.exchange_rates.USD"),
        (with_costs(exchange_rates={f"{a}{b}X": 1 for a in "ABCDEFGHIJKLMNOP" for b in "ABCDEFGHIJKLMNOP"}),
         "costs.exchange_rates"),
        (with_costs(preferences_minor={"own": -50}), "costs.preferences_minor.own"),
        (with_costs(preferences_minor={" ": 50}), "costs.preferences_minor. "),
        (with_costs(preferences_minor={f"tag-{number}": 1 for number in range(251)}), "costs.preferences_minor"),
        (replace(SOUND, fallbacks=(Relaxation.ALLOW_LATE, Relaxation.ALLOW_LATE)), "fallbacks.1"),
        (replace(SOUND, time_zone="Amerika/Berlin"), "time_zone"),
        (with_segments(Segment(name="")), "constraints.segments.0.name"),
        (with_segments(Segment(name="x" * 65)), "constraints.segments.0.name"),
        (with_segments(Segment(name="a"), Segment(name="b"), Segment(name="a")), "constraints.segments.2.name"),
        (with_segments(Segment(name="a", only_tags=("own", "3pl"), never_tags=("3pl",))),
         "constraints.segments.0.never_tags"),
        (with_segments(Segment(name="a", countries=("US", "usa"))), "constraints.segments.0.countries.1"),
        (with_segments(Segment(name="a", channels=("shopify", "shopify"))), "constraints.segments.0.channels.1"),
        (with_segments(Segment(name="a", service_levels=("",))), "constraints.segments.0.service_levels.0"),
        (with_segments(*(Segment(name=f"s{number}") for number in range(MAX_SEGMENTS + 1))), "constraints.segments"),
        (with_segments(Segment(name="a", only_tags=tuple(f"t{number}" for number in range(MAX_NAMED + 1)))),
         "constraints.segments"),
    ],
)  # fmt: skip
def test_what_a_policy_must_not_say_is_told_by_its_field(policy: RoutingPolicy, field: str) -> None:
    assert list(problems(policy)) == [field]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = replace(SOUND, currency="", constraints=Constraints(max_parcels=11), cancel_after_hours=0)
    assert set(problems(wrong)) == {"currency", "constraints.max_parcels", "cancel_after_hours"}


def test_a_tag_that_no_location_has_and_a_currency_without_a_rate_are_worth_a_second_look() -> None:
    policy = replace(
        SOUND,
        constraints=Constraints(
            segments=(Segment(name="a", only_tags=("own",), never_tags=("abroad",)), Segment(name="b"))
        ),
        costs=Costs(preferences_minor={"own": 10, "third-party": 20}, exchange_rates={"CAD": 7_300}),
    )
    locations = [Location(location_id="WH-1", tags=("own",)), Location(location_id="WH-2")]
    cards: Any = [SimpleNamespace(currency=currency) for currency in ("USD", "CAD", "EUR", "EUR")]
    assert check(policy) == []
    assert [one.field for one in warnings(policy, locations, cards)] == [
        "constraints.segments.0.never_tags",
        "costs.preferences_minor.third-party",
        "constraints.segments.1",
        "costs.exchange_rates.EUR",
    ]


WRITTEN: dict[str, Any] = {
    "currency": "USD",
    "constraints": {
        "max_parcels": 3,
        "line_split": "NEVER",
        "lateness": "FORBIDDEN",
        "segments": [{"name": "food", "channels": ["shopify"], "only_tags": ["cold"]}],
    },
    "costs": {"late_day_minor": 900, "exchange_rates": {"EUR": 10_900}},
    "fallbacks": ["MORE_PARCELS"],
    "unroutable": "CANCEL",
    "guards": {"max_cost_increase_percent": None, "max_split_percent": 12.5, "max_late_percent": 3},
}


def test_a_policy_is_read_from_plain_json_and_what_it_leaves_out_is_as_usual() -> None:
    policy = parse(WRITTEN)
    assert policy.constraints.segments == (Segment(name="food", channels=("shopify",), only_tags=("cold",)),)
    assert policy.constraints.lateness is Lateness.FORBIDDEN
    assert policy.costs == Costs(late_day_minor=900, exchange_rates={"EUR": 10_900})
    assert policy.fallbacks == (Relaxation.MORE_PARCELS,)
    assert policy.guards == Guards(max_cost_increase_percent=None, max_split_percent=12.5, max_late_percent=3.0)
    assert policy.record_days == RoutingPolicy().record_days


def changed(path: str, value: Any) -> dict[str, Any]:
    """The written policy with this at the path."""
    document: dict[str, Any] = json.loads(json.dumps(WRITTEN))
    part: Any = document
    *parts, name = path.split(".")
    for one in parts:
        part = part[int(one)] if isinstance(part, list) else part[one]
    part[name] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("max_parcels", 3, "is not known here"),
        ("constraints.max_parcel", 3, "is not known here"),
        ("constraints.segments.0.only_tag", ["cold"], "is not known here"),
        ("constraints.max_parcels", "3", "must be a whole number"),
        ("constraints.max_parcels", 3.0, "must be a whole number"),
        ("constraints.max_parcels", True, "must be a whole number"),
        ("constraints.max_parcels", None, "must be a whole number"),
        ("constraints.line_split", "SOMETIMES", "must be one of NEVER, WHEN_SHORT, ALWAYS"),
        ("constraints.line_split", 1, "must be one of NEVER, WHEN_SHORT, ALWAYS"),
        ("constraints.segments", {"name": "food"}, "must be a list"),
        ("constraints.segments.0.channels", "shopify", "must be a list"),
        ("constraints.segments.0.name", 7, "must be text"),
        ("costs", [], "must be an object"),
        ("costs.exchange_rates", [["EUR", 1]], "must be an object"),
        ("costs.exchange_rates.EUR", "1.09", "must be a whole number"),
        ("fallbacks", ["EVERYTHING"], "must be one of ALLOW_LATE"),
        ("guards.max_split_percent", "12", "must be a number, or null"),
        ("guards.max_split_percent", False, "must be a number, or null"),
        ("guards.max_split_percent", 10**400, "must be a number, or null"),
        ("version", 3, "is given when the policy is drafted"),
    ],
)
def test_a_field_of_the_wrong_name_or_type_is_told_by_its_path(path: str, value: Any, told: str) -> None:
    ((field, problem),) = faults(changed(path, value)).items()
    assert field == (f"{path}.0" if path == "fallbacks" else path)
    assert told in problem


def test_what_a_segment_must_have_is_told_when_it_is_missing() -> None:
    assert faults(changed("constraints.segments", [{}])) == {"constraints.segments.0.name": "is missing"}


@pytest.mark.parametrize("document", [None, [], "USD", 3])
def test_a_policy_is_an_object(document: Any) -> None:
    assert faults(document) == {"document": "must be an object"}


def test_all_fields_that_do_not_fit_are_told_at_once() -> None:
    assert set(faults({"currency": 1, "cost": {}, "guards": {"max_late_percent": "x"}})) == {
        "currency",
        "cost",
        "guards.max_late_percent",
    }


NUMBERS = st.integers(0, 1_000)
NAMES = st.text("abcdefgh", min_size=1, max_size=6)
POLICIES = st.builds(
    RoutingPolicy,
    currency=st.sampled_from(["USD", "EUR"]),
    constraints=st.builds(
        Constraints,
        lateness=st.sampled_from(Lateness),
        segments=st.lists(st.builds(Segment, name=NAMES, channels=st.lists(NAMES).map(tuple))).map(tuple),
    ),
    costs=st.builds(Costs, late_day_minor=NUMBERS, preferences_minor=st.dictionaries(NAMES, NUMBERS)),
    fallbacks=st.lists(st.sampled_from(Relaxation)).map(tuple),
    guards=st.builds(Guards, max_split_percent=st.none() | st.floats(0, 100)),
)


@given(POLICIES)
def test_what_a_policy_says_in_json_is_read_back_as_it_was(policy: RoutingPolicy) -> None:
    document = json.loads(json.dumps(asdict(policy)))
    del document["version"]
    assert parse(document) == policy


JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WRITTEN, *WRITTEN["constraints"], "name", "EUR"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_whatever_is_sent_becomes_a_policy_or_is_refused_with_a_field(document: Any) -> None:
    try:
        policy = parse(document)
    except InvalidMessage as refused:
        assert all(one["field"] for one in refused.details["faults"])
    else:
        assert isinstance(policy, RoutingPolicy)
        check(policy)


def draft_of(policy: RoutingPolicy = SOUND, **more: Any) -> PolicyVersion:
    return drafted(Draft(policy=policy, author="ana", **more), 7, NOW)


def test_a_draft_knows_its_number_and_who_wrote_it_and_when() -> None:
    made = draft_of(note=" fewer parcels ", based_on=6)
    assert (made.version, made.document.version, made.revision, made.status) == (7, 7, 1, PolicyStatus.DRAFT)
    assert (made.author, made.note, made.created_at, made.based_on) == ("ana", "fewer parcels", NOW, 6)


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (Draft(policy=RoutingPolicy(), author="ana"), "currency"),
        (Draft(policy=SOUND, author=" "), "author"),
        (Draft(policy=SOUND, author="a" * 101), "author"),
        (Draft(policy=SOUND, author="ana", note="n" * 501), "note"),
    ],
)
def test_a_draft_that_breaks_a_rule_is_refused_by_its_field(draft: Draft, field: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        drafted(draft, 1, NOW)
    assert refused.value.field == field


def test_versions_have_an_end() -> None:
    with pytest.raises(TooLarge):
        drafted(Draft(policy=SOUND, author="ana"), MAX_VERSION + 1, NOW)


def test_an_edited_draft_is_the_next_revision_and_keeps_its_note_unless_another_is_given() -> None:
    known = draft_of(note="first thoughts")
    once = edited(known, replace(SOUND, currency="EUR"), None, "ben", LATER)
    assert (once.revision, once.document.currency, once.document.version) == (2, "EUR", 7)
    assert (once.note, once.author, once.edited_by, once.edited_at) == ("first thoughts", "ana", "ben", LATER)
    assert edited(once, SOUND, "second thoughts", "ben", LATER).note == "second thoughts"


def test_a_draft_that_passed_its_backtest_becomes_active() -> None:
    made = activated(draft_of(), PASSED, "ben", LATER)
    assert (made.status, made.revision, made.activated_by, made.activated_at) == (PolicyStatus.ACTIVE, 2, "ben", LATER)
    assert made.backtest == PASSED
    assert made.forced_by is made.forced_note is None


@pytest.mark.parametrize(("verdict", "named"), [(None, "run its backtest"), (FAILED, "max_split_percent")])
def test_without_a_passed_backtest_a_draft_is_refused_unless_somebody_says_why_not(
    verdict: Verdict | None, named: str
) -> None:
    with pytest.raises(PolicyRefused, match=named):
        activated(draft_of(), verdict, "ben", LATER)
    forced = activated(draft_of(), verdict, "ben", LATER, forced_note="the warehouse burns")
    assert (forced.status, forced.forced_by, forced.forced_note) == (PolicyStatus.ACTIVE, "ben", "the warehouse burns")
    assert forced.backtest == verdict


def test_forcing_wants_a_note() -> None:
    with pytest.raises(InvalidMessage):
        activated(draft_of(), FAILED, "ben", LATER, forced_note="  ")


def test_what_passed_was_not_forced_even_if_somebody_would_have() -> None:
    assert activated(draft_of(), PASSED, "ben", LATER, forced_note="hurry").forced_by is None


def test_a_draft_that_breaks_a_rule_by_now_is_not_activated() -> None:
    stale = replace(draft_of(), document=replace(SOUND, currency="dollars"))
    with pytest.raises(InvalidMessage):
        activated(stale, PASSED, "ben", LATER)


ACTIVE = activated(draft_of(), PASSED, "ben", LATER)
RETIRED = superseded(ACTIVE, "cleo", LATER)


def test_the_version_before_retires() -> None:
    assert (RETIRED.status, RETIRED.retired_by, RETIRED.retired_at) == (PolicyStatus.RETIRED, "cleo", LATER)
    assert RETIRED.document == ACTIVE.document
    assert RETIRED.activated_by == "ben"


def test_a_draft_nobody_wants_retires_and_the_active_version_does_not() -> None:
    assert discarded(draft_of(), "cleo", LATER).status is PolicyStatus.RETIRED
    with pytest.raises(PolicyRefused, match="another is activated"):
        discarded(ACTIVE, "cleo", LATER)


@pytest.mark.parametrize("known", [ACTIVE, RETIRED], ids=["active", "retired"])
def test_only_a_draft_can_change(known: PolicyVersion) -> None:
    with pytest.raises(PolicyRefused, match="draft a copy"):
        edited(known, SOUND, None, "ben", LATER)
    with pytest.raises(PolicyRefused, match="draft a copy"):
        activated(known, PASSED, "ben", LATER)
