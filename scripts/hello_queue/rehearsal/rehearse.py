"""The sequence of a rehearsal, in a local AWS where nothing is deployed yet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from hello_queue.aws.clients import AccessKey, client
from hello_queue.deployment.access_key import read_access_key
from hello_queue.errors import HelloQueueError
from hello_queue.rehearsal.account import Deployed, arn_of, deployed, existing, refusal, workers_paused
from hello_queue.rehearsal.clients import MESSAGES, Clients, fill, left_in
from hello_queue.rehearsal.predictions import MORE_RIGHTS, Predictions
from hello_queue.rehearsal.signed_calls import Right, allowed, rights_to_try
from hello_queue.rehearsal.trees import CdkRun, Tree
from hello_queue.rehearsal.witnesses import Answer, Witness, answers

_CALLS_AFTERWARDS = 15
"""How many calls each client makes after the change is deployed: about three seconds."""

_NOT_DEPLOYED: Answer = "the change does not deploy"

QUEUES = {"QueueUrl": "queue", "DeadLetterQueueUrl": "dead-letter queue"}
"""The outputs that name the queues, and what they are."""

_TRIED = {
    **dict.fromkeys(QUEUES, "AWS::SQS::Queue"),
    "UserName": "AWS::IAM::User",
    "AccessKeySecretArn": "AWS::SecretsManager::Secret",
}
"""The outputs that name the resources on which rights are tried, and their types."""


@dataclass
class Outcome:
    """What was seen.

    Attributes:
        begun: when the deployment of the change began, by `time.monotonic`.
        change: the deployment of the change.
        before, after: what was deployed before the change, and after it.
        left: by queue, how many of the messages are left in what is the queue then; None: there is no such queue.
        left_aside: the same for the queue from before, where it still exists but is no longer the deployment's.
        clients: the two clients, stopped.
        key_refusal: why the access key from before is refused, or None.
        new_key: whether the deployment has another access key than before.
        no_key: why the access key cannot be read from the secret that has it now, or None.
        rights_before, rights_after: whether the user had each right before the change, and has it after it.
        counterparts: by right on what has another name now, the same right on what it was before.
        witnesses: the requests that the review says are new.
        back: the deployment of the base over the change.
        back_refusal: why a client from before the change cannot send after it, or None.
        destroy: the destruction of the change.
        remains: what it left behind.
        retained: the physical ids of the resources that CloudFormation is told to keep.
        orphans: the stacks of the base that the change no longer has, and that still exist after it.
    """

    begun: float
    change: CdkRun
    before: Deployed
    after: Deployed
    left: dict[str, int | None]
    left_aside: dict[str, int | None]
    clients: Clients
    key_refusal: str | None
    new_key: bool
    no_key: str | None
    rights_before: dict[Right, bool]
    rights_after: dict[Right, bool]
    counterparts: dict[Right, Right]
    witnesses: list[Witness]
    back: CdkRun
    back_refusal: str | None
    destroy: CdkRun
    remains: list[tuple[str, str]] = field(default_factory=list)
    retained: frozenset[str] = frozenset()
    orphans: Sequence[str] = ()


def rehearse(
    base: Tree, change: Tree, review: Future[Predictions], report: Callable[[str], None]
) -> tuple[Outcome, Predictions]:
    """Deploy the base, the change over it, and the base again; then destroy the change.

    Args:
        base, change: the two states.
        review: the review of the change.
        report: takes a line about what goes on.

    Raises:
        HelloQueueError: the base does not deploy, or its queue cannot be used.
    """
    account = existing()
    report("deploying the base")
    before = _deploy_first(base)
    key, urls = _key(before), _urls(before)
    report("waiting for the review")
    said = review.result()
    rights, requests = _rights(before), said.of_kind(*MORE_RIGHTS)
    rights_before = allowed(key, rights)
    answers_before = answers([said.with_names_before(each) for each in requests], before)
    report(f"putting {MESSAGES:,} messages into each queue")
    clients = Clients(key, urls["QueueUrl"])
    with _working(clients, urls.values()):
        report("deploying the change, while a client sends and another one processes")
        begun = time.monotonic()
        deployment = change.deploy()
    report("looking at what is left, and at what the user may do")
    after = deployed({**base.templates, **change.templates})
    left, aside = _left(before, after, len(clients.undeleted))
    key_refusal = refusal(key)
    new_key, no_key = _key_after(after)
    # What has another name after the change: whether the user could use it before is asked when the base is back.
    counterparts = {new: old for old, new in zip(rights, _rights(after), strict=False) if new not in rights}
    key_after = new_key or (None if key_refusal else key)
    rights_after = allowed(key_after, [*rights, *counterparts]) if key_after else {}
    answers_after = [_NOT_DEPLOYED] * len(requests) if deployment.failure else answers(requests, after)
    report("going back to the base")
    back = base.deploy()
    back_refusal = _refusal_of_send(key, urls["QueueUrl"])
    key_again = _key_of(deployed(base.templates))
    rights_before |= allowed(key_again, counterparts) if key_again else {}
    report("deploying the change again, to destroy it")
    last = base if deployment.failure or change.deploy().failure else change
    _unprotect(last)
    destroy = last.destroy()
    outcome = Outcome(
        begun=begun,
        change=deployment,
        before=before,
        after=after,
        left=left,
        left_aside=aside,
        clients=clients,
        key_refusal=key_refusal,
        new_key=new_key is not None and new_key.key_id != key.key_id,
        no_key=no_key,
        rights_before=rights_before,
        rights_after=rights_after,
        counterparts=counterparts,
        witnesses=list(map(Witness, requests, answers_before, answers_after)),
        back=back,
        back_refusal=back_refusal,
        destroy=destroy,
        remains=sorted(existing() - account),
        orphans=sorted(before.statuses.keys() & after.statuses.keys() - change.templates.keys()),
        retained=frozenset((*_retained(base, before), *_retained(change, after))),
    )
    return outcome, said


def _deploy_first(base: Tree) -> Deployed:
    first = base.deploy()
    if first.failure:
        raise HelloQueueError(f"the base does not deploy: {first.failure.rstrip('.')}. Rehearse on another one: BASE=…")
    return deployed(base.templates)


@contextlib.contextmanager
def _working(clients: Clients, urls: Iterable[str]) -> Iterator[None]:
    """Messages are in the queues, and the clients work: until they have made some calls after what happens here."""
    try:
        # The client holds what is put into the queue: workers would process it.
        with workers_paused():
            for url in urls:
                fill(url)
            clients.start()
        yield
        for each in (clients.sending, clients.processing):
            each.wait_for_calls(_CALLS_AFTERWARDS)
        clients.drain()
    finally:
        clients.stop()


def _key_after(after: Deployed) -> tuple[AccessKey | None, str | None]:
    """The access key of the deployment, and why there is none."""
    try:
        return _key_of(after), None
    except HelloQueueError as error:
        return None, str(error)


def _key(base: Deployed) -> AccessKey:
    key = _key_of(base)
    if key is None:
        raise HelloQueueError(
            "the base has no access key (access_key=0), and the clients of a rehearsal need one: rehearse with "
            "access_key=1"
        )
    return key


def _key_of(state: Deployed) -> AccessKey | None:
    secret = state.outputs.get("AccessKeySecretArn")
    return read_access_key(client("secretsmanager"), secret) if secret else None


def _urls(base: Deployed) -> dict[str, str]:
    missing = [output for output in QUEUES if output not in base.outputs]
    if missing:
        raise HelloQueueError(f"the base deploys no queue to rehearse with: it has no output {missing[0]}")
    return {output: base.outputs[output] for output in QUEUES}


def _rights(state: Deployed) -> list[Right]:
    arns = [arn_of(type_, state.outputs[name]) for name, type_ in _TRIED.items() if name in state.outputs]
    return rights_to_try(*filter(None, arns)) if len(arns) == len(_TRIED) else []


def queue_now(output: str, before: Deployed, after: Deployed) -> str | None:
    """The URL of a queue after the change, which may have removed the output; None: there is no such queue."""
    named = after.outputs.get(output)
    same = (key for key, (_, physical_id) in before.resources.items() if physical_id == before.outputs[output])
    return named or next((after.resources[key][1] for key in same if key in after.resources), None)


def _left(before: Deployed, after: Deployed, in_flight: int) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """What is left in each queue, and in the queue from before where the deployment has another one now."""
    left: dict[str, int | None] = {}
    aside: dict[str, int | None] = {}
    for output in QUEUES:
        old, new = before.outputs[output], queue_now(output, before, after)
        ours = in_flight if output == "QueueUrl" else 0
        if old != new:
            aside[output] = left_in(old, ours)
            ours = 0
        left[output] = left_in(new, ours) if new else None
    return left, aside


def _retained(tree: Tree, state: Deployed) -> Iterator[str]:
    """The physical ids of the resources that CloudFormation keeps when it deletes or replaces them."""
    for stack, template in tree.templates.items():
        for logical_id, resource in template["Resources"].items():
            policies = resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")
            if (stack, logical_id) in state.resources and any(str(each).startswith("Retain") for each in policies):
                yield state.resources[stack, logical_id][1]


def _refusal_of_send(key: AccessKey, url: str) -> str | None:
    """Why a message cannot be sent, or None."""
    clients = Clients(key, url)
    clients.sending.start()
    clients.sending.wait_for_calls(1)
    clients.stop()
    return ", ".join(code for outage in clients.sending.outages for code in outage.codes) or None


def _unprotect(tree: Tree) -> None:
    """Termination protection would only hide what remains after it is off."""
    cloudformation = client("cloudformation")
    for stack in deployed(tree.templates).statuses:
        cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
