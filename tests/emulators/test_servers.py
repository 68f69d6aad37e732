"""The emulators: started when asked for, gone with who asked, and never silently absent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.cloud import firestore

from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, EmulatorMissing, Kind, held_port, host_of

ASKS = """
import sys
from auteryn.testing.emulators import servers
print(servers.host_of(getattr(servers, sys.argv[1])), flush=True)
sys.stdin.read()
"""


def asking(name: str, **env: str) -> subprocess.Popen[str]:
    """A process of its own that asks for the emulator and says where it is."""
    command = [sys.executable, "-c", ASKS, name]
    clean = {key: value for key, value in os.environ.items() if key not in (FIRESTORE.env, PUBSUB.env)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**clean, **env})


def is_open(host: str) -> bool:
    name, _, port = host.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((name, int(port))) == 0


def closes(host: str) -> bool:
    """Within some seconds: a process that is killed takes a moment to go."""
    give_up_at = time.monotonic() + 10
    while is_open(host) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return not is_open(host)


@pytest.mark.parametrize("how", [signal.SIGKILL, None], ids=["killed", "ended"])
def test_an_emulator_is_gone_when_its_process_is(how: signal.Signals | None) -> None:
    """However it goes."""
    with asking("FIRESTORE") as asker:
        assert asker.stdin and asker.stdout
        host = asker.stdout.readline().strip()
        assert is_open(host)

        if how:
            asker.send_signal(how)
        else:
            asker.stdin.close()
        asker.wait()

        assert closes(host)


def test_one_that_runs_already_is_used_and_left_running(firestore_emulator: str) -> None:
    """Whoever started it."""
    with asking("FIRESTORE", FIRESTORE_EMULATOR_HOST=firestore_emulator) as asker:
        told, _ = asker.communicate("")

    assert told.strip() == firestore_emulator
    assert is_open(firestore_emulator)


@pytest.mark.parametrize("kind", [FIRESTORE, PUBSUB], ids=lambda kind: kind.name)
def test_an_address_where_nothing_answers_is_said_loudly(kind: Kind) -> None:
    """Rather than that every call hangs."""
    with held_port() as port, asking(kind.name.upper(), **{kind.env: f"127.0.0.1:{port}"}) as asker:
        told, complaint = asker.communicate("")

    assert told == ""
    assert "EmulatorMissing" in complaint
    assert kind.env in complaint


def test_without_any_way_to_run_one_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No SDK, no Java, no container."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(FIRESTORE.env, raising=False)
    unknown = Kind(name="unknown", env="UNKNOWN_EMULATOR_HOST", jar="none.jar", main=(), gcloud=())

    with pytest.raises(EmulatorMissing, match=r"UNKNOWN_EMULATOR_HOST.*Cloud SDK.*testcontainers"):
        host_of(unknown)


def test_a_project_is_empty_and_its_own(firestore_emulator: str, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another project holds is not in it."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    here, beside = firestore.Client(project=project), firestore.Client(project=f"{project}-2")
    beside.document("things/one").set({"is": "there"})

    assert not here.document("things/one").get().exists
    assert beside.document("things/one").get().exists


def test_an_emulator_that_was_stopped_is_started_anew_when_asked_for() -> None:
    """Elsewhere: this process's own goes on."""
    program = ASKS.replace("sys.stdin.read()", "servers.stop_all(); print(servers.host_of(servers.FIRESTORE))")
    env = {key: value for key, value in os.environ.items() if key != FIRESTORE.env}
    ran = subprocess.run([sys.executable, "-c", program, "FIRESTORE"], capture_output=True, text=True, check=True, env=env)

    first, second = ran.stdout.split()
    assert first != second
