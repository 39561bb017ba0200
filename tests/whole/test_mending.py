"""What upstream mends of an index, the registration unchanged, is taken up by the next run, without an operator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen
from tests.whole.site import Site, fill

PLACE = "prod0/o470.chip.1"
INDEX = f"{PLACE}/index.txt"
FILE = b"o470.chip.1.1.fits"
STANDING = "SELECT state, trouble, attempts FROM filesets WHERE name = 'o470.chip.1'"


def wrong_digest(index: bytes) -> bytes:
    return index.replace(row_of(index), reversed_digest(row_of(index)))


def refused_row(index: bytes) -> bytes:
    return index.replace(FILE, b"../" + FILE)


def refused_rows_only(index: bytes) -> bytes:
    return index.replace(b"\no470", b"\n../o470")


def row_too_many(index: bytes) -> bytes:
    return index + row_of(index).replace(FILE, b"gone.fits")


def listed_twice(index: bytes) -> bytes:
    return index + reversed_digest(row_of(index))


def half_written(index: bytes) -> bytes:
    return index.splitlines(keepends=True)[0]


def row_of(index: bytes) -> bytes:
    [row] = [line for line in index.splitlines(keepends=True) if line.startswith(FILE)]
    return row


def reversed_digest(row: bytes) -> bytes:
    name, size, digest, rest = row.split(b"|", 3)
    return b"|".join([name, size, digest.strip()[::-1], rest])


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (wrong_digest, 3),
        (refused_row, 3),
        (refused_rows_only, 3),
        (row_too_many, 3),
        (listed_twice, 3),
        (half_written, 0),
    ],
)
def test_what_upstream_mends_is_taken_up_by_the_next_run(
    site: Site, datastore: DataStore, harm: Callable[[bytes], bytes], code: int
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault(INDEX, Fault.replace(harm(datastore.index(INDEX))), times=None)
    assert site.once()["exit_code"] == code
    assert site.published() != expected
    before = seen(site, STANDING)
    datastore.forget()
    assert site.once()["exit_code"] == code, "it is looked at, and says the same"
    assert len(datastore.requested(INDEX)) == 1
    assert seen(site, STANDING) == before
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_an_index_that_cannot_be_looked_at_changes_nothing(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=3)
    datastore.fault(PLACE + "/" + FILE.decode(), Fault.flip(3), times=None)
    assert site.once()["exit_code"] == 3
    before = seen(site, STANDING)
    datastore.fault(INDEX, Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    assert seen(site, STANDING) == before


def test_a_retry_of_what_is_damaged_reads_its_index_again(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    assert site.once()["exit_code"] == 0
    path = f"{PLACE}/{FILE.decode()}"
    (site.data / path).write_bytes(b"harmed")
    assert site.run("verify").code == 3
    datastore.replace_file("prod0", "o470.chip.1", FILE.decode(), b"another", update_index=True)
    assert site.run("retry", "o470.chip.1").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected | {path: b"another"}
