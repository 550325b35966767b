"""Resolves CloudFormation's references to the strings they will be, for one stage, account and region."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Value = Any

NAME_PROPERTIES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Cognito::UserPoolDomain": "Domain",
    "AWS::Scheduler::Schedule": "Name",
}
"""Which property holds the physical name; resources of other types go by their logical id."""

ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????",
    "AWS::Events::EventBus": "arn:aws:events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
}

REF_IS_ARN = {"AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachine", "AWS::SNS::Topic"}


class References:
    """One expanded template and what its references stand for."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, str], account: str, region: str) -> None:
        self._template = template
        self._parameters = parameters
        self._pseudo = {
            "AWS::AccountId": account,
            "AWS::Region": region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": f"oms-{parameters['Stage']}",
        }
        self._functions: dict[str, Callable[[Any], Value]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Equals": lambda pair: self.value(pair[0]) == self.value(pair[1]),
            "Fn::Not": lambda one: not self.value(one[0]),
            "Condition": lambda name: self.value(self._template["Conditions"][name]),
        }

    def resolve(self) -> dict[str, Any]:
        """The template without what its conditions leave out, every reference a string."""
        kept = {}
        for name, resource in self._template["Resources"].items():
            if self._is_made(resource):
                plain = {key: self.value(part) for key, part in resource.items() if key != "Condition"}
                kept[name] = plain
        return {"Resources": kept, "Parameters": self._template["Parameters"]}

    def value(self, part: Value) -> Value:
        """This part of the template with every reference replaced."""
        if isinstance(part, list):
            values = [self.value(item) for item in part]
            return [item for item in values if item is not None]
        if not isinstance(part, dict):
            return part
        if len(part) == 1:
            ((key, argument),) = part.items()
            if key in self._functions and not (key == "Condition" and isinstance(argument, dict)):
                return self._functions[key](argument)
        values_by_key = {key: self.value(item) for key, item in part.items()}
        return {key: item for key, item in values_by_key.items() if item is not None}

    def _is_made(self, resource: dict[str, Any]) -> bool:
        return "Condition" not in resource or bool(self._functions["Condition"](resource["Condition"]))

    def _ref(self, name: str) -> Value:
        if name == "AWS::NoValue":
            return None
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        kind = self._template["Resources"][name]["Type"]
        if kind == "AWS::SQS::Queue":
            region, account = self._pseudo["AWS::Region"], self._pseudo["AWS::AccountId"]
            return f"https://sqs.{region}.amazonaws.com/{account}/{self._name(name)}"
        return self._arn(name) if kind in REF_IS_ARN else self._name(name)

    def _name(self, logical_id: str) -> str:
        resource = self._template["Resources"][logical_id]
        property_ = NAME_PROPERTIES.get(resource["Type"])
        return str(self.value(resource["Properties"][property_])) if property_ else logical_id

    def _arn(self, logical_id: str) -> str:
        pattern = ARNS[self._template["Resources"][logical_id]["Type"]]
        return pattern.format(
            region=self._ref("AWS::Region"), account=self._ref("AWS::AccountId"), name=self._name(logical_id)
        )

    def _get_att(self, argument: str | list[str]) -> str:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        if attribute == "Arn":
            return self._arn(logical_id)
        if attribute == "StreamArn":
            return self._arn(logical_id) + "/stream/label"
        if attribute in {"QueueName", "Name"}:
            return self._name(logical_id)
        return f"{logical_id}.{attribute}"

    def _sub(self, argument: str | list[Any]) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(self.value(given[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^!}]+)\}", replaced, text)

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(str(self.value(part)) for part in parts)

    def _if(self, argument: list[Any]) -> Value:
        condition, yes, no = argument
        return self.value(yes if self._functions["Condition"](condition) else no)
