"""The settings in groups: meaning, unit, range and default of each. `worker_settings` has those of the workers."""

from __future__ import annotations

from dataclasses import dataclass

from hello_queue.constants import DEAD_LETTER_RETENTION_SECONDS
from stacks.setting_kinds import Flag, SettingsError, SettingsGroup, Text, WholeNumber, setting

# IAM takes a comma too; Secrets Manager, where the user's name is part of a secret's, does not.
_IAM_NAME = r"[A-Za-z0-9+=.@_-]+"
_IAM_NAME_WORDS = "letters, digits and +=.@_-"
_EMAIL = r"([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)?"


@dataclass(frozen=True, kw_only=True)
class DeploymentSettings(SettingsGroup):
    """Which deployment it is."""

    deployment: str = setting(
        "",
        Text(
            pattern=r"([A-Za-z][A-Za-z0-9-]*)?",
            words="letters, digits and -, starting with a letter",
            longest=20,
            meaning="Put in front of every name, as in `staging-test`, so that one account can hold several "
            "deployments. Empty: names without a prefix",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class IdentitySettings(SettingsGroup):
    """Who may use the queue, and how they sign in."""

    group_name: str = setting(
        "Administrators",
        Text(
            pattern=_IAM_NAME,
            words=_IAM_NAME_WORDS,
            longest=128,
            meaning="The IAM group that has AdministratorAccess",
        ),
    )
    user_name: str = setting(
        "Administrator",
        Text(pattern=_IAM_NAME, words=_IAM_NAME_WORDS, longest=64, meaning="The IAM user, a member of the group"),
    )
    administrator_access: bool = setting(
        True,
        Flag(meaning="`false`: no group and no AdministratorAccess; the user keeps only its rights on the queue"),
    )
    access_key: int = setting(
        1,
        WholeNumber(
            minimum=0,
            maximum=9_999,
            unit="",
            meaning="Which access key of the user is in Secrets Manager, by a number of your choice; `0`: no access "
            "key",
        ),
    )
    second_access_key: int = setting(
        0,
        WholeNumber(
            minimum=0,
            maximum=9_999,
            unit="",
            meaning="Another access key that works during a rotation; `0`: none",
        ),
    )
    console_access: bool = setting(
        False,
        Flag(meaning="Whether the user can sign in to the AWS console, with a generated password and MFA"),
    )
    password_reset_required: bool = setting(
        True,
        Flag(meaning="Whether the user must change the generated password at the first sign-in"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.second_access_key and not self.access_key:
            raise SettingsError(
                f"second_access_key: {self.second_access_key} needs a first one: set access_key to the key in use"
            )
        if self.second_access_key and self.second_access_key == self.access_key:
            raise SettingsError(
                f"second_access_key: {self.second_access_key} is also access_key: specify another number, or 0 for none"
            )


@dataclass(frozen=True, kw_only=True)
class QueueSettings(SettingsGroup):
    """The queue and its dead-letter queue."""

    queue_name: str = setting(
        "test",
        Text(
            pattern=r"[A-Za-z0-9_-]+",
            words="letters, digits, - and _",
            longest=76,
            meaning="The queue. Its dead-letter queue has the same name with `-dlq` at the end",
        ),
    )
    fifo: bool = setting(
        False,
        Flag(
            meaning="A FIFO queue, which keeps the order within a message group and drops duplicates sent within five "
            "minutes. The names end in `.fifo`. Changing it replaces both queues"
        ),
    )
    content_based_deduplication: bool = setting(
        False,
        Flag(meaning="With `fifo`: messages with the same body are duplicates unless they have a deduplication ID"),
    )
    delay_seconds: int = setting(
        5,
        WholeNumber(
            minimum=0, maximum=900, unit="seconds", meaning="How long a new message stays invisible (DelaySeconds)"
        ),
    )
    visibility_timeout_seconds: int = setting(
        30,
        WholeNumber(
            minimum=0,
            maximum=43_200,
            unit="seconds",
            meaning="How long a received message is hidden from other consumers (VisibilityTimeout)",
        ),
    )
    retention_seconds: int = setting(
        345_600,
        WholeNumber(
            minimum=60,
            maximum=DEAD_LETTER_RETENTION_SECONDS - 1,
            unit="seconds",
            meaning="How long an unprocessed message is kept (MessageRetentionPeriod). Less than the dead-letter "
            "queue's 14 days, which count from when the message was first sent",
        ),
    )
    max_receive_count: int = setting(
        5,
        WholeNumber(
            minimum=1,
            maximum=1_000,
            unit="receives",
            meaning="How many times a message is received before it moves to the dead-letter queue",
        ),
    )
    keep_data: bool = setting(
        False,
        Flag(
            meaning="`true`: CloudFormation keeps both queues when it deletes or replaces them, and termination "
            "protection is on for their stack"
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.content_based_deduplication and not self.fifo:
            raise SettingsError("content_based_deduplication: only FIFO queues support it: set fifo to true as well")


@dataclass(frozen=True, kw_only=True)
class AlarmSettings(SettingsGroup):
    """When the alarms go off, and who gets an e-mail."""

    alarm_dead_letters: int = setting(
        1,
        WholeNumber(
            minimum=1,
            maximum=1_000_000,
            unit="messages",
            meaning="The alarm goes off when at least this many messages are in the dead-letter queue",
        ),
    )
    alarm_age_seconds: int = setting(
        600,
        WholeNumber(
            minimum=60,
            maximum=DEAD_LETTER_RETENTION_SECONDS,
            unit="seconds",
            meaning="The alarm goes off when the oldest message has been older than this for three minutes",
        ),
    )
    alarm_in_flight: int = setting(
        100_000,
        WholeNumber(
            minimum=1,
            maximum=120_000,
            unit="messages",
            meaning="The alarm goes off when at least this many messages have been in flight for five minutes; SQS "
            "allows 120,000",
        ),
    )
    alarm_email: str = setting(
        "",
        Text(
            pattern=_EMAIL,
            words="an e-mail address",
            longest=254,
            meaning="Who gets an e-mail when an alarm goes off or ends; the address must confirm the subscription "
            "once. Empty: nobody",
        ),
    )
