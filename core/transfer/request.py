"""What is asked of the server: one of curl's handles, set up for a job."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import pycurl

from core.http import user_agent
from core.tls import default_ca_file
from core.transfer.base import PLAIN_SIZE, Access
from core.urls import Reach, reach

IDENTITY = b"Accept-Encoding: identity"
FOR_ALL = {
    pycurl.NOSIGNAL: 1,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.PATH_AS_IS: 1,
    pycurl.FOLLOWLOCATION: 0,
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.NETRC: pycurl.NETRC_IGNORED,
    pycurl.HTTPAUTH: pycurl.HTTPAUTH_BASIC,
    pycurl.BUFFERSIZE: 512 * 1024,
}


class Target(NamedTuple):
    """One request: the bytes of `url` from `offset` on, if `validator` still holds.

    `own` is false where a redirect led to another host; an address of less than `least` reach is refused there.
    `plain`: at most PLAIN_SIZE bytes. `fresh`: no connection that was used before.
    """

    url: str
    access: Access
    offset: int = 0
    validator: str | None = None
    own: bool = True
    least: Reach = Reach.LINK
    plain: bool = False
    fresh: bool = False


class Handle:
    """One of curl's easy handles, used for one request after the other; only what differs is set anew."""

    def __init__(self, plain: bool = False) -> None:
        self.easy: Any = pycurl.Curl()
        self.plain = plain
        self._access: Access | None = None
        for option, setting in FOR_ALL.items():
            self.easy.setopt(option, setting)
        self.easy.setopt(pycurl.USERAGENT, user_agent())
        if plain:
            self.easy.setopt(pycurl.MAXFILESIZE_LARGE, PLAIN_SIZE)

    def aim(self, target: Target) -> None:
        """Set up the next request. Who we are is told to the mirror's own host only."""
        if target.access is not self._access:
            self._set_access(target.access)
        if not target.own or target.offset or target.least or target.fresh:
            self._set_exceptions(target)
        self.easy.setopt(pycurl.URL, target.url.encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """Give back what curl holds."""
        self.easy.close()

    def _set_access(self, access: Access) -> None:
        self._access = access
        easy = self.easy
        easy.setopt(pycurl.HTTPHEADER, [IDENTITY, *_lines(access)])
        easy.setopt(pycurl.CAINFO, access.ca_file or default_ca_file())
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, round(access.connect_seconds * 1000)))
        easy.setopt(pycurl.LOW_SPEED_LIMIT, access.min_rate)
        easy.setopt(pycurl.LOW_SPEED_TIME, max(1, math.ceil(access.stall_seconds)))
        self._set_credentials(access.username, access.password)
        easy.unsetopt(pycurl.PREREQFUNCTION)
        easy.setopt(pycurl.FRESH_CONNECT, 0)

    def _set_exceptions(self, target: Target) -> None:
        """Set what holds for this one request; the next one sets everything anew."""
        self._access = None
        lines = [IDENTITY]
        if target.own:
            lines += _lines(target.access)
        else:
            self._set_credentials(None, None)
        if target.offset:
            lines += [f"Range: bytes={target.offset}-".encode(), f"If-Range: {target.validator}".encode()]
        self.easy.setopt(pycurl.HTTPHEADER, lines)
        self.easy.setopt(pycurl.FRESH_CONNECT, target.fresh)
        if target.least:
            self.easy.setopt(pycurl.PREREQFUNCTION, partial(_refuse_nearer, target.least))

    def _set_credentials(self, username: str | None, password: str | None) -> None:
        for option, text in ((pycurl.USERNAME, username), (pycurl.PASSWORD, password)):
            if text is None:
                self.easy.unsetopt(option)
            else:
                self.easy.setopt(option, text.encode())


def _lines(access: Access) -> list[bytes]:
    return [f"{name}: {text}".encode() for name, text in access.headers]


def _refuse_nearer(least: Reach, address: str, *_: object) -> int:
    """Refuse a connection to an address of less than `least` reach before anything is said to it."""
    return int(pycurl.PREREQFUNC_ABORT if reach(address) < least else pycurl.PREREQFUNC_OK)
