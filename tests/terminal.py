"""A real pseudo-terminal with a program on it: keys are typed, and the screen is read as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import pyte

PATIENCE = 30.0
READ_BYTES = 1 << 16
PRIVATE = 5
"""pyte keeps private modes shifted by this many bits, apart from the others of the same number."""
ALTERNATE_SCREEN = {47, 1047, 1049}
LEFT_BEHIND = {
    "the alternate screen": ALTERNATE_SCREEN,
    "mouse reporting": {9, 1000, 1001, 1002, 1003, 1005, 1006, 1015, 1016},
    "focus reporting": {1004},
    "bracketed paste": {2004},
    "synchronised output": {2026},
    "in-band resizing": {2048},
}
KEYBOARD = re.compile(rb"\x1b\[([>=<])[0-9;]*u")
"""The kitty keyboard protocol: pushed, set, popped."""
UNKNOWN = re.compile(rb"\x1b\[[<=>][0-9;]*[@-~]|\x1b[P_^][^\x1b]*\x1b\\")
"""What pyte would draw: sequences with a marker that it does not know, and strings for the terminal's own use."""
UNFINISHED = re.compile(rb"\x1b(\[[0-?]*[ -/]*|[P_^\]][^\x1b\x07]*\x1b?)?$")


class Terminal:
    """Runs `command` on a terminal of its own, in a session of its own, and shows its screen.

    A thread takes whatever the program writes, so that it never waits for a reader. Leaving the block hangs up, and
    ends what is left of the program's process group.
    """

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 120,
        lines: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ):
        self._terminal, other_side = pty.openpty()
        self._settings = termios.tcgetattr(other_side)
        termios.tcsetwinsize(other_side, (lines, columns))
        self._emulated = _Emulated(columns, lines, self.send)
        self._stream = pyte.ByteStream(self._emulated)
        self._written = bytearray()
        self._rest = b""
        self._changed = threading.Condition()
        self._at_end = False
        self._end, self._end_here = os.pipe()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", **(env or {})},
            stdin=other_side,
            stdout=other_side,
            stderr=other_side,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one system call, which takes no lock
        )
        os.close(other_side)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.close()

    @property
    def written(self) -> bytes:
        """Every byte that the program has written so far."""
        with self._changed:
            return bytes(self._written)

    @property
    def bytes_written(self) -> int:
        with self._changed:
            return len(self._written)

    def screen(self) -> list[str]:
        """Return what is on the screen, line by line, without blanks at the ends."""
        with self._changed:
            return self._shown()

    def send(self, keys: str) -> None:
        """Type: what keys send, for example ``\\r`` or ``\\x1b[A``."""
        os.write(self._terminal, keys.encode())

    def wait_for(self, text: str, timeout: float = PATIENCE) -> list[str]:
        """Return the screen as soon as `text` is on one of its lines; fail with the screen if it never is."""
        return self._wait(lambda: any(text in line for line in self._shown()), f"{text!r} on the screen", timeout)

    def wait_until_gone(self, text: str, timeout: float = PATIENCE) -> list[str]:
        """Return the screen as soon as `text` is on none of its lines."""
        return self._wait(lambda: not any(text in line for line in self._shown()), f"{text!r} to go", timeout)

    def resize(self, columns: int, lines: int) -> None:
        with self._changed:
            self._emulated.resize(lines, columns)
        termios.tcsetwinsize(self._terminal, (lines, columns))

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return the program's exit code when it has ended, and all it wrote has been read."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def close(self) -> None:
        """Hang up, as when the connection is lost."""
        if self._terminal >= 0:
            os.close(self._end_here)
            self._reader.join()
            os.close(self._end)
            os.close(self._terminal)
            self._terminal = -1

    def kill(self) -> None:
        """End the program, and what it left behind in its process group, without mercy."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()

    def left_clean(self) -> list[str]:
        """Return in words what the program should have undone before it ended; empty if all is well."""
        self.wait()
        modes = {mode >> PRIVATE for mode in self._emulated.mode if not mode & ((1 << PRIVATE) - 1)}
        found = [what for what, numbers in LEFT_BEHIND.items() if modes & numbers]
        pushed = KEYBOARD.findall(self.written)
        if pushed.count(b">") > pushed.count(b"<"):
            found.append("the keyboard protocol")
        if self._emulated.cursor.hidden:
            found.append("a hidden cursor")
        if self._terminal >= 0 and termios.tcgetattr(self._terminal) != self._settings:
            found.append("the line settings")
        return found

    def _wait(self, true: Callable[[], bool], what: str, timeout: float) -> list[str]:
        with self._changed:
            if not self._changed.wait_for(lambda: true() or self._at_end, timeout) or not true():
                raise AssertionError("\n".join([f"waited in vain for {what}:", *self._shown()]))
            return self._shown()

    def _shown(self) -> list[str]:
        return [line.rstrip() for line in self._emulated.display]

    def _read(self) -> None:
        """Take what the program writes, until all its writers are gone or the terminal is closed."""
        try:
            while self._end not in select.select([self._terminal, self._end], [], [])[0]:
                piece = os.read(self._terminal, READ_BYTES)
                with self._changed:
                    self._written += piece
                    self._draw(piece)
                    self._changed.notify_all()
        except OSError:
            pass  # nobody has the other side open any more
        finally:
            with self._changed:
                self._at_end = True
                self._changed.notify_all()

    def _draw(self, piece: bytes) -> None:
        data = self._rest + piece
        unfinished = UNFINISHED.search(data)
        end = unfinished.start() if unfinished else len(data)
        self._rest = data[end:]
        self._stream.feed(UNKNOWN.sub(b"", data[:end]))


class _Emulated(pyte.Screen):
    """A screen whose answers to what a program asks of it are typed."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]):
        super().__init__(columns, lines)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


def _take_terminal() -> None:
    """Make standard input the controlling terminal of this session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
