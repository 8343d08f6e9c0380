"""The access key of the deployment's user, as the identity stack put it into Secrets Manager."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from hello_queue.aws.clients import AccessKey, client
from hello_queue.aws.errors import error_code
from hello_queue.deployment.stacks import DeployedStack
from hello_queue.errors import HelloQueueError

SETTLING_SECONDS = 30
"""How long a new key may take to be known all over AWS."""


def secret_of(identity: DeployedStack) -> str:
    """The ARN of the secret that has the access key.

    Raises:
        HelloQueueError: the deployment has no access key.
    """
    try:
        return identity.outputs["AccessKeySecretArn"]
    except KeyError:
        raise HelloQueueError(
            f"{identity.name} has no access key: it was deployed with access_key=0. Deploy with `-c access_key=1`"
        ) from None


def read_access_key(secretsmanager: Any, secret_id: str) -> AccessKey:
    """Read the access key by the caller's own right to do so.

    Raises:
        HelloQueueError: there is no such secret, or there is something else in it.
        botocore.exceptions.ClientError: the right is missing, among others.
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
        # Not chained: what json says of the text could quote the secret.
        raise HelloQueueError(
            f"the secret {secret_id} is no access key: JSON with AccessKeyId and SecretAccessKey is expected"
        ) from None


def owner_of(key: AccessKey) -> str:
    """See that the key works. Returns the ARN of the user whose it is.

    Raises:
        botocore.exceptions.ClientError: it does not work, and would by now if it was new.
    """
    until = time.monotonic() + SETTLING_SECONDS
    while True:
        try:
            return str(client("sts", key=key).get_caller_identity()["Arn"])
        except ClientError as error:
            if error_code(error) != "InvalidClientTokenId" or time.monotonic() > until:
                raise
            time.sleep(1)  # nothing tells when a new key has reached every part of AWS
