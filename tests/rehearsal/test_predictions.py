"""What a rehearsal takes from the review."""

from __future__ import annotations

import json
import re

from hello_queue.rehearsal.predictions import LostResource, predictions
from hello_queue.review.assembly import Synthesis
from tests.review.templates import IDENTITY, golden, logical_id, properties


def test_what_the_review_says_of_a_rename_and_an_alarm_key() -> None:
    operator = logical_id(IDENTITY, "AWS::IAM::ManagedPolicy", ManagedPolicyName="test-operator")
    after = json.loads(re.sub(r"\btest\b", "orders", json.dumps(golden("alarm_email=set"))))
    _, on_dead_letters, _ = properties(after[IDENTITY]["Resources"], operator)["PolicyDocument"]["Statement"]
    on_dead_letters["Action"].append("sqs:PurgeQueue")
    said = predictions("the base", Synthesis(golden(), []), Synthesis(after, []))
    assert LostResource("HelloQueueMessaging", "AWS::SQS::Queue", "test") in said.lost
    assert "data-loss: queue test is replaced by orders" in [each.text for each in said.of_kind("data-loss")]
    by_who = {each.who: each for each in said.of_kind("wider-rights")}
    assert set(by_who) == {"any holder of policy orders-operator", "this account", "service cloudwatch.amazonaws.com"}
    one = by_who["any holder of policy orders-operator"]
    assert one.request
    assert one.request.action == "sqs:PurgeQueue"
    assert one.request.resource.endswith(":orders-dlq")
    before = said.with_names_before(one)
    assert before.who == "any holder of policy test-operator"
    assert before.request
    assert before.request.resource.endswith(":test-dlq")
