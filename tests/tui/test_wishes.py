"""The commands with which operators differ from the configuration, and how `status` tells that they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import serving, states, wait_until
from tests.whole.site import Site, fill


@pytest.fixture
def site(tmp_path: Path, datastore: DataStore) -> Site:
    """A site that mirrors prod0 of prod0 and prod1."""
    fill(datastore, filesets=2, files=1)
    return Site(tmp_path / "site", datastore.url, mirror='products = ["prod0"]')


def test_a_chosen_product_is_told_with_the_line_that_would_make_it_permanent(site: Site) -> None:
    site.once()
    assert "the next run will see to it" in site.run("mirror", "prod1").out
    site.run("ignore", "prod0", "--mirror", "ps1")
    site.once()
    told = site.run("status").out
    assert "  mirrored by an operator's wish: prod1\n" in told
    assert "  not mirrored by an operator's wish: prod0\n" in told
    assert '  to make that permanent: products = ["prod1"]\n' in told
    assert "available" not in told
    found = site.run("status", "--json").json
    assert found["wishes"] == [
        {"mirror": "ps1", "mirrored": ["prod1"], "ignored": ["prod0"], "permanent": 'products = ["prod1"]'}
    ]
    assert [one["name"] for one in found["mirrors"][0]["products"]] == ["prod1"]
    site.config.write_text(site.config.read_text().replace('["prod0"]', '["prod1"]'))
    site.once()
    assert "wish" not in site.run("status").out
    assert site.run("status", "--json").json["wishes"] == []


def test_limits_that_are_set_live_are_told_until_they_are_set_back(site: Site) -> None:
    with serving(site):
        wait_until(lambda: set(states(site).values()) == {"published"}, "the filesets")
        done = site.run("limit", "transfers=4", "bandwidth=50 MB/s")
        assert done.code == 0
        assert done.out == (
            "limit: transfers: 4 at once, until it is set back\nlimit: bandwidth: 50.0 MB/s, until it is set back\n"
        )
        assert "limits: 4 transfers, bandwidth 50.0 MB/s;" in site.run("status").out
        found = site.run("status", "--json").json
        assert found["limits"] == {"transfers": 4, "bandwidth": 50_000_000}
        assert found["engine"]["phase"] == "running"
        refused = site.run("limit", "transfers=99")
        assert refused.code == 2
        assert "from 1 to 16" in refused.err
        site.run("limit", "transfers=", "bandwidth=")
        assert "limits:" not in site.run("status").out
    found = site.run("status", "--json").json
    assert found["limits"] == {"transfers": None, "bandwidth": None}
    assert found["engine"]["phase"] is None


def test_an_engine_is_stopped_by_a_command(site: Site) -> None:
    refused = site.run("stop")
    assert refused.code == 2
    site.once()
    refused = site.run("stop")
    assert (refused.code, "no engine is running" in refused.err) == (2, True)
    for arguments, code in ((["stop"], 0), (["stop", "--now"], 143)):
        process = site.start("run")
        wait_until(lambda: site.run("status", "--json").json["engine"]["phase"] == "running", "the engine")
        assert site.run(*arguments).code == 0
        process.communicate(timeout=30)
        assert process.returncode == code


def test_priorities_and_evidence_are_for_scripts_too(site: Site, datastore: DataStore) -> None:
    datastore.fault("prod0/o470.chip.1/*.fits", Fault.replace(b"other"), times=None)
    site.once()
    with serving(site):
        wait_until(lambda: site.run("status", "--json").json["engine"]["phase"] == "running", "the engine")
        assert site.run("priority", "-1", "o470.chip.1").out == "priority: 1 fileset: priority -1\n"
        assert site.run("priority", "7", "o470.chip.1").out == "priority: 1 fileset: priority 7\n"
        assert site.run("poll", "--product", "prod0").out == "poll: 1 product looked at now\n"
        assert site.run("accept", "ps1/prod0/o470.chip.1").out == "accept: 1 file accepted as seen, fetched again\n"
        wait_until(lambda: set(states(site).values()) == {"published"}, "what was accepted")
    assert site.published()["prod0/o470.chip.1/o470.chip.1.0.fits"] == b"other"
