"""File systems for which names are one that differ only in case, or in how Unicode spells a letter."""

from __future__ import annotations

import os
import unicodedata

from core.destinations import below
from core.names import PRIVATE

_PROBE = "Spelling-\u00e9"
_OTHERS = ("spelling-\u00e9", "Spelling-e\u0301")


def folded(name: str) -> str:
    """Return what names have in common that such a file system may take for one (Unicode Standard 3.13, D145)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def folds(directory: int) -> bool:
    """Find out, with an empty file for a moment in `directory`, whether its file system is one of these."""
    below.create(directory, _PROBE, [])
    try:
        return any(_exists(directory, name) for name in _OTHERS)
    finally:
        below.remove(directory, _PROBE)


def reserved(name: str) -> str | None:
    """Return the name of ours that such a file system would take `name` for; None if there is none."""
    return next((own for own in (below.INDEX, PRIVATE) if folded(own) == folded(name)), None)


def misspelled(directory: int, name: str) -> str | None:
    """Return the entry that `name` stands for though it is not called so; None if there is none."""
    if not _exists(directory, name):
        return None
    with below.opened(directory, ".") as own:  # two threads that list by one descriptor take entries from each other
        there = os.listdir(own)
    if name in there:
        return None
    return next((one for one in there if folded(one) == folded(name)), "another one")


def _exists(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
