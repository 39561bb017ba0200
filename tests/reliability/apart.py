"""Programs in a network, and with host names, of their own: only what they are given there exists."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.whole.site import HERE

PUBLIC = "93.184.216.34"
LINK_LOCAL = "169.254.169.254"
INSIDE = f"127.0.0.1 inside.example\n{LINK_LOCAL} metadata.example\n"
_HOSTS = 'hosts=$(mktemp) && printf "$0" > $hosts && mount --bind $hosts /etc/hosts && rm -f $hosts'
_ADDRESSES = " && ".join(f"ip address add {address}/32 dev lo" for address in (PUBLIC, LINK_LOCAL))
_NETWORK = f'{_HOSTS} && ip link set lo up && {_ADDRESSES} && exec "$@"'


def apart(program: str, *arguments: str, hosts: str = INSIDE) -> subprocess.CompletedProcess[str]:
    """Run a Python program where the machine has these two addresses, too, and `hosts` are all the names there are.

    The program may write further names to ``/etc/hosts``, which is its own.
    """
    spaces = ["unshare", "--map-root-user", "--net", "--mount"]
    command = [*spaces, "sh", "-c", _NETWORK, hosts, sys.executable, "-c", program]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE)}
    return subprocess.run([*command, *arguments], env=environment, check=False, capture_output=True, text=True)


needs_namespaces = pytest.mark.skipif(
    apart("").returncode != 0, reason="this machine lets nobody make a network of their own"
)
