"""Where a secret could be read by someone who should not. Literal secrets are masked already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hello_queue.review.assembly import Template, Templates
from hello_queue.review.findings import ABSENT, Finding
from hello_queue.review.masking import IS_MASKED
from hello_queue.review.naming import NO_VALUE, Names

_RESOLVED = r"\{\{resolve:(?!ssm:)"
"""A dynamic reference to a secret, or to a secure parameter."""

_SECRET_WORDS = ("password", "secret", "token", "privatekey")


def exposed_secrets(before: Templates, after: Templates) -> Iterator[Finding]:
    """Secrets that are new in places where they could be read."""
    old = {(stack, path, what) for stack, template in before.items() for path, what in _exposed(template)}
    for stack, template in after.items():
        for path, what in _exposed(template):
            if (stack, path, what) not in old:
                section, resource, prop = (*path, "", "")[0], (*path, "", "")[1], ".".join(path[2:])
                where = "/".join((stack, *path))
                yield Finding("exposed-secret", f"{what} is in {where}", stack, resource or section, prop, ABSENT, what)


def _exposed(template: Template) -> Iterator[tuple[tuple[str, ...], str]]:
    """Secrets in places where they do not belong: the path, and what it is."""
    resources, names = template.get("Resources", {}), Names(template)
    for path, value in _walk(template):
        home = resources.get(path[1], {}).get("Type") if len(path) > 1 and path[0] == "Resources" else None
        place = path[3] if len(path) > 3 and path[2] == "Properties" else ""
        at_home = (home, place) in (
            ("AWS::SecretsManager::Secret", "SecretString"),
            ("AWS::IAM::User", "LoginProfile"),
        )
        if isinstance(value, Mapping) and "Fn::GetAtt" in value and "SecretAccessKey" in str(value["Fn::GetAtt"]):
            if not at_home:
                yield path, "the secret of an access key"
        elif at_home and path[4:] == (("Password",) if place == "LoginProfile" else ()) and value != NO_VALUE:
            text = names.text(value)
            if not re.search(_RESOLVED, text) and ".SecretAccessKey}" not in text:
                yield path, "a literal secret"
        elif isinstance(value, (str, Mapping)) and not at_home and re.search(_RESOLVED, names.text(value)):
            if isinstance(value, str) or len(value) == 1:
                yield path, "a secret that CloudFormation resolves at deploy time"
        elif isinstance(value, str) and ".SecretAccessKey}" in value:
            yield path, "the secret of an access key"
        elif isinstance(value, str) and IS_MASKED.search(value):
            yield path, "a literal secret"
    parameters = template.get("Parameters", {})
    for name, parameter in parameters.items() if isinstance(parameters, Mapping) else ():
        if not isinstance(parameter, Mapping):
            continue
        named = any(word in name.lower() for word in _SECRET_WORDS)
        hidden = "Default" not in parameter or IS_MASKED.match(str(parameter["Default"]))
        if not hidden and (named or str(parameter.get("NoEcho")).lower() == "true"):
            yield ("Parameters", name, "Default"), "a default for a secret"
        elif named and str(parameter.get("NoEcho")).lower() != "true":
            yield ("Parameters", name, "NoEcho"), "a secret without NoEcho"


def _walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, value
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _walk(each, (*path, str(key)))
    elif isinstance(value, list):
        for each in value:
            # Without the index: an entry that moves within the list is not new.
            yield from _walk(each, path)
