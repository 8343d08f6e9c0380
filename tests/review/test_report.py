"""The report: a finding's variant and details, and text of a change that tries to write the report itself."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest import mock

import yaml

from hello_queue.project import ROOT
from hello_queue.review import rules_of_guards as guards
from hello_queue.review.assembly import Synthesis
from hello_queue.review.base import Base
from hello_queue.review.findings import Finding, Note, short
from hello_queue.review.report import Review, as_markdown, as_text
from hello_queue.review.rules_of_guards import reviewers, stale_golden
from hello_queue.review.synthesis import ACKNOWLEDGMENTS, GOLDEN, VARIANTS
from hello_queue.review.working_tree import State, review
from tests.review.templates import (
    IDENTITY,
    MESSAGING,
    QUEUE,
    USER,
    Templates,
    document,
    golden,
    properties,
    statement,
    tls_only,
    use_the_queue,
)

KNOWN: list[dict[str, str]] = yaml.safe_load((ROOT / GOLDEN / ACKNOWLEDGMENTS).read_text())
HOSTILE = "\x1b[2J\nCompared with main: nothing changes in AWS\n\u202ereversed\u2028"


def base() -> Base:
    return Base("abc", {variant: golden(variant) for variant in VARIANTS}, KNOWN, [])


NONE: list[str] = []


def compared(changed: Mapping[str, Templates], more: list[dict[str, str]] | None = None) -> Review:
    """The review of these templates, with these additional acknowledgments; the other variants do not change."""
    now = {variant: Synthesis(changed.get(variant, golden(variant)), []) for variant in VARIANTS}
    now["default"] = Synthesis(now["default"].templates, [*KNOWN, *(more or [])])
    return review(base(), State({}), State(now), {}, [], NONE)


def test_a_finding_names_its_variant() -> None:
    after: dict[str, Any] = golden("console_access=true")
    after[IDENTITY]["Resources"]["Guest"] = {"Type": "AWS::IAM::User", "Properties": {"UserName": "guest"}}
    text = as_text(compared({"console_access=true": after}))
    assert (
        "DECIDE  new-user: user guest is new\n  before   none\n  after    guest\n  why      A user can have access keys"
        in text
    )
    assert "(HelloQueueIdentity, Guest, UserName; with console_access=true)\n" in text
    assert "  with console_access=true:\n    HelloQueueIdentity  added: AWS::IAM::User guest" in text


def test_a_finding_of_several_variants_is_reported_once() -> None:
    def with_guest(variant: str) -> Templates:
        after = golden(variant)
        after[IDENTITY]["Resources"]["Guest"] = {"Type": "AWS::IAM::User", "Properties": {"UserName": "guest"}}
        return after

    text = as_text(compared({variant: with_guest(variant) for variant in VARIANTS}))
    assert text.count("new-user: user guest is new") == 2, "where it is decided, and how it is accepted"
    assert "; with " not in text
    assert text.count("added: AWS::IAM::User guest") == 1


def test_findings_of_two_resources_with_one_name_are_two() -> None:
    after = golden()
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "test"}}
    everybody = document(statement(Principal="*", Action="*"))
    policy = {"Type": "AWS::SNS::TopicPolicy", "Properties": {"Topics": [{"Ref": "T"}], "PolicyDocument": everybody}}
    after[MESSAGING]["Resources"] |= {"T": topic, "P": policy}
    tls_only(after[MESSAGING]["Resources"]).append(statement(Principal="*", Action="*"))
    text = as_text(compared({"default": after}))
    assert text.count("DECIDE  wider-rights: anyone may call any action on test\n") == 2


def test_who_accepts_that_a_denial_shrinks_does_not_accept_its_removal() -> None:
    shrunk, gone = golden(), golden()
    tls_only(shrunk[MESSAGING]["Resources"])[0]["Action"] = ["sqs:SendMessage"]
    del tls_only(gone[MESSAGING]["Resources"])[0]
    (finding,) = compared({"default": shrunk}).open
    for after, left in ((shrunk, 0), (gone, 1)):
        now = {variant: Synthesis(after if variant == "default" else golden(variant), KNOWN) for variant in VARIANTS}
        found = review(base(), State({}), State(now), {short(finding.id): "only senders"}, [], NONE)
        assert (len(found.open), len(found.accepted)) == (left, 1 - left)


def test_golden_files_out_of_date_cannot_be_accepted() -> None:
    """The next change is compared with them: what the code makes since would never be seen."""
    (stale,) = stale_golden(["default/HelloQueueIdentity.yaml"])
    now = {variant: Synthesis(golden(variant), KNOWN) for variant in VARIANTS}
    found = review(base(), State({}), State(now), {short(stale.id): "a formatting"}, [stale], NONE)
    assert (list(found.open), dict(found.accepted)) == ([stale], {})


def test_a_new_acknowledgment() -> None:
    entry = {"finding": "AwsSolutions-SQS4", "where": "HelloQueueMessaging/Queue/Resource", "reason": "it is easier"}
    text = as_text(compared({}, [entry]))
    assert "DECIDE  new-acknowledgment: AwsSolutions-SQS4 on HelloQueueMessaging/Queue/Resource" in text
    assert "  after    it is easier" in text


def test_a_long_difference_of_code_is_cut() -> None:
    old, new = (
        State({"default": Synthesis(golden(), KNOWN, assets={"Code": {"a.py": f"{value}\n" * 300}})}) for value in "xy"
    )
    (text,) = review(base(), old, new, {}, [], NONE).details.values()
    assert text.splitlines()[:4] == ["--- before", "+++ after", "@@ -1,300 +1,300 @@", "-x"]
    assert text.splitlines()[199:] == ["-x", "... and 403 more lines"]


def test_a_removed_stack() -> None:
    after = golden()
    del after[MESSAGING]
    text = as_text(compared({"default": after}))
    assert "DECIDE  data-loss: queue test is removed" in text
    assert "Details of HelloQueueMessaging (default):\n  The whole stack is removed." in text


def test_a_template_cannot_write_lines_of_the_report() -> None:
    """A description that clears the screen and states a verdict."""
    after = golden()
    properties(after[MESSAGING]["Resources"], QUEUE)["Tags"] = [{"Key": HOSTILE, "Value": HOSTILE}]
    after[MESSAGING]["Outputs"][HOSTILE] = {"Description": HOSTILE, "Value": HOSTILE}
    found = compared({"default": after})
    for text in (as_text(found), as_markdown(found)):
        assert not any(character in text for character in "\x1b\u202e\u2028")
    assert [line for line in as_text(found).splitlines() if line.startswith("Compared with")] == [
        f"Compared with abc in {len(VARIANTS)} variants of the settings: nothing needs a decision"
    ]


def test_findings_notes_and_reasons_are_escaped() -> None:
    finding = Finding("new-user", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    note = Note(HOSTILE, HOSTILE)
    notes = {"fifo=true": [note]}
    hostile = Review(HOSTILE, {finding: [HOSTILE]}, {finding: HOSTILE}, [note], notes, {HOSTILE: HOSTILE}, [HOSTILE])
    for text in (as_text(hostile), as_markdown(hostile)):
        assert not any(character in text for character in "\x1b\u202e\u2028")
    assert as_text(hostile).count("\nCompared with") == 0
    (entry,) = yaml.safe_load(as_markdown(hostile).partition("```yaml\n")[2].partition("```")[0])
    assert entry["finding"] == finding.id, "what is to be copied into accepted.yaml is exact"


def test_text_of_a_change_is_only_text_in_markdown() -> None:
    hostile = "</details><script>x</script> [link](http://x) `code` @team #1 **bold**"
    finding = Finding("new-user", hostile, "S", "R", "P", "none", hostile)
    markdown = as_markdown(Review("abc", {finding: ["default"]}, {}, [], {}, {"S": "```````\n</details>"}, []))
    before_details = markdown.partition("<details>")[0].replace("```yaml", "").rpartition("```")[0]
    reported = [line for line in before_details.splitlines() if not line.startswith("- finding:")]
    assert not any("<script>" in line or "[link](" in line or "@team" in line.replace("\\@", "") for line in reported)
    assert "````````\n```````\n</details>\n````````" in markdown
    spoof = Finding("new-user", "*\n```\n\n# nothing needs a decision\n<!--", "S", "R", "P", "none", "x\ny")
    markdown = as_markdown(Review("abc", {spoof: ["default"]}, {}, [], {}, {}, []))
    assert not any(line.startswith(("# nothing", "<!--")) for line in markdown.splitlines())


def test_code_that_changes_nothing_here_may_change_something_elsewhere() -> None:
    now = State({variant: Synthesis(golden(variant), KNOWN) for variant in VARIANTS})
    text = as_text(review(base(), State({}), now, {}, [], ["stacks/alarms.py"]))
    assert "  stacks  stacks/ changed, but none of the 9 variants did: another combination of settings may" in text


KEY, PASSWORD = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "hunter22"


def test_a_literal_secret_is_reported_and_never_printed() -> None:
    """In values before and after, in notes, in the output of `cdk diff`, and in the difference of the code."""
    before, after = golden(), golden()
    for templates, end in ((before, "1"), (after, "2")):
        variables = {"DB_PASSWORD": PASSWORD + end, "MODE": "x" + end, "URL": f"postgres://u:{PASSWORD}{end}@db/x"}
        function = {"Code": {"S3Key": "a"}, "Environment": {"Variables": variables}, "Role": "r"}
        templates[MESSAGING]["Resources"]["F"] = {"Type": "AWS::Lambda::Function", "Properties": function}
    properties(after[MESSAGING]["Resources"], QUEUE)["KmsMasterKeyId"] = f"AKIAIOSFODNN7EXAMPLE {KEY}"
    tags = [{"Key": "token", "Value": PASSWORD}]
    properties(after[MESSAGING]["Resources"], QUEUE)["Tags"] = tags
    after[MESSAGING]["Parameters"] = {"P": {"Type": "String", "NoEcho": True, "Default": PASSWORD}}
    code = {"Code": {"a.py": 'password = "p"\n'}}, {"Code": {"a.py": f'password = "{PASSWORD}"\nkey = "{KEY}"\n'}}
    old, new = (
        Synthesis(each, KNOWN, {"stack S": {"tags": {}}}, files)
        for each, files in zip((before, after), code, strict=True)
    )
    new = replace(new, facts={"stack S": {"tags": {"secret": PASSWORD}, "x": {"Password": PASSWORD}}})
    with mock.patch.object(guards, "silenced_rules", return_value=[]):
        found = review(
            replace(base(), variants={"default": before}),
            State({"default": old}),
            State({"default": new}),
            {},
            [],
            NONE,
        )
    found = replace(found, accepted=dict.fromkeys(found.open, f"it is {KEY}"))
    text, markdown = as_text(found), as_markdown(found)
    for printed in (text, markdown):
        assert not [each for each in ("hunter", "AKIA", "wJalr") if each in printed]
    assert "HelloQueueMessaging/Resources/F/Properties/Environment" not in text, "it was there before"
    for place in (f"Resources/{QUEUE}/Properties/KmsMasterKeyId", f"Resources/{QUEUE}/Properties/Tags/Value"):
        assert f"exposed-secret: a literal secret is in HelloQueueMessaging/{place}" in text
    assert "unlisted-change: F: Environment.Variables.DB_PASSWORD changed" in text, "one secret differs from another"
    assert "x1" in text, "what is no secret is shown"


def test_six_findings_fit_on_a_screen() -> None:
    """Of 80 columns and 50 lines: what happens, before, after, an example, and why it matters; then how to accept."""
    after = golden("administrator_access=false")
    identity, messaging = (after[stack]["Resources"] for stack in (IDENTITY, MESSAGING))
    use_the_queue(identity)["Action"].append("sqs:PurgeQueue")
    use_the_queue(identity)["Resource"] = "*"
    tls_only(messaging)[0]["Action"] = ["sqs:SendMessage"]
    tls_only(messaging).append(statement(Principal={"AWS": "444455556666"}))
    properties(identity, USER)["Groups"] = ["Administrators"]
    properties(messaging, QUEUE)["MessageRetentionPeriod"] = 60
    del properties(messaging, QUEUE)["RedrivePolicy"]
    text = as_text(compared({"administrator_access=false": after})).partition("\nAll changes:")[0]
    lines = [row for line in text.splitlines() for row in textwrap.wrap(line, 80, drop_whitespace=False) or [""]]
    assert text.count("DECIDE") >= 6
    assert len(lines) <= 50, text
    assert lines[-1] == "    reason: ..."


def test_a_change_of_the_review_itself() -> None:
    (finding,) = reviewers(["README.md", "scripts/hello_queue/review/table.py", "scripts/review.py"])
    assert finding.id == "weaker-review: this change also changes the review: compare with the review of the base"
    assert list(reviewers(["README.md", "tests/review/test_report.py"])) == []
