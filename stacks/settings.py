"""The settings of a deployment, from CDK context: ``cdk deploy -c delay_seconds=10``, or ``"context"`` in cdk.json.

This module knows no CDK, so that settings can be checked and documented without starting it.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stacks.names import Names
from stacks.setting_groups import AlarmSettings, DeploymentSettings, IdentitySettings, QueueSettings
from stacks.setting_kinds import SettingsError, SettingsGroup, Text, kind_of
from stacks.worker_settings import WorkerSettings

__all__ = ["FIELDS", "Settings", "SettingsError", "settings_table"]

_GROUPS: Mapping[str, type[SettingsGroup]] = {
    "general": DeploymentSettings,
    "identity": IdentitySettings,
    "queue": QueueSettings,
    "alarms": AlarmSettings,
    "workers": WorkerSettings,
}

FIELDS = {field.name: field for group in _GROUPS.values() for field in dataclasses.fields(group)}
"""Every setting by its context key, in the order of the table in docs/settings.md."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one deployment. The defaults are the tutorial's.

    Raises:
        SettingsError: the groups contradict each other, or a name is too long with the deployment's name in front.
    """

    general: DeploymentSettings = dataclasses.field(default_factory=DeploymentSettings)
    identity: IdentitySettings = dataclasses.field(default_factory=IdentitySettings)
    queue: QueueSettings = dataclasses.field(default_factory=QueueSettings)
    alarms: AlarmSettings = dataclasses.field(default_factory=AlarmSettings)
    workers: WorkerSettings = dataclasses.field(default_factory=WorkerSettings)

    def __post_init__(self) -> None:
        names = self.names
        self._check_length("group_name", names.group)
        self._check_length("user_name", names.user)
        self._check_length("queue_name", names.queue, suffix=names.queue_suffix)
        if self.workers.workers == "lambda":
            self._check_workers()

    def _check_length(self, name: str, physical: str, suffix: str = "") -> None:
        kind = kind_of(FIELDS[name])
        assert isinstance(kind, Text)
        if len(physical) > kind.longest:
            added = " and ".join(["the deployment's name in front", *([f"{suffix} at the end"] if suffix else [])])
            raise SettingsError(
                f"{name}: {physical!r} has {len(physical)} characters, with {added}; at most {kind.longest} are "
                f"allowed. Shorten {name} or deployment"
            )

    def _check_workers(self) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
        needed = 6 * self.workers.worker_timeout_seconds + self.workers.worker_batch_window_seconds
        if self.queue.visibility_timeout_seconds < needed:
            raise SettingsError(
                f"visibility_timeout_seconds: {self.queue.visibility_timeout_seconds} is too short for the workers: "
                f"six times worker_timeout_seconds plus worker_batch_window_seconds is {needed}. Raise it, or lower "
                "those"
            )
        if self.queue.fifo and self.workers.worker_batch_window_seconds:
            raise SettingsError("worker_batch_window_seconds: FIFO queues do not support a batch window: set it to 0")

    @property
    def names(self) -> Names:
        return Names(
            deployment=self.general.deployment,
            group_name=self.identity.group_name,
            user_name=self.identity.user_name,
            queue_name=self.queue.queue_name,
            fifo=self.queue.fifo,
        )

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Settings:
        """Read the settings from CDK context, where ``-c name=value`` gives strings and cdk.json gives JSON values.

        Keys with ``:``, ``/`` or ``@`` belong to the CDK (feature flags, cached look-ups) and are ignored.

        Raises:
            SettingsError: an unknown setting, or an invalid value.
        """
        given = {}
        for key, value in context.items():
            if re.search("[:/@]", key):
                continue
            if key not in FIELDS:
                raise SettingsError(_unknown(key))
            given[key] = kind_of(FIELDS[key]).parse(value)
        groups: dict[str, Any] = {
            name: group(**{field.name: given[field.name] for field in dataclasses.fields(group) if field.name in given})
            for name, group in _GROUPS.items()
        }
        return cls(**groups)


def _unknown(key: str) -> str:
    close = difflib.get_close_matches(key, FIELDS, n=1)
    if close:
        return f"{key}: unknown setting: did you mean {close[0]}?"
    return f"{key}: unknown setting. The settings are {', '.join(FIELDS)}"


def settings_table() -> str:
    """The settings as a Markdown table, for docs/settings.md."""
    rows = ["| Setting | Default | Range | Meaning |", "|---|---|---|---|"]
    for name, field in FIELDS.items():
        kind = kind_of(field)
        default = kind.describe_value(field.default)
        rows.append(f"| `{name}` | {default} | {kind.describe_range()} | {kind.meaning} |")
    return "\n".join(rows) + "\n"
