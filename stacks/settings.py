"""The settings of a deployment: what each means, its unit, its range and its default.

Settings arrive as CDK context: ``cdk deploy -c delay_seconds=10``, or ``"context"`` in cdk.json.
This module knows no CDK, so that settings can be checked and documented without starting it.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from hello_queue.constants import DEAD_LETTER_RETENTION_SECONDS

# IAM takes a comma too; Secrets Manager, where the user's name is part of a secret's, does not.
_IAM_NAME = r"[A-Za-z0-9+=.@_-]+"
_IAM_NAME_WORDS = "letters, digits and +=.@_-"
_QUEUE_NAME = r"[A-Za-z0-9_-]+"
_QUEUE_NAME_WORDS = "letters, digits, - and _"
_FIFO_SUFFIX = ".fifo"
_EMAIL = r"([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?"
_DEPLOYMENT = r"([A-Za-z][A-Za-z0-9-]*)?"
_DEPLOYMENT_WORDS = "letters, digits and -, a letter first"


class SettingsError(ValueError):
    """A setting that cannot be deployed. The message names the setting, the value and the limit."""


def _integer(default: int, *, unit: str, minimum: int, maximum: int, meaning: str) -> Any:
    limits = {"unit": unit, "minimum": minimum, "maximum": maximum}
    return field(default=default, metadata={"meaning": meaning, **limits})


def _name(default: str, *, pattern: str, words: str, longest: int, meaning: str) -> Any:
    limits = {"pattern": pattern, "words": words, "longest": longest}
    return field(default=default, metadata={"meaning": meaning, **limits})


def _flag(default: bool, *, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One deployment. The defaults are the tutorial's.

    Raises:
        SettingsError: a value is of the wrong type, out of AWS's range, or does not fit the others.
    """

    deployment: str = _name(
        "",
        pattern=_DEPLOYMENT,
        words=_DEPLOYMENT_WORDS,
        longest=20,
        meaning="Put before every name, as in `staging-test`: deployments can live side by side in one account. "
        "Empty: the names as they are",
    )
    group_name: str = _name(
        "Administrators",
        pattern=_IAM_NAME,
        words=_IAM_NAME_WORDS,
        longest=128,
        meaning="The IAM group that has AdministratorAccess",
    )
    user_name: str = _name(
        "Administrator",
        pattern=_IAM_NAME,
        words=_IAM_NAME_WORDS,
        longest=64,
        meaning="The IAM user, a member of the group",
    )
    administrator_access: bool = _flag(
        True,
        meaning="`false`: no group and no AdministratorAccess; the user keeps only its rights on the queue",
    )
    access_key: int = _integer(
        1,
        unit="",
        minimum=0,
        maximum=9_999,
        meaning="Which access key of the user is in Secrets Manager, by a number of your choice; `0`: there is none",
    )
    second_access_key: int = _integer(
        0,
        unit="",
        minimum=0,
        maximum=9_999,
        meaning="A further access key that works while a rotation is under way; `0`: none",
    )
    console_access: bool = _flag(
        False,
        meaning="Whether the user can sign in to the AWS console, by a generated password and with MFA",
    )
    password_reset_required: bool = _flag(
        True,
        meaning="Whether the user must change the generated password at the first sign-in",
    )
    queue_name: str = _name(
        "test",
        pattern=_QUEUE_NAME,
        words=_QUEUE_NAME_WORDS,
        longest=76,
        meaning="The queue. Its dead-letter queue is named after it, with `-dlq` at the end",
    )
    fifo: bool = _flag(
        False,
        meaning="A FIFO queue, which keeps the order within a message group and takes no message twice within five "
        "minutes. The names get `.fifo` at the end. Changing it replaces both queues",
    )
    content_based_deduplication: bool = _flag(
        False,
        meaning="With `fifo`: messages with the same body are the same message, unless they say otherwise",
    )
    delay_seconds: int = _integer(
        5,
        unit="seconds",
        minimum=0,
        maximum=900,
        meaning="How long a new message stays invisible (DelaySeconds)",
    )
    visibility_timeout_seconds: int = _integer(
        30,
        unit="seconds",
        minimum=0,
        maximum=43_200,
        meaning="How long a received message is hidden from other consumers (VisibilityTimeout)",
    )
    retention_seconds: int = _integer(
        345_600,
        unit="seconds",
        minimum=60,
        maximum=DEAD_LETTER_RETENTION_SECONDS - 1,
        meaning="How long an unprocessed message is kept (MessageRetentionPeriod). "
        "Less than the dead-letter queue's 14 days, which count from when the message was first sent",
    )
    max_receive_count: int = _integer(
        5,
        unit="receives",
        minimum=1,
        maximum=1_000,
        meaning="How often a message may be received before it moves to the dead-letter queue",
    )
    alarm_dead_letters: int = _integer(
        1,
        unit="messages",
        minimum=1,
        maximum=1_000_000,
        meaning="The alarm goes off when so many messages are in the dead-letter queue",
    )
    alarm_age_seconds: int = _integer(
        600,
        unit="seconds",
        minimum=60,
        maximum=DEAD_LETTER_RETENTION_SECONDS,
        meaning="The alarm goes off when the oldest message has waited longer than this for three minutes",
    )
    alarm_in_flight: int = _integer(
        100_000,
        unit="messages",
        minimum=1,
        maximum=120_000,
        meaning="The alarm goes off when so many messages are in flight for five minutes; SQS allows 120,000",
    )
    alarm_email: str = _name(
        "",
        pattern=_EMAIL,
        words="an e-mail address",
        longest=254,
        meaning="Who gets an e-mail when an alarm goes off or ends; the address must confirm it once. Empty: nobody",
    )
    workers: str = _name(
        "none",
        pattern="none|lambda",
        words="none or lambda",
        longest=10,
        meaning="`lambda`: a function on AWS Lambda handles the messages, in a stack of its own",
    )
    worker_handler: str = _name(
        "example:log",
        pattern=r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
        words="module:function",
        longest=200,
        meaning="What handles a message, as process.py's `--handler`",
    )
    worker_folder: str = _name(
        "scripts/workers",
        pattern=r"[A-Za-z0-9._/-]+",
        words="letters, digits and ._/-",
        longest=200,
        meaning="The folder of the handler's module, from the root of the project, with a requirements.txt if it needs "
        "one",
    )
    worker_timeout_seconds: int = _integer(
        5,
        unit="seconds",
        minimum=1,
        maximum=900,
        meaning="How long a batch may take; the visibility timeout must be six times that, and the batch window",
    )
    worker_memory_mb: int = _integer(
        128, unit="MB", minimum=128, maximum=10_240, meaning="The function's memory, and with it its CPU"
    )
    worker_concurrency: int = _integer(
        10, unit="batches", minimum=2, maximum=1_000, meaning="How many batches are handled at once, at the most"
    )
    worker_batch_size: int = _integer(
        10, unit="messages", minimum=1, maximum=10, meaning="How many messages the function gets at once, at the most"
    )
    worker_batch_window_seconds: int = _integer(
        0,
        unit="seconds",
        minimum=0,
        maximum=300,
        meaning="How long to wait for a batch to become full; not with `fifo`",
    )

    def __post_init__(self) -> None:
        types = get_type_hints(type(self))
        for setting in dataclasses.fields(self):
            _check(setting, types[setting.name], getattr(self, setting.name))
        for setting_name in ("group_name", "user_name", "queue_name"):
            self._check_physical_length(setting_name)
        if self.content_based_deduplication and not self.fifo:
            raise SettingsError("content_based_deduplication: only a FIFO queue has it: set fifo to true as well")
        if self.second_access_key and not self.access_key:
            raise SettingsError(
                f"second_access_key: {self.second_access_key} needs a first one: set access_key to the key in use"
            )
        if self.second_access_key and self.second_access_key == self.access_key:
            raise SettingsError(
                f"second_access_key: {self.second_access_key} is access_key already: take another number, or 0 for none"
            )
        if self.workers == "lambda":
            self._check_workers()

    def _check_workers(self) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
        needed = 6 * self.worker_timeout_seconds + self.worker_batch_window_seconds
        if self.visibility_timeout_seconds < needed:
            raise SettingsError(
                f"visibility_timeout_seconds: {self.visibility_timeout_seconds} is too short for the workers: six "
                f"times worker_timeout_seconds and worker_batch_window_seconds are {needed}. Raise it, or lower those"
            )
        if self.fifo and self.worker_batch_window_seconds:
            raise SettingsError("worker_batch_window_seconds: a FIFO queue has no batch window: set it to 0")

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Settings:
        """Read the settings from CDK context, where ``-c name=value`` gives strings and cdk.json gives JSON values.

        Keys with ``:``, ``/`` or ``@`` belong to the CDK (feature flags, cached look-ups) and are left alone.

        Raises:
            SettingsError: an unknown setting, or a value that does not fit.
        """
        types = get_type_hints(cls)
        given = {key: value for key, value in context.items() if not re.search("[:/@]", key)}
        for key in given:
            if key not in types:
                raise SettingsError(_unknown(key, list(types)))
        return cls(**{key: _parse(types[key], value) for key, value in given.items()})

    def prefixed(self, name: str) -> str:
        """The name as it is in this deployment: ``test``, or ``staging-test`` where deployment is ``staging``."""
        return f"{self.deployment}-{name}" if self.deployment else name

    @property
    def physical_group_name(self) -> str:
        return self.prefixed(self.group_name)

    @property
    def physical_user_name(self) -> str:
        return self.prefixed(self.user_name)

    @property
    def access_key_secret_name(self) -> str:
        return f"{self.physical_user_name}/access-key"

    @property
    def console_password_secret_name(self) -> str:
        return f"{self.physical_user_name}/console-password"

    @property
    def physical_alarm_topic_name(self) -> str:
        return self.prefixed(f"{self.queue_name}-alarms")

    @property
    def physical_queue_name(self) -> str:
        return self.prefixed(self.queue_name) + self._queue_suffix

    @property
    def physical_dead_letter_queue_name(self) -> str:
        return f"{self.prefixed(self.queue_name)}-dlq{self._queue_suffix}"

    @property
    def _queue_suffix(self) -> str:
        return _FIFO_SUFFIX if self.fifo else ""

    def _check_physical_length(self, setting_name: str) -> None:
        longest = type(self).__dataclass_fields__[setting_name].metadata["longest"]
        if setting_name == "queue_name":
            longest -= len(self._queue_suffix)
        physical = self.prefixed(getattr(self, setting_name))
        if len(physical) > longest:
            raise SettingsError(
                f"{setting_name}: {physical!r} (with the deployment's name before it) has {len(physical)} characters; "
                f"at most {longest} are allowed. Shorten {setting_name} or deployment"
            )


def _unknown(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"{key}: unknown setting: did you mean {close[0]}?"
    return f"{key}: unknown setting. The settings are {', '.join(known)}"


def _parse(expected: type, value: Any) -> Any:
    """What ``-c name=value`` means: text that spells a whole number, true or false is taken as such."""
    if isinstance(value, str):
        if expected is int and re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            return int(value)
        if expected is bool and value in ("true", "false"):
            return value == "true"
    return value


def _check(setting: dataclasses.Field[Any], expected: type, value: Any) -> None:
    if type(value) is not expected:
        raise SettingsError(f"{setting.name}: {_shown(value)} is not {_wanted(setting, expected)}")
    limits = setting.metadata
    if expected is int and not limits["minimum"] <= value <= limits["maximum"]:
        raise SettingsError(f"{setting.name}: {value} is out of range: it takes {_wanted(setting, expected)}")
    if isinstance(value, str):
        if len(value) > limits["longest"]:
            raise SettingsError(
                f"{setting.name}: {_shown(value)} has {len(value)} characters; at most {limits['longest']} are allowed"
            )
        if not re.fullmatch(limits["pattern"], value):
            raise SettingsError(f"{setting.name}: {_shown(value)} is not a valid name: it takes {limits['words']}")


def _wanted(setting: dataclasses.Field[Any], expected: type) -> str:
    if expected is int:
        limits = setting.metadata
        unit = f" of {limits['unit']}" if limits["unit"] else ""
        return f"a whole number{unit} from {limits['minimum']} to {limits['maximum']}"
    return "true or false" if expected is bool else "text"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def settings_table() -> str:
    """The settings as a Markdown table, for the README."""
    types = get_type_hints(Settings)
    rows = ["| Setting | Default | Range | Meaning |", "|---|---|---|---|"]
    for setting in dataclasses.fields(Settings):
        limits = setting.metadata
        if types[setting.name] is int:
            allowed = f"{limits['minimum']:,} to {limits['maximum']:,} {limits['unit']}".rstrip()
            default = f"{setting.default:,}"
        elif types[setting.name] is bool:
            allowed = "`true`, `false`"
            default = f"`{str(setting.default).lower()}`"
        else:
            allowed = f"up to {limits['longest']} of {limits['words']}"
            default = f"`{setting.default}`" if setting.default else "empty"
        rows.append(f"| `{setting.name}` | {default} | {allowed} | {limits['meaning']} |")
    return "\n".join(rows) + "\n"
