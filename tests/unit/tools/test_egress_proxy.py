"""The proxy for programs that know no guard: it lets through what the guard lets through, and tells what it saw."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from auteryn.tools import egress_proxy
from auteryn.tools.egress import Egress
from auteryn.tools.egress_proxy import proxy
from unit.tools.fault_server import FaultServer, Reply
from unit.tools.test_egress import resolving


async def said(port: int | Path, *pieces: bytes) -> bytes:
    """What a raw connection to the proxy hears."""
    connect = asyncio.open_unix_connection(port) if isinstance(port, Path) else asyncio.open_connection("127.0.0.1", port)
    reader, writer = await connect
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()


def through(egress: Egress, *pieces: bytes) -> tuple[bytes, list[str]]:
    async def ask() -> tuple[bytes, list[str]]:
        async with proxy(egress) as running:
            answer = await said(int(running.url.rpartition(":")[2]), *pieces)
            return answer, [one.refused or one.address for one in running.passages]

    return asyncio.run(ask())


def test_the_proxy_passes_plain_requests_and_tunnels(site: FaultServer) -> None:
    site.on("/page", "through")
    host = f"127.0.0.1:{site.port}".encode()
    plain = (
        b"GET http://" + host + b"/page?q=1 HTTP/1.1\r\nHost: evil.example\r\nProxy-Connection: keep-alive\r\nX-A: b\r\n\r\n"
    )
    answer, seen = through(site.egress(), plain)
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"through") and seen == ["127.0.0.1"]
    assert site.asked[0].path == "/page?q=1" and site.asked[0].headers["host"] == host.decode()
    assert site.asked[0].headers["x-a"] == "b" and "proxy-connection" not in site.asked[0].headers
    tunnel = b"CONNECT " + host + b" HTTP/1.1\r\n\r\n", b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer, _ = through(site.egress(), b"".join(tunnel))
    assert answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200") and answer.endswith(b"through")


def test_a_body_is_passed_on_as_long_as_it_announced_and_no_longer(site: FaultServer) -> None:
    site.on("/", Reply("ok"))
    head = f"POST {site.url()} HTTP/1.1\r\nContent-Length: 5\r\n\r\n".encode()
    answer, _ = through(site.egress(), head, b"helloGET http://169.254.169.254/ HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"ok") and [one.body for one in site.asked] == [b"hello"]


REFUSED_BY_PROXY = [
    b"GET http://169.254.169.254/computeMetadata/v1/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://metadata.google.internal/ HTTP/1.1\r\n\r\n",
    b"GET http://localhost:8080/ HTTP/1.1\r\n\r\n",
    b"GET http://[::ffff:10.0.0.1]/ HTTP/1.1\r\n\r\n",
    b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n",
    b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n",
    b"CONNECT 0x7f000001:443 HTTP/1.1\r\n\r\n",
    b"CONNECT rebound.example:443 HTTP/1.1\r\n\r\n",
    b"CONNECT 1.1.1.1:25 HTTP/1.1\r\n\r\n",
    b"CONNECT user@1.1.1.1:443 HTTP/1.1\r\n\r\n",
    b"CONNECT 1.1.1.1:443/x HTTP/1.1\r\n\r\n",
    b"GET /relative HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET https://1.1.1.1/ HTTP/1.1\r\n\r\n",
    b"GET file:///etc/passwd HTTP/1.1\r\n\r\n",
    b"GET http://1.1.1.1/ HTTP/1.1\r\nMetadata-Flavor: Google\r\n\r\n",
    b"POST http://1.1.1.1/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST http://1.1.1.1/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST http://1.1.1.1/ HTTP/1.1\r\nContent-Length: -1\r\n\r\nx",
    b"GET http://1.1.1.1/ HTTP/1.1\r\nno colon\r\n\r\n",
    b"nonsense\r\n\r\n",
]


@pytest.mark.proves("L14")
@pytest.mark.parametrize("request_", REFUSED_BY_PROXY, ids=lambda one: one.split(b"\r\n")[0].decode())
def test_the_proxy_refuses_what_the_guard_refuses(request_: bytes) -> None:
    answer, seen = through(Egress(resolve=resolving("10.0.0.1")), request_)
    assert answer.startswith(b"HTTP/1.1 403") and len(seen) == 1


def test_programs_of_others_use_it_over_a_port_and_a_socket(site: FaultServer, tmp_path: Path) -> None:
    site.on("/", "by urllib")

    async def over_port() -> bytes:
        async with proxy(site.egress()) as running:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": running.url}))

            def ask() -> bytes:
                with opener.open(site.url(), timeout=10) as answer:
                    return answer.read()

            return await asyncio.to_thread(ask)

    async def over_socket() -> bytes:
        async with proxy(site.egress(), socket=tmp_path / "way.sock"):
            return await said(tmp_path / "way.sock", f"GET {site.url()} HTTP/1.1\r\n\r\n".encode())

    assert asyncio.run(over_port()) == b"by urllib"
    assert asyncio.run(over_socket()).endswith(b"by urllib")


def test_a_proxy_that_closes_breaks_off_what_is_under_way(site: FaultServer) -> None:
    def never() -> Any:
        yield b"x"
        site.released.wait(30)

    site.on("/never", Reply(chunks=never))

    async def leave() -> bool:
        async with proxy(site.egress()) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
            writer.write(f"GET {site.url('/never')} HTTP/1.1\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        writer.close()
        return True

    assert asyncio.run(leave())


def test_what_a_proxy_saw_is_told_once_and_however_much_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_proxy, "REMEMBERED", 3)

    async def story() -> None:
        async with proxy(Egress()) as running:
            for at in range(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
                writer.write(f"GET http://10.0.0.{at}/ HTTP/1.1\r\n\r\n".encode())
                await reader.read()
                writer.close()
                if at == 3:
                    assert len(running.since(0)) == 3
            assert [one.target for one in running.since(4)] == ["http://10.0.0.4/"] and running.since(5) == []

    asyncio.run(story())
