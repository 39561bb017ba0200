"""However much a catalogue sends, memory is bounded: the real program's peak, as the kernel measured it."""

from __future__ import annotations

from itertools import count

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Again, Head, More, Raw, Step
from tests.whole.service import seen
from tests.whole.site import Site

BOUND = 300_000_000
HEADER = b"# filesetID|time registered|type|\n"
ROW = b"o%06d.chip.1|2026-11-01T00:00:00Z|IPP-DIST|%b|\n"
PADDING = b"x" * 4000
PIECE = 256 * 1024
MOST_SENT = (256 + 128) * 2**20
"""What a server is rid of before it sees that its client has had enough: the limit, and what the kernel holds."""

ENDLESS: dict[str, tuple[Step, ...]] = {
    "rows": (More(HEADER), Again((More(b"".join(ROW % (n, PADDING) for n in range(64))),))),
    "comments": (More(HEADER), Again((More((b"# " + PADDING + b"\n") * 64),))),
    "one line": (More(HEADER), Again((More(b"x" * PIECE),))),
    "one line from the start": (Again((More(b"#" * PIECE),)),),
    "zero bytes": (More(HEADER), Again((More(bytes(PIECE)),))),
}


@pytest.mark.parametrize("steps", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_endless_index_stops_at_256_mib_in_bounded_memory(
    site: Site, datastore: DataStore, steps: tuple[Step, ...]
) -> None:
    datastore.add_product("p")
    datastore.fault("p/index.txt", Fault.chunked() & Fault.played(Head(), *steps), times=None)
    code, peak = site.measured("--once", "--quiet")
    assert code == 4
    assert peak < BOUND
    assert sum(request.sent_bytes for request in datastore.requested("p/index.txt")) < MOST_SENT, "read once, not anew"
    ((error,),) = seen(site, "SELECT error FROM products")
    assert "longer than" in error


SHORT_ROWS = {
    "index.txt": (
        b"# productID|Most recent|Time registered|type|Description|\n",
        b"p%d|none|none|||\n",
        "10,000 products",
    ),
    "p/index.txt": (HEADER, b"f%d|2026-11-01T00:00:00Z||\n", "2,000,000 filesets"),
}


@pytest.mark.parametrize("index", SHORT_ROWS)
def test_an_index_of_more_rows_than_any_catalogue_has_is_refused(site: Site, datastore: DataStore, index: str) -> None:
    header, row, most = SHORT_ROWS[index]
    datastore.add_product("p")
    rows = (b"".join(row % number for number in range(start, start + 20_000)) for start in count(0, 20_000))
    pieces = [next(rows) for _ in range(101)]
    datastore.fault(index, Fault.chunked() & Fault.played(Head(), More(header), *map(More, pieces)), times=None)
    code, peak = site.measured("--once", "--quiet")
    assert code == 4
    assert peak < BOUND
    assert seen(site, "SELECT count(*) FROM filesets") == [(0,)]
    errors = seen(site, "SELECT error FROM products UNION ALL SELECT error FROM mirrors")
    assert any(f"lists more than {most}" in (error or "") for (error,) in errors)


def test_eight_indexes_of_long_rows_are_taken_in_bounded_memory(site: Site, datastore: DataStore) -> None:
    column = "\U0001d54f" * 15_000  # four bytes each, on the wire and in memory
    rows = "".join(f"f{number}|0||{column}|\n" for number in range(300))
    datastore.add_product("p")
    for number in range(8):
        datastore.add_fileset("p", f"large{number}", {})
        datastore.raw_index(f"p/large{number}/index.txt", f"# fileID|bytes|md5sum|type|\n{rows}".encode())
    datastore.fault("p/*/f*", Fault.status(503, retry_after=3600), times=None)
    code, peak = site.measured("--once", "--quiet")
    assert code == 3
    assert peak < BOUND
    assert seen(site, "SELECT count(*) FROM files") == [(8 * 300,)]


def test_indexes_of_many_mirrors_that_come_at_a_time_are_read_in_bounded_memory(
    site: Site, datastore: DataStore
) -> None:
    remarks = (b"# " + PADDING + b"\n") * 1000
    datastore.add_product("p")
    for number in range(8):
        datastore.add_fileset("p", f"f{number}", {"a.dat": b""})
        index = datastore.index(f"p/f{number}/index.txt")
        datastore.raw_index(f"p/f{number}/index.txt", index + remarks)
    mirror = '[[mirror]]\nname = "m%d"\nprotocol = "ipp"\nurl = "%s"\ndestination = "m%d"'
    site.configure(datastore.url, more="\n".join(mirror % (n, datastore.url, n) for n in range(7)))
    code, peak = site.measured("--once", "--quiet")
    assert code == 0
    assert peak < BOUND


def test_endless_headers_and_interim_answers_cost_no_memory(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {f"{n}.dat": b"x" * 20_000 for n in range(4)})
    flood = b"X-Name: value\r\n" * 4096
    datastore.fault("p/f/0.dat", Fault.played(Raw(b"HTTP/1.1 200 OK\r\n"), Again((Raw(flood),))), times=1)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100
    datastore.fault("p/f/1.dat", Fault.played(Again((Raw(interim),))), times=1)
    code, peak = site.measured("--once", "--quiet")
    assert code == 0
    assert peak < BOUND


def test_two_hundred_thousand_wanted_filesets_are_listed_in_bounded_memory(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    rows = b"".join(ROW % (n, b"") for n in range(200_000)).replace(b"||\n", b"|\n")
    datastore.raw_index("p/index.txt", HEADER + rows)
    datastore.fault("p/o*/index.txt", Fault.status(503, retry_after=3600), times=None)
    code, peak = site.measured("--once", "--quiet")
    assert code == 3
    assert peak < BOUND
    assert seen(site, "SELECT count(*), count(DISTINCT name) FROM filesets") == [(200_000, 200_000)]


def test_fifty_thousand_files_in_one_fileset_are_listed_in_bounded_memory(site: Site, datastore: DataStore) -> None:
    rows = "".join(
        f"f{n:05d}.with.a.name.of.some.length|0|d41d8cd98f00b204e9800998ecf8427e|t|\n" for n in range(50_000)
    )
    datastore.add_product("p")
    datastore.add_fileset("p", "huge", {})
    datastore.raw_index("p/huge/index.txt", f"# fileID|bytes|md5sum|type|\n{rows}".encode())
    datastore.fault("p/huge/f*", Fault.status(503, retry_after=3600), times=None)
    code, peak = site.measured("--once", "--quiet")
    assert code == 3
    assert peak < BOUND
    assert seen(site, "SELECT count(*) FROM files") == [(50_000,)]
