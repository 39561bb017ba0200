"""What is said of each thing that is typed, while it is typed. Blocks while the file system does."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.config.draft import complaint, standing
from core.config.loading import search_places
from core.destinations.outlook import Outlook, outlook
from core.text import display
from tui import format as fmt


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a text; with style "bad" it can't be used, with "wanting" there is not enough of it yet."""

    words: str
    style: Literal["dim", "warn", "bad", "wanting"] = "dim"

    @property
    def usable(self) -> bool:
        """Whether one can go on with it."""
        return self.style in {"dim", "warn"}


Judge = Callable[[str], Verdict]


def judge_url(text: str) -> Verdict:
    """Judge the URL of a source."""
    if any(scheme.startswith(text) for scheme in ("http://", "https://")):
        return Verdict("the root of an IPP Data Store, such as http://host/ds", "wanting")
    return _judged("url", text, "its index.txt lists the products: Enter reads it")


def judge_name(text: str) -> Verdict:
    """Judge the name of a mirror."""
    return _judged("name", text, "what this mirror is called here, on the screen and in commands")


def judge_username(text: str) -> Verdict:
    """Judge the name of a user."""
    return _judged("username", text, "only for a source that asks for user and password")


def judge_variable(text: str) -> Verdict:
    """Judge the name of the environment variable that holds the secret."""
    if text.isidentifier() and not os.environ.get(text):
        return Verdict(f"{display(text)} is not set: leave, set it in the environment, start again", "bad")
    return _judged("variable", text, "the variable with the password; without a user: a bearer token")


def _judged(key: str, text: str, right: str) -> Verdict:
    wrong = complaint(key, text)
    return Verdict(right) if wrong is None else Verdict(wrong, "bad")


def judge_destination(text: str) -> Verdict:
    """Judge the folder for what is mirrored."""
    if wrong := complaint("destination", text):
        return Verdict(wrong, "bad")
    folder = Path(text).expanduser().absolute()
    found = outlook(folder)
    if not found.writable:
        words = (
            f"{display(found.writable_at)} is not writable for this user; change its owner, or choose another folder"
        )
        return Verdict(words, "bad")
    return Verdict(f"{'is there' if found.exists else 'will be created'}; {free_words(found)}")


def free_words(found: Outlook) -> str:
    """Say how much room there is."""
    if found.free is None or not found.total:
        return "its free space is not known"
    return f"{fmt.size(found.free)} of {fmt.size(found.total)} free"


def judge_file(text: str) -> Verdict:
    """Judge the place of the new configuration file."""
    if not text or not text.isprintable():
        return Verdict("expected the path of a file", "bad")
    file = Path(text).expanduser().absolute()
    if os.path.lexists(file):
        return Verdict("is there already, and is never overwritten: choose another name", "bad")
    folder = standing(file.parent)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Verdict(f"{display(folder)} is no folder that this user can write to", "bad")
    made = "" if folder == file.parent else "its folder will be created; "
    if file in [place.absolute() for place in search_places()]:
        return Verdict(f"{made}mirrortui finds it there by itself")
    return Verdict(f"{made}mirrortui finds it there only with --config", "warn")
