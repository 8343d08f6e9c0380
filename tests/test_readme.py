"""The README is true: what comes from code is fresh, and what it names is there."""

from __future__ import annotations

import re

import pytest

from common.tools import ROOT
from tests.conftest import Aws
from tests.generated import README, pieces, refreshed


def test_what_comes_from_code_is_fresh(empty_aws: Aws) -> None:
    empty_aws.cdk("deploy")
    text = README.read_text()
    assert refreshed(text, pieces(empty_aws)) == text, "README.md is stale: run `make docs`"


def test_a_place_without_a_part_is_noticed() -> None:
    with pytest.raises(ValueError, match="'b'"):
        refreshed("<!-- generated: b -->\n<!-- end -->", {"a": ""})


def test_the_files_and_targets_that_it_names_exist() -> None:
    text = README.read_text()
    for script in re.findall(r"scripts/\w+\.py", text):
        assert (ROOT / script).exists(), script
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"`make (\w+)`|^make (\w+)", text, re.MULTILINE):
        assert "".join(target) in targets, target


def test_every_script_is_in_it() -> None:
    text = README.read_text()
    for script in (ROOT / "scripts").glob("*.py"):
        if script.name != "demo.py":
            assert f"**`{script.name}`**" in text, script
