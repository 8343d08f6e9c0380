"""Policy variables in resources and conditions have the values of the request."""

from __future__ import annotations

import json
from typing import Any

from hello_queue.aws.errors import is_denied
from tests.conftest import Aws

CONDITION = {"StringEquals": {"aws:RequestTag/owner": "${aws:username}"}}


def statement(resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:*", "Resource": f"arn:aws:sqs:*:*:{resource}", **more}


def test_policy_variables(aws: Aws) -> None:
    iam, name = aws.client("iam"), {"UserName": "vera"}
    iam.create_user(**name)
    made = iam.create_access_key(**name)["AccessKey"]
    sqs = aws.client("sqs", (made["AccessKeyId"], made["SecretAccessKey"]))

    def may_create(queue: str, *statements: dict[str, Any], **options: Any) -> bool:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(**name, PolicyName="p", PolicyDocument=policy)
        try:
            url = sqs.create_queue(QueueName=queue, **options)["QueueUrl"]
        except sqs.exceptions.ClientError as error:
            if is_denied(error):
                return False
            raise
        aws.client("sqs").delete_queue(QueueUrl=url)
        return True

    own = statement("${aws:username}-*")
    assert may_create("vera-1", own)
    assert not may_create("adam-1", own)
    team = "${aws:PrincipalTag/team}-*"
    assert not may_create("red-1", statement(team))
    assert may_create("all-1", statement("${aws:PrincipalTag/team, 'all'}-*"))
    iam.tag_user(**name, Tags=[{"Key": "team", "Value": "red"}])
    assert may_create("red-1", statement(team))
    assert may_create("any-1", statement("*", Condition=CONDITION), tags={"owner": "vera"})
    assert not may_create("any-2", statement("*", Condition=CONDITION), tags={"owner": "adam"})
    iam.delete_user_policy(**name, PolicyName="p")
    iam.delete_access_key(**name, AccessKeyId=made["AccessKeyId"])
    iam.delete_user(**name)
