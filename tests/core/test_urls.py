from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.urls import Reach, RedirectRefused, follow, host_key, quote_segment, reach, redact, same_host


def test_a_foreign_name_is_one_segment() -> None:
    assert quote_segment("o4741g0234o.fake.2799.11.1") == "o4741g0234o.fake.2799.11.1"
    assert quote_segment("a b/c?d#e%f&g") == "a%20b%2Fc%3Fd%23e%25f%26g"
    assert quote_segment("ü\udcff") == "%C3%BC%FF"


@given(st.text(min_size=1))
def test_a_quoted_name_adds_nothing_to_the_url(name: str) -> None:
    parts = urlsplit(f"http://host/ds/{quote_segment(name)}")
    assert (parts.netloc, parts.query, parts.fragment) == ("host", "", "")
    assert parts.path.count("/") == 2
    assert unquote(parts.path.rpartition("/")[2]) == name


def test_slots_belong_to_host_and_port() -> None:
    assert host_key("http://Host.example/ds") == "host.example:80"
    assert host_key("https://me:pw@host.example/ds") == "host.example:443"
    assert host_key("http://127.0.0.1:8080/ds") == "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://HOST.example:80/b", True),
        ("https://host.example/a", True),
        ("http://host.example:8080/a", False),
        ("https://www.host.example/a", False),
        ("http://[::1]/a", False),
    ],
)
def test_http_and_https_lead_to_one_host(url: str, same: bool) -> None:
    assert same_host("http://host.example/a", url) is same_host(url, "http://host.example/a") is same


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:s3cret@host:8080/ds/a?token=s3cret#s3cret", "http://host:8080/ds/a"),
        ("http://s3cret@[::1]:8080/ds", "http://[::1]:8080/ds"),
        ("https://host/ds", "https://host/ds"),
        ("http://me:s3cret@host:port/", "(unreadable URL)"),
        ("http://[s3cret/", "(unreadable URL)"),
    ],
)
def test_a_redacted_url_holds_no_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("source", "location", "target"),
    [
        ("http://a.example/ds/x", "/other", "http://a.example/other"),
        ("http://a.example/ds/x", "y", "http://a.example/ds/y"),
        ("http://a.example/x", "https://b.example/x", "https://b.example/x"),
        ("http://127.0.0.1:1/x", "http://127.0.0.1:2/x", "http://127.0.0.1:2/x"),
    ],
)
def test_an_ordinary_redirect_is_followed(source: str, location: str, target: str) -> None:
    assert follow(source, location, 1) == target


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "redirect to file"),
        ("ftp://b.example/x", "redirect to ftp"),
        ("http://a.example/x", "https down to http"),
        ("https://127.0.0.1/x", "private address"),
        ("https://169.254.169.254/latest", "link-local address"),
        ("https://[::1]/x", "private address"),
        ("https://localhost/x", "private address"),
        ("https://b.example:99999/x", "unreadable"),
    ],
)
def test_a_dangerous_redirect_is_refused(location: str, reason: str) -> None:
    with pytest.raises(RedirectRefused, match=reason):
        follow("https://a.example/x", location, 1)


def test_the_sixth_redirect_is_refused() -> None:
    assert follow("http://a.example/x", "/y", 5) == "http://a.example/y"
    with pytest.raises(RedirectRefused, match="more than 5"):
        follow("http://a.example/x", "/y", 6)


def test_private_addresses_are_known() -> None:
    inside = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1", "0.0.0.0", "localhost", "x.localhost"]
    assert {reach(host) for host in inside} == {Reach.INSIDE}
    assert {reach(host) for host in ["8.8.8.8", "2606:4700::1", "example.org"]} == {Reach.PUBLIC}


LINK_LOCAL = [
    "169.254.169.254", "169.254.1", "2852039166", "0xa9fea9fe", "fe80::1", "febf::1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "fe80::1%25eth0", "169.254.169.254.",
]  # fmt: skip


@pytest.mark.parametrize("host", LINK_LOCAL)
def test_nothing_but_a_link_local_host_leads_to_a_link_local_address(host: str) -> None:
    location = f"http://[{host}]/latest" if ":" in host else f"http://{host}/latest"
    assert reach(host) is Reach.LINK
    for source in ("10.0.0.1", "127.0.0.1", "localhost", "[fd00::1]", "8.8.8.8", "a.example"):
        with pytest.raises(RedirectRefused, match="link-local address"):
            follow(f"http://{source}/x", location, 1)
    assert follow("http://169.254.1.1/x", location, 1) == location
    assert follow("http://169.254.1.1/x", "http://10.0.0.1/x", 1) == "http://10.0.0.1/x"


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.1.",
        "localhost.",
        "LOCALHOST",
        "64:ff9b::7f00:1",
        "::ffff:10.0.0.1",
    ],
)
def test_a_private_address_is_known_in_every_spelling(host: str) -> None:
    assert reach(host) is Reach.INSIDE
