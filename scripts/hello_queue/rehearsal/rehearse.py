"""The sequence of a rehearsal, in a local AWS where nothing is deployed yet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hello_queue.aws.clients import AccessKey, client
from hello_queue.deployment.access_key import read_access_key
from hello_queue.errors import HelloQueueError
from hello_queue.rehearsal.account import Deployed, deployed, existing, refusal, workers_paused
from hello_queue.rehearsal.clients import MESSAGES, Clients, fill, left_in
from hello_queue.rehearsal.predictions import MORE_RIGHTS, Predictions, ReviewInBackground
from hello_queue.rehearsal.signed_calls import Right, allowed, rights_to_try
from hello_queue.rehearsal.trees import CdkRun, Tree
from hello_queue.rehearsal.witnesses import Answer, Witness, answers

_CALLS_AFTERWARDS = 15
"""How many calls each client makes after the change is deployed: about three seconds."""

_NOT_DEPLOYED: Answer = "the change does not deploy"

QUEUES = {"QueueUrl": "queue", "DeadLetterQueueUrl": "dead-letter queue"}
"""The outputs that name the queues, and what they are."""


@dataclass
class Seen:
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
        could, can: what the user could do before, and what it can do now.
        counterparts: by right on what has another name now, the same right on what it was before.
        witnesses: the requests that the review says are new.
        back: the deployment of the base over the change.
        back_refusal: why a client from before the change cannot send after it, or None.
        destroy: the destruction of the change.
        remains: what it left behind.
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
    could: dict[Right, bool]
    can: dict[Right, bool]
    counterparts: dict[Right, Right]
    witnesses: list[Witness]
    back: CdkRun
    back_refusal: str | None
    destroy: CdkRun
    remains: list[tuple[str, str]] = field(default_factory=list)


def rehearse(
    base: Tree, change: Tree, review: ReviewInBackground, report: Callable[[str], None]
) -> tuple[Seen, Predictions]:
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
    first = base.deploy()
    if first.failure:
        raise HelloQueueError(f"the base does not deploy: {first.failure.rstrip('.')}. Rehearse on another one: BASE=…")
    before = deployed(base.stacks())
    key, urls = _key(before), _urls(before)
    report("waiting for the review")
    said = review.result()
    rights, more = _rights(before), said.of_kind(*MORE_RIGHTS)
    could = allowed(key, rights)
    answers_before = answers([said.with_names_before(each) for each in more], before)
    report(f"putting {MESSAGES:,} messages into each queue")
    clients = Clients(key, urls["QueueUrl"])
    with _stopped(clients):
        # The client holds what is put into the queue: workers would process it.
        with workers_paused():
            for url in urls.values():
                fill(url)
            clients.start()
        report("deploying the change, while a client sends and another one processes")
        begun = time.monotonic()
        deployment = change.deploy()
        for each in (clients.sending, clients.processing):
            each.wait_for_calls(_CALLS_AFTERWARDS)
        clients.drain()
    report("looking at what is left, and at what the user may do")
    after = deployed({**base.stacks(), **change.stacks()})
    left, aside = _left(before, after)
    key_refusal, key_now = refusal(key), _key_of(after)
    # What has another name after the change: whether the user could use it before is asked when the base is back.
    counterparts = {new: old for old, new in zip(rights, _rights(after), strict=False) if new not in rights}
    can = allowed(key_now or key, [*rights, *counterparts]) if key_now or not key_refusal else {}
    answers_after = [_NOT_DEPLOYED] * len(more) if deployment.failure else answers(more, after)
    report("going back to the base")
    back = base.deploy()
    back_refusal = _refusal_of_send(key, urls["QueueUrl"])
    key_again = _key_of(deployed(base.stacks()))
    could |= allowed(key_again, counterparts) if key_again else {}
    report("deploying the change again, to destroy it")
    last = base if deployment.failure or change.deploy().failure else change
    _unprotect(after)
    destroy = last.destroy()
    remains = sorted(existing() - account)
    seen = Seen(
        begun=begun,
        change=deployment,
        before=before,
        after=after,
        left=left,
        left_aside=aside,
        clients=clients,
        key_refusal=key_refusal,
        new_key=key_now is not None and key_now.key_id != key.key_id,
        could=could,
        can=can,
        counterparts=counterparts,
        witnesses=list(map(Witness, more, answers_before, answers_after)),
        back=back,
        back_refusal=back_refusal,
        destroy=destroy,
        remains=remains,
    )
    return seen, said


@contextlib.contextmanager
def _stopped(clients: Clients) -> Iterator[None]:
    try:
        yield
    finally:
        clients.stop()


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
    if any(name not in state.outputs for name in (*QUEUES, "QueueArn", "UserName", "AccessKeySecretArn")):
        return []
    queue = state.outputs["QueueArn"]
    dead_letter_queue = f"{queue.rpartition(':')[0]}:{state.outputs['DeadLetterQueueUrl'].rpartition('/')[2]}"
    user = f"arn:aws:iam::{queue.split(':')[4]}:user/{state.outputs['UserName']}"
    return rights_to_try(queue, dead_letter_queue, user, state.outputs["AccessKeySecretArn"])


def _left(before: Deployed, after: Deployed) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """What is left in each queue, and in the queue from before where the deployment has another one now."""
    left: dict[str, int | None] = {}
    aside: dict[str, int | None] = {}
    for output in QUEUES:
        old, new = before.outputs[output], after.outputs.get(output)
        left[output] = left_in(new) if new else None
        if old != new:
            aside[output] = left_in(old)
    return left, aside


def _refusal_of_send(key: AccessKey, url: str) -> str | None:
    """Why a message cannot be sent, or None."""
    clients = Clients(key, url)
    clients.sending.start()
    clients.sending.wait_for_calls(1)
    clients.stop()
    return ", ".join(code for outage in clients.sending.outages for code in outage.codes) or None


def _unprotect(state: Deployed) -> None:
    """Termination protection would only hide what remains after it is off."""
    cloudformation = client("cloudformation")
    for stack in state.statuses:
        cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
