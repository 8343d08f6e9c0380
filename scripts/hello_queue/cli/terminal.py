"""Text from elsewhere (a message, an exception, an argument, AWS) made safe to print."""

from __future__ import annotations

import unicodedata


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with every character escaped that could drive a terminal, hide, or forge a line of ours.

    Escaped are control characters (newline and tab too), bidirectional overrides and isolates, zero-width and other
    format characters, line and paragraph separators, surrogates, and code points that Unicode does not assign. They
    become ``\n``, ``\x1b`` or ``\u202e``, as in a Python string.

    Args:
        keep: characters to leave as they are, for text of ours that has several lines.
    """
    if text.isprintable():
        return text
    return "".join(each if each in keep or _is_harmless(each) else _escaped(each) for each in text)


def _is_harmless(character: str) -> bool:
    # Python counts every space but the ASCII one as unprintable.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
