"""Each thing that was seen, beside what the review says of it, and whether the two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hello_queue.rehearsal.clients import MESSAGES, Client
from hello_queue.rehearsal.predictions import MORE_RIGHTS, Predictions
from hello_queue.rehearsal.rehearse import QUEUES, Outcome, queue_now
from hello_queue.rehearsal.signed_calls import Right
from hello_queue.rehearsal.witnesses import Answer, Witness

NOTHING = "nothing"
"""What the review says where it says nothing."""

_IDENTITY = ("AWS::IAM::User", "AWS::IAM::AccessKey")
_POLICIES = (
    *("AWS::IAM::Policy", "AWS::IAM::UserPolicy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Group"),
    *("AWS::IAM::UserToGroupAddition", "AWS::SQS::QueuePolicy"),
)
_EXPLAINED_BY = {
    "NonExistentQueue": ("AWS::SQS::Queue",),
    "InvalidClientTokenId": _IDENTITY,
    # A queue that is replaced: its user's policy names the new one.
    "AccessDenied": ("AWS::SQS::Queue", *_IDENTITY, *_POLICIES),
}
"""Which resource must be gone for a call to fail so, by the end of the error code."""


@dataclass(frozen=True)
class Observation:
    """One thing that was seen.

    Attributes:
        about: what it is about, in a word or two.
        seen: what was seen.
        said: what the review says of it.
        agrees: False if the two differ; None if the review does not say such things.
    """

    about: str
    seen: str
    said: str
    agrees: bool | None


def observations(seen: Outcome, said: Predictions) -> list[Observation]:
    """All of them. Where the review and what was seen differ, they come first."""
    found = [
        _resources(seen, said),
        *(_messages(output, seen, said) for output in QUEUES),
        _client("sending", seen.clients.sending, seen, said),
        _client("processing", seen.clients.processing, seen, said),
        _access_key(seen, said),
        *_more_rights(seen, said),
        *_fewer_rights(seen),
        _going_back(seen),
        _destruction(seen),
    ]
    return sorted([_deployment(seen), *found], key=lambda each: each.agrees is not False)


def _deployment(seen: Outcome) -> Observation:
    run = seen.change
    if not run.failure:
        return Observation("cdk deploy", f"took {run.seconds:.1f} s", NOTHING, None)
    states = ", ".join(f"{name} is {status}" for name, status in sorted(seen.after.statuses.items()))
    text = f"failed after {run.seconds:.1f} s: {run.failure} ({states})"
    return Observation("cdk deploy", text, NOTHING, False)


def _resources(seen: Outcome, said: Predictions) -> Observation:
    """What was replaced or removed. A deployment that failed replaced nothing that lasts."""
    gone: list[tuple[str, str, str]] = []
    new = {(key[0], each[0]) for key, each in seen.after.resources.items() if key not in seen.before.resources}
    for (stack, logical_id), (type_, physical_id) in seen.before.resources.items():
        now = seen.after.resources.get((stack, logical_id))
        if now != (type_, physical_id):
            verb = "replaced" if (now and now[0] == type_) or (stack, type_) in new else "removed"
            gone.append((stack, type_, f"{verb}: {type_} {_name(physical_id)}"))
    texts = [each for *_, each in gone] or ["none replaced or removed"]
    if seen.orphans:
        texts.append(f"what the change no longer has stays as it is: stack {', '.join(seen.orphans)}")
    said_text = "; ".join(each.text for each in said.lost) or NOTHING
    agrees: bool | None = None
    if not seen.change.failure:
        agrees = Counter(each[:2] for each in gone) == Counter((each.stack, each.type) for each in said.lost)
    return Observation("resources", "; ".join(texts), said_text, agrees)


def _messages(output: str, seen: Outcome, said: Predictions) -> Observation:
    left, before = seen.left[output], seen.before.outputs[output]
    text = f"{left or 0:,} of {MESSAGES:,} left"
    if left is None:
        text += ": the queue is gone"
    elif output in seen.left_aside:
        text += f" in {_name(queue_now(output, seen.before, seen.after) or '')}"
    aside = seen.left_aside.get(output)
    if aside is not None:
        text += f"; {aside:,} in {_name(before)}, which still exists and is no longer the deployment's"
    resource = next((key for key, each in seen.before.resources.items() if each[1] == before), None)
    losses = [each for each in said.of_kind("data-loss") if each.resource == resource]
    lost = (left or 0) < MESSAGES
    return Observation(
        f"messages in the {QUEUES[output]}",
        text,
        "; ".join(each.text for each in losses) or NOTHING,
        # A finding may be about what can happen later: a shorter retention loses nothing in a minute.
        None if losses and not lost else bool(losses) == lost,
    )


def _client(doing: str, client: Client, seen: Outcome, said: Predictions) -> Observation:
    text = f"{client.calls:,} calls, none failed"
    if client.outages:
        outages = "; ".join(
            f"{', '.join(each.codes)} from {each.begun - seen.begun:.1f} s after the deployment began, "
            f"for {each.ended - each.begun:.1f} s" + ("" if each.over else ", until the client was stopped")
            for each in client.outages
        )
        text = f"{client.failures:,} of {client.calls:,} calls failed: {outages}"
    elif doing == "processing":
        text += f"; {seen.clients.processed:,} of {seen.clients.sent:,} sent messages came back"
    codes = [code for each in client.outages for code in each.codes]
    causes = {
        each.text
        for code in codes
        for end, types in _EXPLAINED_BY.items()
        if code.endswith(end)
        for each in said.lost_of(types)
        if each.type != "AWS::SQS::Queue" or each.name == _name(seen.before.outputs["QueueUrl"])
    }
    return Observation(f"a client {doing}", text, "; ".join(sorted(causes)) or NOTHING, not codes or bool(causes))


def _access_key(seen: Outcome, said: Predictions) -> Observation:
    text = f"refused: {seen.key_refusal}" if seen.key_refusal else "works"
    text = f"the one from before {'is ' if seen.key_refusal else ''}{text}"
    if seen.new_key:
        text += "; another one is in the secret"
    if seen.no_key:
        text += f"; none can be read any more: {seen.no_key}"
    causes = [each.text for each in said.lost_of(_IDENTITY)]
    keys = [each.text for each in said.of_kind("new-access-key")]
    agrees = not seen.no_key and (not seen.key_refusal or bool(causes))
    return Observation("access key", text, "; ".join([*causes, *keys]) or NOTHING, agrees)


def _more_rights(seen: Outcome, said: Predictions) -> Iterator[Observation]:
    findings = said.of_kind(*MORE_RIGHTS)
    user = f"user {(seen.before.outputs | seen.after.outputs).get('UserName', '')}"
    # A group or a policy may be the user's. Another user or a role is not.
    about_user = [each for each in findings if each.who == user or not each.who.startswith(("user ", "role "))]
    gained = [right for right, can in seen.rights_after.items() if can and not seen.rights_before.get(right, False)]
    # The review compares a queue that is replaced with the one in its place: rights on it are no new ones.
    moved = [right for right in gained if _is_of_replaced(seen.counterparts.get(right), seen, said)]
    new = [right for right in gained if right not in moved]
    text = f"the user could now call {_listed(new)}" if new else "the user can do nothing new of what was tried"
    if moved:
        text += f", but for what it could do on what is replaced: {_listed(moved)}"
    yield Observation(
        "wider rights",
        f"{text} ({len(seen.rights_after)} calls tried)",
        "; ".join(each.text for each in findings) or NOTHING,
        # A finding may be about another right than those that were tried.
        False if new and not about_user else True if new or not findings else None,
    )
    for each in seen.witnesses:
        yield _witness(each)


def _is_of_replaced(before: Right | None, seen: Outcome, said: Predictions) -> bool:
    """Whether the user had a right on something that the review says is replaced."""
    if before is None or not seen.rights_before.get(before):
        return False
    replaced = said.lost_of(("AWS::SQS::Queue", "AWS::IAM::User"))
    return any(before.resource.endswith((f":{each.name}", f"/{each.name}")) for each in replaced)


def _witness(witness: Witness) -> Observation:
    before, after, request = witness.before, witness.after, witness.said.request
    about = str(Right(request.action, request.resource)) if request else witness.said.kind
    about += f", as {witness.said.who}" if witness.said.who else ""
    obstacles = dict.fromkeys(each for each in (before, after) if isinstance(each, str))
    if obstacles:
        return Observation(about, f"not called: {'; '.join(obstacles)}", witness.said.text, None)
    stated = [
        f"{key} {' and '.join(values)}" if values else f"no {key}"
        for key, values in (request.context if request else {}).items()
        if key.lower() != "aws:securetransport"
    ]
    text = f"{_decision(before)} before, {_decision(after)} after"
    text += f", if called with {', '.join(stated)}" if stated else ""
    return Observation(about, text, witness.said.text, not before and bool(after))


def _fewer_rights(seen: Outcome) -> Iterator[Observation]:
    lost = [right for right, could in seen.rights_before.items() if could and not seen.rights_after.get(right, False)]
    if lost and seen.rights_after:
        yield Observation("narrower rights", f"the user can no longer call {_listed(lost)}", NOTHING, None)


def _going_back(seen: Outcome) -> Observation:
    if seen.back.failure:
        return Observation("going back", f"failed: {seen.back.failure}", NOTHING, False)
    text = f"took {seen.back.seconds:.1f} s"
    if seen.back_refusal:
        text += f"; a client from before the change still fails: {seen.back_refusal}"
    return Observation("going back", text, NOTHING, None)


def _destruction(seen: Outcome) -> Observation:
    left = ", ".join(f"{kind} {_name(name)}" for kind, name in seen.remains) or "nothing"
    kept = {_name(each) for each in seen.retained}
    expected = all(_name(name) in kept for _, name in seen.remains)
    text = f"leaves {left}" + (", as their DeletionPolicy says" if seen.remains and expected else "")
    if seen.destroy.failure:
        text = f"failed: {seen.destroy.failure}; it {text}"
    return Observation("cdk destroy", text, NOTHING, expected and not seen.destroy.failure)


def _decision(allowed: Answer) -> str:
    return "allowed" if allowed else "denied"


def _listed(rights: Iterable[Right]) -> str:
    actions: dict[str, list[str]] = {}
    for right in rights:
        actions.setdefault(right.where, []).append(right.action)
    return "; ".join(f"{', '.join(each)}{where}" for where, each in actions.items())


def _name(physical_id: str) -> str:
    """The last part of a URL or an ARN."""
    return physical_id.rstrip("/").rpartition("/")[2].rpartition(":")[2]
