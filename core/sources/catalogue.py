"""Fetching index documents over HTTP: bounded in size and time, secrets kept to their host."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import count
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from core.errors import FailureKind, SourceError
from core.http import REDIRECTS, same_origin, user_agent
from core.pieces import Pieces
from core.sources.base import SourceOptions
from core.sources.failures import at_another_host, from_exception, from_status, source_error
from core.sources.spool import DEFAULT_LIMITS, Form, Limits, Shelf, Spool
from core.tls import default_ca_file
from core.urls import Reach, RedirectRefused, follow, host_key, less_reach, reach, same_host

PIECE = 16 * 1024
"""Bytes looked at in one go: even when every line is a comment to be read, the event loop is free again soon."""

LEAST_PIECE = 16
"""Bytes of the pieces of an index: some servers send one for each line, which is longer."""
FREE_PIECES = 10_000
"""Pieces of an index that may be smaller: about half a second of work."""

COSTLY_BYTES = 16_000_000
"""Bytes of an answer that turns out to be no index, from which on it is not asked for again at once."""

MOST_HELD = 256 * 1024
"""Bytes of an answer that the kernel may hold for us; it would take 6 MB, and so would each of many indexes."""


class _Way:
    """Where redirects have led that began at `url`: the host of `at` is the one that answers."""

    def __init__(self, url: str):
        self.url = self.at = url

    @property
    def elsewhere(self) -> bool:
        return not same_host(self.at, self.url)


class CatalogueClient:
    """Fetches index documents of one source over HTTP/1.1. Close it.

    Credentials and configured headers go to the scheme, host and port that was asked, never to where it redirects.
    """

    def __init__(self, options: SourceOptions, limits: Limits = DEFAULT_LIMITS):
        self._options = options
        self._limits = limits
        self._shelf = Shelf(options.spool_folder, limits)
        self._auth = _basic_auth(options)
        self._headers = [(name.encode(), value.encode()) for name, value in options.headers]
        self._client: httpx.AsyncClient | None = None
        self._building = asyncio.Lock()

    async def fetch(self, url: str, form: Form) -> Spool:
        """Return the document at `url`, following redirects. Raises SourceError, also if it is not of that form.

        The kind is MALFORMED for a document of another form or over the limits, UNSAFE for a forbidden redirect,
        DISK if it can't be spooled; else it follows the status or the fault of the connection. What fails at another
        host, to which a redirect has led, is told as such.
        """
        way = _Way(url)
        try:
            return await self._fetch(way, form)
        except SourceError as error:
            if error.kind is FailureKind.DISK or not way.elsewhere:
                raise
            raise at_another_host(error, host_key(way.at)) from None

    async def close(self) -> None:
        """Give back connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _fetch(self, way: _Way, form: Form) -> Spool:
        url, options = way.url, self._options
        try:
            async with asyncio.timeout(self._limits.total_seconds), self._answer(way) as response:
                spool = await self._spool(url, response, form)
                try:
                    if not _framed(response):
                        await self._demand_same(way, spool)
                except BaseException:
                    spool.close()
                    raise
                return spool
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise from_exception(url, error, options.connect_seconds, options.index_seconds) from None
        except RedirectRefused as refusal:
            raise source_error(url, FailureKind.UNSAFE, str(refusal)) from None
        except TimeoutError:
            reason = f"not complete within {self._limits.total_seconds:g} s"
            raise source_error(url, FailureKind.TRANSIENT, reason) from None

    async def _demand_same(self, way: _Way, spool: Spool) -> None:
        """Raise SourceError unless what is there comes a second time as it was spooled.

        Where nobody told the length, a connection that broke looks like the end.
        """
        url, digest, size = way.url, hashlib.sha256(), 0
        async with self._answer(way) as response, aclosing(_body(url, response, self._options)) as pieces:
            async for piece in pieces:
                digest.update(piece)
                size += len(piece)
                if size > spool.size:
                    break
        if digest.hexdigest() != spool.sha256:
            reason = f"its length is not told, and it came in two lengths or versions ({spool.size:,} bytes at first)"
            raise source_error(url, FailureKind.TRANSIENT, reason)

    @asynccontextmanager
    async def _answer(self, way: _Way) -> AsyncIterator[httpx.Response]:
        way.at, least = without_userinfo(way.url), Reach.LINK
        for hops in count(1):
            response = await self._send(way.at, same_origin(way.at, way.url), least)
            stream = response.extensions.get("network_stream")
            least = max(least, _reach(stream))
            try:
                _bound(stream)
                location = response.headers.get("location", "")
                if response.status_code not in REDIRECTS or not location:
                    yield response
                    return
            finally:
                await response.aclose()
            way.at = without_userinfo(follow(way.at, location, hops))

    async def _send(self, url: str, trusted: bool, least: Reach) -> httpx.Response:
        client = await self._ready()
        request = client.build_request(
            "GET",
            url,
            headers=self._headers if trusted else None,
            extensions={"trace": partial(_refuse_nearer, least)} if least else None,
        )
        # The read time-out starts anew with every byte; headers that trickle in need a bound of their own.
        try:
            async with asyncio.timeout(self._options.connect_seconds + self._options.index_seconds):
                return await client.send(request, stream=True, auth=self._auth if trusted else None)
        except TimeoutError:
            raise httpx.ReadTimeout("headers") from None

    async def _spool(self, url: str, response: httpx.Response, form: Form) -> Spool:
        spool = Spool(self._limits, self._shelf)
        try:
            reason = await _receive(url, _body(url, response, self._options), spool, form)
        except BaseException:
            spool.close()
            raise
        if reason:
            spool.close()
            costly = spool.size >= COSTLY_BYTES
            raise source_error(url, FailureKind.MALFORMED, reason, status=response.status_code, costly=costly)
        return spool

    async def _ready(self) -> httpx.AsyncClient:
        async with self._building:
            if self._client is None:
                # Reading the authorities takes tens of milliseconds: not on the event loop.
                self._client = await asyncio.to_thread(self._build)
            return self._client

    def _build(self) -> httpx.AsyncClient:
        ca_file = self._options.ca_file or default_ca_file()
        seconds = self._options.index_seconds
        try:
            return httpx.AsyncClient(
                verify=ssl.create_default_context(cafile=ca_file),
                # What one answer sets would go with every other request, to other ports of that host as well.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                timeout=httpx.Timeout(seconds, connect=self._options.connect_seconds),
                # A connection for each index: h11 would take bytes after a body for the next answer, and so a fileset
                # would be published with the files of another.
                headers={"User-Agent": user_agent(), "Accept-Encoding": "identity", "Connection": "close"},
            )
        except OSError as error:
            reason = f"the certificate authorities in {ca_file} can't be read: {error.strerror or error}"
            raise source_error(self._options.url, FailureKind.TLS, reason) from None
        except (ValueError, httpx.InvalidURL):
            reason = "the environment's proxy settings are not usable"
            raise source_error(self._options.url, FailureKind.TRANSIENT, reason) from None


def without_userinfo(url: str) -> str:
    """Return `url` without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _framed(response: httpx.Response) -> bool:
    """True if the end of the body can be told from a broken connection."""
    encoding = response.headers.get("transfer-encoding", "")
    return "content-length" in response.headers or "chunked" in encoding.lower()


async def _receive(url: str, body: AsyncGenerator[bytes, None], spool: Spool, form: Form) -> str | None:
    """Spool the body; return why it is not of that form, at once when that is clear, or None."""
    async with aclosing(body) as pieces:
        async for piece in pieces:
            try:
                reason = spool.take(piece, form)
            except OSError as error:
                words = f"the index can't be spooled in {spool.folder}: {error.strerror}"
                raise source_error(url, FailureKind.DISK, words) from None
            if reason:
                return reason
        return spool.finish(form)


async def _body(url: str, response: httpx.Response, options: SourceOptions) -> AsyncGenerator[bytes, None]:
    """Yield the body of an answer in pieces, between which others have their turn. Raises SourceError."""
    if response.status_code != httpx.codes.OK:
        raise from_status(url, response)
    async with aclosing(_unstalled(url, response.aiter_raw(), options)) as chunks:
        async for chunk in chunks:
            for start in range(0, len(chunk), PIECE):
                yield chunk[start : start + PIECE]
                await asyncio.sleep(0)


async def _unstalled(url: str, body: AsyncIterator[bytes], options: SourceOptions) -> AsyncGenerator[bytes, None]:
    """Yield the body as long as every `stall_seconds` of waiting bring what `min_rate` asks for. Raises SourceError.

    The read time-out starts anew with every byte, so that one byte now and then would satisfy it.
    """
    enough = options.min_rate * options.stall_seconds
    watched = Pieces(LEAST_PIECE, FREE_PIECES)
    waited, received = 0.0, 0
    while True:
        began = monotonic()
        try:
            async with asyncio.timeout(options.stall_seconds - waited):
                chunk = await anext(body, None)
        except TimeoutError:
            reason = f"stalled: less than {options.min_rate} B/s for {options.stall_seconds:g} s"
            raise source_error(url, FailureKind.TRANSIENT, reason) from None
        if chunk is None:
            return
        if (wrong := watched.add(len(chunk))) is not None:
            raise source_error(url, FailureKind.TRANSIENT, wrong)
        waited, received = waited + monotonic() - began, received + len(chunk)
        if received >= enough:
            waited, received = 0.0, 0
        yield chunk


def _bound(stream: Any) -> None:
    """Have the kernel hold MOST_HELD bytes of an answer at most: what it has is read into memory in one go."""
    endpoint = stream.get_extra_info("socket") if stream is not None else None
    if endpoint is not None:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_HELD)


async def _refuse_nearer(least: Reach, event: str, info: Mapping[str, Any]) -> None:
    """Break off a connection to an address of less reach before anything is said to it (a trace of httpx)."""
    if event == "connection.connect_tcp.complete" and _reach(info["return_value"]) < least:
        await info["return_value"].aclose()
        raise RedirectRefused(less_reach(least))


def _reach(stream: Any) -> Reach:
    """Return the reach of the other end of a connection."""
    address = stream.get_extra_info("server_addr") if stream is not None else None
    return Reach.LINK if address is None else reach(str(address[0]))


def _basic_auth(options: SourceOptions) -> httpx.BasicAuth | None:
    return None if options.username is None else httpx.BasicAuth(options.username, options.password or "")
