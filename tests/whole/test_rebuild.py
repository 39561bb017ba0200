"""``mirrortui rebuild``: a new state file from a published tree that may hold anything."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.terminal import Terminal
from tests.whole.service import PATIENCE, seen, wait_until
from tests.whole.site import COMMAND, SECONDS, Site, fill, register

FILESET = "prod0/o470.chip.1"
FILE = "o470.chip.1.2.fits"
SPARSE = 1 << 40
"""Bytes of a file that nobody has read before a test has ended."""

KEPT = {
    "products": "SELECT name, type, description, selected, hidden FROM products ORDER BY name",
    "filesets": """SELECT p.name, f.seq, f.name, registered, f.type, f.columns, f.state, files, bytes
                   FROM filesets f JOIN products p ON p.id = product_id ORDER BY p.name, f.seq""",
    "files": """SELECT f.name, i.id & 0xffffff, i.name, size, digest, i.blake3, i.type, i.columns, i.state
                FROM files i JOIN filesets f ON f.id = i.id >> 24 ORDER BY f.name, i.id""",
    "counters": """SELECT p.name, scope, state, trouble, n, files, bytes FROM counters
                   JOIN products p ON p.id = product_id WHERE n ORDER BY p.name, scope, state""",
}


def knowledge(site: Site) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a state knows of what is published."""
    return {what: seen(site, sql) for what, sql in KEPT.items()}


def lose_state(site: Site) -> None:
    for file in site.folder.glob("mirror.db*"):
        file.unlink()


def break_state(site: Site) -> bytes:
    """Overwrite pages in the middle of the state file; return what is in it then."""
    state = site.folder / "mirror.db"
    content = bytearray(state.read_bytes())
    content[4096 * 3 : 4096 * 9] = b"\xff" * 4096 * 6
    state.write_bytes(content)
    return bytes(content)


def state_files(site: Site) -> set[str]:
    return {path.name for path in site.folder.glob("mirror.db*")} - {"mirror.db.lock", "mirror.db.ballast"}


def asked_for_data(datastore: DataStore) -> list[str]:
    return sorted(request.path for request in datastore.requested("*.fits"))


def test_a_lost_state_comes_back_with_all_it_knew_of_the_tree(site: Site, datastore: DataStore) -> None:
    site.configure(datastore.url, mirror='hidden_products = ["secret"]')
    fill(datastore)
    datastore.add_product("secret", hidden=True)
    register(datastore, "secret", "s.1")
    columns = {"camera": "GPC1", "none": None, "µ": "ångström \U0001f52d"}
    plain = ServedFile(b"", md5="")
    files = {"a b.txt": ServedFile(b"x" * 10, columns={"n": "1"}), "plain": plain, "é": ServedFile(b"1")}
    datastore.add_fileset("prod1", "with.columns", files, columns=columns)
    assert site.once()["exit_code"] == 0
    before, tree = knowledge(site), site.published()
    indexes = {path: path.read_bytes() for path in site.data.rglob("index.txt")}
    lose_state(site)
    datastore.forget()

    ended = site.run("rebuild")

    assert (ended.code, ended.err) == (0, "")
    assert "12 filesets of 3 products, 47 files" in ended.out
    assert "size and digest" in ended.out
    assert state_files(site) == {"mirror.db"}
    assert datastore.requests == [], "a rebuild needs no source"
    assert knowledge(site) == before
    assert seen(site, "SELECT count(*) FROM filesets WHERE verified_at IS NULL") == [(0,)]
    assert (site.folder / "mirror.db").stat().st_mode & 0o777 == 0o600
    found = site.once()
    assert (found["exit_code"], found["files"], found["failures"]) == (0, 0, [])
    assert asked_for_data(datastore) == []
    assert seen(site, "SELECT count(*) FROM filesets WHERE reread OR revision > 1") == [(0,)]
    assert site.published() == tree
    assert {path: path.read_bytes() for path in site.data.rglob("index.txt")} == indexes


def test_the_run_after_it_lists_everything_whole(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    site.once()
    lose_state(site)
    datastore.withdraw("prod0", "o470.chip.0")
    register(datastore, "prod0", "new")
    assert site.run("rebuild").code == 0
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt")] == [""]
    states = dict(seen(site, "SELECT name, state FROM filesets"))
    assert (states["o470.chip.0"], states["new"]) == ("withdrawn", "published")


def test_the_run_after_it_finds_what_upstream_never_offered(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    site.once()
    lose_state(site)
    file, index = site.data / FILESET / FILE, site.data / FILESET / "index.txt"
    planted = b"evil" * 10
    text = index.read_text().replace(md5(file.read_bytes()).hexdigest(), md5(planted).hexdigest())
    index.write_text(text.replace(f"|{file.stat().st_size}|", f"|{len(planted)}|"))
    file.write_bytes(planted)
    assert site.run("rebuild").code == 0, "the tree agrees with itself"
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert asked_for_data(datastore) == [f"{FILESET}/{FILE}"], "nothing is fetched of what agrees"
    assert seen(site, "SELECT name, state FROM filesets WHERE revision > 1") == [("o470.chip.1", "published")]
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert not datastore.requested("*/o470.chip.?/index.txt"), "that it agrees is known"
    assert site.run("verify").code == 0


def test_a_broken_state_is_told_moved_aside_and_replaced(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    break_state(site)
    for command in (["status"], ["--once"]):
        ended = site.run(*command)
        assert ended.code == 2
        assert "`mirrortui rebuild`" in ended.err
    broken = (site.folder / "mirror.db").read_bytes()
    ended = site.run("rebuild", "--json")
    assert (ended.code, ended.json["exit_code"]) == (0, 0)
    aside = Path(ended.json["moved_aside"])
    assert aside.name.startswith("mirror.db.broken-20")
    assert aside.read_bytes() == broken
    assert ended.json["mirrors"][0]["filesets"] == 10
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert asked_for_data(datastore) == []


def test_what_is_no_database_is_moved_aside_and_kept(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    lose_state(site)
    (site.folder / "mirror.db").write_text("my thesis" * 1000)
    assert "`mirrortui rebuild`" in site.run("status").err
    for content in ("my thesis", "my other thesis"):
        for ending in ("", "-wal"):
            (site.folder / f"mirror.db{ending}").write_text(f"{content}{ending}" * 1000)
        ended = site.run("rebuild", "--json")
        assert ended.code == 0, ended
        for ending in ("", "-wal"):
            kept = Path(ended.json["moved_aside"] + ending)
            assert kept.read_text() == f"{content}{ending}" * 1000
    assert len(list(site.folder.glob("mirror.db.broken-*Z-wal"))) + len(list(site.folder.glob("*-2-wal"))) == 2


def test_a_log_that_a_lost_state_left_behind_does_not_get_into_the_new_one(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    before = knowledge(site)
    with closing(sqlite3.connect(site.folder / "mirror.db")) as connection:
        connection.execute("UPDATE filesets SET name = 'from the log ' || name")
        connection.commit()
        log = (site.folder / "mirror.db-wal").read_bytes()
        assert len(log) > 4096
    lose_state(site)
    (site.folder / "mirror.db-wal").write_bytes(log)
    assert site.run("rebuild").code == 0
    assert knowledge(site) == before
    [aside] = site.folder.glob("mirror.db.broken-*-wal")
    assert aside.read_bytes() == log


def test_a_sound_state_is_refused(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    before = (site.folder / "mirror.db").read_bytes()
    ended = site.run("rebuild")
    assert ended.code == 2
    assert "sound" in ended.err
    assert "move it away" in ended.err
    assert (site.folder / "mirror.db").read_bytes() == before
    assert state_files(site) <= {"mirror.db", "mirror.db-wal", "mirror.db-shm"}


@pytest.mark.parametrize(
    ("pragma", "words"), [("user_version = 99", "Upgrade mirrortui"), ("application_id = 1", "not a state file")]
)
def test_a_state_that_is_newer_or_not_ours_is_refused_and_the_way_out_is_told(
    site: Site, datastore: DataStore, pragma: str, words: str
) -> None:
    fill(datastore)
    site.once()
    with closing(sqlite3.connect(site.folder / "mirror.db")) as connection:
        connection.execute(f"PRAGMA {pragma}")
    before = (site.folder / "mirror.db").read_bytes()
    for command in ("rebuild", "status"):
        ended = site.run(command)
        assert ended.code == 2
        assert words in ended.err
        assert "`mirrortui rebuild`" in ended.err
    assert (site.folder / "mirror.db").read_bytes() == before
    (site.folder / "mirror.db").rename(site.folder / "away")
    assert site.run("rebuild").code == 0


def test_it_keeps_off_while_an_engine_runs(site: Site, datastore: DataStore, tmp_path: Path) -> None:
    fill(datastore)
    held = threading.Event()
    datastore.fault("*.fits", Fault.gate(held), times=None)
    engine = site.start("--once")
    try:
        datastore.wait_for("*.fits", 1, PATIENCE)
        ended = site.run("rebuild")
        assert ended.code == 6
        assert f"pid {engine.pid}" in ended.err
        other = Site(tmp_path / "other", datastore.url)
        other.config.write_text(other.config.read_text().replace('"data"', f'"{site.data}"'))
        ended = other.run("rebuild", "--json")
        assert (ended.code, ended.json["exit_code"]) == (6, 6)
        assert state_files(other) == set()
    finally:
        held.set()
        engine.communicate(timeout=SECONDS)
    assert engine.returncode == 0


Damage = Callable[[Path, Path], None]
"""Does something to the published tree, with a folder outside of it at hand."""


def change_a_byte(data: Path, _: Path) -> None:
    with (data / FILESET / FILE).open("r+b") as file:
        file.seek(100)
        file.write(b"\0")


def cut_a_file(data: Path, _: Path) -> None:
    os.truncate(data / FILESET / FILE, 100)


def remove_a_file(data: Path, _: Path) -> None:
    (data / FILESET / FILE).unlink()


def link_a_file(data: Path, outside: Path) -> None:
    (outside / FILE).write_bytes((data / FILESET / FILE).read_bytes())
    (data / FILESET / FILE).unlink()
    (data / FILESET / FILE).symlink_to(outside / FILE)


def put_a_pipe(data: Path, _: Path) -> None:
    (data / FILESET / FILE).unlink()
    os.mkfifo(data / FILESET / FILE)


def put_a_folder(data: Path, _: Path) -> None:
    (data / FILESET / FILE).unlink()
    (data / FILESET / FILE).mkdir()


def link_the_file_index(data: Path, outside: Path) -> None:
    (data / FILESET / "index.txt").rename(outside / "index.txt")
    (data / FILESET / "index.txt").symlink_to(outside / "index.txt")


def add_a_file(data: Path, _: Path) -> None:
    (data / FILESET / "\x1b[31mextra").write_text("mine")


def edit(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def cut_the_file_index_in_a_line(data: Path, _: Path) -> None:
    edit(data / FILESET / "index.txt", lambda old: old[:-5])


def cut_the_file_index_between_lines(data: Path, _: Path) -> None:
    edit(data / FILESET / "index.txt", lambda old: b"".join(old.splitlines(keepends=True)[:-1]))


def remove_the_file_index(data: Path, _: Path) -> None:
    (data / FILESET / "index.txt").unlink()


def name_files_outside(data: Path, outside: Path) -> None:
    row = f"../../../{outside.name}/x|1|{'0' * 32}|fits|\n".encode()
    edit(data / FILESET / "index.txt", lambda old: old + row)


def list_a_file_twice(data: Path, _: Path) -> None:
    edit(data / FILESET / "index.txt", lambda old: old + f"{FILE}|1|{'0' * 32}|fits|\n".encode())


def put_a_page_for_the_file_index(data: Path, _: Path) -> None:
    (data / FILESET / "index.txt").write_text("<html>\x1b]0;hello\x07</html>\n")


def name_filesets_outside(data: Path, outside: Path) -> None:
    rows = "".join(f"{name}|2026-11-01T00:00:00Z|T|\n" for name in ("../../outside", "..", "a\x1b[2Jb", "", outside))
    edit(data / "prod0" / "index.txt", lambda old: old + rows.encode())


def list_a_fileset_twice(data: Path, _: Path) -> None:
    edit(data / "prod0" / "index.txt", lambda old: old + b"o470.chip.1|2026-11-01T00:00:01Z|T|\n")


def cut_the_fileset_index_in_a_line(data: Path, _: Path) -> None:
    edit(data / "prod0" / "index.txt", lambda old: old[:-5])


def cut_the_fileset_index_between_lines(data: Path, _: Path) -> None:
    edit(data / "prod0" / "index.txt", lambda old: b"".join(old.splitlines(keepends=True)[:-2]))


def remove_the_fileset_index(data: Path, _: Path) -> None:
    (data / "prod0" / "index.txt").unlink()


def name_products_outside(data: Path, _: Path) -> None:
    row = b"../outside|x|2026-11-01T00:00:00Z|t|d|\n.mirrortui|x|2026-11-01T00:00:00Z|t|d|\n"
    edit(data / "index.txt", lambda old: old + row)


def garble_the_root_index(data: Path, _: Path) -> None:
    (data / "index.txt").write_bytes(os.urandom(5000))


def link_the_root_index(data: Path, outside: Path) -> None:
    (data / "index.txt").rename(outside / "root")
    (data / "index.txt").symlink_to(outside / "root")


THE_FILE = [f"{FILESET}/{FILE}"]
DAMAGES: dict[Damage, tuple[str, list[str]]] = {
    change_a_byte: (f"{FILESET}/{FILE}: MD5", THE_FILE),
    cut_a_file: (f"{FILESET}/{FILE}: it has 100 bytes", THE_FILE),
    remove_a_file: (f"{FILESET}/{FILE}: it is not there", THE_FILE),
    link_a_file: (f"{FILESET}/{FILE}: it is not a regular file", THE_FILE),
    put_a_pipe: (f"{FILESET}/{FILE}: it is not a regular file", THE_FILE),
    put_a_folder: (f"{FILESET}/{FILE}: it is not a regular file", THE_FILE),
    add_a_file: (rf"{FILESET}/\x1b[31mextra: nobody listed it", []),
    link_the_file_index: (f"{FILESET}: index.txt: it is a link", []),
    remove_the_file_index: (f"{FILESET}: index.txt: it is not there", []),
    cut_the_file_index_in_a_line: (f"{FILESET}: index.txt: the last line is cut off", []),
    cut_the_file_index_between_lines: (f"{FILESET}/o470.chip.1.3.fits: nobody listed it", []),
    put_a_page_for_the_file_index: (f"{FILESET}: index.txt: the server sent text that is not an index", []),
    name_files_outside: (f"{FILESET}: index.txt: line 6", []),
    list_a_file_twice: (f"{FILESET}: index.txt: line 6", []),
    name_filesets_outside: ("prod0: index.txt, line 7", []),
    list_a_fileset_twice: (f"{FILESET}: its folder is not there, or was listed before", []),
    cut_the_fileset_index_in_a_line: ("prod0: index.txt: the last line is cut off", []),
    cut_the_fileset_index_between_lines: ("o470.chip.4: the index of its product does not list it", []),
    remove_the_fileset_index: ("prod0: index.txt: it is not there", []),
    name_products_outside: ("ps1: index.txt, line 4: ../outside", []),
    garble_the_root_index: ("ps1: index.txt: ", []),
    link_the_root_index: ("ps1: index.txt: it is a link", []),
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_not_right_is_left_out_and_told_and_the_next_run_mends_it(
    site: Site, datastore: DataStore, tmp_path: Path, damage: Damage
) -> None:
    told, missing = DAMAGES[damage]
    expected = fill(datastore)
    site.once()
    lose_state(site)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("?")
    damage(site.data, outside)
    untouched = {path: path.read_bytes() for path in outside.iterdir()}

    ended = site.run("rebuild")

    assert ended.code == 3
    assert told in ended.err
    assert not any(char in ended.err for char in "\x1b\x07")
    assert "the next run" in ended.out
    standing = {name for (name,) in seen(site, "SELECT name FROM filesets")}
    assert standing <= {path.split("/")[1] for path in expected}
    assert "o471.chip.1" in standing
    datastore.forget()
    found = site.once()
    assert (found["exit_code"], found["failures"]) == (0, [])
    assert asked_for_data(datastore) == missing
    assert {path: body for path, body in site.published().items() if "extra" not in path} == expected
    assert {path: path.read_bytes() for path in outside.iterdir()} == untouched
    for path in site.data.glob("*/*/index.txt"):
        assert not path.is_symlink()
    assert len(seen(site, "SELECT 1 FROM filesets WHERE state = 'published'")) == 10
    for extra in site.data.rglob("*extra"):
        extra.unlink()
    lose_state(site)
    assert site.run("rebuild").code == 0, "all is right again"


def test_a_folder_that_is_a_link_is_not_followed(site: Site, datastore: DataStore, tmp_path: Path) -> None:
    fill(datastore)
    site.once()
    lose_state(site)
    (site.data / FILESET).rename(tmp_path / "fileset")
    (site.data / FILESET).symlink_to(tmp_path / "fileset")
    (site.data / "prod1").rename(tmp_path / "product")
    (site.data / "prod1").symlink_to(tmp_path / "product")
    ended = site.run("rebuild")
    assert ended.code == 3
    assert f"ps1/{FILESET}: it is not a directory" in ended.err
    assert "ps1/prod1: it is not a directory" in ended.err
    assert seen(site, "SELECT count(*) FROM filesets") == [(4,)]


def test_a_destination_that_is_not_there_is_told_and_not_made(site: Site, datastore: DataStore) -> None:
    ended = site.run("rebuild")
    assert ended.code == 3
    assert "no such folder" in ended.err
    assert not site.data.exists()
    site.data.mkdir()
    lose_state(site)
    ended = site.run("rebuild")
    assert ended.code == 3
    assert "index.txt: it is not there" in ended.err


def test_sizes_alone_are_compared_if_that_is_asked_for_and_marked_so(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    lose_state(site)
    change_a_byte(site.data, site.folder)
    cut = site.data / "prod1/o471.chip.0/o471.chip.0.0.fits"
    os.truncate(cut, 5)
    ended = site.run("rebuild", "--trust-index")
    assert ended.code == 3
    assert "o471.chip.0.0.fits: it has 5 bytes" in ended.err
    assert FILE not in ended.err
    assert "size alone" in ended.out
    assert seen(site, "SELECT count(*), count(verified_at) FROM filesets") == [(9, 0)]
    assert "size alone" in str(seen(site, "SELECT message FROM events"))


def test_one_mirror_of_two(site: Site, datastore: DataStore) -> None:
    second = f'[[mirror]]\nname = "two"\nprotocol = "ipp"\nurl = "{datastore.url}"\ndestination = "other"'
    site.configure(datastore.url, more=second)
    fill(datastore)
    site.once()
    lose_state(site)
    ended = site.run("rebuild", "--mirror", "two", "--json", "--quiet")
    assert [mirror["name"] for mirror in ended.json["mirrors"]] == ["two"]
    assert seen(site, "SELECT DISTINCT m.name FROM products p JOIN mirrors m ON m.id = mirror_id") == [("two",)]
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert asked_for_data(datastore) == []
    ended = site.run("rebuild", "--mirror", "three")
    assert ended.code == 2
    assert "ps1, two" in ended.err


def test_quiet_says_what_was_left_out_and_nothing_else(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    lose_state(site)
    ended = site.run("rebuild", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    lose_state(site)
    remove_a_file(site.data, site.folder)
    ended = site.run("rebuild", "--quiet")
    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)


def plant_endless_file(site: Site) -> None:
    """Make a fileset whose file takes very long to read."""
    with (site.data / FILESET / FILE).open("r+b") as file:
        file.truncate(SPARSE)
    edit(site.data / FILESET / "index.txt", lambda old: old.replace(b"|3002|", f"|{SPARSE}|".encode()))


def take_no_large_files() -> None:
    """Let this process write no file beyond 50,000 bytes: the kernel answers EFBIG."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))


def test_a_disk_that_takes_no_more_leaves_everything_as_it_was(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    broken = break_state(site)
    process = site.start("rebuild", preexec_fn=take_no_large_files)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (5, "")
    assert err.count("\n") == 1
    assert "free space" in err
    assert {name for name in state_files(site) if "rebuilding" in name or "broken" in name} == set()
    assert (site.folder / "mirror.db").read_bytes() == broken


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)])
def test_stopped_it_leaves_everything_as_it_was(
    site: Site, datastore: DataStore, number: signal.Signals, code: int
) -> None:
    fill(datastore)
    site.once()
    broken = break_state(site)
    plant_endless_file(site)
    process = site.start("rebuild")
    draft = site.folder / "mirror.db.rebuilding"
    wait_until(draft.exists, "the new state file to be begun")
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (code, "")
    assert err == "mirrortui: stopped; nothing was changed\n"
    assert {name for name in state_files(site) if "rebuilding" in name or "broken" in name} == set()
    assert (site.folder / "mirror.db").read_bytes() == broken


def test_a_terminal_sees_how_far_it_is_and_ctrl_c_ends_it(site: Site, datastore: DataStore) -> None:
    fill(datastore)
    site.once()
    lose_state(site)
    plant_endless_file(site)
    with Terminal([*COMMAND, "rebuild"], cwd=site.folder, env=site.environment) as terminal:
        terminal.wait_for("ps1/prod0: 4 of 5 filesets")
        terminal.send("\x03")
        assert terminal.wait() == 130
        assert any("stopped" in line for line in terminal.screen())
        assert not any("filesets" in line for line in terminal.screen())
        assert terminal.left_clean() == []
    assert state_files(site) == set()


KILLED_AT_A_RENAME = """
import itertools, os, signal, sys
from tui.cli import main

number, when = int(sys.argv[1]), sys.argv[2]
sys.argv = ["mirrortui", "rebuild"]
calls, rename = itertools.count(1), os.rename

def deadly(*paths):
    call = next(calls)
    if (call, when) == (number, "before"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*paths)
    if (call, when) == (number, "after"):
        os.kill(os.getpid(), signal.SIGKILL)

os.rename = deadly
main()
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_killed_while_it_puts_the_file_in_place_it_or_any_run_can_be_started_again(
    site: Site, datastore: DataStore, when: str, number: int
) -> None:
    fill(datastore, products=1)
    site.once()
    broken = break_state(site)
    command = [sys.executable, "-c", KILLED_AT_A_RENAME, str(number), when]
    ended = subprocess.run(
        command, cwd=site.folder, env=site.environment, capture_output=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended
    kept = [path for path in site.folder.glob("mirror.db*") if path.read_bytes() == broken]
    assert len(kept) == 1
    if kept[0].name == "mirror.db":
        assert site.run("rebuild").code == 0
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert asked_for_data(datastore) == []
    assert broken in [path.read_bytes() for path in site.folder.glob("mirror.db.broken-*")]
