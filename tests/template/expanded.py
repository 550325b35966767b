"""The template as CloudFormation will see it: expanded by the SAM translator, references resolved.

Everything happens in process and offline. References become the strings they will be (names, ARNs, URLs),
with a made-up account, so that a rule compares plain data and a test can compare ARNs with recorded calls.
"""

from __future__ import annotations

import copy
import functools
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

from tests.template.references import References

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT_ID = "111122223333"
REGION = "us-east-1"
ASL_PATH = ROOT / "functions/order_lifecycle/order_lifecycle.asl.json"

Template = dict[str, Any]
Resource = dict[str, Any]


class BundledPolicies:
    """The managed policies that SAM adds by itself; it asks for others by their names, which we never use."""

    def load(self) -> dict[str, str]:
        """Name to ARN of what this template uses beyond SAM's own list: nothing."""
        return {}


@functools.cache
def _expand_once(stage: str, account_id: str, region: str, jwt_issuer: str) -> Template:
    template = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    _replace_local_paths(template)
    parameters = {name: spec.get("Default", "") for name, spec in template["Parameters"].items()}
    parameters |= {"Stage": stage, "JwtIssuer": jwt_issuer}
    with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": region}):
        expanded = transform(copy.deepcopy(template), dict(parameters), BundledPolicies())
    plain: Template = json.loads(json.dumps(expanded))
    return References(plain, parameters, account_id, region).resolve()


def expand(stage: str = "prod", account_id: str = ACCOUNT_ID, region: str = REGION, jwt_issuer: str = "") -> Template:
    """A fresh copy of the expanded and resolved template of a stage.

    The state machine's resource also carries its definition, read from its file, under `Definition`.
    """
    template = copy.deepcopy(_expand_once(stage, account_id, region, jwt_issuer))
    for machine in of_type(template, "AWS::StepFunctions::StateMachine").values():
        machine["Definition"] = json.loads(ASL_PATH.read_text("utf-8"))
    return template


def _replace_local_paths(template: Template) -> None:
    """SAM expands only what is already in S3; the address does not matter here."""
    keys = {
        "AWS::Serverless::Function": "CodeUri",
        "AWS::Serverless::LayerVersion": "ContentUri",
        "AWS::Serverless::StateMachine": "DefinitionUri",
    }
    for resource in template["Resources"].values():
        key = keys.get(resource["Type"])
        if key:
            path = resource["Properties"][key]
            resource["Properties"][key] = f"s3://packages/{path}"


def stage_of(template: Template) -> str:
    """The stage that the template was expanded for, as its names say."""
    return str(properties(template, "OrdersTable")["TableName"]).split("-")[1]


def of_type(template: Template, kind: str) -> dict[str, Resource]:
    """Logical id to resource, of one CloudFormation type."""
    return {name: res for name, res in template["Resources"].items() if res["Type"] == kind}


def properties(template: Template, logical_id: str) -> dict[str, Any]:
    """The properties of one resource. Raises KeyError where there is none."""
    found: dict[str, Any] = template["Resources"][logical_id]["Properties"]
    return found


def as_list(value: Any) -> list[Any]:
    """IAM and CloudFormation write one thing without its list."""
    return value if isinstance(value, list) else [value]


def functions(template: Template) -> dict[str, Resource]:
    """Logical id to Lambda function."""
    return of_type(template, "AWS::Lambda::Function")


def mappings(template: Template) -> dict[str, Resource]:
    """Logical id to event source mapping, of queues and streams."""
    return of_type(template, "AWS::Lambda::EventSourceMapping")


def queue_mappings(template: Template) -> dict[str, Resource]:
    """Mappings that poll a queue."""
    return {k: m for k, m in mappings(template).items() if ":sqs:" in m["Properties"]["EventSourceArn"]}


def stream_mappings(template: Template) -> dict[str, Resource]:
    """Mappings that read a table's stream."""
    return {k: m for k, m in mappings(template).items() if "/stream/" in m["Properties"]["EventSourceArn"]}


def queue_by_arn(template: Template, arn: str) -> Resource:
    """The queue with this ARN. Raises KeyError where there is none."""
    for queue in of_type(template, "AWS::SQS::Queue").values():
        if arn.endswith(":" + queue["Properties"]["QueueName"]):
            return queue
    raise KeyError(f"no queue {arn}")


def function_by_name(template: Template, name: str) -> Resource:
    """The function with this physical name. Raises KeyError where there is none."""
    for function in functions(template).values():
        if function["Properties"]["FunctionName"] == name:
            return function
    raise KeyError(f"no function {name}")


def role_of(template: Template, holder: Resource) -> Resource:
    """The role of a function or state machine. Raises KeyError where it has none of its own."""
    properties_ = holder["Properties"]
    arn = properties_.get("Role") or properties_["RoleArn"]
    role: Resource = template["Resources"][arn.rsplit("/", 1)[1]]
    return role


def statements(role: Resource) -> list[dict[str, Any]]:
    """All statements of a role's own policies."""
    return [
        statement
        for policy in role["Properties"].get("Policies", [])
        for statement in as_list(policy["PolicyDocument"]["Statement"])
    ]


def granted(role: Resource) -> list[tuple[str, str, dict[str, Any]]]:
    """What a role's own policies allow: (action, resource pattern, condition), one row per pair.

    Managed policies (logs, X-Ray, pollers) are not in it.
    """
    return [
        (action, resource, statement.get("Condition", {}))
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]
