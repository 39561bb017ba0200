"""Secrets of every origin, in every command: they are where the operator put them, and nowhere else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Close, Echo, End, Head, Raw
from tests.terminal import Terminal
from tests.whole.screen import (
    DETAILS,
    FAILED,
    PANES,
    dashboard,
    end_engine,
    go,
    leave,
    pid_of,
    put_cursor,
    wait_for_row,
)
from tests.whole.service import seen, wait_until
from tests.whole.site import COMMAND, Ended, Site

USER = "robot"
IN_ENV, IN_FILE, IN_NETRC, IN_URL = (f"Canary-{way}/p@ss wo:rd" for way in ("env", "file", "netrc", "url"))
TOKEN_IN_ENV, HEADER_IN_ENV = (f"Canary-token-{way}/+=" for way in ("env", "header"))
TOKEN_IN_FILE = "Canary-token-file-0123"
PASSWORDS = (IN_ENV, IN_FILE, IN_NETRC, IN_URL)
TOKENS = (TOKEN_IN_ENV, TOKEN_IN_FILE, HEADER_IN_ENV)
ENVIRONMENT = {"PASSWORD": IN_ENV, "TOKEN": TOKEN_IN_ENV, "HEADER": HEADER_IN_ENV}
WAYS = {
    "by-env": f'username = "{USER}"\npassword_env = "PASSWORD"',
    "by-file": f'username = "{USER}"\npassword_file = "password"',
    "by-netrc": 'netrc = "netrc"',
    "by-url": "",
    "token-by-env": 'bearer_env = "TOKEN"',
    "token-by-file": 'bearer_file = "token"',
    "header-by-env": 'headers = { "X-Api-Key" = "env:HEADER" }',
}
FILES = {
    "password": IN_FILE,
    "netrc": f'machine 127.0.0.1 login {USER} password "{IN_NETRC}"',
    "token": TOKEN_IN_FILE,
}


def basic(password: str) -> str:
    return b64encode(f"{USER}:{password}".encode()).decode()


def forms(secret: str) -> Iterator[str]:
    """Yield what a secret looks like to those who know how it is carried."""
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield from (b64encode(secret.encode()).decode(), basic(secret))


CANARIES = re.compile("|".join(re.escape(form) for one in (*PASSWORDS, *TOKENS) for form in forms(one)), re.IGNORECASE)


class CanarySite(Site):
    """One configuration with a mirror for each way to name a secret, each of the next of some stores."""

    def __init__(self, folder: Path, *stores: DataStore):
        super().__init__(folder, "")
        self.environment |= ENVIRONMENT
        self.told: list[str] = []
        mirrors = "".join(
            f'[[mirror]]\nname = "{way}"\nprotocol = "ipp"\nurl = "{_url(store, way)}"\ndestination = "{way}"\n{keys}\n'
            for (way, keys), store in zip(WAYS.items(), cycle(stores), strict=False)
        )
        self.config.write_text(f'[engine]\nstate = "mirror.db"\nlog_file = "m.log"\nmin_free = "0"\n{mirrors}')
        self._put = {self.config}
        for name, text in FILES.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(f"{text}\n")
            self._put.add(folder / name)

    def tell(self, *arguments: str) -> Ended:
        ended = self.run(*arguments)
        self.told.append(ended.out + ended.err)
        return ended

    def assert_silent(self) -> None:
        """Fail if a secret is in what was printed, or in any file but for those where the operator put it."""
        for text in self.told:
            assert not CANARIES.search(text), text
        for path in self.folder.rglob("*"):
            assert not CANARIES.search(str(path)), path
            if path.is_file() and path not in self._put:
                found = CANARIES.search(path.read_bytes().decode("latin-1"))
                assert not found, f"{found} in {path}"


def _url(store: DataStore, way: str) -> str:
    return store.url.replace("://", f"://{USER}:{quote(IN_URL, safe='')}@") if way == "by-url" else store.url


def assert_every_secret_was_sent(store: DataStore) -> None:
    """On the way to an index, and to a file: the one is asked for by httpx, the other by curl."""
    wanted = {f"Basic {basic(one)}" for one in PASSWORDS} | {f"Bearer {one}" for one in (TOKEN_IN_ENV, TOKEN_IN_FILE)}
    for ending in ("index.txt", ".dat"):
        headers = [request.headers for request in store.requests if request.path.endswith(ending)]
        assert wanted <= {each.get("authorization") for each in headers}
        assert HEADER_IN_ENV in {each.get("x-api-key") for each in headers}


@pytest.fixture
def store() -> Iterator[DataStore]:
    """Yield a store that knows a product."""
    with DataStore() as store:
        store.add_product("prod")
        yield store


@pytest.fixture
def canaries(tmp_path: Path, store: DataStore) -> Iterator[CanarySite]:
    site = CanarySite(tmp_path / "site", store)
    yield site
    end_engine(site)


def test_names_columns_and_validators_with_a_secret_are_kept_nowhere(canaries: CanarySite, store: DataStore) -> None:
    """What a server sends back in places that are kept, and published, is refused row by row."""
    store.add_product(f"p-{HEADER_IN_ENV.replace('/', '_')}", description=IN_FILE)
    store.add_product("described", description=f"ask with {TOKEN_IN_FILE}")
    store.add_fileset("prod", "good", {"a.dat": b"good"})
    store.add_fileset("prod", "typed", {"a.dat": b"x"}, type=IN_ENV)
    store.add_fileset("prod", f"n-{basic(IN_NETRC)}", {"a.dat": b"x"})
    store.add_fileset("prod", "named", {f"{quote(IN_URL, safe='')}.dat": b"x", "b.dat": b"y"})
    assert canaries.tell("--once", "--json").code == 3
    assert "holds a secret of ours" in canaries.tell("failures").out
    assert_every_secret_was_sent(store)
    assert all((canaries.folder / way / "prod" / "good" / "a.dat").read_bytes() == b"good" for way in WAYS)
    canaries.assert_silent()


def test_no_command_tells_a_secret(canaries: CanarySite, store: DataStore) -> None:
    store.add_fileset("prod", "good", {"a.dat": b"good"})
    store.add_fileset("prod", "missing", {"a.dat": b"missing"})
    store.fault("prod/missing/a.dat", Fault.status(404, IN_ENV.encode()), times=None)
    assert canaries.tell("check").code == 0
    assert canaries.tell("--once", "--dry-run").code == 0
    assert canaries.tell("--once", "-v").code == 3
    for command in (["status", "--json"], ["failures"], ["retry", "--all"]):
        assert canaries.tell(*command).code == 0
    canaries.assert_silent()


def test_no_command_about_the_state_tells_a_secret(canaries: CanarySite, store: DataStore) -> None:
    store.add_fileset("prod", "good", {"a.dat": b"good"})
    assert canaries.tell("--once", "--json").code == 0
    assert canaries.tell("backup", "copy.db").code == 0
    assert canaries.tell("verify").code == 0
    (canaries.folder / "mirror.db").unlink()
    assert canaries.tell("rebuild").code == 0
    canaries.assert_silent()


SIZE = 2_000_000
ETAG = f'HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nETag: "{HEADER_IN_ENV}"\r\n\r\n'.encode()
REFLECTED = {
    "status": Fault.played(Raw(f"HTTP/1.1 500 {TOKEN_IN_ENV}\r\n\r\n".encode()), Close()),
    "page": Fault.status(500, f"<html>{IN_ENV}</html>".encode()) & Fault.chunked(),
    "echo": Fault.chunked() & Fault.played(Head(), Echo(), End()),
    "header": Fault.played(Raw(f"HTTP/1.1 200 {IN_FILE}\r\nContent-Length: {IN_NETRC}\r\n\r\n".encode()), Close()),
    "query": Fault.redirect(f"http://127.0.0.1:1/?key={quote_plus(IN_URL)}"),
    "host": Fault.redirect(f"http://{TOKEN_IN_FILE}.invalid/"),
    "validator": Fault.played(Raw(ETAG), Raw(b"x" * (SIZE // 2)), Close()),
    "scheme": Fault.redirect(f"{TOKEN_IN_FILE}://127.0.0.1/"),
}


def spoil(store: DataStore, name: str, fault: Fault) -> None:
    """Have a store send secrets back, in the answer for a file."""
    store.add_fileset("prod", name, {"a.dat": b"x" * SIZE})
    store.fault(f"prod/{name}/a.dat", fault, times=None)


def test_a_service_in_trouble_and_its_dashboard_tell_no_secret(tmp_path: Path) -> None:
    with ExitStack() as cleanup:
        stores = [cleanup.enter_context(DataStore()) for _ in WAYS]  # a host that fails often would be left alone
        for store in stores:
            store.add_product("prod")
        for store, (name, fault) in zip(cycle(stores), REFLECTED.items(), strict=False):
            spoil(store, name, fault)
        site = CanarySite(tmp_path / "site", *stores)
        cleanup.callback(end_engine, site)
        with dashboard(site) as terminal:
            failing = "SELECT count(DISTINCT fileset_id) FROM attempts"
            wait_until(lambda: seen(site, failing) == [(len(REFLECTED),)], "the failures")
            site.told.append(Path(f"/proc/{pid_of(site)}/cmdline").read_text())
            look_everywhere(terminal)
            leave(terminal)
            site.told.append(terminal.written.decode("latin-1"))
        assert "redirect to ***: refused" in site.tell("failures").out
        site.assert_silent()


def look_everywhere(terminal: Terminal) -> None:
    """Go through all panes, and all pages of the details of what failed."""
    for title in PANES:
        go(terminal, title)
    for row in ("scheme/a.dat", "echo/a.dat", "status/a.dat"):
        put_cursor(terminal, FAILED, row)
        go(terminal, DETAILS)
        for page, words in (("f", "a.dat"), ("e", "try 1"), ("o", "prod")):
            terminal.send(page)
            wait_for_row(terminal, DETAILS, words)


ENGINE_BUG = """
from core.engine.poller import Poller
from tui.cli import main

async def broken(self):
    told = [*self.mirror.config.login(), *(text for _, text in self.mirror.config.credential_headers())]
    raise RuntimeError(f"cannot go on with {told}")

Poller.run = broken
main()
"""
SCREEN_BUG = """
from tui.cli import main
from tui.screens.main import MainScreen

def broken(self, snapshot):
    password = next(mirror.password for mirror in self.app.config.mirrors if mirror.name == 'by-url')
    raise RuntimeError("the screen is broken")

MainScreen.show = broken
main()
"""


def test_the_traceback_of_a_bug_tells_no_secret(
    canaries: CanarySite, store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_fileset("prod", "good", {"a.dat": b"good"})
    monkeypatch.setattr("tests.whole.site.COMMAND", [COMMAND[0], "-c", ENGINE_BUG])
    process = canaries.start("--once", "--json")
    out, err = process.communicate(timeout=60)
    log = (canaries.folder / "m.log").read_text()
    assert process.returncode == 1
    assert "Traceback" in log
    assert "cannot go on with" in log
    canaries.told += [out, err]
    canaries.assert_silent()


def test_a_dashboard_that_breaks_tells_no_secret(canaries: CanarySite) -> None:
    with Terminal([COMMAND[0], "-c", SCREEN_BUG], 200, 40, canaries.environment, canaries.folder) as terminal:
        assert terminal.wait() == 1
        assert terminal.left_clean() == []
        canaries.told.append(terminal.written.decode("latin-1"))
    assert "the screen is broken" in canaries.told[-1]
    assert "'**********'" in canaries.told[-1]
    canaries.assert_silent()


def test_a_password_that_is_typed_into_the_url_is_written_nowhere(canaries: CanarySite, store: DataStore) -> None:
    canaries.config.unlink()
    with Terminal(COMMAND, 120, 40, canaries.environment, canaries.folder) as terminal:
        terminal.wait_for("[1 Source]")
        terminal.send(store.url.replace("://", f"://{USER}:{quote(IN_URL, safe='')}@"))
        terminal.wait_for("expected no user in the URL")
        terminal.send("\r")
        terminal.send("\x03")
        assert terminal.wait() == 0
        after = terminal.left_clean()
    assert after == []
    assert not canaries.config.exists()
    assert not store.requests
    canaries.assert_silent()
