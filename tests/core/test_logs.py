import logging
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import logs

ROOT = Path(__file__).parents[2]
log = logging.getLogger("tests.logs")


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Leave the root logger, and the secrets, as they were."""
    root = logging.getLogger()
    level, handlers, secrets = root.level, list(root.handlers), set(logs._secrets)
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logs._secrets.clear()
    logs._secrets.update(secrets)


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    path = tmp_path / "mirrortui.log"
    logs.setup_logging(path, terminal=False)
    return path


def test_a_line_tells_time_level_and_message(log_file: Path) -> None:
    log.info("ps1: %d filesets are new", 3)
    log.warning("ps1: slow")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"{time} INFO  ps1: 3 filesets are new\n{time} WARN  ps1: slow\n", log_file.read_text())


def test_a_terminal_gets_the_lines_instead_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup_logging(tmp_path / "x.log", terminal=True)
    log.info("ps1: hello")
    assert capsys.readouterr().err.endswith(" INFO  ps1: hello\n")
    assert not (tmp_path / "x.log").exists()


def test_no_control_byte_gets_through(log_file: Path) -> None:
    try:
        raise ValueError("bad\x1b]0;owned\x07\nrow \u202e")
    except ValueError:
        log.exception("index of %s", "a\x1b[2J\nb\u202e")
    log.error("%s", "x" * 100_000)
    text = log_file.read_text()
    lines = text.splitlines()
    assert all(line.isprintable() for line in text.split("\n"))
    assert lines[0].endswith("ERROR index of a\\x1b[2J\\x0ab\\u202e")
    assert all(line.startswith("    ") for line in lines[1:-1])
    assert lines[-3:-1] == ["    ValueError: bad\\x1b]0;owned\\x07", "    row \\u202e"]
    assert len(lines[-1]) < 2100


def test_secrets_are_hidden_in_messages_urls_and_tracebacks(log_file: Path) -> None:
    logs.hide_secrets(("s3cret", "s3cret/longer", ""))
    log.info("get http://me:%s@host/", "s3cret%2Flonger")
    log.info("token s3cret/longer, s3cret")
    try:
        raise ValueError("refused s3cret")
    except ValueError:
        log.exception("failed")
    text = log_file.read_text()
    assert "get http://me:***@host/" in text
    assert "token ***, ***\n" in text
    assert "ValueError: refused ***" in text
    assert "s3cret" not in text
    assert "longer" not in text


def test_what_is_too_short_to_tell_apart_stays_readable(log_file: Path) -> None:
    logs.hide_secrets(("1", "abc", "abcd"))
    log.info("11 files of abc, abcd")
    assert log_file.read_text().endswith("11 files of abc, ***\n")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, ["info", "warning"]),
        ({"verbose": 1}, ["debug", "info", "warning"]),
        ({"quiet": True}, ["warning"]),
    ],
)
def test_how_much_is_said_can_be_chosen(tmp_path: Path, options: dict[str, int], shown: list[str]) -> None:
    logs.setup_logging(tmp_path / "x.log", terminal=False, **options)  # type: ignore[arg-type]
    for level in ("debug", "info", "warning"):
        getattr(log, level)(level)
    logging.getLogger("httpx").info("GET http://me:s3cret@host/")
    logging.getLogger("httpcore.connection").debug("connect")
    assert [line.split()[-1] for line in (tmp_path / "x.log").read_text().splitlines()] == shown


def test_the_file_is_for_its_owner_alone_and_is_continued(log_file: Path) -> None:
    log.info("first")
    logs.setup_logging(log_file, terminal=False)
    log.info("second")
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600
    assert [line.split()[-1] for line in log_file.read_text().splitlines()] == ["first", "second"]


def test_a_full_file_is_rotated(tmp_path: Path) -> None:
    log_file = tmp_path / "mirrortui.log"
    log_file.write_text("old\n" + "x" * logs.ROTATE_BYTES)
    logs.setup_logging(log_file, terminal=False)
    log.info("new")
    assert log_file.read_text().endswith("INFO  new\n")
    assert "old" not in log_file.read_text()
    rotated = log_file.with_name("mirrortui.log.1")
    assert rotated.read_text().startswith("old\n")
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["link", "folder", "missing"])
def test_a_file_that_cannot_be_opened_is_no_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path, victim = tmp_path / "x.log", tmp_path / "victim"
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "folder":
        path.mkdir()
    else:
        path = tmp_path / "no" / "x.log"
    logs.setup_logging(path, terminal=False)
    log.info("ps1: goes on")
    warning, line = capsys.readouterr().err.splitlines()
    assert f"WARN  {path}: cannot be opened" in warning
    assert line.endswith("INFO  ps1: goes on")
    assert not victim.exists()


def test_a_mistaken_format_string_hides_nothing() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "ps1: %d of %d", ("one\x1b",), None)
    assert logs.LineFormatter().format(record).endswith("INFO  ps1: %d of %d ('one\\x1b',)")


def test_a_lost_terminal_disturbs_nothing() -> None:
    code = (
        "import logging, sys; from core.logs import setup_logging; setup_logging(None, True)\n"
        "log = logging.getLogger('x'); log.info('before'); print('ready', flush=True); sys.stdin.readline()\n"
        "log.info('after'); log.info('after'); print('done', flush=True)"
    )
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        start_new_session=True,
    )
    with process:
        os.close(slave)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert b"INFO  before" in os.read(master, 1000)
        os.close(master)
        out, _ = process.communicate("\n")
    assert out == "done\n"


@pytest.mark.parametrize("number", [1, logs.KEPT_FILES])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_stands_in_the_place_of_a_rotated_file_holds_up_nothing(tmp_path: Path, number: int, kind: str) -> None:
    log_file = tmp_path / "mirrortui.log"
    log_file.write_text("x" * logs.ROTATE_BYTES)
    for path in logs.log_files(log_file)[1:]:
        path.write_text("older\n")
    blocked = logs.log_files(log_file)[number]
    blocked.unlink()
    blocked.mkdir() if kind == "folder" else os.mkfifo(blocked)
    logs.setup_logging(log_file, terminal=False)
    for _ in range(logs.KEPT_FILES):
        log.info("goes on")
    assert log_file.read_text().endswith("INFO  goes on\n")
