"""What may happen to stdout while we write to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Take it quietly if whoever reads stdout is gone (``| head``, a closed terminal). Nothing else belongs inside."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)


def flush_all() -> None:
    """Flush what was printed, or drop it if nobody is there: or the interpreter ends with an error of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _drop(stream)


def _drop(stream: TextIO) -> None:
    """Let what is still in the buffer go nowhere, instead of failing once more when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """Print a line, whether or not anybody is there to read it."""
    with reader_may_leave():
        click.echo(text)
