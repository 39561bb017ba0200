"""URLs: quoting foreign names, hiding secrets, and which redirects may be followed."""

from __future__ import annotations

import ipaddress
import socket
from enum import IntEnum
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

MAX_REDIRECTS = 5
DEFAULT_PORTS = {"http": 80, "https": 443}
_USUAL_PORTS = set(map(str, DEFAULT_PORTS.values()))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Reach(IntEnum):
    """From how far an address can be reached; a redirect never leads to one of less reach than where it came from."""

    LINK = 0
    """Link-local: what serves machines about themselves, like the metadata of clouds."""
    INSIDE = 1
    PUBLIC = 2

    @property
    def words(self) -> str:
        """What an address of this reach is called."""
        return ("link-local", "private", "public")[self]


class RedirectRefused(Exception):
    """A server sent us to a place that we must not follow it to."""


@lru_cache(maxsize=4096)
def quote_segment(name: str) -> str:
    """Quote one foreign name as one segment of a URL's path, or as its query."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="-_.~:+,=@!$()*;")


def host_key(url: str) -> str:
    """Return ``host:port`` of `url`: what slots, breakers and credentials belong to."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or DEFAULT_PORTS.get(parts.scheme, 0)}"


def same_host(one: str, other: str) -> bool:
    """Tell whether two URLs lead to one host: by the same port, or by those of http and https."""
    (name, _, port), (other_name, _, other_port) = (host_key(url).rpartition(":") for url in (one, other))
    return name == other_name and (port == other_port or {port, other_port} == _USUAL_PORTS)


def same_place(one: str, other: str) -> bool:
    """Tell whether two URLs lead to the same path of the same ``host:port``."""
    places = [(host_key(url), urlsplit(url).path.rstrip("/")) for url in (one, other)]
    return places[0] == places[1]


def host_words(url: str) -> str:
    """Return the host of `url` as it is written there, with its port, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def redact(url: str) -> str:
    """Return `url` without user, password and query values: fit for a log or a screen."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        netloc = f"[{host}]" if ":" in host else host
        if parts.port:
            netloc += f":{parts.port}"
    except ValueError:
        return "(unreadable URL)"
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def follow(source: str, location: str, hops: int) -> str:
    """Return the absolute URL that a redirect from `source` to `location` leads to.

    `hops` counts this redirect, from 1. Raises RedirectRefused for more than MAX_REDIRECTS, another
    scheme than HTTP, a step down from HTTPS, and a step to a literal address of less reach.
    """
    if hops > MAX_REDIRECTS:
        raise RedirectRefused(f"more than {MAX_REDIRECTS} redirects")
    try:
        target = urljoin(source, location)
        before, after = urlsplit(source), urlsplit(target)
        host, _ = after.hostname, after.port
    except ValueError:
        raise RedirectRefused("redirect to an unreadable URL") from None
    if after.scheme not in DEFAULT_PORTS or not host:
        raise RedirectRefused(f"redirect to {after.scheme or 'no'}: refused, only http and https are followed")
    if before.scheme == "https" and after.scheme == "http":
        raise RedirectRefused("redirect from https down to http refused")
    source_reach, target_reach = reach(before.hostname or ""), reach(host)
    if target_reach < source_reach:
        what = f"from a {source_reach.words} host to the {target_reach.words} address {host}"
        raise RedirectRefused(f"redirect {what} refused")
    return target


def less_reach(least: Reach) -> str:
    """Say that a redirect was refused which led, by a name, to an address of less reach than `least`."""
    return f"redirect from a {least.words} host to an address of less reach refused"


def reach(host: str) -> Reach:
    """Return the reach of a literal address, however written, or of localhost; other names count as public."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.INSIDE
    address = _literal(name)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or _nat64(address)
        address = inner or address
    if address is None or address.is_global:
        return Reach.PUBLIC
    return Reach.LINK if address.is_link_local else Reach.INSIDE


def _literal(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        # what resolvers take for an address too: 127.1, 2130706433, 0x7f000001
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside a well-known NAT64 address (RFC 6052)."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
