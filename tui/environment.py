"""What a process is started with: standard descriptors that cron or a daemon has closed, an encoding of a few names."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from core.errors import ConfigError

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""In the order of their descriptors."""


def open_closed() -> None:
    """Open /dev/null on each of the descriptors 0, 1, 2 that is closed, and have its stream there.

    Else a file of ours would get the number, and with it what is printed there; and whoever prints finds no stream.
    """
    for number, (name, mode) in enumerate(STREAMS):
        if _closed(number):
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - it is open as long as the process


def print_anything() -> None:
    """Have what the encoding of stdout or stderr does not know printed as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def demand_utf8() -> None:
    """Raise ConfigError if names of files are not UTF-8 to Python: those of a mirror have to be what they are upstream.

    See https://docs.python.org/3/library/os.html#python-utf-8-mode.
    """
    if (found := sys.getfilesystemencoding()) != "utf-8":
        raise ConfigError(
            f"names of files would be written as {found} here, and not as UTF-8: set PYTHONUTF8=1 in the environment, "
            "or a locale such as LC_ALL=C.UTF-8"
        )


def _closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False
