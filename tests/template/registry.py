"""The rules that the template must keep, each with broken templates that it refuses.

A rule is a function from an expanded template to its violations, sentences that name the resource. A
breaker changes a copy of the template so that the rule must refuse it; it raises an error when what it
breaks is gone, so that no breaker outlives its subject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.template.expanded import Template, properties

Check = Callable[[Template], list[str]]

ALL_STAGES = ("local", "dev", "prod")


@dataclass(frozen=True, slots=True)
class Breaker:
    """One way to break a template, in place."""

    name: str
    apply: Callable[[Template], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence about the template, its check, and what must make the check fail."""

    sentence: str
    check: Check
    breakers: tuple[Breaker, ...]
    stages: tuple[str, ...]


RULES: list[Rule] = []


def rule(sentence: str, *breakers: Breaker, stages: tuple[str, ...] = ALL_STAGES) -> Callable[[Check], Check]:
    """Register a check under a sentence a person would say. Raises ValueError without a breaker."""
    if not breakers:
        raise ValueError(f"nothing shows that the rule bites: {sentence}")

    def register(check: Check) -> Check:
        RULES.append(Rule(sentence, check, breakers, stages))
        return check

    return register


def sets(logical_id: str, path: str, value: Any) -> Breaker:
    """Set a property: path parts are separated by dots, numbers are list positions."""

    def apply(template: Template) -> None:
        holder, key = _find(template, logical_id, path)
        if isinstance(holder, dict) and key not in holder:
            raise KeyError(f"{logical_id} has no {path}")
        holder[key] = value

    return Breaker(f"{logical_id} {path} = {value}", apply)


def adds(logical_id: str, path: str, value: Any) -> Breaker:
    """Set a property that is not there yet."""

    def apply(template: Template) -> None:
        holder, key = _find(template, logical_id, path)
        if key in holder:
            raise KeyError(f"{logical_id} already has {path}")
        holder[key] = value

    return Breaker(f"{logical_id} with {path}", apply)


def removes(logical_id: str, path: str = "") -> Breaker:
    """Remove a property, or the whole resource."""

    def apply(template: Template) -> None:
        if path:
            holder, key = _find(template, logical_id, path)
            del holder[key]
        else:
            del template["Resources"][logical_id]

    return Breaker(f"no {logical_id} {path}".strip(), apply)


def grants(role: str, action: str | list[str], resource: str, condition: dict[str, Any] | None = None) -> Breaker:
    """Give a role one more statement."""

    def apply(template: Template) -> None:
        statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
        if condition is not None:
            statement["Condition"] = condition
        properties(template, role)["Policies"][-1]["PolicyDocument"]["Statement"].append(statement)

    return Breaker(f"{role} may {action} on {resource}", apply)


def revokes(role: str, sid: str) -> Breaker:
    """Take a statement from a role."""

    def apply(template: Template) -> None:
        for policy in properties(template, role)["Policies"]:
            kept = [s for s in policy["PolicyDocument"]["Statement"] if s.get("Sid") != sid]
            if len(kept) < len(policy["PolicyDocument"]["Statement"]):
                policy["PolicyDocument"]["Statement"] = kept
                return
        raise KeyError(f"{role} has no statement {sid}")

    return Breaker(f"{role} without {sid}", apply)


def _find(template: Template, logical_id: str, path: str) -> tuple[Any, Any]:
    """The holder of the last part of a path, and its key.

    A path that starts with `/` begins at the resource, others at its properties.
    """
    resource = template["Resources"][logical_id]
    holder: Any = resource if path.startswith("/") else resource["Properties"]
    *parents, last = path.removeprefix("/").split(".")
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    return holder, int(last) if isinstance(holder, list) else last
