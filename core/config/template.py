"""The commented configuration that `mirrortui init` and the first run write."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import ConfigError
from core.text import display

TEMPLATE = """\
# Configuration of mirrortui. Relative paths start from the folder of this file.
# A key behind a "#" shows its default. Sizes: "50 MB", "1.5 GiB". Durations: "30s", "15m", "1h30m", "1d".
# `mirrortui check` tells whether all is well, tries the sources, and says what would be mirrored.

[engine]
# state = "mirror.db"              # the state file, on a local disk; default: in the XDG state folder
# log_file = "mirrortui.log"       # used when there is no terminal; default: beside the state file
# transfers = 16                   # files at once, all together
# transfers_per_host = 16          # files at once from one host
# bandwidth = "0"                  # all transfers together, such as "50 MB/s"; 0 is unlimited
# min_free = "5%"                  # kept free on the disk of a destination; or a size such as "20 GB"
# drain_timeout = "10m"            # how long filesets in progress may go on after a request to stop
# durability = "fileset"           # what is flushed before publishing: "full", "fileset" or "none"
# umask = ""                       # what others may do with published files, such as "022" or "027"; "": as started

[dashboard]
# site = "dc-3"                    # the name of this place; default: that of the host
# theme = ""                       # textual-dark, light, contrast, ...; T in the dashboard keeps another
# read_only = false                # look on only: no command can be given
# on_hangup = "detach"             # when the terminal is lost, the engine: "detach" goes on, "drain", or "stop"
# keys = {}                        # other keys for commands, such as { retry = ["r", "f5"] }; docs/keys.md has all

[[mirror]]                         # repeat this table for every further mirror
name = "ps1"                       # your name for it
protocol = "ipp"                   # the kind of source
url = "http://127.0.0.1:8080/ds"   # the root of the source, without index.txt
destination = "data"               # where published filesets go; the folder above it must exist
# products = ["*"]                 # names or globs, matched with the products that the source shows
# exclude_products = []            # names or globs of the products that are not
# hidden_products = []             # names of products that the source does not show
# filesets = ["*"]                 # names or globs of the filesets that are wanted
# exclude_filesets = []            # names or globs of the filesets that are not
# poll_interval = "15m"            # how often the source is asked for what is new
# reconcile_interval = "1d"        # how often whole lists are compared
# scrub = "0"                      # a service (`run`) reads each published file again in this time ("30d"); 0: never
# scrub_rate = "0"                 # how fast, such as "50 MB/s"; 0 is unlimited
# max_lag = {}                     # set it to see LAG: "2h", or { "md-*" = "2h", "*" = "1d" }; {}: nothing is late
# priority = 0                     # -100 to 100; the mirror with the higher one goes first
# username = "me"                  # for HTTP Basic authentication; default: none
# password_env = "PS1_PASSWORD"    # the environment variable that holds the password; default: none
# password_file = "ps1.password"   # or a file that only its owner can read (chmod 600); default: none
# netrc = true                     # or user and password from ~/.netrc, or a path; default: none
# bearer_env = "PS1_TOKEN"         # the environment variable that holds a bearer token; default: none
# bearer_file = "ps1.token"        # or a file, as for a password; default: none
# ca_file = "ca.pem"               # a private certificate authority; default: the well-known ones
# headers = { "X-Api-Key" = "env:PS1_KEY" } # sent with each request, "env:" takes a variable; default: none
# connect_timeout = "30s"          # for reaching a host
# index_timeout = "60s"            # without a byte of an index
# stall_timeout = "60s"            # a file that is slower than min_rate for so long is given up and tried again
# min_rate = "100 B/s"             # see stall_timeout
"""

COMMENT_AT = 35
"""The column in which the comments stand."""
LINE_CELLS = 120
"""How long a line may be before a list is written one item a line."""

_KEY = re.compile(r"(?:# )?(?P<key>[a-z_]+) = .*?  (?P<comment># .*)")


def filled(values: Mapping[str, str | Sequence[str]]) -> str:
    """Return TEMPLATE with these keys set: the comments stay, and so does what is said of all other keys."""
    return "".join(f"{_line(line, values)}\n" for line in TEMPLATE.splitlines())


def _line(line: str, values: Mapping[str, str | Sequence[str]]) -> str:
    match = _KEY.fullmatch(line)
    if match is None or match["key"] not in values:
        return line
    value, begin, comment = values[match["key"]], f"{match['key']} = ", match["comment"]
    short = f"{begin + toml(value):<{COMMENT_AT - 2}}  {comment}"
    if isinstance(value, str) or len(short) <= LINE_CELLS:
        return short
    items = "".join(f"  {toml(item)},\n" for item in value)
    return f"{begin + '[':<{COMMENT_AT}}{comment}\n{items}]"


def toml(value: str | Sequence[str]) -> str:
    """Return a text or a list of texts as TOML writes it; what JSON escapes, TOML escapes in the same way."""
    return json.dumps(value, ensure_ascii=False)


def write_template(path: Path) -> None:
    """Write TEMPLATE to the new file `path`; see `write_new`."""
    write_new(path, TEMPLATE)


def write_new(path: Path, text: str) -> None:
    """Write a configuration to the new file `path`, whole or not at all, readable by its owner alone.

    Raises ConfigError if there is something of that name already, or if it can't be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(text.encode())
            os.fsync(file.fileno())
        os.link(unfinished, path)  # which replaces nothing, other than a rename
    except FileExistsError:
        raise ConfigError(f"{display(path)}: expected no file there; an existing one is never overwritten") from None
    except OSError as error:
        raise ConfigError(f"{display(path)}: cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def take_back(path: Path, text: str) -> bool:
    """Remove a configuration that `write_new` has written, if nobody has changed it; return whether it is gone."""
    try:
        if path.read_bytes() != text.encode():
            return False
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
