"""Which certificate authorities are trusted when the configuration names none."""

from __future__ import annotations

import os
from pathlib import Path

import certifi

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Debian, Fedora and RHEL (new, old), SUSE, Alpine and the BSDs."""


def default_ca_file() -> str:
    """Return the path of the CA bundle to trust: SSL_CERT_FILE if set, else the system's, else certifi's.

    A site that added its own CA to the system's bundle is thus trusted without further configuration.
    A path in SSL_CERT_FILE is taken unseen, so that a wrong one fails closed.
    """
    named = os.environ.get("SSL_CERT_FILE")
    if named:
        return named
    return next((path for path in SYSTEM_BUNDLES if Path(path).is_file()), None) or certifi.where()
