"""Programs in a network, and with host names, of their own: only what they are given there exists."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.whole.site import HERE

PUBLIC = "93.184.216.34"
INSIDE = "127.0.0.1 inside.example\n"
_HOSTS = 'hosts=$(mktemp) && printf "$0" > $hosts && mount --bind $hosts /etc/hosts && rm -f $hosts'
_NETWORK = f'{_HOSTS} && ip link set lo up && ip address add {PUBLIC}/32 dev lo && exec "$@"'


def apart(program: str, *arguments: str, hosts: str = INSIDE) -> subprocess.CompletedProcess[str]:
    """Run a Python program where the machine has a public address, and `hosts` are all the names there are.

    The program may write further names to ``/etc/hosts``, which is its own.
    """
    spaces = ["unshare", "--map-root-user", "--net", "--mount"]
    command = [*spaces, "sh", "-c", _NETWORK, hosts, sys.executable, "-c", program]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE)}
    return subprocess.run([*command, *arguments], env=environment, check=False, capture_output=True, text=True)


needs_namespaces = pytest.mark.skipif(
    apart("").returncode != 0, reason="this machine lets nobody make a network of their own"
)
