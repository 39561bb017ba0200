"""What was recorded from a real Data Store: its tree as a plain static server, and whole responses to replay."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from tests.servers.answers import Request, Resource, answer
from tests.servers.server import Server, matches
from tests.servers.wire import Wire

RECORDED = Path(__file__).parent.parent / "fixtures" / "ipp-recorded"
TREE = RECORDED / "ds"
RESPONSES = tuple(sorted(path.stem for path in (RECORDED / "responses").glob("*.http")))


def serve_recorded(replays: dict[str, str] | None = None) -> RecordedStore:
    """Return a store that serves the recorded tree, and replays whole responses where `replays` says so.

    `replays` maps globs of ``path`` or ``path?query`` to names in RESPONSES. Use the store in a ``with`` block.
    """
    return RecordedStore(replays or {})


def serve_tree(tree: Path) -> RecordedStore:
    """Return a plain static server of any published tree. Use it in a ``with`` block."""
    return RecordedStore({}, tree)


def recorded_response(name: str) -> tuple[bytes, bytes]:
    """Return head and body of a response as they go over the wire: a chunked body is in chunks."""
    head, _, body = (RECORDED / "responses" / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + b"\r\n\r\n", body


class RecordedStore(Server):
    """A static web server that ignores queries."""

    def __init__(self, replays: dict[str, str], tree: Path = TREE) -> None:
        super().__init__()
        self._replays = replays
        self._tree = tree

    async def respond(self, request: Request, wire: Wire) -> None:
        """Replay, or serve the file of that path."""
        for path_glob, name in self._replays.items():
            if matches(request, path_glob):
                head, body = recorded_response(name)
                request.status = int(head.split(b" ")[1])
                await wire.raw(head if request.method == "HEAD" else head + body)
                return
        await wire.send(answer(request, _file(self._tree, request)))


def _file(tree: Path, request: Request) -> Resource | None:
    path = tree.joinpath(*request.segments)
    if ".." in request.segments or not path.is_file():
        return None
    state = path.stat()
    guess = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Resource(
        path.read_bytes(), guess, etag=f'"{state.st_mtime_ns:x}-{state.st_size:x}"', modified=state.st_mtime
    )
