"""Bootstrap the local AWS as `cdk bootstrap` does, with the CDK CLI's own template but ten seconds faster.

Run as a separate process, because the environment decides which AWS it calls:
``python -m hello_queue.local_aws.bootstrap TEMPLATE``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3


def main(template: str) -> None:
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName="CDKToolkit",
        TemplateBody=Path(template).read_text(),
        Parameters=[
            {"ParameterKey": "FileAssetsBucketKmsKeyId", "ParameterValue": "AWS_MANAGED_KEY"},
            {
                "ParameterKey": "CloudFormationExecutionPolicies",
                "ParameterValue": "arn:aws:iam::aws:policy/AdministratorAccess",
            },
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    waiting: Any = {"Delay": 0.1, "MaxAttempts": 300}  # boto3 accepts fractions of a second
    cloudformation.get_waiter("stack_create_complete").wait(StackName="CDKToolkit", WaiterConfig=waiting)


if __name__ == "__main__":
    main(*sys.argv[1:])
