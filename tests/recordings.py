"""Pictures of what the scripts show on a terminal of 80 columns: their real output, without clocks and ids."""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable, Iterator

import yaml
from rich.console import Console
from rich.text import Text

from hello_queue.project import ROOT
from hello_queue.review.assembly import Synthesis
from hello_queue.review.base import Base
from hello_queue.review.report import as_text
from hello_queue.review.synthesis import ACKNOWLEDGMENTS, GOLDEN, VARIANTS
from hello_queue.review.working_tree import State, review
from tests.cli.test_terminal import shown_on_a_terminal
from tests.conftest import Aws
from tests.review.templates import IDENTITY, golden

COLUMNS = 80


def recordings(aws: Aws, steady: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Names and SVGs, from a deployment with the default settings. The last one, the demo, destroys it.

    Args:
        steady: removes from a text what differs from run to run.
    """
    yield "status", _svg("python scripts/status.py --watch 1", steady(_status(aws)))
    yield "review", _svg("make review", steady(_review()))
    yield "demo", _svg("make demo", steady(_on_a_terminal(aws, "demo.py")))


def _on_a_terminal(aws: Aws, script: str, *arguments: str) -> str:
    environment = {**aws.instance.environment(), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    shown, _ = shown_on_a_terminal(script, *arguments, env=environment, columns=COLUMNS)
    return shown


def _status(aws: Aws) -> str:
    """The last screen, with messages in both queues, figures in CloudWatch, and an alarm."""
    sqs, cloudwatch = aws.client("sqs"), aws.client("cloudwatch")
    for name, number in (("test", 12), ("test-dlq", 1)):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.purge_queue(QueueUrl=url)
        for _ in range(number):
            sqs.send_message(QueueUrl=url, MessageBody="order", DelaySeconds=0)
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    values = {"NumberOfMessagesSent": 720, "NumberOfMessagesDeleted": 600, "ApproximateAgeOfOldestMessage": 7}
    for metric, value in values.items():
        point = {
            "MetricName": metric,
            "Dimensions": [{"Name": "QueueName", "Value": "test"}],
            "Timestamp": now - datetime.timedelta(minutes=2),
            "Value": value,
        }
        cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=[point])
    states = {"test-dead-letters": "ALARM", "test-oldest-message": "OK", "test-in-flight": "OK"}
    for alarm, state in states.items():
        reason = "1 datapoint [1.0] was not less than 1.0" if state == "ALARM" else "fine"
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason=reason)
    shown = _on_a_terminal(aws, "status.py", "--deployment=", "--watch=1", "--samples=3")
    for name in ("test", "test-dlq"):
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
    return shown.rpartition("\x1b[2K")[2]


def _review() -> str:
    """A change that lets the queue's user purge the queue, up to the output of `cdk diff`."""
    variant = "administrator_access=false"  # an administrator may purge it anyway
    after = golden(variant)
    policy = next(
        each
        for each in after[IDENTITY]["Resources"].values()
        if each["Properties"].get("ManagedPolicyName") == "test-queue-user"
    )
    policy["Properties"]["PolicyDocument"]["Statement"][0]["Action"].append("sqs:PurgeQueue")
    known = yaml.safe_load((ROOT / GOLDEN / ACKNOWLEDGMENTS).read_text())
    now = {each: Synthesis(after if each == variant else golden(each), known) for each in VARIANTS}
    base = Base("origin/main", {each: golden(each) for each in VARIANTS}, known, [])
    return as_text(review(base, State({}), State(now), {}, [], [])).partition("\nDetails of ")[0]


def _svg(title: str, ansi: str) -> str:
    """Text with the escape sequences of colours as a picture. Fonts are the reader's own: nothing is loaded."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    # What is left of cursor movements has no place in a picture.
    plain = re.sub(r"\x1b\[(\?25[hl]|\d*[ABCDK])|\r", "", ansi)
    console.print(Text.from_ansi(plain.rstrip()))
    svg = console.export_svg(title=title, unique_id=re.sub(r"\W+", "-", title))
    return re.sub(r" *@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
