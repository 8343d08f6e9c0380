"""Acknowledging a cdk-nag finding: exactly one, beside the construct it is about, with the reason."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Acknowledge one finding of AwsSolutionsChecks on one construct.

    Args:
        finding: as cdk-nag prints it, including the part in brackets: ``AwsSolutions-IAM4[Policy::…]``.
        reason: what a security reviewer needs to know to agree. It ends up in cdk.out/validation-report.json.
    """
    # Without the prefix, cdk-nag suppresses the finding but leaves it out of the validation report.
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason))
