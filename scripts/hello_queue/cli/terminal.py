"""Foreign text (a message, an exception, an argument, a response of AWS) made safe to print, also as Markdown."""

from __future__ import annotations

import re
import unicodedata


def printable(text: str) -> str:
    r"""The text on one line, with every character escaped that could control a terminal, hide text, or forge output.

    Escaped are control characters (also newline and tab), bidirectional overrides and isolates, zero-width and other
    format characters, line and paragraph separators, surrogates, and code points that Unicode does not assign. They
    become ``\n``, ``\x1b`` or ``\u202e``, as in a Python string.
    """
    if text.isprintable():
        return text
    return "".join(each if _is_harmless(each) else _escaped(each) for each in text)


def in_markdown(text: str) -> str:
    """The text on one line, as `printable` makes it, with Markdown and HTML escaped."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]()#@!|~])", r"\\\1", escaped)


def _is_harmless(character: str) -> bool:
    # isprintable() is false for all spaces but the ASCII one.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
