"""Settings: the tutorial's defaults, and what AWS would reject is rejected first, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.setting_groups import IdentitySettings, QueueSettings
from stacks.setting_kinds import Choice, Flag, Text, WholeNumber, kind_of
from stacks.settings import FIELDS, Settings, SettingsError, settings_table

INTEGERS = [name for name, field in FIELDS.items() if isinstance(kind_of(field), WholeNumber)]
TEXTS = [name for name, field in FIELDS.items() if isinstance(kind_of(field), Text)]
FLAGS = [name for name, field in FIELDS.items() if isinstance(kind_of(field), Flag)]
CHOICES = [name for name, field in FIELDS.items() if isinstance(kind_of(field), Choice)]


def value_of(name: str, **context: Any) -> Any:
    """The value of one setting, read from context."""
    groups = vars(Settings.from_context(context)).values()
    (value,) = [getattr(group, name) for group in groups if hasattr(group, name)]
    return value


def rejection(**context: Any) -> str:
    with pytest.raises(SettingsError) as rejected:
        Settings.from_context(context)
    message = str(rejected.value)
    assert "\n" not in message
    return message


def test_the_defaults_are_the_tutorials() -> None:
    settings = Settings()
    assert Settings.from_context({}) == settings
    assert (settings.names.group, settings.names.user, settings.names.queue) == (
        "Administrators",
        "Administrator",
        "test",
    )
    assert settings.queue.delay_seconds == 5
    assert settings.queue.max_receive_count == 5
    assert settings.identity.administrator_access is True
    assert settings.queue.keep_data is False


def test_every_setting_has_a_meaning_and_is_of_a_kind_that_is_tested_here() -> None:
    assert all(kind_of(field).meaning for field in FIELDS.values())
    assert set(INTEGERS + TEXTS + FLAGS + CHOICES) == set(FIELDS)


@pytest.mark.parametrize(
    ("name", "minimum", "maximum"),
    [
        ("delay_seconds", 0, 900),
        ("visibility_timeout_seconds", 0, 43_200),
        ("retention_seconds", 60, 1_209_599),
        ("max_receive_count", 1, 1_000),
        ("access_key", 0, 9_999),
        ("second_access_key", 0, 9_999),
        ("alarm_dead_letters", 1, 1_000_000),
        ("worker_timeout_seconds", 1, 900),
        ("worker_memory_mb", 128, 10_240),
        ("worker_concurrency", 2, 1_000),
        ("worker_batch_size", 1, 10),
        ("worker_batch_window_seconds", 0, 300),
        ("alarm_age_seconds", 60, 1_209_600),
        ("alarm_in_flight", 1, 120_000),
    ],
)
def test_the_ranges_are_those_of_aws(name: str, minimum: int, maximum: int) -> None:
    for value in (minimum, maximum):
        assert value_of(name, **{name: value}) == value
        assert value_of(name, **{name: str(value)}) == value
    for value in (minimum - 1, maximum + 1, 10**17):
        message = rejection(**{name: str(value)})
        assert name in message
        assert str(value) in message
        assert f"from {minimum} to {maximum}" in message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("delay_seconds", "901", "901 is out of range: specify a whole number of seconds from 0 to 900"),
        ("access_key", "x", "'x' is not a whole number from 0 to 9999"),
        ("queue_name", "", "'' is invalid: specify letters, digits, - and _"),
        ("deployment", "a" * 21, f"'{'a' * 21}' has 21 characters; at most 20 are allowed"),
        ("fifo", "yes", "'yes' is not true or false"),
        ("workers", "Lambda", "'Lambda' is not none or lambda"),
    ],
)
def test_each_kind_names_setting_value_and_limit(name: str, value: str, message: str) -> None:
    assert rejection(**{name: value}) == f"{name}: {message}"


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", ["", "five", "5.0", "0x5", "٥", "1e3", " 5", True, 5.0, None, [5], "9" * 10_000])
def test_only_whole_numbers(name: str, value: Any) -> None:
    message = rejection(**{name: value})
    assert message.startswith(f"{name}: ")
    assert "whole number" in message
    assert len(message) < 250


@pytest.mark.parametrize("name", FLAGS)
def test_flags(name: str) -> None:
    needed = {"fifo": True} if name == "content_based_deduplication" else {}
    for given, meant in (("true", True), ("false", False), (True, True), (False, False)):
        assert value_of(name, **{**needed, name: given}) is meant
    for value in ("", "no", "True", "1", 1, 0, None):
        assert "is not true or false" in rejection(**{name: value})


@pytest.mark.parametrize("name", CHOICES)
def test_choices(name: str) -> None:
    kind = kind_of(FIELDS[name])
    assert isinstance(kind, Choice)
    for option in kind.options:
        assert value_of(name, **{name: option}) == option
    for value in ("", "None", "Lambda", " lambda", True, None, 0, ["lambda"]):
        assert rejection(**{name: value}) == f"{name}: {value!r} is not {' or '.join(kind.options)}"


@pytest.mark.parametrize(
    ("name", "longest"), [("group_name", 128), ("user_name", 64), ("queue_name", 76), ("deployment", 20)]
)
def test_the_longest_names(name: str, longest: int) -> None:
    assert value_of(name, **{name: "a" * longest}) == "a" * longest
    message = rejection(**{name: "a" * (longest + 1)})
    assert f"at most {longest}" in message


def read(**context: Any) -> Settings:
    return Settings.from_context(context)


def test_the_longest_queue_name_leaves_room_for_the_dead_letter_queue() -> None:
    assert len(read(queue_name="a" * 76).names.dead_letter_queue) == 80
    assert len(read(queue_name="a" * 71, fifo=True).names.dead_letter_queue) == 80
    assert ".fifo at the end; at most 76" in rejection(queue_name="a" * 72, fifo=True)


def test_the_visibility_timeout_leaves_the_workers_time() -> None:
    read(workers="lambda", worker_timeout_seconds=5, visibility_timeout_seconds=30)
    read(workers="lambda", worker_timeout_seconds=5, visibility_timeout_seconds=40, worker_batch_window_seconds=10)
    assert "is 36" in rejection(workers="lambda", worker_timeout_seconds=6, visibility_timeout_seconds=35)
    message = rejection(workers="lambda", worker_batch_window_seconds=1)
    assert message.startswith("visibility_timeout_seconds: 30 is too short")
    read(worker_timeout_seconds=900)  # there are no workers
    fifo = {"fifo": True, "visibility_timeout_seconds": 100}
    assert "do not support a batch window" in rejection(workers="lambda", worker_batch_window_seconds=1, **fifo)
    assert "specify module:function" in rejection(worker_handler="no_function")


def test_provisioned_pollers() -> None:
    """Each range, as far as the other setting allows it."""
    for least, most in ((0, 0), (2, 2), (200, 200), (2, 2_000), (200, 2_000)):
        found = read(worker_pollers_min=least, worker_pollers_max=most).workers
        assert (found.worker_pollers_min, found.worker_pollers_max) == (least, most)
    for least, most in ((1, 1), (0, 2), (2, 0), (1, 2), (2, 1)):
        message = rejection(worker_pollers_min=least, worker_pollers_max=most)
        assert f"{least} and {most}: provisioned mode needs both, each of 2 or more" in message
    assert "3 is more than worker_pollers_max, 2" in rejection(worker_pollers_min=3, worker_pollers_max=2)
    for name, value, limit in (
        ("worker_pollers_min", -1, 200),
        ("worker_pollers_min", 201, 200),
        ("worker_pollers_max", -1, 2_000),
        ("worker_pollers_max", 2_001, 2_000),
    ):
        assert f"{value} is out of range: specify a whole number of pollers from 0 to {limit}" in rejection(
            **{name: str(value)}
        )
    message = rejection(worker_pollers_min=2, worker_pollers_max=2, worker_concurrency=11)
    assert "worker_concurrency: 11 cannot be combined with provisioned mode" in message


@pytest.mark.parametrize(
    "folder", ["../..", "/etc", "..", ".", "", "a/../..", "a//b", "a/", ".git", "a/.b", "~", "a\\b"]
)
def test_the_workers_folder_is_in_the_project(folder: str) -> None:
    assert rejection(worker_folder=folder).startswith(
        f"worker_folder: {folder!r} is invalid: specify a folder in the project"
    )


@pytest.mark.parametrize("folder", ["handlers", "a/b/c", "a.b/c-d/_e", "scripts/workers"])
def test_folders_that_are_allowed(folder: str) -> None:
    assert value_of("worker_folder", worker_folder=folder) == folder


def test_the_names_of_a_fifo_queue_end_in_fifo() -> None:
    names = read(fifo="true", content_based_deduplication="true", deployment="staging").names
    assert names.queue == "staging-test.fifo"
    assert names.dead_letter_queue == "staging-test-dlq.fifo"
    assert "set fifo to true" in rejection(content_based_deduplication="true")


@pytest.mark.parametrize(
    "address", ["a@b", "a b@example.com", "@example.com", "a@", "a@b@example.com", "ä@example.com"]
)
def test_only_email_addresses(address: str) -> None:
    assert "alarm_email" in rejection(alarm_email=address)
    assert value_of("alarm_email", alarm_email="first.last+x@mail.example.com")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["a b", "a/b", "ä", "a\n", "a*", "\0", 7, None])
def test_text_that_aws_would_reject(name: str, value: Any) -> None:
    if name == "worker_folder" and value == "a/b":
        return  # a path
    assert rejection(**{name: value}).startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["group_name", "user_name", "queue_name"])
def test_an_empty_name_is_rejected(name: str) -> None:
    assert "'' is invalid" in rejection(**{name: ""})


def test_characters_that_are_allowed() -> None:
    assert read(user_name="a+=.@_-Z9").names.user == "a+=.@_-Z9"
    assert read(queue_name="a_-Z9").names.queue == "a_-Z9"
    assert "is invalid" in rejection(queue_name="a.b")
    assert "is invalid" in rejection(deployment="9a")


def test_the_deployment_is_in_front_of_every_name() -> None:
    names = read(deployment="staging").names
    assert names.group == "staging-Administrators"
    assert names.user == "staging-Administrator"
    assert names.queue == "staging-test"
    assert names.dead_letter_queue == "staging-test-dlq"


def test_a_name_that_is_too_long_only_with_its_deployment() -> None:
    read(deployment="staging", user_name="a" * 56)
    message = rejection(deployment="staging", user_name="a" * 57)
    assert "user_name" in message
    assert "65 characters" in message
    assert "at most 64" in message


def test_the_current_access_key_exists_and_differs_from_the_second() -> None:
    for first, second in ((0, 0), (1, 0), (1, 2), (2, 1), (7, 3)):
        settings = read(access_key=first, second_access_key=second)
        assert (settings.identity.access_key, settings.identity.second_access_key) == (first, second)
    assert "needs a first one" in rejection(access_key=0, second_access_key=2)
    assert "is also access_key" in rejection(access_key=2, second_access_key=2)


def test_an_unknown_setting_is_rejected_with_the_closest_known_one() -> None:
    assert rejection(delay_second=10) == "delay_second: unknown setting: did you mean delay_seconds?"
    assert "delay_seconds" in rejection(nonsense=1)


def test_the_cdks_own_context_is_ignored() -> None:
    context = {"@aws-cdk/core:checkSecretUsage": True, "aws:cdk:bundling-stacks": ["**"], "availability-zones:x": []}
    assert Settings.from_context(context) == Settings()


def test_a_group_checks_its_values_too() -> None:
    with pytest.raises(SettingsError, match="delay_seconds: 901"):
        QueueSettings(delay_seconds=901)
    with pytest.raises(SettingsError, match="second_access_key"):
        IdentitySettings(access_key=1, second_access_key=1)


def test_the_table_describes_each_kind() -> None:
    rows = {row.split("`")[1]: row for row in settings_table().splitlines()[2:]}
    assert list(rows) == list(FIELDS)
    assert "| 5 | 0 to 900 seconds |" in rows["delay_seconds"]
    assert "| `test` | up to 76 characters: letters, digits, - and _ |" in rows["queue_name"]
    assert "| `false` | `true` or `false` |" in rows["fifo"]
    assert "| `none` | `none` or `lambda` |" in rows["workers"]
    assert "| empty | up to 254 characters: an e-mail address |" in rows["alarm_email"]
