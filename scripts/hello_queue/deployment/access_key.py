"""The user's access key, which the identity stack stores in Secrets Manager."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import error_code
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

SETTLING_SECONDS = 30
"""How long it may take until a new key works in all of AWS."""


def access_key_secret(identity: DeployedStack) -> str:
    """The ARN of the secret that stores the access key.

    Raises:
        HelloQueueError: the deployment has no access key.
    """
    try:
        return identity.outputs["AccessKeySecretArn"]
    except KeyError:
        raise HelloQueueError(
            f"{identity.name} has no access key: it was deployed with access_key=0. Deploy with `-c access_key=1`"
        ) from None


def read_access_key(secretsmanager: SecretsManagerClient, secret_id: str) -> AccessKey:
    """Read the access key with the caller's own right to read the secret.

    Raises:
        HelloQueueError: the secret does not exist, or stores something else.
        botocore.exceptions.ClientError: any other error, such as a missing right.
    """
    try:
        text = secretsmanager.get_secret_value(SecretId=secret_id).get("SecretString", "")
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise HelloQueueError(
            f"there is no secret {secret_id} in {secretsmanager.meta.region_name}: check --secret, the deployment and "
            "the region"
        ) from None
    try:
        content = json.loads(text)
        return AccessKey(content["AccessKeyId"], content["SecretAccessKey"])
    except (ValueError, TypeError, KeyError):
        # Not chained: json's error could quote the secret.
        raise HelloQueueError(
            f"the secret {secret_id} is not an access key (JSON with AccessKeyId and SecretAccessKey): check --secret, "
            "or restore it with `npx cdk deploy --revert-drift`"
        ) from None


def owner_of(key: AccessKey) -> str:
    """Check that the key works. Returns the ARN of its user. Waits for a new key to work.

    Raises:
        botocore.exceptions.ClientError: the key does not work.
    """
    until = time.monotonic() + SETTLING_SECONDS
    while True:
        try:
            return client("sts", key=key).get_caller_identity()["Arn"]
        except ClientError as error:
            if error_code(error) != "InvalidClientTokenId" or time.monotonic() > until:
                raise
            time.sleep(1)  # no event tells when a new key works in all of AWS


def user_name(arn: str) -> str:
    """The user's name in its ARN."""
    return arn.rpartition("/")[2]
