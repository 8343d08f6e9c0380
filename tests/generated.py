"""The generated parts of README.md and docs/: settings, and what the scripts print. ``make docs`` refreshes them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hello_queue.benchmark.results import RECORD, summary
from hello_queue.project import ROOT
from stacks.settings import settings_table
from tests import screens
from tests.conftest import Assemblies, Aws, bootstrapped_aws
from tests.picture import draw
from tests.recordings import recordings
from tests.tenants import draw_tenants

README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]

_PLACE = r"(?s)<!-- generated: (\w+) -->\n.*?<!-- end -->"

EXAMPLES = {
    "credentials": ["python scripts/credentials.py profile queue"],
    "send": ["python scripts/send.py", "python scripts/send.py --author Ada 'Good morning'"],
    "process": ["python scripts/process.py --count 2"],
    "smoke": ["python scripts/smoke_test.py"],
    "status": ["python scripts/status.py --watch 1 --samples 2"],
    "redrive": ["python scripts/redrive.py", "python scripts/redrive.py --move --yes"],
}

_STEADY = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "cb1d2f0e-5a3c-4c7e-9d43-0f7c5a1e2b6d",
    r"AKIA[0-9A-Z]{16}": "AKIAIOSFODNN7EXAMPLE",
    r"/\S*/aws/(config|credentials)": r"~/.aws/\1",
    r"after \d+\.\d\d s": "after 5.03 s",
    r"(access-key|console-password)-\w{6}\b": r"\1-a1b2c3",
    r" +\d+ s  received": "        12 s  received",
    r"of \d\d:\d\d UTC": "of 14:03 UTC",
    r"(?m) +$": "",
}
"""What differs from run to run, and what the documents have instead."""


def pictures(aws: Aws) -> dict[Path, str]:
    """The generated files beside the documents. Nothing is deployed any more afterwards: the demo destroys it."""
    body = aws.client("cloudwatch").get_dashboard(DashboardName="test")["DashboardBody"]
    drawn = {"dashboard": draw(json.loads(body)), "tenants": draw_tenants(aws), **dict(recordings(aws, steady))}
    return {ROOT / f"docs/pictures/{name}.svg": svg for name, svg in drawn.items()}


def pieces(aws: Aws) -> dict[str, str]:
    """The generated parts, from a deployment with the default settings."""
    sqs = aws.client("sqs")
    dead = sqs.get_queue_url(QueueName="test-dlq")["QueueUrl"]
    outputs = {}
    for name, commands in EXAMPLES.items():
        if name == "redrive":
            sqs.send_message(QueueUrl=dead, MessageBody="an order that nobody understood")
        outputs[name] = "".join(_shown(aws, command) for command in commands)
    examples = {name: f"```console\n{text}```\n" for name, text in outputs.items()}
    return {**examples, "settings": settings_table(), "benchmark": summary(ROOT / RECORD)}


def refreshed(texts: Mapping[Path, str], generated: Mapping[str, str]) -> dict[Path, str]:
    """The documents with their generated parts replaced. A part can have a place in several.

    Raises:
        ValueError: no document has a place for a part, or there is no part for a place.
    """
    places = {name for text in texts.values() for name in re.findall(_PLACE, text)}
    if places != generated.keys():
        raise ValueError(f"there are places for {sorted(places)}, and generated parts {sorted(generated)}")
    return {path: re.sub(_PLACE, lambda place: _filled(place, generated), text) for path, text in texts.items()}


def _filled(place: re.Match[str], generated: Mapping[str, str]) -> str:
    name = place.group(1)
    return f"<!-- generated: {name} -->\n{generated[name]}<!-- end -->"


def _shown(aws: Aws, command: str) -> str:
    """A command and its output, as on a terminal."""
    done = aws.run("sh", "-c", f"{command} 2>&1", env={"COLUMNS": "100"})
    return steady(f"$ {command}\n{done.stdout}")


def steady(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, instead in _STEADY.items():
        text = re.sub(pattern, instead, text)
    return text


def main() -> None:
    screens.write()
    with tempfile.TemporaryDirectory() as directory, bootstrapped_aws(Assemblies(Path(directory))) as aws:
        aws.deploy()
        texts = {path: path.read_text() for path in DOCUMENTS}
        for path, text in refreshed(texts, pieces(aws)).items():
            path.write_text(text)
        for path, content in pictures(aws).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)


if __name__ == "__main__":
    main()
