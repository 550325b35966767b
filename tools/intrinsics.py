"""Resolving the intrinsic functions of a CloudFormation template against a deployed local stack."""

from __future__ import annotations

import re
from typing import Any

ACCOUNT = "000000000000"
REGION = "us-east-1"
PLACEHOLDER = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^}]+)\}")


class Resolver:
    """Resolves Ref, Fn::Sub, Fn::If, Fn::Join, Fn::GetAtt (Arn) with what the stack really made.

    resources: logical id to (type, physical id). Raises LookupError for a name it does not know, so that an
    unsupported construct in the template is seen at once.
    """

    def __init__(
        self, template: dict[str, Any], parameters: dict[str, str], resources: dict[str, tuple[str, str]]
    ) -> None:
        self._conditions: dict[str, Any] = template.get("Conditions", {})
        self._resources = resources
        self._names = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": "oms-local",
            "AWS::URLSuffix": "amazonaws.com",
            **parameters,
        }

    def resolve(self, value: Any) -> Any:
        """The value with every intrinsic function in it replaced."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), *_ = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._apply(function, argument)
        return {key: self.resolve(item) for key, item in value.items()}

    def _apply(self, function: str, argument: Any) -> Any:
        if function == "Ref":
            return self._reference(argument)
        if function == "Fn::Sub":
            return self._substitute(argument)
        if function == "Fn::If":
            name, yes, no = argument
            return self.resolve(yes if self._holds(self._conditions[name]) else no)
        if function == "Fn::Join":
            return argument[0].join(self.resolve(argument[1]))
        if function == "Fn::GetAtt":
            return self._attribute(*(argument if isinstance(argument, list) else argument.split(".", 1)))
        raise LookupError(f"{function} is not supported in the body of an HTTP API")

    def _holds(self, condition: Any) -> bool:
        (function, argument), *_ = condition.items()
        if function == "Condition":
            return self._holds(self._conditions[argument])
        if function == "Fn::Equals":
            return bool(self.resolve(argument[0]) == self.resolve(argument[1]))
        if function == "Fn::Not":
            return not self._holds(argument[0])
        if function == "Fn::And":
            return all(self._holds(item) for item in argument)
        if function == "Fn::Or":
            return any(self._holds(item) for item in argument)
        raise LookupError(f"{function} is not a condition function")

    def _reference(self, name: str) -> str:
        if name in self._names:
            return self._names[name]
        if name in self._resources:
            return self._resources[name][1]
        raise LookupError(f"the template names {name}, which the stack does not have")

    def _substitute(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def replace(found: re.Match[str]) -> str:
            name = found["name"]
            if found["literal"]:
                return f"${{{name}}}"
            if name in own:
                return str(self.resolve(own[name]))
            logical, _, attribute = name.partition(".")
            return self._attribute(logical, attribute) if attribute else self._reference(name)

        return PLACEHOLDER.sub(replace, text)

    def _attribute(self, logical: str, attribute: str) -> str:
        kind, physical = self._resources[logical]
        if kind == "AWS::Lambda::Function" and attribute == "Arn":
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{physical}"
        if kind == "AWS::Cognito::UserPool" and attribute == "ProviderURL":
            return f"https://cognito-idp.{REGION}.amazonaws.com/{physical}"
        raise LookupError(f"{logical}.{attribute} is not supported in the body of an HTTP API")
