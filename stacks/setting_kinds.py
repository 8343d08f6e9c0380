"""The kinds of settings: whole numbers, text, flags and choices, with how each is read, checked and described.

This module knows no CDK, so that settings can be checked and documented without starting it.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any


class SettingsError(ValueError):
    """A setting that cannot be deployed. The message names the setting, the value and the limit."""


@dataclass(frozen=True, kw_only=True)
class Kind(ABC):
    """What values a setting takes, and what they mean."""

    meaning: str

    def parse(self, value: Any) -> Any:
        """The value of ``-c name=value``: text that spells a value of this kind becomes that value."""
        return value

    @abstractmethod
    def check(self, name: str, value: Any) -> None:
        """Raise SettingsError, with the setting's name, if the value is not of this kind or out of range."""

    @abstractmethod
    def describe_range(self) -> str:
        """The values that this kind takes, in Markdown."""

    def describe_value(self, value: Any) -> str:
        """A value of this kind, in Markdown."""
        return f"`{value}`"


@dataclass(frozen=True, kw_only=True)
class WholeNumber(Kind):
    """A whole number from ``minimum`` to ``maximum``. ``unit`` is a noun in the plural, or empty."""

    minimum: int
    maximum: int
    unit: str

    def parse(self, value: Any) -> Any:
        if isinstance(value, str) and re.fullmatch("[+-]?[0-9]{1,18}", value):
            return int(value)
        return value

    def check(self, name: str, value: Any) -> None:
        unit = f" of {self.unit}" if self.unit else ""
        wanted = f"a whole number{unit} from {self.minimum} to {self.maximum}"
        if type(value) is not int:
            raise SettingsError(f"{name}: {_shortened(value)} is not {wanted}")
        if not self.minimum <= value <= self.maximum:
            raise SettingsError(f"{name}: {value} is out of range: specify {wanted}")

    def describe_range(self) -> str:
        return f"{self.minimum:,} to {self.maximum:,} {self.unit}".rstrip()

    def describe_value(self, value: Any) -> str:
        return f"{value:,}"


@dataclass(frozen=True, kw_only=True)
class Text(Kind):
    """Text that matches a pattern."""

    pattern: str
    """A regular expression for the whole text."""
    words: str
    """What the pattern allows, for people."""
    longest: int
    """In characters."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise SettingsError(f"{name}: {_shortened(value)} is not text")
        if len(value) > self.longest:
            raise SettingsError(
                f"{name}: {_shortened(value)} has {len(value)} characters; at most {self.longest} are allowed"
            )
        if not re.fullmatch(self.pattern, value):
            raise SettingsError(f"{name}: {_shortened(value)} is invalid: specify {self.words}")

    def describe_range(self) -> str:
        return f"up to {self.longest} characters: {self.words}"

    def describe_value(self, value: Any) -> str:
        return f"`{value}`" if value else "empty"


@dataclass(frozen=True, kw_only=True)
class Flag(Kind):
    """True or false."""

    def parse(self, value: Any) -> Any:
        return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise SettingsError(f"{name}: {_shortened(value)} is not true or false")

    def describe_range(self) -> str:
        return "`true` or `false`"

    def describe_value(self, value: Any) -> str:
        return f"`{str(value).lower()}`"


@dataclass(frozen=True, kw_only=True)
class Choice(Kind):
    """One of several words."""

    options: tuple[str, ...]

    def check(self, name: str, value: Any) -> None:
        if value not in self.options:
            raise SettingsError(f"{name}: {_shortened(value)} is not {' or '.join(self.options)}")

    def describe_range(self) -> str:
        return " or ".join(f"`{option}`" for option in self.options)


def setting(default: Any, kind: Kind) -> Any:
    """A field of a `SettingsGroup`, with its default value and its kind."""
    return dataclasses.field(default=default, metadata={"kind": kind})


def kind_of(field: dataclasses.Field[Any]) -> Kind:
    """The kind of a field that `setting` made."""
    kind = field.metadata["kind"]
    assert isinstance(kind, Kind)
    return kind


@dataclass(frozen=True, kw_only=True)
class SettingsGroup:
    """Settings that belong together. Each value is checked when a group is made.

    Raises:
        SettingsError: a value is of the wrong type, or out of range.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            kind_of(field).check(field.name, getattr(self, field.name))


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
