"""Which certificate authorities are trusted by default."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest

from core import tls


def test_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mine.pem"))
    assert tls.default_ca_file() == str(tmp_path / "mine.pem")


def test_then_the_first_bundle_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    monkeypatch.setattr(tls, "SYSTEM_BUNDLES", (str(tmp_path / "none.pem"), str(bundle)))
    assert tls.default_ca_file() == str(bundle)


def test_else_the_one_that_comes_with_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setattr(tls, "SYSTEM_BUNDLES", ())
    assert tls.default_ca_file() == certifi.where()


def test_what_is_chosen_here_holds_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert ssl.create_default_context(cafile=tls.default_ca_file()).get_ca_certs()
