"""A configuration that is being put together: what was typed, what is wrong with it, and the file it becomes."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from core.config import fields
from core.config.loading import search_places
from core.config.models import Protocol, Variable, default_state
from core.config.template import filled
from core.units import quoted

FALLBACK_NAME = "mirror"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?![0-9])")
_UNFIT = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """One mirror, in the words of who sets it up; an empty text stands for nothing.

    `variable` names the environment variable that holds the password of `username`, or without one the bearer token.
    `products` are names; None stands for all that there are and will be.
    """

    url: str = ""
    name: str = ""
    destination: str = ""
    username: str = ""
    variable: str = ""
    products: tuple[str, ...] | None = None
    state: str = ""
    log_file: str = ""

    def text(self) -> str:
        """Return the configuration file."""
        secret = "password_env" if self.username else "bearer_env"
        values = {
            "state": self.state,
            "log_file": self.log_file,
            "name": self.name,
            "protocol": Protocol.IPP,
            "url": self.url.removesuffix("/index.txt").rstrip("/"),
            "destination": os.path.abspath(os.path.expanduser(self.destination)),  # noqa: PTH100, PTH111 - keeps links
            "username": self.username,
            secret: self.variable,
            "products": ["*"] if self.products is None else [escape(name) for name in self.products],
        }
        return filled({key: value for key, value in values.items() if value})

    def apart(self) -> Draft:
        """Return the draft with a state and a log of its own if another configuration uses the usual ones already."""
        usual = default_state()
        if not usual.exists():
            return replace(self, state="", log_file="")
        return replace(
            self, state=str(usual.with_name(f"{self.name}.db")), log_file=str(usual.with_name(f"{self.name}.log"))
        )


def first_place() -> Path:
    """Return the place where a new configuration is found first and can be written."""
    places = [place.absolute() for place in search_places()]
    return next((place for place in places if os.access(standing(place.parent), os.W_OK | os.X_OK)), places[0])


def standing(folder: Path) -> Path:
    """Return `folder`, or the next one above it that is there."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def proposed_name(url: str) -> str:
    """Return a name for the mirror of a source: the first telling part of its host."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    with suppress(ValueError):
        return _fit(str(ipaddress.ip_address(host)))
    return _fit(next((part for part in host.split(".") if part != "www"), ""))


def _fit(text: str) -> str:
    return _UNFIT.sub("-", text).strip("-.")[:64] or FALLBACK_NAME


def proposed_destination(name: str) -> str:
    """Return a folder for what is mirrored: in the current folder if it can be written to, else at home."""
    here = Path.cwd()
    return str((here if os.access(here, os.W_OK | os.X_OK) else Path.home()) / (name or FALLBACK_NAME))


# What is wrong with a text.


def complaint(key: str, text: str) -> str | None:
    """Return what is wrong with the text of a key of Draft, or None. An empty one of the optional keys is right.

    The environment variable has to be set; relative paths start from the current folder.
    """
    if not text and key in {"username", "variable"}:
        return None
    if not text.isprintable():
        return "expected text without control characters"
    try:
        _CHECKS[key].validate_python(text, context={"base": Path.cwd(), "secrets": True})
    except ValidationError as error:
        return "; ".join(str(one["ctx"]["error"]) for one in error.errors(include_url=False, include_input=False))
    return None


def _url(value: object) -> str:
    text = str(value)
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in {"http", "https"}:
        raise ValueError(f"expected http or https: {quoted(scheme[1] + ':')} is no kind of source there is")
    if "@" in text:
        raise ValueError("expected no user in the URL: the fields below take it, and no password stands in a file")
    return fields.source_url(text)


def _check(check: Callable[..., Any]) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[Any, BeforeValidator(check)])


_CHECKS = {
    "url": _check(_url),
    "name": _check(fields.mirror_name),
    "destination": _check(fields.new_folder),
    "username": _check(fields.username),
    "variable": TypeAdapter(Variable),
}
