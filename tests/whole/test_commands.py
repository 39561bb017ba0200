"""Commands of operators, written while no engine runs: the next run carries them out."""

from __future__ import annotations

import fcntl
import json
import resource
import sqlite3
from pathlib import Path

import pytest

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


def test_what_was_held_or_cancelled_stays_so_when_it_is_registered_again(site: Site, datastore: DataStore) -> None:
    expected = site_with_unfetched(site, datastore)
    site.run("retry", "--all")
    site.run("hold", "o470.chip.1")
    site.run("cancel", "o470.chip.2")
    assert site.once()["exit_code"] == 0
    for name in ("o470.chip.1", "o470.chip.2"):
        datastore.register_again("prod0", name, {"new.fits": b"new"}, registered="2026-11-02T00:00:00Z")
    site.configure(datastore.url, mirror='reconcile_interval = "1s"')
    found = site.once()
    assert (counts(found, "prod0")["held"], found["exit_code"]) == (1, 0)
    assert site.published() == {path: body for path, body in expected.items() if "chip.0/" in path}
    site.run("release", "o470.chip.1")
    assert site.once()["exit_code"] == 0
    assert site.published()["prod0/o470.chip.1/new.fits"] == b"new"


def test_a_slip_of_the_hand_is_noticed_though_no_engine_runs(site: Site, datastore: DataStore) -> None:
    site_with_unfetched(site, datastore)
    for command, words in (
        (["hold", "o470.chip.9"], "hold: no fileset 'o470.chip.9' is known"),
        (["release", "o470.chip.1"], "release: fileset 'o470.chip.1' is"),
        (["pause", "--product", "prod9"], "pause: no product 'prod9'"),
        (["mirror", "prod9"], "mirror: no product 'prod9'"),
        (["retry", "--product", "prod9"], "retry: no product 'prod9'"),
    ):
        ended = site.run(*command)
        assert ended.code == 2, ended
        assert words in ended.err
    assert site.run("hold", "o470.chip.1").code == 0


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
    assert site.run("retry", "no-such-fileset").code == 2
    assert site.once()["exit_code"] == 0


def test_resuming_mirrors_names_the_products_that_stay_paused(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    site.run("pause", "--product", "prod0")
    site.once()
    assert "--mirror ps1 --product prod0" in site.run("resume").out
    register(datastore, "prod0", "new")
    assert site.once()["files"] == 0
    assert "prod0" not in site.run("resume", "--mirror", "ps1", "--product", "prod0").out
    assert site.once()["files"] == 4
    assert "prod0" not in site.run("resume").out


KEYS = {"exit_code", "error", "started", "elapsed_seconds", "files", "bytes", "mirrors", "failures"}


def ended_with_error(site: Site, *arguments: str) -> tuple[int, str]:
    """Run ``--once --json``, which fails; return the exit code and the error, which is on stderr, too."""
    ended = site.run("--once", "--json", *arguments)
    assert ended.json.keys() >= KEYS
    assert ended.json["exit_code"] == ended.code
    assert (ended.json["mirrors"], ended.json["failures"], ended.json["files"]) == ([], [], 0)
    assert ended.json["error"] in ended.err
    return ended.code, ended.json["error"]


def test_json_is_one_object_also_when_there_is_nothing_to_tell_but_an_error(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    assert site.once()["error"] is None
    with (site.folder / "mirror.db.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, error = ended_with_error(site)
    assert code == 6
    assert "another engine is running" in error
    assert ended_with_error(site, "--mirror", "nowhere")[0] == 2
    with sqlite3.connect(site.folder / "mirror.db") as connection:
        connection.execute("DROP TABLE filesets")
    connection.close()
    code, error = ended_with_error(site)
    assert code == 1
    assert "internal error" in error
    site.config.unlink()
    assert ended_with_error(site)[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--once", "--json", "--frobnicate"],
        ["--json"],
        ["status", "--json", "--frobnicate"],
        ["failures", "--json", "what"],
        ["verify", "--json", "--sample", "much"],
    ],
    ids=" ".join,
)
def test_json_is_one_object_also_when_the_command_line_is_wrong(site: Site, arguments: list[str]) -> None:
    ended = site.run(*arguments)
    assert (ended.code, ended.json["exit_code"]) == (2, 2)
    assert ended.json.keys() == (KEYS if "--once" in arguments else {"exit_code", "error"})
    assert ended.json["error"] in ended.err
    assert "Try 'mirrortui" in ended.err


@pytest.mark.parametrize("command", ["status", "failures", "verify", "rebuild"])
def test_json_is_one_object_also_when_the_configuration_is_wrong(site: Site, command: str) -> None:
    site.config.write_text("[[mirror")
    ended = site.run(command, "--json")
    assert (ended.code, ended.json["exit_code"]) == (2, 2)
    assert "mirrortui.toml" in ended.json["error"]
    assert ended.json["error"] in ended.err


@pytest.mark.parametrize("content", [b"no database " * 1000, b"foreign"])
@pytest.mark.parametrize("arguments", [["--once"], ["--once", "--dry-run"], ["status"], ["retry", "--all"]])
def test_a_state_file_that_is_none_is_refused_by_every_command(
    site: Site, content: bytes, arguments: list[str]
) -> None:
    state = site.folder / "mirror.db"
    if content == b"foreign":
        with sqlite3.connect(state) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
    else:
        state.write_bytes(content)
    before = state.read_bytes()
    ended = site.run(*arguments)
    assert ended.code == 2
    assert str(state) in ended.err
    assert "nothing was changed" in ended.err
    assert state.read_bytes() == before


def test_a_state_file_that_cannot_grow_is_code_5_and_the_next_run_goes_on(site: Site, datastore: DataStore) -> None:
    site.once()
    expected = fill(datastore, products=1, filesets=60, files=8, size=100)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    process = site.start(
        "--once", "--json", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    )
    out, err = process.communicate()
    assert process.returncode == 5, err
    assert json.loads(out)["exit_code"] == 5
    assert str(site.folder / "mirror.db") in json.loads(out)["error"]
    assert "internal error" not in err
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


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
    assert site.run("--config", "by-option.toml", "init").code == 0
    assert site.run("--config", "by-option.toml", "init", "by-name.toml").code == 0
    assert (site.folder / "by-name.toml").read_text() == (site.folder / "by-option.toml").read_text()


def test_the_worst_problem_that_check_finds_is_its_exit_code(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore)
    site = Site(tmp_path / "site", datastore.url)
    datastore.fault("prod1/index.txt", Fault.replace(b"# filesetID|time registered|type|\n..|x|y|\n"), times=None)
    assert site.run("check").code == 3
    datastore.fault("prod0/index.txt", Fault.status(500), times=None)
    checked = site.run("check")
    assert checked.code == 4
    assert "1 row refused" in checked.out


def test_the_demo_overwrites_no_configuration_but_its_own(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path / "site", datastore.url)
    before = site.config.read_text()
    refused = site.run("demo", "--once", "--folder", ".")
    assert refused.code == 2
    assert "mirrortui.toml" in refused.err
    assert "--folder" in refused.err
    assert site.config.read_text() == before
    assert not site.data.exists()
    for _ in range(2):
        assert site.run("demo", "--once", "--folder", "demo").code == 0
    assert site.run("demo", "--once", "--folder", "demo/mirrortui.toml").code == 2


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


def imported(site: Site, *arguments: str) -> set[str]:
    """Return the packages that a command imported."""
    ended = site.run(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ended.code == 0
    modules = [line.rpartition("|")[2].strip() for line in ended.err.splitlines() if line.startswith("import time:")]
    assert "tui.cli" in modules
    return {module.partition(".")[0] for module in modules}


def test_headless_commands_import_no_screen_and_watching_no_transport(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    assert "textual" not in imported(site, "--once", "--quiet")
    for command in ("status", "failures", "pause"):
        assert not imported(site, command) & {"textual", "httpx", "pycurl"}
