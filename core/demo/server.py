"""The demo's Data Store: an IPP Data Store on loopback, in threads of this process."""

from __future__ import annotations

import logging
import socket
import threading
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from core.demo import ranges
from core.demo.catalogue import HIDDEN_PRODUCT, Catalogue, ServedFile

ROOT = "/ds/"
STEPS_A_SECOND = 20
POLL_SECONDS = 0.05
IDLE_SECONDS = 120.0
log = logging.getLogger(__name__)


class DemoStore:
    """A Data Store that serves a synthetic catalogue; ``with`` (or `start`) starts it, on a free port if `port` is 0.

    Each product begins with `filesets` filesets; every `growth` seconds (0: never) one more is registered. A
    `flaky` store answers the first request for some files by 503, and breaks off in the middle of others. Each
    connection is slowed down to `pace` bytes a second (0: not at all).
    """

    hidden_product = HIDDEN_PRODUCT

    def __init__(
        self, port: int = 0, seed: int = 1, filesets: int = 12, growth: float = 0.0, flaky: bool = False, pace: int = 0
    ) -> None:
        self.catalogue = Catalogue(seed, filesets, time.time())
        self._growth = growth
        self._server = _HttpServer(port, self.catalogue, flaky, pace)
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The root of the store, without a final slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{ROOT.rstrip('/')}"

    def start(self) -> Self:
        """Serve, and grow."""
        work: list[Callable[[], None]] = [partial(self._server.serve_forever, POLL_SECONDS)]
        if self._growth:
            work.append(self._grow)
        self._threads = [threading.Thread(target=each, name="demo store", daemon=True) for each in work]
        for thread in self._threads:
            thread.start()
        return self

    def close(self) -> None:
        """Break all connections and stop."""
        self._server.stopping.set()
        if self._threads:
            self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _grow(self) -> None:
        while not self._server.stopping.wait(self._growth):
            self.catalogue.grow(time.time())


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, catalogue: Catalogue, flaky: bool, pace: int) -> None:
        self.catalogue = catalogue
        self.flaky = flaky
        self.pace = pace
        self.stopping = threading.Event()
        self._met: set[str] = set()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def trouble(self, path: str) -> str:
        """Return what is to go wrong with this request: nothing unless it is the first one for an unlucky path."""
        if not self.flaky or path in self._met:
            return ""
        self._met.add(path)
        return {0: "busy", 1: "break"}.get(zlib.crc32(path.encode("utf-8", "replace")) % 12, "")

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            self.shutdown_request(connection)

    def handle_error(self, *_: Any) -> None:
        # Clients come and go; a traceback on standard error would spoil the dashboard.
        log.debug("a connection to the demo's store broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    server_version = "DemoStore"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if not path.startswith(ROOT):
            return self._send_missing()
        catalogue = self.server.catalogue
        match [unquote(segment) for segment in path.removeprefix(ROOT).split("/")]:
            case ["index.txt"]:
                self._send_index(catalogue.root())
            case [product, "index.txt"]:
                self._send_index(catalogue.filesets(product, unquote(query)))
            case [product, fileset, "index.txt"]:
                self._send_index(catalogue.files(product, fileset))
            case [*inner, ""] if len(inner) <= 2:
                self._send_whole(200, "text/html", b"<html><body><h1>Demo Data Store</h1></body></html>\n")
            case [product, fileset, name]:
                self._send_file(catalogue.file(product, fileset, name), self.server.trouble(path))
            case _:
                self._send_missing()
        return None

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Keep silent: the terminal belongs to the dashboard."""

    def _send_index(self, text: str | None) -> None:
        if text is None:
            return self._send_missing()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        body = text.encode()
        self._write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        return None

    def _send_missing(self) -> None:
        self._send_whole(404, "text/html", b"<html><body><h1>Not Found</h1></body></html>\n")

    def _send_whole(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body)

    def _send_file(self, file: ServedFile | None, trouble: str) -> None:
        if file is None:
            return self._send_missing()
        if trouble == "busy":
            return self._send_whole(503, "text/plain", b"try again\n")
        span = self._wanted(file)
        self._send_file_head(file, span)
        body = file.content if span is None else file.content[span.start : span.stop]
        if trouble == "break":
            body = body[: len(body) // 2]
            self.close_connection = True
        self._write_slowly(body)
        return None

    def _wanted(self, file: ServedFile) -> range | None:
        """Return the bytes to send, or None for all: also if If-Range names another version."""
        if self.headers.get("If-Range") not in {None, _etag(file), formatdate(file.modified, usegmt=True)}:
            return None
        return ranges.wanted(self.headers.get("Range"), len(file.content))

    def _send_file_head(self, file: ServedFile, span: range | None) -> None:
        size = len(file.content)
        if span is None:
            self.send_response(200)
        elif span:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {span.start}-{span.stop - 1}/{size}")
        else:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size if span is None else len(span)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", _etag(file))
        self.send_header("Last-Modified", formatdate(file.modified, usegmt=True))
        self.end_headers()

    def _write_slowly(self, body: bytes) -> None:
        pace = self.server.pace
        step = max(1, pace // STEPS_A_SECOND) if pace else len(body) or 1
        for start in range(0, len(body), step):
            self._write(body[start : start + step])
            if pace and self.server.stopping.wait(1 / STEPS_A_SECOND):
                self.close_connection = True
                return

    def _write(self, data: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(data)


def _etag(file: ServedFile) -> str:
    return f'"{file.digest}"'
