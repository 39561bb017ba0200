"""How many examples: a few, always the same, or MIRRORTUI_FUZZ times as many, and new ones each time."""

from __future__ import annotations

import os

from hypothesis import settings

TIMES = int(os.environ.get("MIRRORTUI_FUZZ", "0"))


def examples(number: int) -> settings:
    return settings(max_examples=number * max(1, TIMES), derandomize=not TIMES, deadline=None, database=None)
