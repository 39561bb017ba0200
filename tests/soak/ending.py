"""How a long run ends: all is healed and released, the mirrors come to rest, and then everything has to be right.

What holds after every run is tests.model.invariants; this adds what holds only when there is nothing left to do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from subprocess import SubprocessError

from core.model import CommandKind as Kind
from core.store.commands import Target
from tests.crash import state
from tests.model import invariants
from tests.model.mirror import Seen
from tests.model.upstream import Upstream, md5
from tests.servers.server import Server
from tests.soak.cast import Book, say
from tests.soak.figures import size_below
from tests.soak.place import Place

RUNS = 6
PATIENCE = 900.0
BYTES_OF_FILESET = 2_000
"""The most that the state file may take for each fileset it knows, older revisions included, ..."""
BYTES_BESIDE = 12_000_000
"""... beside its events, attempts and figures, which are bounded by themselves."""
LOG_OF_STATE = 32_000_000
"""The most that its write-ahead log may ever take."""


def come_to_rest(place: Place) -> int:
    """Want everything again, and run to the end until all is published; return the last exit code."""
    place.configure("0.1s")
    for name, *_ in _rows(place, "SELECT name FROM products"):
        place.mirror.wish(Kind.MIRROR, Target(product=name))
        place.mirror.wish(Kind.RESUME, Target(product=name))
    for value in ("transfers=", "bandwidth="):
        place.mirror.wish(Kind.LIMIT, Target(value=value))
    code = -1
    for _ in range(RUNS):
        for kind in (Kind.RESUME, Kind.RELEASE, Kind.REQUEUE, Kind.RETRY):
            place.mirror.wish(kind, Target())
        code = _run(place, "--once")
        say(f"{place.name}: a run to the end came to {code}")
        if code == 0:
            break
    return code


def check(book: Book, place: Place, upstream: Upstream) -> None:
    """Find everything that is wrong at a place that has come to rest."""
    seen = place.mirror.seen()
    checks: dict[str, Callable[[], object]] = {
        "what is published": lambda: invariants.check(place.mirror, upstream, seen),
        "indexes of products": lambda: invariants.check_lists(place.mirror, seen),
        "what upstream offers": lambda: _check_all_is_there(place, upstream, seen),
        "the state file": lambda: state.demand_sound(place.mirror.state),
        "what is left over": lambda: _check_tidy(place),
        "sizes": lambda: _check_sizes(place),
        "what was said": lambda: _check_words(place),
        "verify": lambda: _check_verified(place),
    }
    for what, demand in checks.items():
        try:
            demand()
        except (AssertionError, OSError, SubprocessError) as error:
            book.complain(f"{place.name}: {what}: {error}")


def check_idle(book: Book, place: Place, store: Server) -> None:
    """A further run has nothing to do, and fetches no file."""
    store.forget()
    code = _run(place, "--once")
    fetched = [request.path for request in store.requests if request.path.endswith(".fits")]
    if code or fetched:
        book.complain(f"{place.name}: a run with nothing to do ended with {code}, and fetched {len(fetched)} files")


def check_copy(book: Book, first: Place, second: Place) -> None:
    """What one place lists, the other has, byte by byte: its source is the first one's published tree."""
    for index in sorted(first.mirror.data.glob("*/index.txt")):
        product = index.parent.name
        for name in sorted(state.listed(index.read_bytes())):
            one, other = (state.tree(place.mirror.data / product / name) for place in (first, second))
            if one != other:
                book.complain(f"{second.name}: {product}/{name} differs from that of {first.name}")


def _check_all_is_there(place: Place, upstream: Upstream, seen: Seen) -> None:
    for product in upstream.products:
        listed = upstream.listed(product)
        published = {name for (of, name), one in seen.filesets.items() if (of, one.state) == (product, "published")}
        assert published == set(listed), f"{product}: {_some(published ^ set(listed))} should, or should not, be there"
        for name, offer in listed.items():
            folder = place.mirror.data / product / name
            stands = {path.name: md5(path.read_bytes()) for path in folder.iterdir() if path.name != "index.txt"}
            assert stands == {file: md5(body) for file, body in offer.files.items()}, (
                f"{product}/{name} is not upstream's"
            )


def _check_tidy(place: Place) -> None:
    private = place.mirror.data / state.PRIVATE
    names = {path.name for path in private.iterdir()}
    assert names <= {"lock", "marker", "staging", "replaced"}, f"in {state.PRIVATE}: {names}"
    for folder, pattern in (("staging", "*/*"), ("replaced", "*")):
        left = sorted(str(path.relative_to(private)) for path in (private / folder).glob(pattern))
        assert not left, f"left over: {_some(left)}"
    assert not (undone := state.unfinished(place.mirror.state)), f"not done: {_some(undone)}"
    damaged = _rows(place, "SELECT product, fileset, detail FROM findings")
    assert not damaged, f"found damaged, though nobody damaged anything: {_some(map(str, damaged))}"


def _check_sizes(place: Place) -> None:
    known = filesets(place)
    most = known * BYTES_OF_FILESET + BYTES_BESIDE
    assert place.size_of_state <= most, f"the state file takes {place.size_of_state:,} bytes for {known:,} filesets"
    assert place.sizes.log_of_state <= LOG_OF_STATE, f"its log took {place.sizes.log_of_state:,} bytes"
    assert not size_below(place.mirror.data / state.PRIVATE / "staging")


def _check_words(place: Place) -> None:
    unsound = list(place.unsound())
    assert not unsound, "\n".join([f"{len(unsound)} lines", *unsound[:20]])


def _check_verified(place: Place) -> None:
    code = _run(place, "verify", "--quiet")
    assert code == 0, f"it ended with {code}"


def _run(place: Place, *arguments: str) -> int:
    """Run the program to its end; return its exit code."""
    process = place.start(*arguments)
    try:
        return process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()


def filesets(place: Place) -> int:
    """Return how many filesets a state file knows, all revisions counted."""
    return int(_rows(place, "SELECT count(*) FROM filesets")[0][0])


def _rows(place: Place, sql: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(place.mirror.state)) as db:
        return db.execute(sql).fetchall()


def _some(names: Iterator[str] | set[str] | list[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
