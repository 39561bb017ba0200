"""Certificates for servers on loopback, from an authority that nobody trusts unless told to."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import trustme

DAY = datetime.timedelta(days=1)


class Authority:
    """A private certificate authority; one that a client was not told of makes certificates that it must refuse."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def write(self, path: Path) -> Path:
        """Write the authority's own certificate, for clients to trust, and return `path`."""
        self._authority.cert_pem.write_to_path(path)
        return path

    def server(self, host: str = "127.0.0.1", expired: bool = False) -> ssl.SSLContext:
        """Return what a server needs to speak TLS as `host`; `expired` since yesterday if wanted."""
        now = datetime.datetime.now(datetime.UTC)
        end = now + (-DAY if expired else DAY)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(host, not_before=now - 2 * DAY, not_after=end).configure_cert(context)
        return context

    def self_signed(self) -> ssl.SSLContext:
        """Return what a server needs to show the authority's own certificate, which nobody else has signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with self._authority.cert_pem.tempfile() as own, self._authority.private_key_pem.tempfile() as key:
            context.load_cert_chain(own, key)
        return context
