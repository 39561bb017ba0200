"""The helper that runs programs on a terminal is worth nothing if it lies."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.terminal import Terminal

ECHO = """
import sys, tty, os
tty.setcbreak(0)
print("ready", flush=True)
while (key := os.read(0, 1)) != b"q":
    print(f"got {key!r}", flush=True)
"""
SIZES = """
import os, signal
size = lambda *_: print("%d x %d;" % tuple(os.get_terminal_size()), flush=True)
signal.signal(signal.SIGWINCH, size)
size()
while True: signal.pause()
"""
FULL_SCREEN = r"""
import sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
sys.stdout.write("\x1b[?1049h\x1b[?1000h\x1b[?1006h\x1b[?1004h\x1b[?2004h\x1b[?25l\x1b[>1uwörld 漢字|")
sys.stdout.write("\x1b]52;c;Zm9v\x07\x1bP+q544e\x1b\\.\x1b[>4;2m")
sys.stdout.flush()
if sys.stdin.read(1) == "q":
    sys.stdout.write("\x1b[<u\x1b[?1049l\x1b[?1000l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?25h")
    sys.stdout.flush()
    termios.tcsetattr(0, termios.TCSADRAIN, before)
"""


def program(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_keys_reach_the_program_and_its_words_the_screen() -> None:
    with Terminal(program(ECHO), columns=40, lines=10) as terminal:
        terminal.wait_for("ready")
        terminal.send("ö")
        terminal.wait_for(r"got b'\xb6'")
        assert terminal.screen()[:3] == ["ready", r"got b'\xc3'", r"got b'\xb6'"]
        assert len(terminal.screen()) == 10
        assert terminal.bytes_written == len(terminal.written) == len("ready\r\n" + "got b'\\xc3'\r\n" * 2)
        terminal.send("q")
        assert terminal.wait() == 0


def test_a_program_is_told_its_size_and_when_it_changes() -> None:
    with Terminal(program(SIZES), columns=100, lines=30) as terminal:
        terminal.wait_for("100 x 30;")
        terminal.resize(60, 12)
        terminal.wait_for("60 x 12;")
        assert len(terminal.screen()) == 12


def test_what_a_full_screen_program_leaves_behind_is_told() -> None:
    with Terminal(program(FULL_SCREEN), columns=40, lines=5) as terminal:
        assert terminal.wait_for("wörld")[0] == "wörld 漢字|."
        terminal.send("x")
        assert terminal.left_clean() == [
            "the alternate screen", "mouse reporting", "focus reporting", "bracketed paste", "the keyboard protocol",
            "a hidden cursor", "the line settings",
        ]  # fmt: skip


def test_a_program_that_cleans_up_leaves_nothing_behind() -> None:
    with Terminal(program(FULL_SCREEN), columns=40, lines=5) as terminal:
        terminal.wait_for("wörld")
        terminal.send("q")
        assert terminal.left_clean() == []


def test_a_lost_terminal_hangs_up_the_program() -> None:
    with Terminal(program(SIZES)) as terminal:
        terminal.wait_for(";")
        terminal.close()
        assert terminal.wait() == -signal.SIGHUP


def test_waiting_in_vain_shows_the_screen() -> None:
    something = program("print('something else')")
    with Terminal(something) as terminal, pytest.raises(AssertionError, match=r"(?s)'this' on .*something else"):
        terminal.wait_for("this")
