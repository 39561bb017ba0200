"""Where secrets come from: environment variables, files that only their owner can read, netrc.

As in core.config.fields, each check turns a TOML value into what the engine uses, or raises ValueError with what was
expected. A secret is never among that. All are read once, at start: after a change the engine is started anew.
"""

# ruff: noqa: TRY004 - pydantic collects ValueError; a TypeError would end the validation
from __future__ import annotations

import os
import re
import stat
from base64 import b64encode
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from pydantic import SecretStr, ValidationInfo

from core.config.fields import existing_file, path
from core.units import quoted

NETRC = "~/.netrc"
MOST_BYTES = 64 * 1024
"""Of a file with a secret; real ones hold a line."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USUAL = re.compile(r"[A-Z_][A-Z0-9_]*")
"""What variables are called; anything else may be the secret itself, and is not shown."""
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TELLING = re.compile(r"auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE)
"""In the name of a header: its value is a secret, wherever it comes from."""
_OWN_HEADERS = frozenset({"accept-encoding", "connection", "content-length", "host", "if-range", "range"})
"""What the engine itself must say for resuming and framing to be right."""


class Written(SecretStr):
    """A secret that stands in the configuration itself."""


class Login(NamedTuple):
    """A user and the password."""

    user: str
    password: SecretStr


def wanted(info: ValidationInfo) -> bool:
    """Tell whether this process needs secrets: one that contacts no source doesn't even look for them."""
    return bool((info.context or {}).get("secrets", True))


def variable(value: object, info: ValidationInfo) -> str | None:
    """The name of an environment variable, which must be set if secrets are wanted at all."""
    if value is None:
        return None
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError('expected the name of an environment variable such as "PS1_PASSWORD"')
    if wanted(info):
        from_environment(value)
    return value


def from_environment(name: str) -> SecretStr:
    """Return what the environment variable `name` holds. Raises ValueError, which shows none but a usual name."""
    value = os.environ.get(name)
    if not value and not _USUAL.fullmatch(name):
        raise ValueError("expected the name of an environment variable that is set; what is written there is none")
    if not value:
        raise ValueError(f"expected the environment variable {name} to be set")
    if not _encodable(value):
        raise ValueError(f"expected UTF-8 text in the environment variable {name}")
    return SecretStr(value)


def secret_file(value: object, info: ValidationInfo) -> Path | None:
    """A file whose first line is a secret, and which only its owner can read."""
    if value is None:
        return None
    if not wanted(info):
        return path(value, info)
    file = existing_file(value, info)
    from_file(file)
    return file


def from_file(file: Path) -> SecretStr:
    """Return the first line of `file`, without the blanks around it. Raises ValueError."""
    try:
        with file.open("rb") as opened:
            _demand_private(file, os.fstat(opened.fileno()))
            lines = opened.read(MOST_BYTES).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"{quoted(str(file))} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"expected UTF-8 text in {quoted(str(file))}") from None
    secret = lines[0].strip() if lines else ""
    if not secret or not secret.isprintable():
        raise ValueError(f"expected the secret in the first line of {quoted(str(file))}, as text that can be printed")
    return SecretStr(secret)


def netrc_file(value: object, info: ValidationInfo) -> Path | None:
    """True for the user's own netrc, or the path of another; only its owner can read it."""
    if value is None or value is False:
        return None
    if value is not True and not isinstance(value, str):
        raise ValueError(f'expected true, for {NETRC}, or a path such as "ps1.netrc", got {quoted(value)}')
    named = NETRC if value is True else value
    if not wanted(info):
        return path(named, info)
    file = existing_file(named, info)
    _demand_private(file, file.stat())
    return file


def from_netrc(file: Path, host: str) -> Login:
    """Return what `file` holds for `host`, else its default entry. Raises ValueError."""
    try:
        found = netrc(file).authenticators(host)
    except NetrcParseError as error:  # whose text may quote a password
        raise ValueError(f"expected netrc's format in {quoted(str(file))}, line {error.lineno}") from None
    except OSError as error:
        raise ValueError(f"{quoted(str(file))} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"expected UTF-8 text in {quoted(str(file))}") from None
    if not found or not found[0] or not found[2] or ":" in found[0]:
        raise ValueError(f"expected machine {host} with login and password in {quoted(str(file))}")
    return Login(found[0], SecretStr(found[2]))


def _demand_private(file: Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"expected a file that only its owner can read: chmod 600 {quoted(str(file))}")


def headers(value: object, info: ValidationInfo) -> tuple[tuple[str, str | SecretStr], ...]:
    """A table of request headers; a value ``"env:NAME"`` is taken from the environment.

    Such a value is a secret, and so is every one of a header whose name tells that it holds one.
    """
    if not isinstance(value, dict):
        raise ValueError('expected a table such as { "X-Api-Key" = "env:PS1_KEY" }')
    return tuple((name, held) for name, text in value.items() if (held := _header(name, text, info)) is not None)


def _header(name: str, value: object, info: ValidationInfo) -> SecretStr | str | None:
    if not _HEADER.fullmatch(name):
        raise ValueError(f"expected the name of a header, got {quoted(name)}")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name}: expected another header; this one is set by mirrortui itself")
    if not isinstance(value, str):
        raise ValueError(f'{name}: expected text in quotes, or "env:NAME"')
    held: SecretStr = Written(value)
    if value.startswith("env:"):
        try:
            variable(value[4:], info)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if not wanted(info):
            return None
        held = from_environment(value[4:])
    demand_header_text(name, held)
    return held if value.startswith("env:") or _TELLING.search(name) else value


def revealed(value: SecretStr | str) -> str:
    """Return the text itself, be it a secret or not."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def demand_header_text(name: str, value: SecretStr) -> None:
    """Raise ValueError if `value` would break out of its header line."""
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{name}: expected printable ASCII text without line ends")


def wire_form(user: str, password: str) -> str:
    """Return what HTTP Basic authentication sends (RFC 7617)."""
    return b64encode(f"{user}:{password}".encode()).decode()


def of_proxies() -> tuple[str, ...]:
    """Return the passwords in the URLs of proxies, which curl and httpx take from the environment."""
    found: dict[str, None] = {}
    for name, url in os.environ.items():
        user, _, password = url.rpartition("@")[0].rpartition("/")[2].partition(":")
        if name.lower().endswith("_proxy") and password and _encodable(url):
            user, plain = unquote(user), unquote(password)
            found |= dict.fromkeys((password, plain, wire_form(user, plain)))
    return tuple(found)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
