"""Whatever a server does with what it is told, no secret comes out of the program: canaries in every place."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Close, Echo, End, Head, More, Raw
from tests.whole.service import seen, wait_until
from tests.whole.site import Site, fill

USER, PASSWORD, TOKEN = "canary-user", "canary-p@ss:word", "canary-token-0123456789"
BASIC = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SECRETS = (PASSWORD, "canary-p%40ss", TOKEN, BASIC)
HEADERS = 'headers = { "X-Token" = "env:TOKEN" }'

REFLECTED = {
    "in a page": Fault.chunked() & Fault.played(Head(), Echo(), End()),
    "in a header": Fault.chunked() & Fault.played(Head(), More(b"# fileID|"), Echo(), More(b"|bytes|\n"), End()),
    "in a refused row": Fault.chunked()
    & Fault.played(Head(), More(b"# fileID|bytes|md5sum|type|\na|"), More(TOKEN.encode()), More(b"||t|\n"), End()),
    "as a refused name": Fault.chunked()
    & Fault.played(Head(), More(b"# fileID|bytes|md5sum|type|\n../"), More(TOKEN.encode()), More(b"|0||t|\n"), End()),
    "in a status": Fault.played(Raw(f"HTTP/1.1 500 {TOKEN}\r\n\r\n".encode()), Close()),
    "instead of a status": Fault.played(Raw(f"{TOKEN} {BASIC}\r\n\r\n".encode()), Close()),
    "in a redirect": Fault.redirect(f"ftp://{USER}:{PASSWORD}@127.0.0.1/?token={TOKEN}"),
    "as the scheme of a redirect": Fault.redirect(f"{TOKEN}://127.0.0.1/"),
    "as a length": Fault.played(Raw(f"HTTP/1.1 200 OK\r\nContent-Length: {TOKEN}\r\n\r\n".encode()), Close()),
}


def everything(site: Site) -> str:
    """Return all that the program has written, printed or kept, but for the configuration."""
    commands = (["status"], ["status", "--json"], ["failures"], ["failures", "--json"], ["check"])
    printed = [site.run(*command, env={"TOKEN": TOKEN}) for command in commands]
    kept = [path.read_bytes().decode("latin-1") for path in site.folder.rglob("*") if path.is_file()]
    configured = site.config.read_bytes().decode("latin-1")
    return "\n".join([ended.out + ended.err for ended in printed] + [one for one in kept if one != configured])


def spoil(store: DataStore) -> list[str]:
    """Have the store send secrets back in each way, on each level; return the paths."""
    fill(store, products=1, filesets=1)
    for product in ("indexes", "files"):
        store.add_product(product)
    paths = []
    for number, fault in enumerate(REFLECTED.values()):
        store.add_product(f"list{number}")
        for product in ("indexes", "files"):
            store.add_fileset(product, f"f{number}", {"a.dat": b"x" * 20, "b.dat": b"y" * 20_000})
        spoilt = [f"list{number}/index.txt", f"indexes/f{number}/index.txt"]
        spoilt += [f"files/f{number}/{name}.dat" for name in "ab"]
        for path in spoilt:
            store.fault(path, fault, times=None)
        paths += spoilt
    return paths


COOKIE = Fault("cookie", change_answer=lambda answer: answer.with_headers(Set_Cookie=f"session={TOKEN}; Path=/"))
INDEX, FILE = "prod0/o470.chip.0/index.txt", "prod0/o470.chip.1/o470.chip.1.0.fits"


def test_a_cookie_goes_to_nobody_not_even_to_who_sets_it(tmp_path: Path) -> None:
    with DataStore(username=USER, password=PASSWORD) as store, DataStore() as other:
        expected = fill(store, products=1, filesets=3)
        fill(other, products=1, filesets=3)
        for path in (INDEX, FILE):
            store.fault(path, Fault.redirect(f"{other.url}/{path}") & COOKIE)
        for server in (store, other):
            server.fault("*", COOKIE, times=None)
        site = Site(tmp_path / "site", store.url.replace("://", f"://{USER}:canary-p%40ss%3Aword@"))
        assert site.once()["exit_code"] == 0
        assert site.published() == expected
        assert other.requested(INDEX)
        assert other.requested(FILE)
        assert not [request.path for request in (*store.requests, *other.requests) if "cookie" in request.headers]


def test_a_secret_that_a_server_sends_back_is_told_nowhere(tmp_path: Path) -> None:
    with DataStore(username=USER, password=PASSWORD) as store:
        paths = spoil(store)
        url = store.url.replace("://", f"://{USER}:canary-p%40ss%3Aword@")
        site = Site(tmp_path / "site", url, mirror=HEADERS)
        process = site.start("run", "-v", env={"TOKEN": TOKEN})
        try:
            for path in paths:
                store.wait_for(path)
            wait_until(lambda: seen(site, "SELECT count(DISTINCT fileset_id) FROM attempts")[0][0] > 12, "the failures")
        finally:
            process.terminate()
        told = "".join(process.communicate(timeout=60)) + everything(site)
        assert f"Basic {BASIC}" in {request.headers.get("authorization") for request in store.requests}
    assert "the server sent text that is not an index" in told
    for secret in SECRETS:
        assert secret not in told
