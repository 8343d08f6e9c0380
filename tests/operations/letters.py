"""Dead letters that the tests of redriving share."""

from __future__ import annotations

import re
from collections.abc import Callable

from hello_queue.cli.dead_letters import Queues
from hello_queue.operations.selection import Selection
from tests.scripts.pairs import Pair

PICKED = [f"pick-{number:02}" for number in range(7)]
OTHERS = [f"other-{number:02}" for number in range(5)]
TEXTS = [*PICKED[:4], *OTHERS, *PICKED[4:]]
PICK = Selection(pattern=re.compile("^pick"))
Make = Callable[[], tuple[Pair, Queues]]
"""Makes a queue and its dead-letter queue, which has all texts."""
