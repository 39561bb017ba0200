"""A mirror site as an operator has it: a folder with a configuration, and the real program run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.datastore import DataStore

HERE = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from tui.cli import main; main()"]
SECONDS = 100
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a program from a small process: what is measured begins with the memory of whoever starts it."""


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Site:
    """Runs `mirrortui` in a folder of its own; nothing of the environment leaks in."""

    def __init__(self, folder: Path, url: str, *, engine: str = "", mirror: str = "", more: str = ""):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "mirrortui.toml"
        self.data = folder / "data"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(HERE)}
        self.configure(url, engine=engine, mirror=mirror, more=more)

    def configure(self, url: str, *, engine: str = "", mirror: str = "", more: str = "") -> None:
        self.config.write_text(
            f'[engine]\nstate = "mirror.db"\nmin_free = "0"\n{engine}\n\n'
            f'[[mirror]]\nname = "ps1"\nprotocol = "ipp"\nurl = "{url}"\ndestination = "data"\n{mirror}\n\n{more}\n'
        )

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **kwargs: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        process = self.start(*arguments, env=env)
        out, err = process.communicate(timeout=SECONDS)
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)

    def run_under(self, program: Sequence[str], *arguments: str) -> Ended:
        """Run the program under another one, strace(1) or setpriv(1), say."""
        done = subprocess.run(
            [*program, *COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def measured(self, *arguments: str) -> tuple[int, int]:
        """Run the program; return its exit code and its peak of memory in bytes."""
        command = [sys.executable, "-c", MEASURE, *COMMAND, *arguments]
        ended = subprocess.run(
            command, check=True, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        code, peak_kib = map(int, ended.stdout.split())
        return code, peak_kib * 1024

    def once(self, *arguments: str) -> Any:
        """Run ``--once --json`` and return its object; the exit code in it is the process's."""
        ended = self.run("--once", "--json", *arguments)
        found = ended.json
        assert found["exit_code"] == ended.code, ended
        return found

    def published(self) -> dict[str, bytes]:
        """Return every data file of the published tree by its path, indexes left out."""
        # Unlike rglob(), walk() bears with a folder that a running engine takes away meanwhile.
        paths = sorted(Path(folder, name) for folder, _, names in os.walk(self.data) for name in names)
        return {
            str(path.relative_to(self.data)): path.read_bytes()
            for path in paths
            if path.is_file() and path.name != "index.txt" and ".mirrortui" not in path.parts
        }

    def log(self) -> str:
        file = self.folder / "mirrortui.log"
        return file.read_text() if file.exists() else ""


def counts(found: Any, product: str) -> dict[str, int]:
    """Return the fileset counts of one product in the JSON of a run."""
    products = [one for mirror in found["mirrors"] for one in mirror["products"] if one["name"] == product]
    assert len(products) == 1, found
    return dict(products[0]["filesets"])


def fill(store: DataStore, products: int = 2, filesets: int = 5, files: int = 4, size: int = 3000) -> dict[str, bytes]:
    """Register synthetic filesets; return what a mirror has to hold, by path."""
    expected: dict[str, bytes] = {}
    for p in range(products):
        store.add_product(f"prod{p}")
        for s in range(filesets):
            expected |= register(store, f"prod{p}", f"o47{p}.chip.{s}", files, size)
    return expected


def register(store: DataStore, product: str, fileset: str, files: int = 4, size: int = 3000) -> dict[str, bytes]:
    """Register one fileset; return its files by path."""
    content = {f"{fileset}.{n}.fits": (f"{product}/{fileset}/{n}|".encode() * size)[: size + n] for n in range(files)}
    store.add_fileset(product, fileset, dict(content), registered="2026-11-01T00:00:00Z")
    return {f"{product}/{fileset}/{name}": body for name, body in content.items()}
