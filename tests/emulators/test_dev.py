"""`auteryn dev`: a cloud that ends with the process that was asked for it, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

GONE_SECONDS = 20


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_functions_workers_and_slices_go_with_it(how: signal.Signals, firestore_emulator: str, pubsub_emulator: str) -> None:
    env = {**os.environ, "FIRESTORE_EMULATOR_HOST": firestore_emulator, "PUBSUB_EMULATOR_HOST": pubsub_emulator}
    command = ["nohup", sys.executable, "-m", "auteryn", "dev", "--port", "0", "--scripted", "Hello!", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as dev:
        assert dev.stdout
        told = json.loads(dev.stdout.readline())
        headers = {"Authorization": f"Bearer {told['key']}"}
        made = httpx2.post(f"{told['url']}/v1/runs", json={"input": "Say it", "mode": "deep"}, headers=headers, timeout=60)
        result = httpx2.get(f"{told['url']}/v1/runs/{made.json()['id']}/result?wait=50", headers=headers, timeout=60)
        assert result.json()["result"] == "Hello!"
        family = set(below(dev.pid))
        assert len(family) >= 5  # two shells, two servers and their workers, and the one whose children the slices are

        dev.send_signal(how)
        dev.wait()

        give_up_at = time.monotonic() + GONE_SECONDS
        while (left := {one for one in family if lives(one)}) and time.monotonic() < give_up_at:
            time.sleep(0.05)
        assert left == set()


def below(pid: int) -> Iterator[int]:
    """A process's children and theirs."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            for child in children.read_text().split():
                yield int(child)
                yield from below(int(child))


def lives(pid: int) -> bool:
    """It may be dead and not yet buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it has gone, or is going
        return False
