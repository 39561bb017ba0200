"""The system calls by which a program changes files: their numbers, and what each one changes."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

AT_REMOVEDIR = 0x200
RENAME_EXCHANGE = 2

NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "write": 1, "pwrite64": 18, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "rename": 82, "mkdir": 83,
        "rmdir": 84, "link": 86, "unlink": 87, "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265,
        "syncfs": 306, "renameat2": 316,
    },
    "aarch64": {
        "mkdirat": 34, "unlinkat": 35, "linkat": 37, "renameat": 38, "ftruncate": 46, "write": 64, "pwrite64": 68,
        "fsync": 82, "fdatasync": 83, "syncfs": 267, "renameat2": 276,
    },
}  # fmt: skip
"""See asm/unistd.h of each machine; the newer ones lack calls for which there is one with a directory."""

ON_DESCRIPTOR = frozenset({"write", "pwrite64", "fsync", "fdatasync", "ftruncate", "syncfs"})
ON_NAME = {
    "mkdir": (None, 0), "rmdir": (None, 0), "unlink": (None, 0), "rename": (None, 1), "link": (None, 1),
    "mkdirat": (0, 1), "unlinkat": (0, 1), "renameat": (2, 3), "renameat2": (2, 3), "linkat": (2, 3),
}  # fmt: skip
"""Which arguments are the directory (None: the working directory) and the name that appears or disappears."""

WORDS = {"pwrite64": "write", "mkdirat": "mkdir", "unlinkat": "unlink", "renameat": "rename", "linkat": "link"}
WRITING = "write"


class Seen(Protocol):
    """A process that has come to a system call, and waits."""

    def of_descriptor(self, descriptor: int) -> str:
        """Return the path of an open file."""

    def of_name(self, directory: int | None, pointer: int) -> str:
        """Return the path of a name at an address, relative to a directory."""


@dataclass(frozen=True, slots=True)
class Call:
    """A change of one file: what is done, where, and to which path."""

    word: str
    path: PurePath
    """Relative to the site."""

    @property
    def kind(self) -> str:
        """What is done in which part of the site."""
        return f"{self.word} {area(self.path)}"


def numbers() -> dict[int, str]:
    """Return the names of the calls by their numbers on this machine."""
    found = NUMBERS.get(platform.machine())
    if found is None:
        raise NotImplementedError(f"the system calls of {platform.machine()} are not known; add them to {__file__}")
    return {number: name for name, number in found.items()}


def recognize(name: str, arguments: Sequence[int], process: Seen, folder: PurePath) -> Call | None:
    """Return what a call changes; None if that is not below `folder`, or is the log."""
    if name in ON_DESCRIPTOR:
        path = PurePath(process.of_descriptor(arguments[0]))
    else:
        directory, at = ON_NAME[name]
        path = PurePath(process.of_name(None if directory is None else arguments[directory], arguments[at]))
    if not path.is_relative_to(folder) or path.suffix == ".log":
        return None
    return Call(_word(name, arguments), path.relative_to(folder))


def _word(name: str, arguments: Sequence[int]) -> str:
    if name == "unlinkat" and arguments[2] & AT_REMOVEDIR:
        return "rmdir"
    if name == "renameat2":
        return "exchange" if arguments[4] & RENAME_EXCHANGE else "rename"
    return WORDS.get(name, name)


def area(path: PurePath) -> str:
    """Name the part of a site that a path belongs to."""
    match path.parts:
        case ("data", ".mirrortui", "staging", *_):
            return "staging"
        case ("data", ".mirrortui", *_):
            return "private"
        case ("data", *_):
            return "published"
        case (name,) if name.endswith("-wal"):
            return "WAL"
        case (name,) if name.endswith(".lock"):
            return "lease"
        case _:
            return "state"
