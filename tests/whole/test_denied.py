"""A source that lists what it does not give."""

from __future__ import annotations

from tests.servers.datastore import DataStore, Fault
from tests.whole.site import Site, counts, fill


def stopped_without_a_try_lost(site: Site) -> str:
    """Run until tries would be used up, and demand that the mirror stops instead; return the reason."""
    for _ in range(4):
        found = site.once()
        assert (found["exit_code"], found["mirrors"][0]["stopped"]) == (4, "denied")
        assert not any(counts(found, product)["quarantined"] for product in ("prod0", "prod1"))
    return str(found["mirrors"][0]["error"])


def test_one_file_that_is_denied_blocks_its_fileset_alone(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=5)
    datastore.fault("prod0/o470.chip.0/o470.chip.0.0.fits", Fault.status(403), times=None)
    found = site.once()
    assert (found["exit_code"], found["mirrors"][0]["error"]) == (3, None)
    came = {path: body for path, body in expected.items() if not path.startswith("prod0/o470.chip.0/")}
    assert site.published() == came
    [failure] = found["failures"]
    assert (failure["kind"], failure["fileset"], failure["file"]) == ("denied", "o470.chip.0", "o470.chip.0.0.fits")
    assert "403" in failure["detail"]
    assert failure["next_try"] is not None
    datastore.forget()
    assert site.once()["exit_code"] == 3
    assert not datastore.requested("*.fits"), "it is not asked for again before its time"

    datastore.heal()
    assert site.run("retry", "--kind", "denied").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_one_index_that_is_denied_is_the_trouble_of_its_fileset_alone(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=5)
    datastore.fault("prod0/o470.chip.0/index.txt", Fault.status(401), times=None)
    found = site.once()
    assert (found["exit_code"], found["mirrors"][0]["stopped"]) == (3, None)
    came = {path: body for path, body in expected.items() if not path.startswith("prod0/o470.chip.0/")}
    assert site.published() == came
    [failure] = found["failures"]
    assert (failure["kind"], failure["fileset"], failure["file"]) == ("denied", "o470.chip.0", None)
    assert "401" in failure["detail"]
    assert failure["next_try"] is not None
    datastore.forget()
    assert site.once()["exit_code"] == 3
    assert not datastore.requested("*/o470.chip.0/index.txt"), "it is not asked for again before its time"

    datastore.heal()
    assert site.run("retry", "--kind", "denied").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_mirror_whose_indexes_are_denied_one_after_the_other_stops_and_loses_no_try(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=2, filesets=10)
    datastore.fault("*/*/index.txt", Fault.status(403), times=None)
    error = stopped_without_a_try_lost(site)
    assert "its index: " in error
    assert "403" in error
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_mirror_whose_files_are_denied_one_after_the_other_stops_and_loses_no_try(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=2, filesets=5)
    datastore.fault("*.fits", Fault.status(403), times=None)
    error = stopped_without_a_try_lost(site)
    assert any(path in error for path in expected), error
    assert "403" in error
    datastore.heal()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
