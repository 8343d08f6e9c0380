"""What was seen beside what the review says: where the two differ comes first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hello_queue.rehearsal.account import Deployed
from hello_queue.rehearsal.clients import Client, Outage
from hello_queue.rehearsal.observations import Observation, observations
from hello_queue.rehearsal.predictions import LostResource, Prediction, Predictions
from hello_queue.rehearsal.rehearse import Outcome, queue_now
from hello_queue.rehearsal.report import Rehearsal, as_json, as_markdown, as_text, failure_as_markdown
from hello_queue.rehearsal.signed_calls import Right
from hello_queue.rehearsal.trees import CdkRun
from hello_queue.rehearsal.witnesses import Answer, Witness
from hello_queue.review.rights.decision import Request

URL, DEAD = "https://127.0.0.1/1/test", "https://127.0.0.1/1/test-dlq"
PURGE = Right("sqs:PurgeQueue", "arn:aws:sqs:us-east-1:111122223333:test")
STATE = Deployed(
    {"QueueUrl": URL, "DeadLetterQueueUrl": DEAD, "UserName": "ada"},
    {("Messaging", "Queue"): ("AWS::SQS::Queue", URL), ("Identity", "Key"): ("AWS::IAM::AccessKey", "AKIA1")},
    {"Messaging": "UPDATE_ROLLBACK_COMPLETE"},
)
OTHER = "https://127.0.0.1/1/orders"
RENAMED = Deployed(
    {**STATE.outputs, "QueueUrl": OTHER}, {**STATE.resources, ("Messaging", "Queue"): ("AWS::SQS::Queue", OTHER)}
)
WITHOUT_OUTPUTS = replace(STATE, outputs={})
LOSS = Prediction("data-loss", "data-loss: queue test is replaced", ("Messaging", "Queue"))
REPLACED = LostResource("Messaging", "AWS::SQS::Queue", "test")
NO_KEY = LostResource("Identity", "AWS::IAM::AccessKey", "Key", "removed")
WIDER = Prediction("wider-rights", "w", ("", ""), "user ada", Request(PURGE.action, PURGE.resource))
ON_ORDERS = Right("sqs:PurgeQueue", PURGE.resource.replace("test", "orders"))
RENAMED_RIGHT: dict[str, Any] = {"rights_after": {PURGE: False, ON_ORDERS: True}, "counterparts": {ON_ORDERS: PURGE}}
WITNESS = "sqs:PurgeQueue on test, as user ada"


def witnessed(before: Answer, after: Answer) -> Outcome:
    return seen(rights_after={PURGE: True}, witnesses=[Witness(WIDER, before, after)])


class FakeClients:
    """Two clients that have stopped."""

    def __init__(self, *codes: str) -> None:
        self.sent = self.processed = 10
        self.sending, self.processing = Client(lambda: False), Client(lambda: False)
        if codes:
            self.sending.outages = [Outage(3.0, 5.5, codes=list(codes))]
            self.sending.calls, self.sending.failures = 20, 7


def seen(**different: Any) -> Outcome:
    usual: dict[str, Any] = {
        "begun": 1.0,
        "change": CdkRun(4, None),
        "before": STATE,
        "after": STATE,
        "left": {"QueueUrl": 1000, "DeadLetterQueueUrl": 1000},
        "left_aside": {},
        "clients": FakeClients(),
        "key_refusal": None,
        "new_key": False,
        "no_key": None,
        "rights_before": {PURGE: False},
        "rights_after": {PURGE: False},
        "counterparts": {},
        "witnesses": [],
        "back": CdkRun(1, None),
        "back_refusal": None,
        "destroy": CdkRun(1, None),
    }
    return Outcome(**{**usual, **different})


LOST = {"QueueUrl": 0, "DeadLetterQueueUrl": 1000}
MESSAGES, SENDING = "messages in the queue", "a client sending"


@pytest.mark.parametrize(
    ("what", "said", "differ"),
    [
        (seen(), Predictions(), []),
        (seen(left=LOST), Predictions(), [MESSAGES]),
        (seen(left={"QueueUrl": 999, "DeadLetterQueueUrl": 1000}), Predictions(), [MESSAGES]),
        (seen(left=LOST), Predictions((LOSS,)), []),
        (seen(left=LOST), Predictions((replace(LOSS, resource=("Messaging", "Another")),)), [MESSAGES]),
        (seen(), Predictions((LOSS,)), []),
        (seen(after=RENAMED), Predictions(), ["resources"]),
        (seen(after=RENAMED), Predictions(lost=(REPLACED,)), []),
        (seen(), Predictions(lost=(REPLACED,)), ["resources"]),
        (seen(clients=FakeClients("InvalidClientTokenId")), Predictions(), [SENDING]),
        (seen(clients=FakeClients("InvalidClientTokenId")), Predictions(lost=(REPLACED,)), ["resources", SENDING]),
        (seen(clients=FakeClients("InvalidClientTokenId")), Predictions(lost=(NO_KEY,)), ["resources"]),
        (seen(clients=FakeClients("AccessDenied")), Predictions(), [SENDING]),
        (
            seen(after=RENAMED, clients=FakeClients("NonExistentQueue")),
            Predictions(lost=(replace(REPLACED, name="test-dlq"),)),
            [SENDING],
        ),
        (seen(after=RENAMED, clients=FakeClients("AccessDenied")), Predictions(lost=(REPLACED,)), []),
        (seen(clients=FakeClients("InternalError")), Predictions(lost=(NO_KEY,)), ["resources", SENDING]),
        (seen(key_refusal="InvalidClientTokenId"), Predictions(), ["access key"]),
        (seen(rights_after={PURGE: True}), Predictions(), ["wider rights"]),
        (seen(rights_after={PURGE: True}), Predictions((Prediction("wider-rights", "w", ("", "")),)), []),
        (seen(rights_after={PURGE: True}), Predictions((replace(WIDER, who="group g"),)), []),
        (seen(rights_after={PURGE: True}), Predictions((replace(WIDER, who="role r"),)), ["wider rights"]),
        (seen(rights_after={PURGE: True}), Predictions((replace(WIDER, who="user bob"),)), ["wider rights"]),
        (seen(), Predictions((Prediction("wider-rights", "another principal", ("", "")),)), []),
        (witnessed(False, True), Predictions((WIDER,)), []),
        (witnessed(False, False), Predictions((WIDER,)), [WITNESS]),
        (witnessed(True, True), Predictions((WIDER,)), [WITNESS]),
        (witnessed(False, "no such call"), Predictions((WIDER,)), []),
        (seen(**RENAMED_RIGHT, rights_before={PURGE: True}), Predictions(lost=(REPLACED,)), ["resources"]),
        (seen(**RENAMED_RIGHT, rights_before={PURGE: True}), Predictions(), ["wider rights"]),
        (seen(**RENAMED_RIGHT), Predictions(lost=(REPLACED,)), ["resources", "wider rights"]),
        (seen(rights_before={PURGE: True}), Predictions(), []),
        (seen(change=CdkRun(4, "no")), Predictions(), ["cdk deploy"]),
        (seen(change=CdkRun(4, "no")), Predictions(lost=(REPLACED,)), ["cdk deploy"]),
        (seen(back=CdkRun(1, "no")), Predictions(), ["going back"]),
        (seen(remains=[("sqs queue", URL)]), Predictions(), ["cdk destroy"]),
        (seen(remains=[("sqs queue", URL)], retained=frozenset({URL})), Predictions(), []),
        (
            seen(remains=[("sqs queue", URL), ("sqs queue", DEAD)], retained=frozenset({URL})),
            Predictions(),
            ["cdk destroy"],
        ),
        (seen(no_key="the secret s is not an access key"), Predictions(), ["access key"]),
        (seen(after=WITHOUT_OUTPUTS, rights_after={PURGE: True}), Predictions((WIDER,)), []),
        (seen(destroy=CdkRun(1, "no")), Predictions(), ["cdk destroy"]),
    ],
)
def test_where_they_differ(what: Outcome, said: Predictions, differ: list[str]) -> None:
    found = observations(what, said)
    assert [each.about for each in found if each.agrees is False] == differ
    assert [each.about for each in found[: len(differ)]] == differ, "they come first"


def text_of(what: Outcome, about: str) -> str:
    (found,) = [each.seen for each in observations(what, Predictions()) if each.about == about]
    return found


def test_an_outage_has_its_times() -> None:
    assert text_of(seen(clients=FakeClients("A", "B")), SENDING) == (
        "7 of 20 calls failed: A, B from 2.0 s after the deployment began, for 2.5 s, until the client was stopped"
    )


def test_a_queue_that_is_kept_aside() -> None:
    what = seen(after=RENAMED, left=LOST, left_aside={"QueueUrl": 1000})
    assert text_of(what, MESSAGES) == (
        "0 of 1,000 left in orders; 1,000 in test, which still exists and is no longer the deployment's"
    )


def test_a_queue_without_its_output_is_still_there() -> None:
    assert queue_now("QueueUrl", STATE, WITHOUT_OUTPUTS) == URL
    assert queue_now("QueueUrl", STATE, replace(WITHOUT_OUTPUTS, resources={})) is None
    assert text_of(seen(after=WITHOUT_OUTPUTS), MESSAGES) == "1,000 of 1,000 left"


def test_a_stack_that_the_change_no_longer_has() -> None:
    assert text_of(seen(orphans=["Messaging"]), "resources") == (
        "none replaced or removed; what the change no longer has stays as it is: stack Messaging"
    )


def test_what_cloudformation_is_told_to_keep() -> None:
    what = seen(remains=[("sqs queue", URL)], retained=frozenset({URL}))
    assert text_of(what, "cdk destroy") == "leaves sqs queue test, as their DeletionPolicy says"


def test_rights_are_listed_by_resource() -> None:
    send = Right("sqs:SendMessage", PURGE.resource)
    text = text_of(
        seen(rights_before={PURGE: True, send: True}, rights_after={Right("iam:ListUsers", "*"): True}),
        "narrower rights",
    )
    assert text == "the user can no longer call sqs:PurgeQueue, sqs:SendMessage on test"


def test_a_rollback_is_reported() -> None:
    text = text_of(seen(change=CdkRun(4, "Group already exists")), "cdk deploy")
    assert text == "failed after 4.0 s: Group already exists (Messaging is UPDATE_ROLLBACK_COMPLETE)"


def test_the_reports_escape_what_the_change_says() -> None:
    hostile = Observation("resources", "a\x1b[1m\nDISAGREES |x| <b>`", "**bold** \u202e", False)
    rehearsal = Rehearsal("0123abcd", [hostile], 61.2)
    text = as_text(rehearsal)
    assert text.splitlines() == [
        "The review says something else about resources",
        "Rehearsed over 0123abcd in a local AWS, in 61 s",
        "",
        "DISAGREES  resources",
        r"  seen:    a\x1b[1m\nDISAGREES |x| <b>`",
        r"  review:  **bold** \u202e",
    ]
    row = as_markdown(rehearsal).splitlines()[-1]
    assert row == (r"| **disagrees** resources | a\\x1b\[1m\\nDISAGREES \|x\| &lt;b&gt;\` | \*\*bold\*\* \\u202e |")
    assert failure_as_markdown("**a** | b\n# c").endswith("failed: \\*\\*a\\*\\* \\| b\\\\n\\# c\n")
    content = json.loads(as_json(rehearsal))
    assert content["disagreements"] == ["resources"]
    assert content["observations"][0]["seen"] == hostile.seen


def test_a_witness_that_cannot_be_called() -> None:
    (found,) = [each for each in observations(witnessed("why", "why"), Predictions((WIDER,))) if each.about == WITNESS]
    assert (found.seen, found.agrees) == ("not called: why", None)


def test_what_is_stated_with_a_witness() -> None:
    request = Request("sqs:PurgeQueue", "*", {"aws:SourceIp": ("::1",), "aws:SecureTransport": ("true",)})
    what = seen(witnesses=[Witness(replace(WIDER, request=request), before=False, after=True)])
    (found,) = [each for each in observations(what, Predictions()) if each.about == "sqs:PurgeQueue, as user ada"]
    assert found.seen == "denied before, allowed after, if called with aws:SourceIp ::1"


def test_a_finding_in_the_words_of_before_the_change() -> None:
    request = Request("sqs:PurgeQueue", "arn:aws:sqs:us-east-1:111122223333:orders")
    said = replace(WIDER, who="user bob", request=request)
    before = Predictions(names={"orders": "test", "bob": "ada"}).with_names_before(said)
    assert before == WIDER
