"""Secrets of a configuration: where they come from, and that none is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.config import exposed_secret, load_config
from core.errors import ConfigError
from tests.core.config.written import Write, complaint

pytestmark = pytest.mark.usefixtures("unconfigured")


def test_secrets_are_never_shown(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PS1_TOKEN", "t0ps3cret")
    config = load_config(write(mirror='bearer_env = "PS1_TOKEN"\nheaders = { X-Key = "k3ys3cret" }\n'))
    shown = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {json.dumps(str(config))}"
    assert "s3cret" not in shown
    mirror = config.mirrors[0]
    assert mirror.credential_headers() == (("X-Key", "k3ys3cret"), ("Authorization", "Bearer t0ps3cret"))
    assert set(config.secrets()) == {"t0ps3cret", "k3ys3cret"}


def test_a_header_is_a_secret_by_its_origin_or_by_its_name(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE", "from-the-environment")
    headers = '{ X-V = "1", Accept = "text/plain", X-Site = "env:SITE", Cookie = "sid=1", X-Auth-User = "me" }'
    mirror = load_config(write(mirror=f"headers = {headers}\n")).mirrors[0]
    assert set(mirror.secrets()) == {"from-the-environment", "sid=1", "me"}
    assert ("X-V", "1") in mirror.credential_headers()
    assert ("X-Site", "from-the-environment") in mirror.credential_headers()


def test_secrets_cover_what_basic_authentication_sends(write: Write) -> None:
    path = write()
    path.write_text(path.read_text().replace("http://", "http://Aladdin:open%20sesame@"))
    assert set(load_config(path).secrets()) == {"open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


@pytest.mark.parametrize(
    ("mirror", "url"),
    [
        ('password = "s3cret"\n', ""),
        ('password_env = "s3cret!"\n', ""),
        ('password_env = "s3cret"\n', ""),
        ('bearer_env = "s3cret"\n', ""),
        ('bearer = "s3cret"\n', ""),
        ('headers = { X-Key = "s3cret\\n" }\n', ""),
        ('headers = { X-Key = "env:s3cret!" }\n', ""),
        ('headers = { X-Key = "env:s3cret" }\n', ""),
        ('username = "you"\n', "http://me:s3cret@host/ds"),
        ("", "me:s3cret@host/ds"),
        ("", "http://me:s3cret@host:port/ds"),
        ("", "http://me:s3cret@[host/ds"),
        ("", "http://host/ds?token=s3cret"),
        ("", "ftp://me:s3cret@host/ds"),
    ],
)
def test_no_complaint_holds_a_secret(write: Write, mirror: str, url: str) -> None:
    path = write(mirror=mirror)
    if url:
        path.write_text(path.read_text().replace("http://127.0.0.1:8080/ds", url))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    chain = (caught.value, caught.value.__cause__, caught.value.__context__)
    assert "expected" in str(caught.value)
    assert not any("s3cret" in str(error) + repr(error) for error in chain)


def test_there_is_one_way_to_log_in(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    for key in ("password_env", "password_file"):
        private(write().with_name("SECRET"), "x")
        assert f"{key}: expected username beside it" in complaint(write(mirror=f'{key} = "SECRET"\n'))
    both = 'username = "me"\npassword_env = "SECRET"\npassword_file = "SECRET"\n'
    assert "expected only one of password_env and password_file" in complaint(write(mirror=both))
    for two in (
        'username = "me"\npassword_env = "SECRET"\nbearer_env = "SECRET"\n',
        'bearer_env = "SECRET"\nheaders = { authorization = "x" }\n',
        'bearer_env = "SECRET"\nbearer_file = "SECRET"\n',
        'username = "me"\nnetrc = "SECRET"\n',
    ):
        assert "expected only one of username, netrc, bearer_env, bearer_file and a header" in complaint(
            write(mirror=two)
        )
    monkeypatch.setenv("SECRET", "x\ny")
    assert "bearer_env: expected printable ASCII" in complaint(write(mirror='bearer_env = "SECRET"\n'))


def private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_a_secret_comes_from_the_first_line_of_a_file(write: Write, tmp_path: Path) -> None:
    private(tmp_path / "ps1.password", "  p@ss wörd \r\nanother line\n")
    mirror = load_config(write(mirror='username = "me"\npassword_file = "ps1.password"\n')).mirrors[0]
    assert mirror.login() == ("me", "p@ss wörd")
    assert "p@ss wörd" in mirror.secrets()
    private(tmp_path / "ps1.token", "t0ken")
    mirror = load_config(write(mirror='bearer_file = "ps1.token"\n')).mirrors[0]
    assert mirror.credential_headers() == (("Authorization", "Bearer t0ken"),)
    assert mirror.secrets() == ("t0ken",)


NETRC = "machine other login you password wrong\nmachine 127.0.0.1\n  login me\n  password s3cret\n"


@pytest.mark.parametrize("named", [False, True])
def test_user_and_password_come_from_netrc_by_the_host(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / ("ps1.netrc" if named else ".netrc"), NETRC)
    config = load_config(write(mirror='netrc = "ps1.netrc"\n' if named else "netrc = true\n"))
    assert config.mirrors[0].login() == ("me", "s3cret")
    assert "s3cret" not in f"{config!r} {config.model_dump()} {config.model_dump_json()}"
    assert "s3cret" in config.secrets()


def test_no_netrc_is_read_unless_it_is_asked_for(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / ".netrc", NETRC)
    assert load_config(write()).mirrors[0].login() == (None, None)
    assert load_config(write(mirror="netrc = false\n")).mirrors[0].login() == (None, None)


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("password_file", None, 'password_file: expected a file that exists, but there is no "{file}"'),
        ("bearer_file", b"\ntoken", 'bearer_file: expected the secret in the first line of "{file}"'),
        ("password_file", b"a\x00b", 'password_file: expected the secret in the first line of "{file}"'),
        ("password_file", b"\xff\n", 'password_file: expected UTF-8 text in "{file}"'),
        ("netrc", None, 'netrc: expected a file that exists, but there is no "{file}"'),
        ("netrc", b"s3cret", 'netrc: expected netrc\'s format in "{file}", line 1'),
        ("netrc", b"machine 127.0.0.1 login me s3cret", 'netrc: expected netrc\'s format in "{file}", line 1'),
        (
            "netrc",
            b"machine h login me password s3cret",
            'expected machine 127.0.0.1 with login and password in "{file}"',
        ),
        (
            "netrc",
            b"machine 127.0.0.1 password s3cret",
            'expected machine 127.0.0.1 with login and password in "{file}"',
        ),
    ],
)
def test_a_file_without_a_usable_secret_is_named(
    write: Write, tmp_path: Path, key: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        private(file, "")
        file.write_bytes(content)
    user = 'username = "me"\n' if key == "password_file" else ""
    line = complaint(write(mirror=f'{user}{key} = "secret"\n'))
    assert line.startswith('[[mirror]] "ps1": ')
    assert said.format(file=file) in line
    assert "s3cret" not in line


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
@pytest.mark.parametrize("key", ["password_file", "bearer_file", "netrc"])
def test_a_file_with_a_secret_is_for_its_owner_alone(write: Write, tmp_path: Path, key: str, mode: int) -> None:
    private(tmp_path / "secret", "machine 127.0.0.1 login me password s3cret").chmod(mode)
    user = 'username = "me"\n' if key == "password_file" else ""
    path = write(mirror=f'{user}{key} = "secret"\n')
    expected = f'expected a file that only its owner can read: chmod 600 "{tmp_path / "secret"}"'
    assert complaint(path) == f'[[mirror]] "ps1": {key}: {expected}'
    (tmp_path / "secret").chmod(0o400)
    assert load_config(path).secrets()


def test_a_file_that_never_ends_is_no_secret(write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "expected a file that exists" in complaint(write(mirror='bearer_file = "pipe"\n'))


def test_a_configuration_with_credentials_is_not_for_everybody_to_write_to(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    path = write(mirror='bearer_env = "SECRET"\n')
    path.chmod(0o666)
    assert complaint(path) == f"names credentials, but everybody may write to it: chmod o-w {path}"
    path.chmod(0o664)
    assert load_config(path).secrets()
    path = write()
    path.chmod(0o666)
    assert load_config(path)


@pytest.mark.parametrize("written", ['headers = { Cookie = "sid=1" }\n', "user in the URL"])
def test_a_secret_within_the_configuration_should_be_readable_to_its_owner_alone(write: Write, written: str) -> None:
    path = write(mirror=written if "=" in written else "")
    if "=" not in written:
        path.write_text(path.read_text().replace("http://", "http://me:s3cret@"))
    path.chmod(0o640)
    assert f"{path}: holds a secret, and others can read it: chmod 600" in str(exposed_secret(path, load_config(path)))
    path.chmod(0o600)
    assert exposed_secret(path, load_config(path)) is None


def test_the_passwords_of_proxies_are_secrets(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://Aladdin:open%20sesame@proxy:3128/")
    assert {"open sesame", "open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="} == set(load_config(write()).secrets())


def test_a_process_that_contacts_no_source_needs_no_secrets(write: Write) -> None:
    path = write(
        mirror='username = "me"\npassword_env = "NO_SUCH"\nheaders = { A = "env:NO_SUCH", B = "b" }\n',
        more="".join(
            f'[[mirror]]\nname = "{name}"\nprotocol = "ipp"\nurl = "http://h"\ndestination = "{name}"\n{way}\n'
            for name, way in {
                "b": 'bearer_env = "NO_SUCH"',
                "c": 'bearer_file = "NO_SUCH"',
                "d": 'netrc = "NO_SUCH"',
                "e": 'username = "me"\npassword_file = "NO_SUCH"',
            }.items()
        ),
    )
    mirror = load_config(path, with_secrets=False).mirrors[0]
    assert mirror.login() == ("me", None)
    assert mirror.credential_headers() == (("B", "b"),)
    assert complaint(path, with_secrets=True).count("NO_SUCH") == 6
