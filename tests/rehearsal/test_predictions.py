"""What a rehearsal takes from the review."""

from __future__ import annotations

from pathlib import Path

from hello_queue.rehearsal.predictions import LostResource, predictions
from hello_queue.rehearsal.trees import DEPLOYED
from hello_queue.review.synthesis import DEFAULT
from tests.review.conftest import Repository, Syntheses


def test_what_the_review_says_of_a_rename(repository: Repository, shared_folder: Path) -> None:
    syntheses = Syntheses(shared_folder / "repository.syntheses")
    base = syntheses.synthesize(DEPLOYED, repository.folder)[DEFAULT]
    repository.set(queue_name="orders")
    policies = (repository.folder / "stacks/policies.py").read_text()
    wider = policies.replace("list(DEAD_LETTER_ACTIONS)", "[*DEAD_LETTER_ACTIONS, 'sqs:PurgeQueue']")
    repository.write("stacks/policies.py", wider)
    said = predictions("the base", base, syntheses.synthesize(DEPLOYED, repository.folder)[DEFAULT])
    assert LostResource("HelloQueueMessaging", "AWS::SQS::Queue", "test") in said.lost
    assert "data-loss: queue test is replaced by orders" in [each.text for each in said.of_kind("data-loss")]
    (one,) = said.of_kind("wider-rights")
    assert one.who == "any holder of policy orders-operator"
    assert one.request
    assert one.request.action == "sqs:PurgeQueue"
    assert one.request.resource.endswith(":orders-dlq")
    before = said.with_names_before(one)
    assert before.who == "any holder of policy test-operator"
    assert before.request
    assert before.request.resource.endswith(":test-dlq")
