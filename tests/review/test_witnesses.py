"""Each witness is denied before the change and allowed after it, says the local AWS. With -s, prints how many."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from hello_queue.project import ROOT
from hello_queue.review.rights.pairs import statements_about, wider
from hello_queue.review.rights.statements import listed
from tests.review.replay import obstacle, replayed
from tests.review.test_decision import documents

PAIRS = Path(os.environ.get("HELLO_QUEUE_PAIRS", ROOT.parent / "shared/policies"))
"""Files with pairs of policies and their verdict, which are no part of the project."""


def replay(before: Any, after: Any, replays: collections.Counter[str]) -> None:
    found = wider(before, after)
    if found is None:
        replays["not wider"] += 1
        return
    principal, request = found
    why_not = obstacle(request)
    replays[why_not or "replayed"] += 1
    if not why_not:
        was, is_ = (replayed(_about(principal, document), request) for document in (before, after))
        assert (was != "Allow", is_) == (True, "Allow"), (principal, request)


def _about(principal: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The statements about a principal. The evaluator does not look at principals."""
    every = listed(document["Statement"])
    return {"Statement": [each for each in every if any(statements_about(principal, {"Statement": each}))]}


@pytest.mark.skipif(not PAIRS.is_dir(), reason="no pairs of policies beside the project")
def test_witnesses_of_pairs_with_a_verdict() -> None:
    replays: collections.Counter[str] = collections.Counter()
    for file in sorted(PAIRS.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            pair = json.loads(line)
            replay(pair["before"], pair["after"], replays)
    print(f"\n{sum(replays.values())} pairs: {dict(replays)}")
    assert replays["replayed"]


def test_witnesses_of_made_up_pairs() -> None:
    replays: collections.Counter[str] = collections.Counter()

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(documents, documents)
    def run(before: Any, after: Any) -> None:
        replay(before, after, replays)

    run()
    print(f"\n{sum(replays.values())} pairs: {dict(replays)}")
    assert replays["replayed"] > 20
