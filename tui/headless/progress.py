"""One live line on the terminal: how far something has come."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from core.engine.scheduler import Totals
from core.units import counted, format_bytes, format_duration, format_rate

SECONDS = 0.5
WINDOW = 20
"""Samples over which the speed is taken."""
CLEAR = "\r\x1b[2K"
COLUMNS = 80
"""The width of a terminal that doesn't tell."""


class LiveLine:
    """Draws what `text` says, again and again, on one line; nothing while it says None."""

    def __init__(self, text: Callable[[], str | None], stream: TextIO | None = None):
        self._text = text
        self._stream = stream or sys.stderr

    async def run(self) -> None:
        """Draw until cancelled, then leave a clean line."""
        try:
            while True:
                await asyncio.sleep(SECONDS)
                self._draw()
        finally:
            self._write(CLEAR)

    def _draw(self) -> None:
        line = self._text()
        if line is not None:
            self._write(CLEAR + line[: self._columns() - 1])

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or COLUMNS
        except OSError:
            return COLUMNS

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            return


class ProgressLine(LiveLine):
    """Draws the files and bytes of `totals` against what is left; keeps out of the way of log lines."""

    def __init__(self, totals: Callable[[], Totals | None], stream: TextIO | None = None):
        super().__init__(self._line, stream)
        self._totals = totals
        self._samples: deque[tuple[float, int]] = deque(maxlen=WINDOW)

    def _line(self) -> str | None:
        done = self._totals()
        if done is None:
            return None
        self._samples.append((time.monotonic(), done.bytes))
        (since, before), (now, bytes_) = self._samples[0], self._samples[-1]
        rate = (bytes_ - before) / (now - since) if now > since else 0.0
        eta = format_duration(done.bytes_left / rate) if rate > 0 and done.bytes_left else "-"
        return (
            f"{counted(done.files, 'file')}, {format_bytes(done.bytes)} done at {format_rate(rate)}; "
            f"{counted(done.files_left, 'file')}, {format_bytes(done.bytes_left)} to go, eta {eta}"
        )


class ClearsLine(logging.Filter):
    """Clears the live line before a log line is written over it."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - given by logging
        """Let every record pass."""
        try:
            sys.stderr.write(CLEAR)
        except OSError:
            return True
        return True


def terminal_can_draw() -> bool:
    """Tell whether stderr is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
