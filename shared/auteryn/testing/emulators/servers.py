"""Google's own emulators of Firestore and Pub/Sub, one of each a process, started when they are first asked for.

In this order: a host that runs already (the vendor's environment variable), the local SDK, a container.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Protocol

from auteryn.schema.record import Record

START_SECONDS = 60
"""About one is enough on an idle machine; a laptop that runs a whole suite beside it needs more."""

TRIES = 5
"""Where a port cannot be held, another process may take it before the emulator does."""

IMAGE = "gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators"

_LOOK_SECONDS = 0.02


class Kind(Record):
    """What is to be known about one emulator."""

    name: str
    env: str
    """Where the vendor's clients look for its host."""
    jar: str
    """Under the SDK's `platform` folder."""
    main: tuple[str, ...]
    gcloud: tuple[str, ...]


FIRESTORE = Kind(
    name="firestore",
    env="FIRESTORE_EMULATOR_HOST",
    jar="cloud-firestore-emulator/cloud-firestore-emulator.jar",
    main=("com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start"),
    gcloud=("emulators", "firestore", "start"),
)
PUBSUB = Kind(
    name="pubsub",
    env="PUBSUB_EMULATOR_HOST",
    jar="pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    main=("com.google.cloud.pubsub.testing.v1.Main",),
    gcloud=("beta", "emulators", "pubsub", "start"),
)


class EmulatorMissing(RuntimeError):
    """There is no way to run the emulator here; the message says what to install."""


class Running(Protocol):
    host: str

    def stop(self) -> None: ...


_running: dict[str, Running] = {}


def host_of(kind: Kind) -> str:
    """`host:port` of the emulator, which answers. Starts it the first time; it ends with this process."""
    if kind.name not in _running:
        _running[kind.name] = _start(kind)
        atexit.register(stop_all)
    return _running[kind.name].host


def stop_all() -> None:
    """Everything that was started here has ended."""
    while _running:
        _running.popitem()[1].stop()


def _start(kind: Kind) -> Running:
    host = os.environ.get(kind.env)
    return _Given(kind, host) if host else private(kind)


def private(kind: Kind) -> Running:
    """An emulator of the caller's own, who stops it. Start it from the main thread: it dies with the thread that started it."""
    for way in (_jar, _gcloud):
        if command := way(kind):
            return _Process(kind, command)
    if container := _container(kind):
        return container
    raise EmulatorMissing(
        f"no {kind.name} emulator: start one and set {kind.env}=host:port, or install the Google Cloud SDK with its {kind.name}"
        f" emulator and a Java runtime, or install Docker and `pip install testcontainers`"
    )


class _Given:
    """Somebody else's; it is not stopped here."""

    def __init__(self, kind: Kind, host: str) -> None:
        self.host = host
        if not _answers(host):
            raise EmulatorMissing(f"{kind.env}={host!r}, and nothing answers there: start it, or unset {kind.env}")

    def stop(self) -> None: ...


Command = Callable[[str, int], list[str]]


class _Process:
    """A process group of our own, gone at the latest when this process is."""

    def __init__(self, kind: Kind, command: Command) -> None:
        said = b""
        self._port = contextlib.ExitStack()
        for _ in range(TRIES):
            port = self._port.enter_context(held_port())
            self.host = f"127.0.0.1:{port}"
            with tempfile.TemporaryFile() as log:
                self._child = subprocess.Popen(
                    leashed(command("127.0.0.1", port)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={name: value for name, value in os.environ.items() if name != kind.env},
                )
                if self._answers_in_time():
                    return
                self.stop()
                log.seek(0)
                said = log.read()[-2_000:]
        how = " ".join(command("HOST", 0))
        raise EmulatorMissing(f"the {kind.name} emulator did not start ({how}); it said:\n{said.decode(errors='replace')}")

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._port.close()

    def _answers_in_time(self) -> bool:
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at and self._child.poll() is None:
            if _answers(self.host):
                return True
            time.sleep(_LOOK_SECONDS)
        return False


def _jar(kind: Kind) -> Command | None:
    """The jar itself: the SDK's own launcher takes a second of Python before it."""
    java = shutil.which("java")
    jars = [jar for sdk in _sdk_folders() for jar in sorted((sdk / "platform").glob(kind.jar))]
    if not java or not jars:
        return None
    quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Duser.language=en"]
    return lambda host, port: [java, *quick, "-cp", str(jars[-1]), *kind.main, f"--host={host}", f"--port={port}"]


def _gcloud(kind: Kind) -> Command | None:
    gcloud = shutil.which("gcloud")
    if not gcloud or not shutil.which("java"):
        return None
    return lambda host, port: [gcloud, "--quiet", *kind.gcloud, f"--host-port={host}:{port}"]


DOCKER_SOCKET = Path("/var/run/docker.sock")
"""Where an engine is, unless `DOCKER_HOST` says otherwise. Docker's own client, asked without one, leaves a socket open."""


def _sdk_folders() -> list[Path]:
    found = shutil.which("gcloud")
    beside = [Path(found).resolve().parent.parent] if found else []
    named = [Path(root) for root in (os.environ.get("CLOUDSDK_ROOT_DIR"),) if root]
    return [*named, *beside, Path("/usr/lib/google-cloud-sdk"), Path.home() / "google-cloud-sdk"]


def _container(kind: Kind) -> Running | None:
    if not os.environ.get("DOCKER_HOST") and not DOCKER_SOCKET.exists():
        return None
    try:
        containers: Any = importlib.import_module("testcontainers.core.container")
    except ImportError:
        return None
    return _Container(kind, containers.DockerContainer(IMAGE))


class _Container:
    def __init__(self, kind: Kind, container: Any) -> None:
        port = 8080
        container.with_exposed_ports(port).with_command(["gcloud", *kind.gcloud, f"--host-port=0.0.0.0:{port}"])
        self._container = container.start()
        self.host = f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
        give_up_at = time.monotonic() + START_SECONDS
        while not _answers(self.host):
            if time.monotonic() > give_up_at:
                self.stop()
                raise EmulatorMissing(f"the {kind.name} emulator in {IMAGE} did not answer within {START_SECONDS} s")
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        self._container.stop()


@contextlib.contextmanager
def held_port() -> Generator[int]:
    """A port of this machine that is given to nobody else meanwhile: a server may listen there, go, and come again. While none
    does, whoever connects is refused. Beside a held one only Linux lets a server listen; elsewhere it is free at once."""
    with socket.socket() as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holding.bind(("127.0.0.1", 0))
        port: int = holding.getsockname()[1]
        if sys.platform != "linux":
            holding.close()
        yield port


def _answers(host: str) -> bool:
    """Whether it speaks HTTP: the port opens before the emulator can be used."""
    name, _, port = host.rpartition(":")
    try:
        with socket.create_connection((name.strip("[]"), int(port)), timeout=1) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: emulator\r\nConnection: close\r\n\r\n")
            return connection.recv(4) == b"HTTP"
    except (OSError, ValueError):
        return False


def leashed(command: Sequence[str]) -> list[str]:
    """The command as a child that is killed when this process dies, where the system can do that.

    Not by `preexec_fn`: that forks, and a fork beside gRPC's threads may hang.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else list(command)


def household(command: Sequence[str]) -> list[str]:
    """`leashed` for a server with workers, whom a kill of the server alone would leave behind. Needs a session of its own.

    The shell between waits for the server, however often a signal wakes it, and takes the whole session along when this
    process dies. SIGHUP would not tell it under `nohup`: a shell cannot trap what it was born to ignore.
    """
    setpriv, shell = shutil.which("setpriv"), shutil.which("sh")
    return [setpriv, "--pdeathsig", "USR1", "--", shell, "-c", _HOUSEHOLD, *command] if setpriv and shell else list(command)


_HOUSEHOLD = """
trap 'kill -KILL 0' USR1
trap : TERM INT
"$0" "$@" &
while kill -0 $!; do wait $!; done 2>/dev/null
"""
