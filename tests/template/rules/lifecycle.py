"""Rules about the state machine: every task bounded, every outcome caught, every error name known."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from oms.domain import errors
from tests.template.expanded import Template, of_type, properties
from tests.template.registry import adds, removes, rule, sets

YEAR_SECONDS = 365 * 24 * 3600
"""An execution lives a year at most."""

SERVICE_PREFIXES = ("States.", "Lambda.", "SQS.")


def definition(template: Template) -> dict[str, Any]:
    """The state machine's definition."""
    found: dict[str, Any] = template["Resources"]["OrderLifecycle"]["Definition"]
    return found


def tasks(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and body of every Task."""
    for name, state in definition(template)["States"].items():
        if state["Type"] == "Task":
            yield name, state


def caught(state: dict[str, Any]) -> list[str]:
    """Error names that a state catches, in order."""
    return [name for catcher in state.get("Catch", []) for name in catcher["ErrorEquals"]]


@rule(
    "Every task has a time-out",
    removes("OrderLifecycle", "/Definition.States.Allocate.TimeoutSeconds"),
    sets("OrderLifecycle", "/Definition.States.Deliver.TimeoutSeconds", 99999999),
)
def tasks_have_timeouts(template: Template) -> list[str]:
    """A token that is never answered would keep the execution for a year."""
    return [
        f"{name} can wait for ever"
        for name, state in tasks(template)
        if not 0 < state.get("TimeoutSeconds", YEAR_SECONDS) < YEAR_SECONDS
    ]


@rule(
    "Every task is tried again when a service fails, a bounded number of times",
    removes("OrderLifecycle", "/Definition.States.Fulfill.Retry"),
    sets("OrderLifecycle", "/Definition.States.Review.Retry.0.MaxAttempts", 1000),
    sets("OrderLifecycle", "/Definition.States.Allocate.Retry.0.ErrorEquals", ["States.ALL"]),
)
def tasks_are_retried(template: Template) -> list[str]:
    """Only what can pass by itself: a Cancelled or OutOfStock would be the same the next time."""
    wrong = []
    for name, state in tasks(template):
        retriers = state.get("Retry", [])
        if not retriers:
            wrong.append(f"{name} is not tried again")
        for retrier in retriers:
            if not 0 < retrier.get("MaxAttempts", 99) <= 10:
                wrong.append(f"{name} is tried without end")
            permanent = [n for n in retrier["ErrorEquals"] if "." not in n and not _is_retryable(n)]
            if permanent or "States.ALL" in retrier["ErrorEquals"]:
                wrong.append(f"{name} repeats what will not pass")
    return wrong


def _is_retryable(name: str) -> bool:
    found = getattr(errors, name, None)
    return inspect.isclass(found) and issubclass(found, errors.Retryable)


@rule(
    "Every task ends on Cancelled, and goes to review on a time-out or anything unforeseen",
    removes("OrderLifecycle", "/Definition.States.Deliver.Catch.0"),
    sets("OrderLifecycle", "/Definition.States.Allocate.Catch.2.Next", "Review"),
    sets("OrderLifecycle", "/Definition.States.Fulfill.Catch.2.Next", "Ended"),
    removes("OrderLifecycle", "/Definition.States.Review.Catch.2"),
)
def outcomes_are_caught(template: Template) -> list[str]:
    """States.ALL does not stand for time-outs of the machine itself, and must come last."""
    wanted = {"Cancelled": "Ended", "States.Timeout": "Review", "States.ALL": "Review"}
    wrong = []
    for name, state in tasks(template):
        targets = {error: c["Next"] for c in state.get("Catch", []) for error in c["ErrorEquals"]}
        wrong += [
            f"{name}: {error} leads to {targets.get(error)}" for error in wanted if targets.get(error) != wanted[error]
        ]
        if caught(state)[-1:] != ["States.ALL"]:
            wrong.append(f"{name} does not end with States.ALL")
    return wrong


@rule(
    "Every error name of ours is a class of domain errors",
    sets("OrderLifecycle", "/Definition.States.Allocate.Catch.0.ErrorEquals", ["SoldOut"]),
    sets("OrderLifecycle", "/Definition.States.Fulfill.Retry.0.ErrorEquals", ["WriteClash"]),
)
def error_names_are_classes(template: Template) -> list[str]:
    """The class's name is sent with SendTaskFailure; a name that no class has can never be caught."""
    wrong = []
    for name, state in tasks(template):
        retried = [error for retrier in state.get("Retry", []) for error in retrier["ErrorEquals"]]
        for error in caught(state) + retried:
            if not error.startswith(SERVICE_PREFIXES) and not inspect.isclass(getattr(errors, error, None)):
                wrong.append(f"{name} names {error}, which no class has")
    return wrong


@rule(
    "Every state leads to a state, and every state can be reached",
    sets("OrderLifecycle", "/Definition.States.Allocate.Next", "Nowhere"),
    adds("OrderLifecycle", "/Definition.States.Forgotten", {"Type": "Succeed"}),
)
def states_are_connected(template: Template) -> list[str]:
    """A state that nothing leads to is a mistake in a name."""
    states = definition(template)["States"]
    edges = {name: _next_states(state) for name, state in states.items()}
    reached, todo = set(), [definition(template)["StartAt"]]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += edges.get(name, [])
    return [f"{name} is no state" for name in reached - states.keys()] + [
        f"{name} cannot be reached" for name in states.keys() - reached
    ]


def _next_states(state: dict[str, Any]) -> list[str]:
    steps = [state, *state.get("Catch", []), *state.get("Choices", [])]
    targets = [step["Next"] for step in steps if "Next" in step]
    return targets + ([state["Default"]] if "Default" in state else [])


@rule(
    "The state machine logs failures without inputs and outputs, and is traced",
    sets("OrderLifecycle", "LoggingConfiguration.IncludeExecutionData", True),
    sets("OrderLifecycle", "LoggingConfiguration.Level", "OFF"),
    removes("OrderLifecycle", "TracingConfiguration"),
    sets("OrderLifecycle", "StateMachineType", "EXPRESS"),
)
def machine_is_observed(template: Template) -> list[str]:
    """Inputs hold task tokens: who has one can answer for the order. Express machines cannot wait."""
    wrong = []
    for name, machine in of_type(template, "AWS::StepFunctions::StateMachine").items():
        logging = machine["Properties"].get("LoggingConfiguration", {})
        if logging.get("IncludeExecutionData") is not False:
            wrong.append(f"{name} logs inputs and outputs")
        if logging.get("Level") != "ERROR" or not logging.get("Destinations"):
            wrong.append(f"{name} does not log failures")
        if not machine["Properties"].get("TracingConfiguration", {}).get("Enabled"):
            wrong.append(f"{name} is not traced")
        if machine["Properties"].get("StateMachineType") != "STANDARD":
            wrong.append(f"{name} cannot wait")
    return wrong


@rule(
    "The state machine knows the queue it asks and the function it calls",
    sets(
        "OrderLifecycle",
        "DefinitionSubstitutions.AllocationQueueUrl",
        "https://sqs.us-east-1.amazonaws.com/1/other",
    ),
    removes("OrderLifecycle", "DefinitionSubstitutions.TaskAwaitFunctionArn"),
)
def substitutions_are_right(template: Template) -> list[str]:
    """A placeholder that is not replaced fails only when an order comes."""
    found = properties(template, "OrderLifecycle")["DefinitionSubstitutions"]
    wrong = []
    if not found.get("AllocationQueueUrl", "").endswith(properties(template, "AllocationQueue")["QueueName"]):
        wrong.append("the state machine asks another queue")
    if not found.get("TaskAwaitFunctionArn", "").endswith(properties(template, "TaskAwaitFunction")["FunctionName"]):
        wrong.append("the state machine calls another function")
    return wrong
