"""Profiles in the AWS shared credentials and config files, as `aws configure` writes them."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path

from configupdater import ConfigUpdater

from hello_queue.deployment.private_files import read_text, write_private
from hello_queue.errors import HelloQueueError, UsageError

Values = Mapping[str, str | None]
"""The values of a profile's keys; None removes the key."""


def checked_profile_name(name: str) -> str:
    """The name of a profile.

    Raises:
        UsageError: the name is invalid.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.@+-]{1,128}", name):
        raise UsageError(f"{name!r} is not a valid profile name: use 1 to 128 letters, digits and _.@+-")
    return name


def write_profile(name: str, *, credentials: Values, config: Values, overwrite: bool) -> list[Path]:
    """Create or change a profile, and leave everything else in both files unchanged.

    The credentials file is written last: a crash before that leaves a profile without a key, and repeating the call
    completes it.

    Args:
        name: the profile's name.
        credentials: values for the credentials file.
        config: values for the config file.
        overwrite: replace other values that the profile has.

    Returns:
        The files that have the profile.

    Raises:
        HelloQueueError: a file cannot be read, parsed or written, or has the profile with other values.
    """
    files = (
        (_path("AWS_CONFIG_FILE", "config"), "default" if name == "default" else f"profile {name}", config),
        (_path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name, credentials),
    )
    changes, holders = [], []
    for path, section, values in files:
        before = read_text(path)
        updater = _parse(path, before)
        if not overwrite and _has_others(updater, section, values):
            raise HelloQueueError(
                f"profile {name} already exists in {str(path)!r}: choose another name, or replace it with --force"
            )
        _change(updater, section, values)
        changes.append((path, before, str(updater)))
        if updater.has_section(section):
            holders.append(path)
    for path, before, after in changes:
        if after != before:
            write_private(path, after, make_folder=True)
    return holders


def _path(variable: str, name: str) -> Path:
    path = os.environ.get(variable) or f"~/.aws/{name}"
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise HelloQueueError(f"the home folder of {path!r} is not known: set HOME or {variable}") from None


def _parse(path: Path, text: str) -> ConfigUpdater:
    updater = ConfigUpdater(allow_no_value=True, strict=False)
    updater.optionxform = str  # type: ignore[method-assign,assignment]  # as documented, to keep the case of keys
    try:
        updater.read_string(text)
    except configparser.Error as error:
        # The first line only: the rest quotes the file, which contains secrets.
        reason = str(error).splitlines()[0].rstrip(".:")
        raise HelloQueueError(f"{str(path)!r} cannot be parsed: {reason}. Correct it first") from None
    return updater


def _has_others(updater: ConfigUpdater, section: str, values: Values) -> bool:
    """Whether the section has another value for one of the keys."""
    if not updater.has_section(section):
        return False
    options = updater[section]
    return any(key in options and options[key].value != value for key, value in values.items())


def _change(updater: ConfigUpdater, section: str, values: Values) -> None:
    set_values = {key: value for key, value in values.items() if value is not None}
    if not updater.has_section(section):
        if not set_values:
            return
        not_empty = bool(str(updater).strip())
        updater.add_section(section)
        if not_empty:
            updater[section].add_before.space(1)
    options = updater[section]
    for key in values.keys() - set_values.keys():
        options.pop(key, None)
    for key, value in set_values.items():
        last = options.options()[-1] if options.options() else None
        if key in options or last is None:
            options[key] = value
        else:
            options[last].add_after.option(key, value)
