"""The three deployables over the embedded world, started as the image starts them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from starlette.requests import Request

from auteryn.adapters.gcp.id_tokens import GoogleIdTokens
from auteryn.api import wakes
from auteryn.api.auth import members_of
from auteryn.api.keys import issue
from auteryn.api.once import Once
from auteryn.errors import Invalid, Unavailable
from auteryn.schema.record import to_json
from auteryn.service.asks import Question
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.clock import skipping
from auteryn.testing.emulators.servers import held_port, household
from auteryn.testing.world import World

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60
"""Seconds: the first request makes a world, and a loaded machine takes its time."""


# ---- the functions -------------------------------------------------------------------------------------------


@contextmanager
def function(name: str, **environ: str) -> Iterator[str]:
    """The address at which functions-framework serves a function."""
    with held_port() as port:
        framework, source = Path(sys.executable).parent / "functions-framework", ROOT / "functions" / name / "main.py"
        process = subprocess.Popen(
            household(
                [str(framework), f"--source={source}", f"--target={name}", "--asgi", "--host=127.0.0.1", f"--port={port}"]
            ),
            env={**os.environ, **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """It answers; a loaded machine may take its time."""
    for _ in range(600):
        assert process.poll() is None, "it ended before it answered"
        try:
            httpx2.get(f"http://127.0.0.1:{port}/health", timeout=5)
        except httpx2.TransportError:
            time.sleep(0.05)  # a process that starts can be waited for in no other way
        else:
            return
    raise AssertionError("it never answered")


async def key_in(home: Path) -> str:
    async with World(home) as world:
        given = {"name": "ann", "owner": "local", "role": "operator", "lifetime": timedelta(days=1)}
        return (await issue(world.services.store, datetime.now(UTC), **given))[1]


@pytest.mark.proves("P95")
def test_the_function_api_serves_the_embedded_world(tmp_path):
    key = asyncio.run(key_in(tmp_path))
    auth = {"Authorization": f"Bearer {key}"}
    with (
        function("api", AUTERYN_BACKEND="embedded", AUTERYN_HOME=str(tmp_path)) as url,
        httpx2.Client(base_url=url, headers=auth, timeout=PATIENCE) as http,
    ):
        assert httpx2.get(f"{url}/v1/runs", timeout=PATIENCE).status_code == 401
        run = http.post("/v1/asks", json={"message": "Go?", "options": ["Yes", "No"]}).json()
        with http.stream("GET", f"/v1/runs/{run['id']}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert any(line.startswith("event: ask") for line in lines)
            http.post(f"/v1/asks/{run['asks'][0]['id']}/answer", json={"value": "Yes"})
            assert any('"result":"Yes"' in line for line in lines)
        assert http.get(f"/v1/runs/{run['id']}/result?wait=10").json()["result"] == "Yes"
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        tools = http.post("/mcp", json=asked, headers={"Accept": "application/json, text/event-stream"}).json()
        assert len(tools["result"]["tools"]) == 8


def test_a_cloud_that_is_not_set_up_says_what_is_missing(tmp_path):
    with function("api", AUTERYN_BACKEND="gcp", AUTERYN_HOME=str(tmp_path)) as url:
        answer = httpx2.get(f"{url}/v1/runs", timeout=PATIENCE)
        assert answer.status_code == 503 and "AUTERYN_DISPATCH_URL" in answer.json()["detail"]


def test_importing_a_function_makes_nothing():
    for name in ("api", "dispatch", "slice"):
        probe = (
            "import asyncio, runpy, sys, threading\n"
            f"runpy.run_path({str(ROOT / 'functions' / name / 'main.py')!r})\n"
            "heavy = ('grpc', 'google.genai', 'google.auth', 'google.cloud.firestore', 'duckdb', 'sqlite3')\n"
            "print([name for name in heavy if name in sys.modules], threading.active_count())"
        )
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[] 1", name


def test_the_function_dispatch_lets_nobody_in_who_is_not_named(tmp_path):
    with function("dispatch", AUTERYN_HOME=str(tmp_path)) as url:
        assert httpx2.get(f"{url}/health", timeout=PATIENCE).status_code == 204
        assert httpx2.post(f"{url}/sweep", timeout=PATIENCE).status_code == 401
        assert httpx2.get(f"{url}/sweep", timeout=PATIENCE).status_code == 405


def test_the_job_slice_works_on_its_run_and_ends(tmp_path):
    async def asked() -> str:
        world = await World(tmp_path, real_time=True).open(hosting=False)
        desk = Desk(world.host.engine)
        run = await desk.ask(Question(message="Go?", options=("Yes", "No")))
        await desk.answer(run.asks[0].id, "Yes")
        assert (await desk.get(run.id)).status == "waiting"
        await world.close()
        return run.id

    async def result(run: str) -> str | None:
        world = await World(tmp_path, real_time=True).open(hosting=False)
        found = await Desk(world.host.engine).get(run)
        await world.close()
        return found.result

    run = asyncio.run(asked())
    command = [sys.executable, str(ROOT / "functions/slice/main.py")]
    subprocess.run(command, env={**os.environ, "AUTERYN_HOME": str(tmp_path), "AUTERYN_RUN": run}, check=True)
    assert asyncio.run(result(run)) == "Yes"


def test_a_slice_wants_to_know_of_which_run(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "functions/slice/main.py")],
        env={**os.environ, "AUTERYN_HOME": str(tmp_path), "AUTERYN_RUN": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and Invalid.__name__ in done.stderr and "AUTERYN_RUN" in done.stderr


def test_what_is_made_once_is_made_by_the_first_and_again_after_a_failure():
    made = list[int]()

    async def make() -> int:
        made.append(1)
        await asyncio.sleep(0)
        if len(made) == 1:
            raise Unavailable("not yet")
        return len(made)

    async def main():
        once = Once(make)
        failed = await asyncio.gather(once.get(), once.get(), return_exceptions=True)
        assert [type(one) for one in failed] == [Unavailable, Unavailable]
        assert await asyncio.gather(once.get(), once.get()) == [2, 2]

    asyncio.run(main())


# ---- ID tokens -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signers() -> tuple[tuple[bytes, str], tuple[bytes, str]]:
    """(private key, certificate) of Google, and of somebody else."""
    return certified(), certified()


def certified() -> tuple[bytes, str]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    now = datetime.now(UTC)
    building = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    building = building.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = building.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    pem, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, pem, plain), certificate


def token(private_key: bytes, **changed: object) -> str:
    from google.auth import crypt, jwt

    now = int(time.time())
    claims = {"iss": "https://accounts.google.com", "aud": "door", "iat": now, "exp": now + 600}
    claims |= {"email": "Ann@example.com", "email_verified": True, **changed}
    return jwt.encode(crypt.RSASigner.from_string(private_key, key_id="k1"), claims).decode()


def tokens_of(certificate: str) -> GoogleIdTokens:
    async def fetch():
        return {"k1": certificate}

    return GoogleIdTokens("door", fetch=fetch)


def test_only_what_google_signed_for_us_names_somebody(signers):
    (google, certificate), (stranger, _) = signers

    async def main():
        tokens = tokens_of(certificate)
        assert await tokens.email_of(token(google)) == "Ann@example.com"
        for refused in (
            token(stranger),
            token(google, aud="another"),
            token(google, iss="https://evil.example"),
            token(google, email_verified=False),
            token(google, exp=int(time.time()) - 60),
            token(google)[:-4] + "AAAA",
            "a.b.c",
            "",
        ):
            assert await tokens.email_of(refused) is None

    asyncio.run(main())


def test_a_member_comes_in_with_a_google_account_and_sees_their_own_runs(opened, signers):
    (google, certificate), _ = signers

    async def main():
        members = members_of("ann@example.com=operator,*@example.com=viewer")
        async with opened(id_tokens=tokens_of(certificate), members=members) as office:
            async with office.browser(Authorization=f"Bearer {token(google)}") as ann:
                run = (await ann.post("/v1/runs", json={"input": "Do it"})).json()
                assert run["owner"] == "ann@example.com"
            async with office.browser(Authorization=f"Bearer {token(google, email='bob@example.com')}") as bob:
                assert (await bob.get(f"/v1/runs/{run['id']}")).status_code == 404
                assert (await bob.post("/v1/runs", json={"input": "Do it"})).status_code == 403
            async with office.browser(Authorization=f"Bearer {token(google, email='eve@evil.example')}") as eve:
                assert (await eve.get("/v1/runs")).status_code == 401

    skipping(main())


# ---- wakes ---------------------------------------------------------------------------------------------------


def request(path: str, body: bytes, bearer: str) -> Request:
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"authorization", f"Bearer {bearer}".encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "server": ("x", 80)}
    return Request({**scope, "scheme": "http"}, receive)


@pytest.mark.proves("L3", "L4")
def test_wakes_steps_and_sweeps_start_what_is_due_for_known_callers_only(tmp_path, signers):
    (google, certificate), _ = signers

    async def main():
        callers, tokens = ["tasks@project"], tokens_of(certificate)
        good = token(google, email="tasks@project")
        for path in ("/wake", "/steps", "/sweep"):
            async with World(tmp_path / path[1:]) as world:
                await world.host.engine.services.queue.close()  # nobody else brings it
                run = (await Desk(world.host.engine).create(NewRun(input="Do it"))).id
                body = to_json({"run": run, "at": world.now()})
                if path == "/steps":
                    body = to_json({"message": {"data": b64encode(body).decode(), "messageId": "1"}, "subscription": "s"})
                engine = world.host.engine
                for bearer in ("", "nonsense", token(google, email="eve@project")):
                    assert (await wakes.respond(request(path, body, bearer), engine, tokens, callers)).status_code == 401
                if path != "/sweep":
                    for broken in (b"", b"{}", b"[]", b'{"message": {"data": "!"}}'):
                        refused = await wakes.respond(request(path, broken, good), engine, tokens, callers)
                        assert refused.status_code == 422
                assert (await wakes.respond(request(path, body, good), engine, tokens, callers)).status_code == 204
                assert (await world.ended(run)).result == "Done."
        assert (await wakes.respond(request("/other", b"", good), engine, tokens, callers)).status_code == 404

    skipping(main())
