"""The findings that a change accepts, in tests/golden/accepted.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

from hello_queue.errors import UsageError
from hello_queue.review.base import ACCEPTED, Base
from hello_queue.review.findings import short
from hello_queue.review.synthesis import GOLDEN


def accepted_since(base: Base, root: Path) -> dict[str, str]:
    """The reasons for accepting findings, by the findings' ids: entries that the base does not have.

    What the base had accepted was accepted for another change.

    Args:
        base: the commit to compare with.
        root: the working tree.

    Raises:
        UsageError: the file is invalid, or an entry has no reason.
    """
    path, name = root / GOLDEN / ACCEPTED, f"{GOLDEN}/{ACCEPTED}"
    try:
        entries = yaml.safe_load(path.read_text()) if path.exists() else []
        accepted = [(str(entry["finding"]), str(entry["reason"] or "").strip()) for entry in entries or []]
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError):
        raise UsageError(f"{name} is not a list of entries with `finding` and `reason`") from None
    for finding, reason in accepted:
        if reason in ("", "..."):
            raise UsageError(f"{name}: {finding!r} has no reason: explain why this is intended")
    before = [(entry.get("finding"), str(entry.get("reason")).strip()) for entry in base.accepted]
    return {short(finding): reason for finding, reason in accepted if (finding, reason) not in before}
