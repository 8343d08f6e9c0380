"""Patterns with ``*`` and ``?``, and one text for each way in which several of them match or do not match."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hello_queue.review.rights.budget import Budget

_LITERAL = str.maketrans({"*": "\u2217", "?": "\u2047"})
_READABLE = str.maketrans({"\u2217": "*", "\u2047": "?"})
_FILLERS = "xyzabcdefghijklmnopqrstuvw0123456789XYZABCDEFGHIJKLMNOPQRSTUVW-_.~+=@,;!#%&()[]"


def literal(text: str) -> str:
    """The text with other characters for ``*`` and ``?``, which are none in it, in policies and requests alike."""
    return text.translate(_LITERAL)


def readable(text: str) -> str:
    """A text of a request, as it is sent."""
    return text.translate(_READABLE)


@dataclass(frozen=True)
class Pattern:
    """What a policy compares a text with.

    Attributes:
        text: in which ``*`` matches any text and ``?`` any character. See `literal` for the characters themselves.
        ignore_case: as in actions and StringEqualsIgnoreCase.
        segments: whether wildcards end at a colon, as they do in the first five parts of an ARN condition.
    """

    text: str
    ignore_case: bool = False
    segments: bool = False

    @functools.cached_property
    def _expression(self) -> re.Pattern[str]:
        chunks: list[str] = []
        loops: list[str] = []
        for literal, (any_, loop) in self.tokens():
            if loop or not chunks:
                chunks.append("")
                loops.append(loop)
            chunks[-1] += re.escape(literal) if literal else any_
        # A text between two "*" may well be the first of its kind. Not to look for another keeps the time linear.
        last = len(chunks) - 1
        parts = [
            f"(?=(?P<g{index}>{loop}?{chunk}))(?P=g{index})" if loop and index < last else loop + chunk
            for index, (loop, chunk) in enumerate(zip(loops, chunks, strict=True))
        ]
        return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if self.ignore_case else 0))

    @functools.cached_property
    def _chunks(self) -> list[str] | None:
        """The texts between "*", if they can be looked for as they are."""
        return None if self.segments or self.ignore_case or "?" in self.text else self.text.split("*")

    def tokens(self) -> list[tuple[str, tuple[str, str]]]:
        """Each character, or "" for ``?``, with what ``?`` and a preceding ``*`` match, as regular expressions.

        The last token is "" for the end, with the ``*`` before it.
        """
        found: list[tuple[str, tuple[str, str]]] = []
        star, colons = False, 0
        for character in self.text:
            one = "[^:]" if self.segments and colons < 5 else "."
            if character == "*":
                star = True
                continue
            literal = character if character != "?" else ""
            found.append((literal, (one, f"{one}*" if star else "")))
            star = False
            colons += character == ":"
        one = "[^:]" if self.segments and colons < 5 else "."
        return [*found, ("", ("", f"{one}*" if star else ""))]

    def matches(self, text: str) -> bool:
        chunks = self._chunks
        if chunks is None:
            return self._expression.fullmatch(text) is not None
        first, last = chunks[0], chunks[-1]
        if len(chunks) == 1:
            return text == first
        if not (text.startswith(first) and text.endswith(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for chunk in chunks[1:-1]:
            at = text.find(chunk, at, end)
            if at < 0:
                return False
            at += len(chunk)
        return at <= end


def texts(
    groups: Sequence[Sequence[Pattern]],
    candidates: Iterable[str] = (),
    *,
    within: int | None = None,
    budget: Budget | None = None,
) -> dict[int, str]:
    """One text for each combination of groups that match it, where there is any such text.

    Args:
        groups: each matches what any of its patterns matches, and has its bit in the keys of the result, by its index.
        candidates: preferred to a text that is made up.
        within: the index of a group that must match.

    Raises:
        TooComplexError: there are too many combinations.
    """
    found: dict[int, str] = {}
    budget = budget or Budget()
    patterns = sum(len(group) for group in groups)
    for text in dict.fromkeys(candidates):
        budget.spend(patterns)
        matched = sum(1 << index for index, each in enumerate(groups) if any(one.matches(text) for one in each))
        found.setdefault(matched, text)
    for matched, text in _Automaton(groups, within, budget).shortest().items():
        found.setdefault(matched, text)
    return {bits: text for bits, text in found.items() if within is None or bits >> within & 1}


class _Automaton:
    """All patterns side by side, one bit for each position in each of them; the automaton is built as it is walked.

    Positions that no longer matter are dropped, which keeps the number of states small: those before a later ``*`` that
    is reached, and all others of a group as soon as it matches whatever follows.
    """

    def __init__(self, groups: Sequence[Sequence[Pattern]], within: int | None, budget: Budget) -> None:
        width = sum(len(pattern.text) + 1 for group in groups for pattern in group)
        self._budget, self._cost = budget, 1 + (width >> 13)  # of computing with so many bits
        budget.spend(width * self._cost)
        self._takes: dict[str, int] = {}  # positions that a character takes, by character
        self._any = self._any_but_colon = self._loop = self._loop_but_colon = self._start = 0
        self._ends: list[int] = []
        self._drops: dict[int, int] = {}  # positions that no longer matter once a position is reached
        self._needed = 0
        position = 1
        for index, group in enumerate(groups):
            first, ends, whole = position, 0, []
            for pattern in group:
                self._start |= position
                beginning = position
                for literal, (any_, loop) in pattern.tokens():
                    if loop:
                        self._loop_but_colon |= position
                    if loop == ".*":
                        self._loop |= position
                        self._drops[position] = position - beginning
                    cases = {literal.lower(), literal.upper()} if pattern.ignore_case else {literal}
                    for character in sorted(each for each in cases if len(each) == 1):
                        self._takes[character] = self._takes.get(character, 0) | position
                    if any_ and not literal:
                        self._any_but_colon |= position
                        self._any |= position if any_ == "." else 0
                    position <<= 1
                ends |= position >> 1
                if self._loop & position >> 1:
                    whole.append(position >> 1)
            for end in whole:
                self._drops[end] = (position - first) & ~end
            self._ends.append(ends)
            if index == within:
                self._needed = position - first
        self._forgetful = sum(self._drops)
        filler = next((each for each in _FILLERS if each not in self._takes), "\u00b7")
        alike = (self._any, self._loop) == (self._any_but_colon, self._loop_but_colon)
        self._others = [filler] if alike else [filler, ":"]
        for each in self._others:
            self._takes.setdefault(each, 0)

    def shortest(self) -> dict[int, str]:
        """The shortest text for each combination of matching groups."""
        start = self._reduced(self._start, 0)
        found: dict[int, str] = {}
        ends = functools.reduce(operator.or_, self._ends, 0)
        seen: dict[int, str] = {}  # the start, too, is found again by a text that is not empty
        ahead = [start]
        while ahead:
            following = []
            for state in ahead:
                before = seen.get(state, "")
                self._budget.spend((len(self._takes) >> 2) * self._cost)
                for character, takes in self._takes.items():
                    if not state & takes and character not in self._others:
                        continue  # it leads where the filler leads
                    self._budget.spend(self._cost)
                    colon = character == ":"
                    any_, loop = (self._any, self._loop) if colon else (self._any_but_colon, self._loop_but_colon)
                    after = ((state & (takes | any_)) << 1) | (state & loop)
                    after = self._reduced(after, state)
                    if after in seen or (self._needed and not after & self._needed):
                        continue
                    seen[after] = before + character
                    following.append(after)
                    self._budget.spend(4 * self._cost + len(self._ends) // 8)
                    matched = 0
                    if after & ends:
                        matched = sum(1 << index for index, end in enumerate(self._ends) if after & end)
                    found.setdefault(matched, seen[after])
            ahead = following
        return found

    def _reduced(self, state: int, before: int) -> int:
        """A state without the positions that no longer matter."""
        reached = state & self._forgetful & ~before
        while reached:
            self._budget.spend(self._cost)
            position = 1 << (reached.bit_length() - 1)
            if state & position:
                state &= ~self._drops[position]
            reached &= ~position
        return state
