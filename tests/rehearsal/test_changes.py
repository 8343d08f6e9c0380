"""Prepared changes, rehearsed one after the other in one local AWS."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hello_queue.constants import QUEUE_USER_ACTIONS
from hello_queue.rehearsal.trees import DEPLOYED
from hello_queue.review.synthesis import GOLDEN, render, synthesize
from tests.conftest import Aws
from tests.rehearsal.rehearsals import Rehearsed, rehearsed
from tests.review.conftest import Repository

pytestmark = pytest.mark.soak

OUTAGE = r"^\d+ of \d+ calls failed: {} from \d+\.\d s after .* began, for \d+\.\d s, until the client was stopped$"
ALL_LEFT, NONE_LEFT = "1,000 of 1,000 left", "0 of 1,000 left"


@pytest.fixture
def project(repository: Repository) -> Repository:
    """A base whose user is no administrator: an administrator gains nothing by a wider policy."""
    repository.set(administrator_access=False)
    for name, text in render(synthesize(DEPLOYED, repository.folder)).items():
        repository.write(f"{GOLDEN}/{name}", text)
    repository.write(".gitignore", "node_modules\n__pycache__\nrehearsal.md\n")
    repository.commit("no administrators")
    return repository


class Rehearsals:
    """Rehearsals of one project in one local AWS."""

    def __init__(self, aws: Aws, project: Repository) -> None:
        self._aws = aws
        self._project = project

    def rehearse(self, change: Callable[[], None]) -> Rehearsed:
        """Rehearse what a function changes."""
        self._project.git("checkout", "--quiet", ".")
        change()
        return rehearsed(self._aws, self._project)


def test_the_prepared_changes(empty_aws: Aws, project: Repository, subtests: pytest.Subtests) -> None:
    rehearse = Rehearsals(empty_aws, project).rehearse
    with subtests.test("a harmless one"):
        seen = rehearse(lambda: project.set(delay_seconds=10))
        assert (seen.status, seen.disagreements) == (0, [])
        assert seen["messages in the queue"]["seen"] == ALL_LEFT
        assert seen["messages in the dead-letter queue"]["seen"] == ALL_LEFT
        assert "none failed" in seen["a client sending"]["seen"]
        assert "none failed" in seen["a client processing"]["seen"]
        assert seen["resources"]["seen"] == "none replaced or removed"
        assert seen["access key"]["seen"] == "the one from before works"
        assert seen["cdk destroy"]["seen"] == "leaves nothing"
        assert "| access key | the one from before works | nothing |" in seen.markdown

    with subtests.test("the queue is renamed"):
        seen = rehearse(lambda: project.set(queue_name="orders"))
        assert seen.disagreements == []
        assert seen["messages in the queue"]["seen"] == f"{NONE_LEFT} in orders"
        assert "data-loss: queue test is replaced" in seen["messages in the queue"]["said"]
        assert seen["messages in the dead-letter queue"]["seen"] == f"{NONE_LEFT} in orders-dlq"
        assert "until the client was stopped" in seen["a client sending"]["seen"]
        assert "until the client was stopped" in seen["a client processing"]["seen"]
        assert f"{', '.join(QUEUE_USER_ACTIONS)} on test" in seen["narrower rights"]["seen"]
        assert "nothing new of what was tried, but for what it could do on what" in seen["wider rights"]["seen"]
        assert f"{', '.join(QUEUE_USER_ACTIONS)} on orders" in seen["wider rights"]["seen"]

    with subtests.test("a second key"):
        seen = rehearse(lambda: project.set(second_access_key=2))
        assert seen.disagreements == []
        assert "none failed" in seen["a client sending"]["seen"]
        assert seen["access key"]["seen"] == "the one from before works"
        assert "new-access-key" in seen["access key"]["said"]

    with subtests.test("the key is swapped at once instead of rotated"):
        seen = rehearse(lambda: project.set(access_key=2))
        assert seen.disagreements == []
        for client in ("a client sending", "a client processing"):
            assert re.search(OUTAGE.format("InvalidClientTokenId"), seen[client]["seen"]), seen[client]
            assert "replaced: AWS::IAM::AccessKey" in seen[client]["said"]
        assert seen["resources"]["seen"].startswith("replaced: AWS::IAM::AccessKey AKIA")
        assert seen["access key"]["seen"].startswith("the one from before is refused: InvalidClientTokenId; another")
        assert seen["messages in the queue"]["seen"] == ALL_LEFT
        assert "a client from before the change still fails" in seen["going back"]["seen"]

    with subtests.test("fifo=true"):
        seen = rehearse(lambda: project.set(fifo=True))
        assert seen.disagreements == []
        assert seen["messages in the queue"]["seen"] == f"{NONE_LEFT} in test.fifo"
        assert seen["resources"]["seen"].count("replaced: AWS::SQS::Queue") == 2
        assert "until the client was stopped" in seen["a client sending"]["seen"]

    with subtests.test("a wider policy"):
        policies = (project.folder / "stacks/policies.py").read_text()
        wider = policies.replace("list(QUEUE_USER_ACTIONS)", "[*QUEUE_USER_ACTIONS, 'sqs:PurgeQueue']")
        seen = rehearse(lambda: project.write("stacks/policies.py", wider))
        assert seen.disagreements == []
        witness = seen["sqs:PurgeQueue on test, as user Administrator"]
        assert (witness["seen"], witness["agrees"]) == ("denied before, allowed after", True)
        assert seen["wider rights"]["seen"].startswith("the user could now call sqs:PurgeQueue on test (")
        assert "wider-rights" in seen["wider rights"]["said"]
        assert seen["messages in the queue"]["seen"] == ALL_LEFT, "the calls that were tried purged nothing"

    with subtests.test("a queue that is kept is renamed"):  # the last one: it leaves the queues behind
        project.git("checkout", "--quiet", ".")
        project.set(keep_data=True)
        project.commit("keep the queues")
        seen = rehearse(lambda: project.set(queue_name="orders"))
        assert seen.disagreements == ["going back"]
        assert "'test-dlq' already exists" in seen["going back"]["seen"]
        assert seen["messages in the queue"]["seen"] == (
            "0 of 1,000 left in orders; 1,000 in test, which still exists and is no longer the deployment's"
        )
        assert "AccessDenied" in seen["a client sending"]["seen"], "the policy names the new queue"
