"""A witness, replayed in the local AWS's own evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from hello_queue.review.rights.decision import Request

ARN, ACCOUNT, REGION, ADDRESS = "arn:aws:iam::000000000000:user/ada", "000000000000", "us-east-1", "203.0.113.7"
_ALWAYS = ("aws:sourceip", "aws:principalarn", "aws:principalaccount", "aws:requestedregion")
_ITS_OWN = ("aws:currenttime", "aws:epochtime", "aws:resourceaccount", "s3:resourceaccount", "aws:principaltype")


def obstacle(request: Request) -> str:
    """Why the evaluator cannot take a request; empty if it can."""
    if request.unknown:
        return "an unknown operator, or what is decided at deploy time"
    for key, value in request.context.items():
        if key.lower() in _ITS_OWN:
            return f"{key} is the evaluator's own"
        if key.lower() in _ALWAYS and value is None:
            return f"the evaluator always has {key}"
    return ""


def replayed(document: Mapping[str, Any], request: Request) -> str:
    """What the evaluator decides: Allow, Deny or ImplicitDeny."""
    values = {key.lower(): value for key, value in request.context.items() if value is not None}
    (address,) = values.pop("aws:sourceip", (ADDRESS,))
    (secure,) = values.pop("aws:securetransport", ("true",))
    (arn,) = values.pop("aws:principalarn", (ARN,))
    (account,) = values.pop("aws:principalaccount", (ACCOUNT,))
    (region,) = values.pop("aws:requestedregion", (REGION,))
    context = EvalContext(
        principal_arn=arn,
        principal_type="User",
        principal_account=account,
        action=request.action,
        resource_arn=request.resource,
        region=region,
        source_ip=address,
        secure_transport=secure == "true",
        service_context={key: value[0] if len(value) == 1 else list(value) for key, value in values.items()},
    )
    return str(evaluate(context, [parse_policy_document(dict(document))]).decision)
