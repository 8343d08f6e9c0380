"""How a cdk-nag finding is excused: exactly, beside what it excuses, with its reason."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Excuse one finding of AwsSolutionsChecks on one construct.

    Args:
        finding: as cdk-nag prints it, with what stands in brackets: ``AwsSolutions-IAM4[Policy::…]``.
        reason: what a security reviewer must know to agree. It is kept in cdk.out/validation-report.json.
    """
    # Without the prefix the finding would be silenced, but left out of the validation report.
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason))
