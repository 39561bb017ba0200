"""What upstream mends of an index, the registration unchanged, is taken up by the next run, without an operator."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from core.model import CommandKind
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, states, wait_until, wish
from tests.whole.site import Site, fill, register

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


def without_file(index: bytes) -> bytes:
    return index.replace(row_of(index), b"")


def half_written(index: bytes) -> bytes:
    return index.splitlines(keepends=True)[0]


def too_large(index: bytes) -> bytes:
    """List a file as larger than the disk, and than any other."""
    name, _, rest = row_of(index).split(b"|", 2)
    return index.replace(row_of(index), b"|".join([name, b"%d" % 2**49, rest]))


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
        (too_large, 5),
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


@pytest.mark.parametrize("harm", [refused_row, wrong_digest])
def test_an_index_that_is_looked_at_while_it_is_written_costs_no_file(
    site: Site, datastore: DataStore, harm: Callable[[bytes], bytes]
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    index = datastore.index(INDEX)
    datastore.fault(INDEX, Fault.replace(harm(index)), times=None)
    assert site.once()["exit_code"] == 3
    before = site.published()
    for lines in (1, 2):
        datastore.heal()
        datastore.fault(INDEX, Fault.replace(b"".join(index.splitlines(keepends=True)[:lines])), times=None)
        assert site.once()["exit_code"] == 3
        assert site.published() == before
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


@pytest.mark.parametrize(("harm", "code"), [(wrong_digest, 3), (refused_row, 3), (half_written, 0)])
def test_an_index_that_says_the_same_in_other_words_costs_nothing(
    site: Site, datastore: DataStore, harm: Callable[[bytes], bytes], code: int
) -> None:
    fill(datastore, products=1, filesets=3)
    revision = "SELECT revision, published_at FROM filesets ORDER BY id"
    for run in range(3):
        datastore.heal()
        comment = f"# generated {run}\n".encode()
        datastore.fault(INDEX, Fault.replace(harm(datastore.index(INDEX)) + comment), times=None)
        assert site.once()["exit_code"] == code
        if run == 0:
            before = seen(site, revision)
            datastore.forget()
    assert seen(site, revision) == before
    assert datastore.requested("*.fits") == []


def test_an_index_that_changes_and_comes_back_is_taken_whole(site: Site, datastore: DataStore) -> None:
    """The other one is refused when its first rows have been stored."""
    expected = fill(datastore, products=1, filesets=2, files=1)
    content = {f"f{n}": b"|%d" % n for n in range(2500)}
    datastore.add_fileset("prod0", "many", {**content}, registered="2026-11-01T00:00:00Z")
    index = datastore.index("prod0/many/index.txt")
    datastore.fault("prod0/many/f7", Fault.flip(1), times=None)
    assert site.once()["exit_code"] == 3
    datastore.fault("prod0/many/index.txt", Fault.replace(index + b"huge|1125899906842624|||\n"), times=None)
    assert site.once()["exit_code"] == 3
    assert site.run("retry", "many").code == 0
    assert site.once()["exit_code"] == 3
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected | {f"prod0/many/{name}": body for name, body in content.items()}


def test_what_was_published_empty_and_is_gone_is_no_failure(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.add_fileset("prod0", "empty", {}, registered="2026-11-01T00:00:00Z")
    assert site.once()["exit_code"] == 0
    datastore.withdraw("prod0", "empty")
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_what_is_looked_at_in_vain_keeps_no_new_fileset_out(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=20, files=1)
    datastore.fault("*/o470.chip.*.0.fits", Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    datastore.fault("*/o470.chip.*/index.txt", Fault.status(503), times=None)
    added = register(datastore, "prod0", "new", files=1)
    assert site.once()["exit_code"] == 3
    assert site.published() == added


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


def test_an_index_that_had_to_be_read_again_and_is_in_quarantine_is_looked_at_by_each_run(
    site: Site, datastore: DataStore
) -> None:
    """It leads where nothing is fetched from, then it lists another file instead of one that is published."""
    expected = fill(datastore, products=1, filesets=2)
    assert site.once()["exit_code"] == 0
    datastore.fault(INDEX, Fault.redirect("file:///nowhere"), times=None)
    assert site.run("retry", "o470.chip.1").code == 0
    for most in (2, 1):  # read, and looked at
        datastore.forget()
        assert site.once()["exit_code"] == 3
        assert 1 <= len(datastore.requested(INDEX)) <= most
    assert site.published() == expected
    datastore.heal()
    datastore.fault(INDEX, Fault.replace(without_file(datastore.index(INDEX))), times=None)
    assert site.once()["exit_code"] == 0
    del expected[f"{PLACE}/{FILE.decode()}"]
    assert site.published() == expected


def test_conflicting_rows_that_are_others_than_before_are_told(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    index = datastore.index(INDEX)
    for name in (FILE, b"o470.chip.1.2.fits"):
        [row] = [line for line in index.splitlines(keepends=True) if line.startswith(name)]
        datastore.heal()
        datastore.fault(INDEX, Fault.replace(index + reversed_digest(row)), times=None)
        [failure] = site.once()["failures"]
        assert (failure["file"], failure["kind"]) == (name.decode(), "conflict")
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_retry_while_an_index_is_looked_at_has_it_read_again(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    datastore.fault(INDEX, Fault.replace(refused_row(datastore.index(INDEX))), times=None)
    assert site.once()["exit_code"] == 3
    less = without_file(datastore.index(INDEX))
    datastore.heal()
    datastore.forget()
    retried = threading.Event()
    datastore.fault(INDEX, Fault.replace(less) & Fault.late(retried))
    datastore.fault(INDEX, Fault.replace(less), times=None)
    with serving(site):
        datastore.wait_for(INDEX)
        wish(site, CommandKind.RETRY, "o470.chip.1")
        retried.set()
        wait_until(lambda: seen(site, STANDING)[1:], "a new revision")
        wait_until(lambda: states(site)["o470.chip.1"] == "published", "its publication")
    del expected[f"{PLACE}/{FILE.decode()}"]
    assert site.published() == expected


def test_what_was_being_repaired_when_it_was_withdrawn_does_not_stand_when_it_is_listed_again(
    site: Site, datastore: DataStore
) -> None:
    fill(datastore, products=1, filesets=2)
    datastore.static = True
    assert site.once()["exit_code"] == 0
    path = f"{PLACE}/{FILE.decode()}"
    (site.data / path).write_bytes(b"harmed")
    datastore.fault(path, Fault.status(404), times=None)
    assert site.run("verify", "--repair").code == 3
    datastore.hide("prod0", "o470.chip.1")
    assert site.once()["exit_code"] == 0
    datastore.show("prod0", "o470.chip.1")
    assert site.once()["exit_code"] == 3, "its repair goes on"
    assert states(site)["o470.chip.1"] == "transferring"
