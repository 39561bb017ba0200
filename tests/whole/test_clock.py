"""The machine's clock jumps while a service runs: nothing waits for ever, and no lag is negative."""

from __future__ import annotations

import glob
import os
import time
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, states, wait_until
from tests.whole.site import Site, counts, fill, register

LIBRARIES = ["/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1"]
LIBRARY = next((path for one in LIBRARIES for path in glob.glob(one)), None)
YEAR = 365 * 86400
AHEAD, BEHIND = YEAR, -YEAR
RETRYING = "SELECT next_try FROM files WHERE state = 'retry_wait'"

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime (Debian: apt install libfaketime)")


class Clock:
    """The clock of a site's programs, `offset` seconds ahead of the machine's."""

    def __init__(self, site: Site):
        self._file = site.folder / "offset"
        self.set(0)
        site.environment |= {
            "LD_PRELOAD": LIBRARY or "",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset:+d}\n")
        os.replace(new, self._file)
        self.offset = offset

    @property
    def now(self) -> float:
        return time.time() + self.offset


@pytest.fixture(name="clock")
def clock_of_site(site: Site, datastore: DataStore) -> Clock:
    site.configure(datastore.url, mirror='poll_interval = "1s"\nreconcile_interval = "1h"')
    return Clock(site)


def lags(site: Site) -> list[float]:
    found = site.run("status", "--json").json
    return [product["lag_seconds"] for mirror in found["mirrors"] for product in mirror["products"]]


@pytest.mark.parametrize("jumps", [(AHEAD, 0), (BEHIND, 0)], ids=["forth and back", "back and forth"])
def test_a_service_whose_clock_jumps_goes_on(
    site: Site, datastore: DataStore, clock: Clock, jumps: tuple[int, int]
) -> None:
    expected = fill(datastore, products=1, filesets=1)

    def complete() -> bool:
        return site.published() == expected

    with serving(site):
        wait_until(complete, "the first fileset")
        for number, offset in enumerate(jumps, 1):
            datastore.fault("*.0.fits", Fault.status(404), times=None)
            expected |= register(datastore, "prod0", f"late.{number}", files=2)
            wait_until(lambda: seen(site, RETRYING), "the failed file to be put off")
            datastore.heal()
            clock.set(offset)
            assert all(lag is None or lag >= 0 for lag in lags(site))
            wait_until(complete, f"fileset {number}, of which a file was put off")
    assert set(states(site).values()) == {"published"}


def test_what_was_done_in_the_future_is_done_again(site: Site, datastore: DataStore, clock: Clock) -> None:
    expected = fill(datastore, products=1, filesets=2)
    datastore.hide("prod0", "o470.chip.0")
    clock.set(AHEAD)
    assert site.once()["exit_code"] == 0
    datastore.show("prod0", "o470.chip.0")
    clock.set(2 * 3600)
    found = site.once()
    assert (found["exit_code"], counts(found, "prod0")["published"]) == (0, 2)
    assert site.published() == expected
    assert all(row[0] <= clock.now for row in seen(site, "SELECT published_at FROM filesets"))


def test_files_registered_in_the_future_do_not_lag(site: Site, datastore: DataStore, clock: Clock) -> None:
    fill(datastore, products=1, filesets=2)
    datastore.fault("*.fits", Fault.status(404), times=None)
    clock.set(-10 * YEAR)
    assert site.once()["exit_code"] == 3
    assert lags(site) == [0]


def test_the_state_says_when_it_was(site: Site, datastore: DataStore, clock: Clock, tmp_path: Path) -> None:
    """The clock of the tests is what the program goes by; else they would prove nothing."""
    fill(datastore, products=1, filesets=1)
    clock.set(AHEAD)
    site.once()
    [(published,)] = seen(site, "SELECT published_at FROM filesets")
    assert published > time.time() + AHEAD / 2
