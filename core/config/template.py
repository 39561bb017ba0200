"""The commented configuration that `mirrortui init` writes."""

from __future__ import annotations

import os
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

[dashboard]
# site = "dc-3"                    # the name of this place; default: that of the host
# theme = ""                       # the colours; the palette (^p) shows the names of all
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
# max_lag = {}                     # "2h", or { "md-*" = "2h", "*" = "1d" }: when a product is shown as late
# priority = 0                     # -100 to 100; the mirror with the higher one goes first
# username = "me"                  # for HTTP Basic authentication; default: none
# password_env = "PS1_PASSWORD"    # the environment variable that holds the password; default: none
# bearer_env = "PS1_TOKEN"         # the environment variable that holds a bearer token; default: none
# ca_file = "ca.pem"               # a private certificate authority; default: the well-known ones
# headers = { "X-Api-Key" = "env:PS1_KEY" } # sent with each request, "env:" takes a variable; default: none
# connect_timeout = "30s"          # for reaching a host
# index_timeout = "60s"            # without a byte of an index
# stall_timeout = "60s"            # a file that is slower than min_rate for so long is given up and tried again
# min_rate = "100 B/s"             # see stall_timeout
"""


def write_template(path: Path) -> None:
    """Write TEMPLATE to the new file `path`, readable by its owner alone; raises ConfigError if it is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise ConfigError(f"{display(path)}: expected no file there; an existing one is never overwritten") from None
    except OSError as error:
        raise ConfigError(f"{display(path)}: cannot be written: {error.strerror}") from None
