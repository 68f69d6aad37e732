"""Whatever code does in there, nothing of it reaches the host: fourteen attacks and three controls, behind every wall."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auteryn import compose
from auteryn.errors import Invalid, ToolFailed
from auteryn.testing.scripted import ScriptedModel
from auteryn.tools.egress_proxy import proxy
from auteryn.tools.sandbox import box, ladder, launch
from auteryn.tools.sandbox.box import Job, Limits, Ran, Sandbox, python
from auteryn.tools.sandbox.bubblewrap import Bubblewrap
from auteryn.tools.sandbox.cloud_run import CloudRun
from auteryn.tools.sandbox.landlock import Landlock
from unit.tools.fault_server import FaultServer

STAND_IN = f"""#!{sys.executable} -IS
import os, sys
argv, at, sources = sys.argv[1:], 1, []
assert argv[0] == "do"
line = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
line += ["--ro-bind", "/", "/", "--tmpfs", "/root", "--tmpfs", "/tmp"]
line += ["--tmpfs", "/etc/ssh", "--proc", "/proc", "--dev", "/dev", "--clearenv"]
for own in {[path for path in box.readable() if path.startswith(("/root/", "/tmp/"))]!r}:
    line += ["--ro-bind", own, own]
while argv[at] in ("-e", "--mount"):
    if argv[at] == "-e":
        line += ["--setenv", *argv[at + 1].split("=", 1)]
    else:
        fields = dict(one.partition("=")[::2] for one in argv[at + 1].split(","))
        line += ["--ro-bind" if "readonly" in fields else "--bind", fields["source"], fields["destination"]]
        sources.append(fields["source"])
    at += 2
order = {{"uid": os.stat(sources[0]).st_uid, "reach": [*sources, *{box.readable()!r}], "argv": [*line, *argv[at:]]}}
sys.path.append({str(Path(launch.__file__).parent)!r})
import launch
launch.main(order)
"""
"""Plays Cloud Run's command: the same words, the same promises (no environment, no network, a root that is read only)."""


class Host:
    """What lies outside of the wall, and code that runs behind it."""

    def __init__(self, wall: Sandbox, folder: Path) -> None:
        self.wall, self.folder = wall, folder
        folder.chmod(0o777)  # only the wall is to stand in the way
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.secret = folder / "secret.txt"
        self.secret.write_text("the secret")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self, code: str, **more: object) -> Ran:
        names = {"SECRET": str(self.secret), "PORT": self.port, "HOST": os.getpid(), "FOLDER": str(self.folder)}
        prelude = "\n".join(f"{name} = {value!r}" for name, value in names.items())
        argv = [python(), "-I", "-c", f"import os, socket, subprocess, sys, time\n{prelude}\n{code}"]
        return asyncio.run(self.wall.run(Job(argv=argv, workspace=self.workspace, **more)))  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        self.listener.close()


@pytest.fixture(params=["bubblewrap", "landlock", "cloud-run"])
def wall(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Every rung there is. Cloud Run's command is played by a stand-in."""
    if request.param != "cloud-run":
        return Bubblewrap() if request.param == "bubblewrap" else Landlock()
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sandbox").write_text(STAND_IN)
    (programs / "sandbox").chmod(0o755)
    monkeypatch.setattr(box, "HOST_PATH", f"{programs}:{box.HOST_PATH}")
    return CloudRun()


@pytest.fixture
def host(wall: Sandbox, tmp_path: Path) -> Iterator[Host]:
    place = tmp_path / "host"
    place.mkdir()
    tmp_path.chmod(0o755)
    made = Host(wall, place)
    yield made
    made.close()


READS = """
for path in PATHS:
    try:
        open(path).read()
        print("GOT", path)
    except OSError:
        pass
"""
ATTACKS = {
    "a secret of the host": "PATHS = [SECRET]" + READS,
    "the system's passwords": "PATHS = ['/etc/shadow', '/root/.bashrc', '/etc/ssh/ssh_config']" + READS,
    "the engine's environment": "PATHS = [f'/proc/{HOST}/environ', f'/proc/{os.getppid()}/environ']\n"
    + READS.replace("open(path).read()", "assert 'SECRET_OF_THE_ENGINE' in open(path).read()").replace("OSError", "Exception"),
    "a listener of the host": """
try:
    socket.create_connection(("127.0.0.1", PORT), 1)
    print("GOT")
except OSError:
    pass
""",
    "the metadata server": """
for host in ("169.254.169.254", "metadata.google.internal", "fd20:ce::254"):
    try:
        socket.create_connection((host, 80), 1)
        print("GOT", host)
    except OSError:
        pass
""",
    "a datagram or a look-up": """
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"out", ("127.0.0.1", PORT_OF_DATAGRAMS))
except OSError:
    pass
""",
    "a socket in a file or in a name": """
for path in (FOLDER + "/host.sock", NAME):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        print("GOT", path)
    except OSError:
        pass
""",
    "writing outside": """
for path in (FOLDER + "/out", "/etc/out", "/usr/out", os.path.dirname(os.getcwd()) + "/out"):
    try:
        open(path, "w").write("x")
        print("WROTE", path)
    except OSError:
        pass
""",
    "writing through a link": """
os.symlink(SECRET, "link")
try:
    open("link", "w").write("x")
except OSError:
    pass
try:
    os.link(SECRET, "hard")
    print("GOT", open("hard").read())
except OSError:
    pass
""",
    "a signal to the engine": """
for pid in (HOST, os.getppid()):
    try:
        os.kill(pid, 0)
        if pid == HOST:
            print("GOT", pid)
    except OSError:
        pass
""",
    "namespaces and mounts of its own": """
import ctypes
libc = ctypes.CDLL(None)
if libc.unshare(0x10000000) == 0:
    print("GOT a user namespace")
if libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) == 0:
    print("GOT a mount")
if libc.ptrace(16, HOST, 0, 0) == 0:
    print("GOT the engine")
""",
    "a flood of processes": """
count = 0
try:
    while count < 400:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
except OSError:
    pass
print("GOT" if count >= 100 else "stopped")
""",
    "all the memory": """
try:
    body = bytearray(4 << 30)
    print("GOT")
except MemoryError:
    pass
""",
    "all the disk": """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("big", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    print("GOT")
except OSError:
    os.remove("big")
""",
}


def test_fourteen_attacks_are_known() -> None:
    assert len(ATTACKS) == 14


@pytest.mark.proves("L14")
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_attack_gets_nothing(host: Host, attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_ENGINE", "yes")
    with contextlib.ExitStack() as open_things:
        datagrams = open_things.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        datagrams.setblocking(False)
        in_file, in_name = (open_things.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        in_file.bind(str(host.folder / "host.sock"))
        (host.folder / "host.sock").chmod(0o777)
        in_name.bind(name := f"\0auteryn-test-{os.getpid()}")
        for one in (in_file, in_name):
            one.listen()
        port = datagrams.getsockname()[1]
        code = f"PORT_OF_DATAGRAMS, NAME = {port}, {name!r}\n{ATTACKS[attack]}"
        ran = host.run(code, limits=Limits(seconds=20, file_bytes=32 << 20))
        assert ran.exit_code == 0, ran
        assert b"GOT" not in ran.stdout, ran.stdout
        with pytest.raises(BlockingIOError):
            datagrams.recv(10)
    assert host.secret.read_text() == "the secret"
    assert sorted(path.name for path in host.folder.iterdir()) == ["host.sock", "secret.txt", "workspace"]
    assert not Path("/etc/out").exists() and not Path("/usr/out").exists()


def test_code_works_on_the_files_and_they_stay(host: Host) -> None:
    (host.workspace / "in").mkdir()
    (host.workspace / "in/a.csv").write_text("1,2\n3,4\n")
    ran = host.run(
        "rows = [line.split(',') for line in open('in/a.csv')]\n"
        "open('sum.txt', 'w').write(str(sum(int(b) for _, b in rows)))\n"
        "open('in/a.csv', 'a').write('5,6\\n')\n"
        "print(sys.stdin.read(), open(os.environ['INPUTS'] + '/note').read())",
        stdin=b"said",
        inputs={"note": b"given"},
    )
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, b"said given\n", b"")
    assert (host.workspace / "sum.txt").read_text() == "6" and (host.workspace / "in/a.csv").read_text().endswith("5,6\n")


def test_programs_and_libraries_run_and_the_exit_code_is_theirs(host: Host) -> None:
    ran = host.run("import json, sqlite3, ssl\nsys.exit(subprocess.run(['sh', '-c', 'echo to err >&2; exit 7']).returncode)")
    assert (ran.exit_code, ran.stderr) == (7, b"to err\n")
    assert host.run("os.kill(os.getpid(), 11)").exit_code == 128 + 11


def test_a_temporary_folder_is_there_and_gone_afterwards(host: Host) -> None:
    ran = host.run("import tempfile\nfd, path = tempfile.mkstemp()\nos.write(fd, b'x')\nprint(path)")
    assert ran.exit_code == 0 and not Path(ran.stdout.decode().strip()).exists()
    left = "print([one.name for one in os.scandir(os.environ['TMPDIR']) if not one.is_dir()])"  # the installation may lie there
    assert host.run(left).stdout == b"[]\n"


@pytest.mark.proves("L10")
def test_nothing_is_alive_after_the_call(host: Host) -> None:
    mark = f"auteryn-{os.urandom(4).hex()}"
    code = f"""
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in (0, 1, 2):
                os.close(fd)
            os.execvp("sleep", ["{mark}", "300"])
        os._exit(0)
time.sleep(0.2)
"""
    assert host.run(code).exit_code == 0
    assert alive(mark) == []


def test_an_endless_program_ends_with_its_time_and_with_its_call(host: Host) -> None:
    mark = f"auteryn-{os.urandom(4).hex()}"
    endless = (
        f"if os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['{mark}', '300'])\nopen('begun', 'w')\nwhile True: pass"
    )
    for seconds in (1, 4, 16):  # a busy machine needs more to begin
        ran = host.run(endless, limits=Limits(seconds=seconds))
        assert ran.stopped == "timeout" and ran.seconds < seconds + 14 and alive(mark) == []
        if (host.workspace / "begun").exists():
            break

    async def cancelled() -> None:
        (host.workspace / "begun").unlink()
        argv = [python(), "-I", "-c", f"import os\n{endless}"]
        task = asyncio.create_task(host.wall.run(Job(argv=argv, workspace=host.workspace)))
        while not (host.workspace / "begun").exists():
            await asyncio.wait([task], timeout=0.01)
            assert not task.done(), task.result()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert alive(mark) == []

    asyncio.run(cancelled())


def test_a_killed_engine_takes_its_sandbox_with_it(host: Host, tmp_path: Path) -> None:
    """The engine is killed without a chance to clean up; the code it ran dies with it."""
    mark = f"auteryn-{os.urandom(4).hex()}"
    (tmp_path / "engine.py").write_text(
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from auteryn.tools.sandbox import box\n"
        "from auteryn.tools.sandbox.box import Job\n"
        f"from {type(host.wall).__module__} import {type(host.wall).__name__} as Wall\n"
        f"box.HOST_PATH = {box.HOST_PATH!r}\n"
        f"code = \"import os, subprocess; open('begun', 'w'); os.execvp('sleep', ['{mark}', '300'])\"\n"
        f"asyncio.run(Wall().run(Job(argv=[box.python(), '-I', '-c', code], workspace=Path({str(host.workspace)!r}))))\n"
    )
    engine = subprocess.Popen([sys.executable, str(tmp_path / "engine.py")])
    while not alive(mark):
        assert engine.poll() is None
    engine.kill()
    engine.wait()
    for _ in range(2_000):
        if not alive(mark):
            break
        os.sched_yield()
        subprocess.run(["true"], check=True)
    assert alive(mark) == []


def alive(mark: str) -> list[str]:
    found = list[str]()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if place.read_bytes().split(b"\0")[0] == mark.encode():
                found.append(place.parent.name)
    return found


def test_much_output_is_kept_at_both_ends(host: Host) -> None:
    ran = host.run("for n in range(200_000): print(n)", limits=Limits(output_bytes=10_000))
    assert ran.stdout.startswith(b"0\n1\n") and ran.stdout.endswith(b"199999\n")
    assert len(ran.stdout) < 100_000 and ran.left_out > 1_000_000 and b"bytes left out" in ran.stdout


# ---- the way out -----------------------------------------------------------------------------------------------


def test_the_only_way_out_is_the_guard(tmp_path: Path) -> None:
    site = FaultServer()
    site.on("/prices", "nine")
    place = tmp_path / "host"
    place.mkdir()
    tmp_path.chmod(0o755)
    host = Host(Bubblewrap(), place)
    code = f"""
import urllib.request
def ask(url):
    try:
        return urllib.request.urlopen(url, timeout=5).read().decode()
    except Exception as error:
        return type(error).__name__ + " " + str(getattr(error, "code", ""))
print(ask("http://shop.test:{site.port}/prices"))
print(ask("http://169.254.169.254/computeMetadata/v1/"))
print(ask("http://127.0.0.1:{host.port}/"))
try:
    socket.create_connection(("127.0.0.1", {site.port}), 1)
    print("GOT")
except OSError:
    print("direct: refused")
"""

    async def story() -> Ran:
        async with proxy(site.egress("shop.test"), socket=place / "egress.sock") as running:
            (place / "egress.sock").chmod(0o666)
            names = f"import socket, os\n{code}"
            job = Job(argv=[python(), "-I", "-c", names], workspace=host.workspace, egress=place / "egress.sock")
            ran = await host.wall.run(job)
            assert [bool(one.refused) for one in running.passages] == [False, True, True]
            return ran

    try:
        assert asyncio.run(story()).stdout.decode().splitlines() == [
            "nine",
            "HTTPError 403",
            "HTTPError 403",
            "direct: refused",
        ]
    finally:
        host.close()
        site.close()


# ---- the ladder --------------------------------------------------------------------------------------------------


class Broken:
    """A wall that lets through what it is told to."""

    def __init__(self, name: str, run: Callable[[Job], Ran], unfit: str | None = None) -> None:
        self.name, self.gives_network, self._run, self._unfit = name, True, run, unfit

    def unfit(self) -> str | None:
        return self._unfit

    async def run(self, job: Job) -> Ran:
        return self._run(job)


def naked(job: Job) -> Ran:
    """No wall at all."""
    done = subprocess.run(job.argv, cwd=job.workspace, capture_output=True, check=False)
    return Ran(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_the_first_rung_that_holds_the_canary_is_taken_and_all_is_told() -> None:
    dead = Broken("dead", lambda job: Ran(exit_code=1, stdout=b"", stderr=b"bwrap: no permissions to create a namespace"))
    absent = Broken("absent", naked, unfit="there is none")
    good = Broken("good", lambda job: Ran(exit_code=0, stdout=b"ran\nkept\n", stderr=b""))
    found = asyncio.run(ladder.climb([absent, dead, Broken("naked", naked), good, Broken("never tried", naked)]))
    assert found.sandbox is good
    assert {one.rung: one.why for one in found.seen} == {
        "absent": "there is none",
        "dead": "it does not start: bwrap: no permissions to create a namespace",
        "naked": "code reached a listener of the host, code read a file of the host, code wrote outside",
        "good": "",
    }
    assert found.words.startswith("good held the canary; the network through the egress proxy (absent: there is none;")


def test_without_a_wall_no_code_is_run_and_the_model_hears_nothing_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Broken("dead", lambda job: Ran(exit_code=1, stdout=b"", stderr=b"unshare: EPERM"))
    outcome = asyncio.run(ladder.climb([dead]))
    monkeypatch.setattr(ladder, "chosen", lambda: outcome)
    assert "unshare: EPERM" in str(ladder.no_sandbox())
    with pytest.raises(ToolFailed, match="auteryn doctor") as told:
        ladder.sandbox()
    assert "EPERM" not in str(told.value) and told.value.kind == "unavailable"


@pytest.mark.parametrize("rung", [Bubblewrap, Landlock])
def test_the_real_rungs_of_this_machine_hold_the_canary(rung: type[Sandbox]) -> None:
    found = asyncio.run(ladder.climb([rung()]))
    assert found.sandbox is not None, found.words


def test_the_owner_chooses_a_rung_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ladder.SETTING, "off")
    assert ladder.no_sandbox() == "AUTERYN_SANDBOX is off"
    monkeypatch.setenv(ladder.SETTING, "landlock")
    ladder.climbing.cache_clear()
    try:
        chosen = ladder.chosen()
        assert chosen.sandbox is not None and chosen.sandbox.name == "landlock" and ladder.no_sandbox() is None
        with pytest.raises(ToolFailed, match="no network"):
            ladder.sandbox(network=True)
        monkeypatch.setenv(ladder.SETTING, "docker")
        with pytest.raises(Invalid, match="must be one of"):
            ladder.no_sandbox()
    finally:
        monkeypatch.delenv(ladder.SETTING)
        ladder.climbing.cache_clear()


def test_the_wall_is_not_chosen_at_import() -> None:
    code = "import auteryn.tools.sandbox.ladder as l, auteryn.tools.builtin; print(l.climbing.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.fixture
def unknown_wall() -> Iterator[None]:
    """As in a process that has not looked for its wall yet."""
    ladder.climbing.cache_clear()
    yield
    ladder.climbing.cache_clear()


@pytest.mark.usefixtures("unknown_wall")
def test_the_wall_is_looked_for_once_whoever_begins(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="auteryn"):
        ladder.begin()
        begun = ladder.climbing()
        ladder.begin()
        assert ladder.chosen() is ladder.chosen() is begun.result()
    assert [record.message.partition(":")[0] for record in caplog.records] == ["sandbox"]


@pytest.mark.usefixtures("unknown_wall")
@pytest.mark.parametrize(
    ("isolate", "works", "begun"), [(False, True, 1), (False, False, 0), (True, True, 0)], ids=["works", "looks", "isolates"]
)
def test_the_wall_is_looked_for_while_whoever_works_begins(tmp_path: Path, isolate: bool, works: bool, begun: int) -> None:
    settings = compose.Settings(home=tmp_path, isolate=isolate)
    host = compose.embedded(settings, model=ScriptedModel(["done"]), works=works)
    assert ladder.climbing.cache_info().currsize == begun
    asyncio.run(host.close())


@pytest.mark.usefixtures("unknown_wall")
def test_where_no_code_is_run_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ladder.SETTING, "off")
    ladder.begin()
    assert ladder.climbing.cache_info().currsize == 0


@pytest.mark.usefixtures("unknown_wall")
def test_a_disk_without_room_for_the_canary_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(OSError):
        ladder.chosen()
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert ladder.chosen().sandbox is not None


@pytest.mark.parametrize("wall", [Bubblewrap(), Landlock()], ids=lambda wall: wall.name)
def test_nobody_of_this_machine_is_listed(wall: Sandbox, tmp_path: Path) -> None:
    host = Host(wall, tmp_path)
    try:
        files = "['/etc/passwd', '/etc/group', '/etc/shadow']"
        seen = host.run(f"print(subprocess.run(['cat', *{files}], capture_output=True).stdout)")
        assert seen.exit_code == 0 and b"root" not in seen.stdout
        known = host.run("import pwd; print(pwd.getpwuid(os.getuid()).pw_name)")
        assert known.stdout == b"sandbox\n" if wall.name == "bubblewrap" else known.exit_code == 1
    finally:
        host.close()
