"""The template keeps every rule, and every rule refuses the templates that break it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from oms.domain.events import EventType
from oms.domain.publication import SOURCE
from tests.template.expanded import expand, of_type, properties
from tests.template.registry import RULES, Breaker, Rule
from tests.template.rules import access, alarms, api, functions, keys, lifecycle, queues, streams, tables

FAMILIES = (access, alarms, api, functions, keys, lifecycle, queues, streams, tables)

KEPT = [pytest.param(rule, stage, id=f"{stage}: {rule.sentence}") for rule in RULES for stage in sorted(rule.stages)]
BROKEN = [
    pytest.param(rule, breaker, id=f"{rule.check.__name__}: {breaker.name}"[:160])
    for rule in RULES
    for breaker in rule.breakers
]


@pytest.mark.parametrize(("rule", "stage"), KEPT)
def test_the_template_keeps_the_rule(rule: Rule, stage: str) -> None:
    assert rule.check(expand(stage)) == []


@pytest.mark.parametrize(("rule", "breaker"), BROKEN)
def test_a_broken_template_is_refused(rule: Rule, breaker: Breaker) -> None:
    stage = "prod" if "prod" in rule.stages else "dev"
    template = expand(stage)
    broken = copy.deepcopy(template)
    breaker.apply(broken)
    assert broken != template, "the breaker changes nothing"
    assert set(rule.check(broken)) - set(rule.check(template)), "the rule does not see what is broken"


def test_every_family_of_rules_is_registered() -> None:
    for family in FAMILIES:
        assert any(rule.check.__module__ == family.__name__ for rule in RULES)


def test_another_identity_provider_replaces_the_user_pool() -> None:
    template = expand("prod", jwt_issuer="https://login.example.com/")
    assert of_type(template, "AWS::Cognito::UserPool") == {}
    assert of_type(template, "AWS::Cognito::UserPoolClient") == {}
    schemes: dict[str, Any] = properties(template, "HttpApi")["Body"]["components"]["securitySchemes"]
    configuration = schemes["Jwt"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    assert configuration["issuer"] == "https://login.example.com/"


def test_the_own_user_pool_accepts_exactly_its_clients() -> None:
    template = expand("prod")
    schemes: dict[str, Any] = properties(template, "HttpApi")["Body"]["components"]["securitySchemes"]
    configuration = schemes["Jwt"]["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    assert configuration["issuer"] == "https://cognito-idp.us-east-1.amazonaws.com/UserPool"
    assert set(configuration["audience"]) == set(of_type(template, "AWS::Cognito::UserPoolClient"))


def test_production_has_no_copy_of_events_that_nobody_reads() -> None:
    assert "EventCopyQueue" in of_type(expand("dev"), "AWS::SQS::Queue")
    assert "EventCopyQueue" not in of_type(expand("prod"), "AWS::SQS::Queue")


def test_the_copy_rule_takes_every_event_of_orders() -> None:
    rule = properties(expand("dev"), "EventCopyRule")
    assert rule["EventBusName"] == "oms-dev"
    assert rule["EventPattern"] == {"source": [{"prefix": "oms."}]}


def test_the_projection_hears_only_of_events_there_are() -> None:
    rule = properties(expand("dev"), "ProjectionRule")
    assert rule["EventBusName"] == "oms-dev"
    assert rule["EventPattern"]["source"] == [SOURCE]
    assert set(rule["EventPattern"]["detail-type"]) < {one.value for one in EventType}
