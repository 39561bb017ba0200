"""What a key of the configuration may hold.

Each function turns a TOML value into what the engine uses, or raises ValueError with what was expected.
None of these texts shows a value that may be a secret; the keys of secrets are in core.config.credentials.
"""

# ruff: noqa: TRY004 - pydantic collects ValueError; a TypeError would end the validation
from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationInfo

from core.names import unsafe_name
from core.units import format_duration, parse_duration, quoted

EnumT = TypeVar("EnumT", bound=StrEnum)

_UMASK = re.compile(r"0{0,2}[0-7]{2}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_KEYS = 'expected a key such as "r", or a list of keys'
_BRACKETS = re.compile(r"\[!?.[^\]]*\]")


def base_folder(info: ValidationInfo) -> Path:
    """Return the folder that relative paths start from: that of the file, else the current one."""
    base = (info.context or {}).get("base")
    return base if isinstance(base, Path) else Path.cwd()


def mirror_name(value: object) -> str:
    """A name that is fit for a command line, a log and a file name."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(f'expected letters, digits and ". _ + -", at most 64, got {quoted(value)}')


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """Return a check for integers from `low` to `high`."""

    def check(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError(f"expected a whole number from {low} to {high}, got {quoted(value)}")

    return check


def umask(value: object) -> int | None:
    """Octal digits: the permissions that new files don't get; None for empty text, which leaves them as they are."""
    if value == "":
        return None
    if isinstance(value, str) and _UMASK.fullmatch(value):
        return int(value, 8)
    raise ValueError(
        f'expected octal digits such as "022" or "027", which take nothing from the owner, or "", got {quoted(value)}'
    )


def at_least(seconds: float) -> Callable[[object], float]:
    """Return a check for durations of `seconds` or more."""

    def check(value: object) -> float:
        duration = parse_duration(value)
        if duration < seconds:
            least = f"{seconds:g}s" if seconds < 1 else format_duration(seconds)
            raise ValueError(f"expected at least {least}, got {quoted(value)}")
        return duration

    return check


_at_least_a_second = at_least(1.0)


def one_of(kind: type[EnumT]) -> Callable[[object], EnumT]:
    """Return a check for the values of `kind`."""

    def check(value: object) -> EnumT:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        known = " or ".join(f'"{member.value}"' for member in kind)
        raise ValueError(f"expected {known}, got {quoted(value)}")

    return check


def path(value: object, info: ValidationInfo) -> Path:
    """An absolute path without links; ``~`` and paths relative to the file are understood."""
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise ValueError(f'expected a path such as "/data/ps1", got {quoted(value)}')
    try:
        return (base_folder(info) / Path(value).expanduser()).resolve()
    except (OSError, RuntimeError):
        raise ValueError(f"expected a path that can be followed, got {quoted(str(value))}") from None


def file_path(value: object, info: ValidationInfo) -> Path:
    """A file that may be created: its folder exists."""
    target = path(value, info)
    _demand_folder(target.parent)
    if stat.S_ISDIR(_mode(target)):
        raise ValueError(f"expected a file, but {quoted(str(target))} is a folder")
    return target


def existing_file(value: object, info: ValidationInfo) -> Path:
    """A file that is there."""
    target = path(value, info)
    if not stat.S_ISREG(_mode(target)):
        raise ValueError(f"expected a file that exists, but there is no {quoted(str(target))}")
    return target


def folder(value: object, info: ValidationInfo) -> Path:
    """A folder, or nothing yet: whether it can be made, or its disk is mounted, shows when it is used."""
    target = path(value, info)
    if (mode := _mode(target)) and not stat.S_ISDIR(mode):
        raise ValueError(f"expected a folder, but {quoted(str(target))} is something else")
    return target


def new_folder(value: object, info: ValidationInfo) -> Path:
    """A folder that exists, or that can be created in one that does."""
    target = folder(value, info)
    _demand_folder(target.parent)
    return target


def globs(value: object) -> tuple[str, ...]:
    """Names or globs: ``*``, ``?`` and ``[...]``, matched with the case as it is."""
    return _each(value, 'expected a list of names or globs such as ["gpc1", "dist-*"]', _bad_glob)


def lag_limits(value: object) -> tuple[tuple[str, float], ...]:
    """A duration for all products, or a table of globs and durations, of which the first that matches counts."""
    if not isinstance(value, Mapping):
        return (("*", _at_least_a_second(value)),)
    return tuple((glob, _lag_limit(glob, seconds)) for glob, seconds in value.items())


def _lag_limit(glob: str, seconds: object) -> float:
    if reason := _bad_glob(glob):
        raise ValueError(f"expected a name or glob, got {quoted(glob)}: {reason}")
    try:
        return _at_least_a_second(seconds)
    except ValueError as error:
        raise ValueError(f"{quoted(glob)}: {error}") from None


def keys(value: object) -> dict[str, tuple[str, ...]]:
    """A table of the names of commands, each with its key or a list of keys."""
    if not isinstance(value, Mapping):
        raise ValueError('expected a table such as { retry = ["r", "f5"] }')
    lists = {name: [key] if isinstance(key, str) else key for name, key in value.items()}
    return {name: _each(several, f"{name}: {_KEYS}", _bad_key) for name, several in lists.items()}


def text(value: object) -> str:
    """Text that can be shown."""
    if isinstance(value, str) and value.isprintable():
        return value
    raise ValueError(f"expected text in quotes, got {quoted(value)}")


def yes_or_no(value: object) -> bool:
    """A truth value."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false, got {quoted(value)}")


def product_names(value: object) -> tuple[str, ...]:
    """Names that are taken as they are."""
    return _each(value, 'expected a list of product names such as ["dist-200904"]', unsafe_name)


def source_url(value: object) -> str:
    """An HTTP URL without user, query and index file. It is shown only if it holds neither a user nor a query."""
    expected = 'expected a URL such as "http://host/ds"'
    if not isinstance(value, str):
        raise ValueError(f"{expected}, got {quoted(value)}")
    shown = "" if {"@", "?"} & set(value) else f", got {quoted(value)}"
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not value.isprintable() or " " in value:
        raise ValueError(f"{expected}{shown}")
    if "@" in parts.netloc:
        raise ValueError("expected the user either in the URL or in keys such as username and password_file")
    if parts.query or parts.fragment:
        raise ValueError(f'{expected} without "?" and "#"{shown}')
    return value.removesuffix("/index.txt").rstrip("/")


def username(value: object) -> str | None:
    """A user name for HTTP Basic authentication."""
    if value is None or (isinstance(value, str) and value and value.isprintable() and ":" not in value):
        return value
    raise ValueError('expected a user name without ":"')


def _each(value: object, expected: str, refuse: Callable[[str], str | None]) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{expected}, got {quoted(value)}")
    for item in value:
        if not isinstance(item, str):
            raise ValueError(f"{expected}, got {quoted(item)} in it")
        if reason := refuse(item):
            raise ValueError(f"{expected}, got {quoted(item)}: {reason}")
    return tuple(value)


def _bad_glob(glob: str) -> str | None:
    if not glob:
        return "it is empty"
    if "/" in glob or not glob.isprintable():
        return "no name holds a slash or a control character"
    return "a bracket is not closed" if "[" in _BRACKETS.sub("", glob) else None


def _bad_key(key: str) -> str | None:
    return None if key and key.isprintable() and not set(key) & {" "} else "it is no key"


def _demand_folder(wanted: Path) -> None:
    if not stat.S_ISDIR(_mode(wanted)):
        raise ValueError(f"expected the folder {quoted(str(wanted))} to exist")


def _mode(target: Path) -> int:
    """Return the mode of `target`; 0 if it isn't there or can't be reached."""
    try:
        return target.stat().st_mode
    except OSError:
        return 0
