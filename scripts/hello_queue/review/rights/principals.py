"""Principals of policies: the names by which policies call them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re

OWN_ACCOUNT = "${AWS::AccountId}"
"""The id of the account of a deployment."""

_ACCOUNT = re.compile(r"(?:arn:(?:[\w-]+|\$\{AWS::Partition\}):iam::)?(\d{12}|\$\{AWS::AccountId\})(?::root)?")


def account_of(name: str) -> str | None:
    """The id of an account, which policies name by that or by its root user's ARN; None if it is no account."""
    found = _ACCOUNT.fullmatch(name)
    return found[1] if found else None
