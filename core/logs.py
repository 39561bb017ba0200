"""Log lines for people: one line a message, in UTC, free of control bytes and of secrets."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import quote, quote_plus

from core.regular import open_regular
from core.text import display
from core.units import format_time
from core.urls import quote_segment

ROTATE_BYTES = 10_000_000
KEPT_FILES = 5
MAX_LINE = 2000
LEVELS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""Names of more than five letters, shortened so that messages stay aligned."""
LIBRARIES = ("asyncio", "httpcore", "httpx")
"""Their lower levels tell what matters to their authors, URLs with secrets included."""

SHORTEST_SECRET = 4
"""Characters; a shorter one stands in ordinary words and numbers, too."""

UNMISTAKABLE = 12
"""Characters from which on a text that contains a secret can't do so by chance."""

_secrets: set[str] = set()


def hide_secrets(values: Iterable[str]) -> None:
    """Have each of `values` replaced by ``***`` in every log line from now on, also as others write it.

    That is: with other case, in the quotings of URLs and HTML, in base64. What has fewer than SHORTEST_SECRET
    characters is not hidden: it would blot out half of each line, and so give itself away. This is the second guard
    only: whoever writes a message leaves secrets out of it, short or long.
    """
    for value in values:
        if len(value) >= SHORTEST_SECRET:
            _secrets.update(form.lower() for form in _forms(value))


def _forms(value: str) -> tuple[str, ...]:
    quoted = (quote(value, safe=""), quote(value), quote_plus(value), quote_segment(value))
    return (value, escape(value), b64encode(value.encode()).decode(), *quoted)


def redact_secrets(text: str) -> str:
    """Return `text` with ``***`` in place of every registered secret; longer secrets go first."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
    return text


def holds_secret(text: str) -> bool:
    """Tell whether a registered secret stands in `text`, one that is too long to do so by chance."""
    low = text.lower() if _secrets else ""
    return any(len(secret) >= UNMISTAKABLE and secret in low for secret in _secrets)


def setup_logging(log_file: Path | None, terminal: bool, verbose: int = 0, quiet: bool = False) -> logging.Handler:
    """Send all log messages to stderr if a `terminal` is there or `log_file` is None, else to `log_file`.

    The file is rotated at ROTATE_BYTES, KEPT_FILES times; if it can't be opened, stderr is used and a warning says so.
    INFO and above is shown; with `verbose` DEBUG too, with `quiet` only WARNING and above. Returns the handler,
    which takes the place of the one of an earlier call.
    """
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Unfailing)]:
        root.removeHandler(old)
        old.close()
    handler, warning = _open_handler(None if terminal else log_file)
    handler.setFormatter(LineFormatter())
    root.addHandler(handler)
    root.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    if warning:
        logging.getLogger(__name__).warning(warning)
    return handler


def log_files(log_file: Path) -> tuple[Path, ...]:
    """Return the log at `log_file`, and the places of those that it was rotated to."""
    return (log_file, *(log_file.with_name(f"{log_file.name}.{number}") for number in range(1, KEPT_FILES + 1)))


def open_log(log_file: Path | str) -> int:
    """Open a log to add to it; it is made for the owner's eyes alone. Raises OSError for what is no file, too."""
    return open_regular(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, device=True)


class LineFormatter(logging.Formatter):
    """``2026-11-21T07:58:02Z INFO  ps1: message``; the lines of a traceback follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text that can do nothing but be read."""
        level = LEVELS.get(record.levelname, record.levelname)
        head = f"{format_time(record.created)} {level:<5} "
        trace = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        lines = [line for text in (trace, record.stack_info) if text for line in text.split("\n")]
        return "\n".join([head + _clean(_message(record)), *(f"    {_clean(line)}" for line in lines)])


class _Unfailing(logging.Handler):
    """A log that can't be written (a lost terminal, a full disk) must not disturb the work that it tells about."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - named by logging
        """Drop the record."""


class _TerminalHandler(_Unfailing, logging.StreamHandler):  # type: ignore[type-arg] # not generic when it runs
    pass


class _FileHandler(_Unfailing, RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return open(open_log(self.baseFilename), "a", encoding="utf-8", errors="backslashreplace")

    def doRollover(self) -> None:  # noqa: N802 - named by logging
        """Rotate; where something that is no log stands in the way, this one grows on."""
        with contextlib.suppress(OSError):
            super().doRollover()


def _open_handler(log_file: Path | None) -> tuple[logging.Handler, str | None]:
    if log_file is None:
        return _TerminalHandler(), None
    try:
        return _FileHandler(log_file, maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES), None
    except OSError as error:
        return _TerminalHandler(), f"{log_file}: cannot be opened ({error.strerror}); logging to stderr"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a mistaken format string must not hide what was to be said
        return f"{record.msg} {record.args!r}"


def _clean(text: str) -> str:
    return display(redact_secrets(text), MAX_LINE)
