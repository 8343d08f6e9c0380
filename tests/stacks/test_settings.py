"""Settings: the defaults are the tutorial's, and what AWS would refuse is refused first, in one line."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stacks.settings import Settings, SettingsError

INTEGERS = [field for field in dataclasses.fields(Settings) if "minimum" in field.metadata]
NAMES = [field for field in dataclasses.fields(Settings) if "longest" in field.metadata]
FLAGS = [field for field in dataclasses.fields(Settings) if isinstance(field.default, bool)]


def read(**context: Any) -> Settings:
    return Settings.from_context(context)


def refusal(**context: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        read(**context)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_the_defaults_are_the_tutorials() -> None:
    settings = read()
    assert settings.physical_group_name == "Administrators"
    assert settings.physical_user_name == "Administrator"
    assert settings.physical_queue_name == "test"
    assert settings.delay_seconds == 5
    assert settings.max_receive_count == 5
    assert settings.administrator_access is True


def test_every_setting_has_a_meaning_and_is_of_a_kind_that_is_tested_here() -> None:
    fields = dataclasses.fields(Settings)
    assert all(field.metadata["meaning"] for field in fields)
    assert {field.name for field in INTEGERS + NAMES + FLAGS} == {field.name for field in fields}


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
def test_the_ranges_are_those_of_sqs(name: str, minimum: int, maximum: int) -> None:
    for value in (minimum, maximum):
        assert getattr(read(**{name: value}), name) == value
        assert getattr(read(**{name: str(value)}), name) == value
    for value in (minimum - 1, maximum + 1, 10**17):
        message = refusal(**{name: str(value)})
        assert name in message
        assert str(value) in message
        assert f"from {minimum} to {maximum}" in message


@pytest.mark.parametrize("field", INTEGERS, ids=lambda field: field.name)
@pytest.mark.parametrize("value", ["", "five", "5.0", "0x5", "٥", "1e3", " 5", True, 5.0, None, [5], "9" * 10_000])
def test_what_is_no_whole_number_is_refused(field: dataclasses.Field[Any], value: Any) -> None:
    message = refusal(**{field.name: value})
    assert message.startswith(f"{field.name}: ")
    assert "whole number" in message
    assert len(message) < 250


@pytest.mark.parametrize("field", FLAGS, ids=lambda field: field.name)
def test_flags(field: dataclasses.Field[Any]) -> None:
    needed = {"fifo": True} if field.name == "content_based_deduplication" else {}
    for given, meant in (("true", True), ("false", False), (True, True), (False, False)):
        assert getattr(read(**{**needed, field.name: given}), field.name) is meant
    for value in ("", "no", "True", "1", 1, 0, None):
        assert "is not true or false" in refusal(**{field.name: value})


@pytest.mark.parametrize(
    ("name", "longest"), [("group_name", 128), ("user_name", 64), ("queue_name", 76), ("deployment", 20)]
)
def test_the_longest_names(name: str, longest: int) -> None:
    assert getattr(read(**{name: "a" * longest}), name) == "a" * longest
    message = refusal(**{name: "a" * (longest + 1)})
    assert f"at most {longest}" in message


def test_the_longest_queue_name_leaves_room_for_the_dead_letter_queue() -> None:
    assert len(read(queue_name="a" * 76).physical_dead_letter_queue_name) == 80
    assert len(read(queue_name="a" * 71, fifo=True).physical_dead_letter_queue_name) == 80
    assert "queue_name" in refusal(queue_name="a" * 72, fifo=True)


def test_the_workers_have_time_before_their_messages_come_again() -> None:
    read(workers="lambda", worker_timeout_seconds=5, visibility_timeout_seconds=30)
    read(workers="lambda", worker_timeout_seconds=5, visibility_timeout_seconds=40, worker_batch_window_seconds=10)
    assert "are 36" in refusal(workers="lambda", worker_timeout_seconds=6, visibility_timeout_seconds=35)
    message = refusal(workers="lambda", worker_batch_window_seconds=1)
    assert message.startswith("visibility_timeout_seconds: 30 is too short")
    read(worker_timeout_seconds=900)  # there are no workers
    fifo = {"fifo": True, "visibility_timeout_seconds": 100}
    assert "no batch window" in refusal(workers="lambda", worker_batch_window_seconds=1, **fifo)
    assert "none or lambda" in refusal(workers="Lambda")
    assert "module:function" in refusal(worker_handler="no_function")


def test_a_fifo_queue_is_named_so() -> None:
    settings = read(fifo="true", content_based_deduplication="true", deployment="staging")
    assert settings.physical_queue_name == "staging-test.fifo"
    assert settings.physical_dead_letter_queue_name == "staging-test-dlq.fifo"
    assert "set fifo to true" in refusal(content_based_deduplication="true")


@pytest.mark.parametrize(
    "address", ["a@b", "a b@example.com", "@example.com", "a@", "a@b@example.com", "ä@example.com"]
)
def test_what_is_no_email_address(address: str) -> None:
    assert "alarm_email" in refusal(alarm_email=address)
    assert read(alarm_email="first.last+x@mail.example.com").alarm_email


@pytest.mark.parametrize("field", NAMES, ids=lambda field: field.name)
@pytest.mark.parametrize("value", ["a b", "a/b", "ä", "a\n", "a*", "\0", 7, None])
def test_names_that_aws_would_refuse(field: dataclasses.Field[Any], value: Any) -> None:
    if field.name == "worker_folder" and value == "a/b":
        return  # a path
    assert refusal(**{field.name: value}).startswith(f"{field.name}: ")


@pytest.mark.parametrize("name", ["group_name", "user_name", "queue_name"])
def test_an_empty_name_is_refused(name: str) -> None:
    assert "not a valid name" in refusal(**{name: ""})


def test_characters_that_are_allowed() -> None:
    assert read(user_name="a+=.@_-Z9").physical_user_name == "a+=.@_-Z9"
    assert read(queue_name="a_-Z9").physical_queue_name == "a_-Z9"
    assert "valid name" in refusal(queue_name="a.b")
    assert "valid name" in refusal(deployment="9a")


def test_a_deployment_stands_before_every_name() -> None:
    settings = read(deployment="staging")
    assert settings.physical_group_name == "staging-Administrators"
    assert settings.physical_user_name == "staging-Administrator"
    assert settings.physical_queue_name == "staging-test"
    assert settings.physical_dead_letter_queue_name == "staging-test-dlq"


def test_a_name_that_is_too_long_only_with_its_deployment() -> None:
    read(deployment="staging", user_name="a" * 56)
    message = refusal(deployment="staging", user_name="a" * 57)
    assert "user_name" in message
    assert "65 characters" in message
    assert "at most 64" in message


def test_two_access_keys_at_the_most_and_never_none_in_use() -> None:
    for first, second in ((0, 0), (1, 0), (1, 2), (2, 1), (7, 3)):
        settings = read(access_key=first, second_access_key=second)
        assert (settings.access_key, settings.second_access_key) == (first, second)
    assert "needs a first one" in refusal(access_key=0, second_access_key=2)
    assert "is access_key already" in refusal(access_key=2, second_access_key=2)


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    assert refusal(delay_second=10) == "delay_second: unknown setting: did you mean delay_seconds?"
    assert "delay_seconds" in refusal(nonsense=1)


def test_the_cdks_own_context_is_left_alone() -> None:
    context = {"@aws-cdk/core:checkSecretUsage": True, "aws:cdk:bundling-stacks": ["**"], "availability-zones:x": []}
    assert Settings.from_context(context) == Settings()
