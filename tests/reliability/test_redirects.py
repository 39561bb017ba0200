"""Where a server may send the real program, what it tells to whom, and which servers it trusts."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reliability.apart import LINK_LOCAL, PUBLIC, apart, needs_namespaces
from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, wait_until
from tests.whole.site import Site, fill, register

FILE = "prod0/o470.chip.0/o470.chip.0.0.fits"
LOGIN = 'username = "me"\npassword_env = "SECRET"\nheaders = { "X-Token" = "env:TOKEN" }'
SECRETS = {"SECRET": "canary-password", "TOKEN": "canary-token"}


@pytest.fixture
def other() -> Iterator[DataStore]:
    with DataStore() as store:
        fill(store, products=1, filesets=1)
        yield store


REFUSED = {
    "a loop": ("o470.chip.0.0.fits", "more than 5 redirects"),
    "file": ("file:///etc/passwd", "redirect to file: refused"),
    "ftp": ("ftp://127.0.0.1/pub/a", "redirect to ftp: refused"),
    "gopher": ("gopher://127.0.0.1:70/1", "redirect to gopher: refused"),
    "no URL": ("http://[::1", "unreadable URL"),
}


@pytest.mark.parametrize(("location", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_redirect_that_leads_astray_is_refused_with_its_reason(
    site: Site, datastore: DataStore, location: str, reason: str
) -> None:
    expected = fill(datastore, products=1, filesets=2)
    datastore.fault(FILE, Fault.redirect(location), times=None)
    found = site.once()
    assert found["exit_code"] == 3
    (failure,) = found["failures"]
    assert (failure["kind"], failure["next_try"]) == ("unsafe", None)
    assert reason in failure["detail"]
    assert site.published() == {path: body for path, body in expected.items() if "/o470.chip.0/" not in path}
    assert len(datastore.requested(FILE)) <= 6


def test_a_host_that_is_redirected_to_and_cannot_be_trusted_costs_one_file(
    site: Site, datastore: DataStore, authority: Authority
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    with DataStore(tls=authority.self_signed()) as other:
        datastore.fault(FILE, Fault.redirect(f"{other.url}/{FILE}"), times=None)
        found = site.once()
    assert found["exit_code"] == 3
    [failure] = found["failures"]
    assert (failure["kind"], failure["next_try"]) == ("unsafe", None)
    assert f"redirected to 127.0.0.1:{other.port}" in failure["detail"]
    assert site.published() == {path: body for path, body in expected.items() if "/o470.chip.0/" not in path}


NOT_TO_BE_HAD = {
    "wants to be left alone": ("transient", Fault.status(429, retry_after=3600)),
    "denies": ("missing", Fault.status(403)),
    "cannot be trusted": ("unsafe", None),
}


@pytest.mark.parametrize(("kind", "fault"), NOT_TO_BE_HAD.values(), ids=NOT_TO_BE_HAD.keys())
def test_a_host_that_indexes_are_redirected_to_costs_these_alone(
    tmp_path: Path, datastore: DataStore, authority: Authority, kind: str, fault: Fault | None
) -> None:
    fill(datastore, products=2, filesets=10)
    own = register(datastore, "prod0", "own")
    indexes = ["index.txt", "prod1/index.txt", "prod0/o470.chip.*/index.txt"]
    with DataStore(tls=None if fault else authority.self_signed()) as other:
        other.fault("*", fault or Fault.status(200), times=None)
        for paths in indexes:
            datastore.fault(paths, Fault.redirect(f"{other.url}/index.txt"), times=None)
        site = Site(tmp_path / "site", datastore.url, mirror='products = ["prod0", "prod1"]')
        found = site.once()
    words = f"(redirected to 127.0.0.1:{other.port})"
    [mirror] = found["mirrors"]
    assert (found["exit_code"], mirror["stopped"]) == (4, None)
    assert words in mirror["error"]
    assert [words in (error or "") for (error,) in seen(site, "SELECT error FROM products ORDER BY name")] == [0, 1]
    assert [(one["kind"], words in one["detail"]) for one in found["failures"]] == [(kind, True)] * 10
    assert not seen(site, "SELECT * FROM hosts")
    assert site.published() == own, "what the mirror's own host has is asked for all the same"


@pytest.mark.parametrize("hops", [5, 6])
def test_at_most_five_hops_are_followed(site: Site, datastore: DataStore, hops: int) -> None:
    fill(datastore, products=1, filesets=1)
    for path in (FILE, "prod0/index.txt"):
        for _ in range(hops):
            datastore.fault(path, Fault.redirect(path.rpartition("/")[2]))
    found = site.once()
    assert found["exit_code"] == (0 if hops == 5 else 4)


@pytest.mark.parametrize("path", [FILE, "prod0/index.txt"], ids=["file", "index"])
def test_a_redirect_from_https_to_http_is_refused(
    tmp_path: Path, other: DataStore, authority: Authority, path: str
) -> None:
    with DataStore(tls=authority.server()) as secure:
        fill(secure, products=1, filesets=1)
        secure.fault(path, Fault.redirect(f"{other.url}/{path}"), times=None)
        site = Site(tmp_path / "site", secure.url, mirror='ca_file = "ca.pem"')
        authority.write(site.folder / "ca.pem")
        assert site.once()["exit_code"] in (3, 4)
        assert not site.published()
    assert not other.requests


@pytest.mark.parametrize("path", [FILE, "prod0/index.txt"], ids=["file", "index"])
def test_credentials_are_never_sent_to_another_host(tmp_path: Path, other: DataStore, path: str) -> None:
    with DataStore(username="me", password=SECRETS["SECRET"]) as store:
        expected = fill(store, products=1, filesets=1)
        store.fault(path, Fault.redirect(f"{other.url}/{path}"), times=None)
        site = Site(tmp_path / "site", store.url, mirror=LOGIN)
        assert site.run("--once", env=SECRETS).code == 0
        assert site.published() == expected
        assert all(request.headers["x-token"] == SECRETS["TOKEN"] for request in store.requests)
    assert other.requests
    for request in other.requests:
        assert not {"authorization", "x-token", "cookie"} & request.headers.keys()
        assert "canary" not in str(request.headers)


ASTRAY = """
import json, sys
from pathlib import Path
from tests.servers.datastore import DataStore, Fault
from tests.whole.site import Site, fill

folder, path, source, address, host = sys.argv[1:]
near, far = DataStore(), DataStore()
near.address, far.address = source, address
with near, far:
    fill(near, products=1, filesets=1)
    fill(far, products=1, filesets=1)
    near.fault(path, Fault.redirect(f"http://{host}:{far.port}/ds/{path}"), times=None)
    site = Site(Path(folder), near.url)
    found = site.once()
    print(json.dumps([found["exit_code"], len(far.requests), len(site.published()), json.dumps(found)]))
"""
"""Two Data Stores, the first of which leads to the second one."""


@needs_namespaces
@pytest.mark.parametrize("host", ["127.0.0.1", "inside.example", "2130706433", "[::ffff:127.0.0.1]", LINK_LOCAL])
@pytest.mark.parametrize("path", [FILE, "prod0/index.txt"], ids=["file", "index"])
def test_a_redirect_from_a_public_to_a_private_address_is_refused(tmp_path: Path, path: str, host: str) -> None:
    ended = apart(ASTRAY, str(tmp_path / "site"), path, PUBLIC, "127.0.0.1", host)
    assert ended.returncode == 0, ended.stderr
    code, asked, published, found = json.loads(ended.stdout)
    assert (code, asked, published) == (3 if path == FILE else 4, 0, 0)
    assert "from a public host to" in found


@needs_namespaces
@pytest.mark.parametrize("source", ["127.0.0.1", LINK_LOCAL])
@pytest.mark.parametrize("host", [LINK_LOCAL, "metadata.example"])
@pytest.mark.parametrize("path", [FILE, "prod0/index.txt"], ids=["file", "index"])
def test_only_a_link_local_source_leads_to_a_link_local_address(
    tmp_path: Path, path: str, host: str, source: str
) -> None:
    ended = apart(ASTRAY, str(tmp_path / "site"), path, source, LINK_LOCAL, host)
    assert ended.returncode == 0, ended.stderr
    code, asked, published, found = json.loads(ended.stdout)
    if source == LINK_LOCAL:
        assert (code, published) == (0, 4)
    else:
        assert (code, asked, published) == (3 if path == FILE else 4, 0, 0)
        assert "from a private host to" in found


UPGRADED = """
import json, sys
from pathlib import Path
from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore, Fault
from tests.whole.site import Site, fill

folder, path = sys.argv[1:]
with DataStore(80) as plain, DataStore(443, tls=Authority().self_signed()) as secure:
    fill(plain, products=1, filesets=1)
    plain.fault(path, Fault.redirect(f"{secure.url}/{path}"), times=None)
    found = Site(Path(folder), plain.url).once()
    print(json.dumps([found["exit_code"], found["mirrors"][0]["stopped"], found["failures"]]))
"""
"""A Data Store that leads from http to https, where its certificate is a bad one."""


@needs_namespaces
@pytest.mark.parametrize("path", [FILE, "prod0/o470.chip.0/index.txt"], ids=["file", "index"])
def test_a_host_that_leads_to_https_and_cannot_be_trusted_there_stops_the_mirror(tmp_path: Path, path: str) -> None:
    ended = apart(UPGRADED, str(tmp_path / "site"), path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [4, "tls", []]


BAD_CERTIFICATES: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "expired": lambda authority: authority.server(expired=True),
    "of another host": lambda authority: authority.server("elsewhere.example"),
    "self-signed": lambda authority: authority.self_signed(),
    "of an unknown authority": lambda _: Authority().server(),
}


@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_a_certificate_that_cannot_be_trusted_fails_closed_and_a_private_authority_can_be_configured(
    tmp_path: Path, authority: Authority, kind: str
) -> None:
    login = 'username = "me"\npassword_env = "SECRET"'
    with DataStore(tls=BAD_CERTIFICATES[kind](authority), username="me", password="right") as bad:
        fill(bad, products=1, filesets=1)
        site = Site(
            tmp_path / "site", bad.url, mirror=login if kind == "self-signed" else f'ca_file = "ca.pem"\n{login}'
        )
        authority.write(site.folder / "ca.pem")
        ended = site.run("--once", "--json", env={"SECRET": "right"})
        assert ended.code == 4
        assert "certificate" in ended.json["mirrors"][0]["error"]
        assert not bad.requests, "nothing was told to it"
    with DataStore(tls=authority.server(), username="me", password="right") as good:
        expected = fill(good, products=1, filesets=1)
        site.configure(good.url, mirror=f'ca_file = "ca.pem"\n{login}')
        assert site.run("--once", env={"SECRET": "right"}).code == 0
        assert site.published() == expected


def test_a_service_is_stopped_by_a_bad_certificate_and_tells_why(tmp_path: Path, authority: Authority) -> None:
    with DataStore(tls=authority.server(expired=True)) as bad:
        site = Site(tmp_path / "site", bad.url, mirror='ca_file = "ca.pem"')
        authority.write(site.folder / "ca.pem")
        with serving(site):
            wait_until(lambda: seen(site, "SELECT 1 FROM mirrors WHERE error LIKE '%expired%'"), "the reason")
