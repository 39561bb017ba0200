"""Commands of operators, written while no engine runs: the next run carries them out."""

from __future__ import annotations

from pathlib import Path

from tests.servers.datastore import DataStore, Fault
from tests.whole.site import Site, counts, fill, register


def site_with_unfetched(site: Site, datastore: DataStore) -> dict[str, bytes]:
    """Discover filesets without fetching them: every file is missing for now."""
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault("*.fits", Fault.status(404), times=None)
    site.once()
    datastore.heal()
    return expected


def test_held_filesets_wait_and_released_ones_go_on(site: Site, datastore: DataStore) -> None:
    expected = site_with_unfetched(site, datastore)
    site.run("retry", "--all")
    assert site.run("hold", "o470.chip.1").code == 0
    found = site.once()
    assert counts(found, "prod0")["held"] == 1
    assert found["exit_code"] == 0
    assert site.published() == {path: body for path, body in expected.items() if "chip.1/" not in path}
    site.run("release", "prod0/o470.chip.1")
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_cancelled_filesets_are_not_wanted_until_requeued(site: Site, datastore: DataStore) -> None:
    expected = site_with_unfetched(site, datastore)
    site.run("retry", "--all")
    site.run("cancel", "ps1/prod0/o470.chip.2")
    assert site.once()["exit_code"] == 0
    assert site.published() == {path: body for path, body in expected.items() if "chip.2/" not in path}
    site.run("requeue", "o470.chip.2")
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_paused_mirror_does_nothing_until_resumed(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    site.once()
    register(datastore, "prod0", "new")
    site.run("pause", "--mirror", "ps1")
    datastore.forget()
    site.once()
    assert not datastore.requests
    assert site.published() == expected
    assert "paused" in site.run("status").out
    site.run("resume")
    assert site.once()["files"] == 4


def test_a_command_before_any_state_says_what_to_do(site: Site) -> None:
    ended = site.run("retry", "--all")
    assert ended.code == 2
    assert "mirrortui --once" in ended.err


def test_retry_wants_to_know_what(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    site.once()
    assert site.run("retry").code == 2
    assert site.run("retry", "no-such-fileset").code == 0
    found = site.once()
    assert found["exit_code"] == 0
    assert "no-such-fileset" in site.log()


def test_init_writes_once_and_check_tries_the_source(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore, products=1)
    datastore.add_product("other")
    site = Site(tmp_path / "site", datastore.url, mirror='products = ["prod*"]')
    checked = site.run("check")
    assert checked.code == 0, checked
    assert "prod0: 5 filesets" in checked.out
    assert "other: available, not mirrored" in checked.out
    assert not site.data.exists()
    before = site.config.read_text()
    assert site.run("init").code == 2
    assert site.config.read_text() == before
    assert site.run("init", "fresh.toml").code == 0
    assert "[[mirror]]" in (site.folder / "fresh.toml").read_text()


def test_check_names_a_source_that_is_not_there(tmp_path: Path) -> None:
    site = Site(tmp_path, "http://127.0.0.1:9/ds")
    checked = site.run("check")
    assert checked.code == 4
    assert "connection refused" in checked.out.lower()


def test_a_configuration_that_is_wrong_is_one_clear_message(site: Site) -> None:
    site.config.write_text(site.config.read_text().replace("destination", "destinaton"))
    ended = site.run("--once")
    assert ended.code == 2
    assert "mirrortui.toml" in ended.err
    assert "destinaton" in ended.err
    assert len(ended.err.strip().splitlines()) <= 2


def test_the_dashboard_says_that_it_is_not_there_yet(site: Site) -> None:
    ended = site.run()
    assert ended.code == 2
    assert "--once" in ended.err


def test_headless_commands_import_no_screen(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    for arguments in (["--once", "--quiet"], ["status"], ["failures"]):
        ended = site.run(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert ended.code == 0
        assert "import time:" in ended.err
        assert "textual" not in ended.err
