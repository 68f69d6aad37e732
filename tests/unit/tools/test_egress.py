"""Nothing leaves but to the public internet, and to the very address that was judged."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from auteryn.compose.settings import Settings
from auteryn.errors import Invalid, ToolFailed
from auteryn.testing.emulators.servers import held_port
from auteryn.tools import egress as guard
from auteryn.tools.egress import MOST_REDIRECTS, Answer, AnswerLost, Egress, readable
from auteryn.tools.egress_addresses import carried, metadata, not_public, plain_host, this_machine
from unit.tools.fault_server import FaultServer, Reply, bomb, server_tls, trusting_ca

PUBLIC = "93.184.216.34"


def fetched(egress: Egress, url: str, method: str = "GET", **options: Any) -> tuple[Answer, bytes]:
    async def ask() -> tuple[Answer, bytes]:
        async with egress.open(method, url, **options) as answer:
            return answer, await answer.body()

    return asyncio.run(ask())


def refused(egress: Egress, url: str, method: str = "GET", **options: Any) -> ToolFailed:
    with pytest.raises(ToolFailed) as failed:
        fetched(egress, url, method, **options)
    return failed.value


def resolving(*answers: str | Sequence[str]) -> Any:
    """A resolver that gives one answer after the other, the last for ever."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [found] if isinstance(found, str) else found

    return resolve


def test_a_name_server_that_does_not_answer_keeps_no_other_work_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """More look-ups than threads stand still, and what else is done in a thread is done meanwhile."""
    silent = threading.Event()

    def stands_still(*_: Any, **__: Any) -> Any:
        silent.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answered")

    async def meanwhile() -> tuple[int, set[str]]:
        asking = [asyncio.ensure_future(Egress().addresses("example.com", 443)) for _ in range(guard.MOST_LOOK_UPS + 20)]
        await asyncio.sleep(0)
        try:
            done = await asyncio.wait_for(asyncio.to_thread(sum, [1, 2]), 60)
        finally:
            silent.set()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        return done, {one.kind for one in ended if isinstance(one, ToolFailed)}

    monkeypatch.setattr(socket, "getaddrinfo", stands_still)
    assert asyncio.run(meanwhile()) == (3, {"unavailable"})


# ---- addresses ---------------------------------------------------------------------------------------------------

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2001:10::1",
    "2001:20::1",
    "2002:a9fe:a9fe::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2600:1f00::5efe:10.0.0.1",
    "2600:1f00::200:5efe:a9fe:a9fe",
]
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "192.0.1.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.proves("L14")
@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused_in_every_dress(address: str) -> None:
    assert not_public(ip_address(address))
    egress = Egress(resolve=resolving(address))
    assert refused(egress, "http://innocent.example/").kind == "blocked"
    told = refused(Egress(), f"http://[{address}]/" if ":" in address else f"http://{address}/")
    assert told.kind == "blocked"


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_public_internet_is_let_through(address: str) -> None:
    assert not_public(ip_address(address)) is None and not metadata(ip_address(address))


def test_what_an_address_carries_is_what_counts() -> None:
    assert str(carried(ip_address("64:ff9b::a9fe:a9fe"))) == "169.254.169.254"
    assert str(carried(ip_address("::ffff:7f00:1"))) == "127.0.0.1"


@pytest.mark.proves("L14")
def test_this_machine_is_not_reached_by_an_address_that_looks_public(
    site: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback plays the public address of an own interface; the table would let it pass."""
    monkeypatch.setattr(guard, "not_public", lambda _: None)
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        told = refused(Egress(resolve=resolving(address)), "http://innocent.example/")
        assert told.kind == "blocked" and "this machine" in str(told)
    assert not this_machine(ip_address(PUBLIC)) and not this_machine(ip_address("2606:4700::1111"))


def test_one_bad_address_among_good_ones_spoils_the_name() -> None:
    told = refused(Egress(resolve=resolving([PUBLIC, "10.0.0.1"])), "http://mixed.example/")
    assert told.kind == "blocked" and "10.0.0.1" in str(told)
    assert refused(Egress(resolve=resolving("not an address")), "http://odd.example/").kind == "blocked"


# ---- names -------------------------------------------------------------------------------------------------------

ODD = [
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://①②⑦.0.0.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[fe80::1%25eth0]/",
    "http://[::1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://app.localhost/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://METADATA.google.internal./",
    "http://metadata/",
    "http://instance-data/latest/",
    "http://user:password@example.com/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\.evil/",
    "http://exa mple.com/",
    "http://example.com\r\nHost: x/",
    "http://example.com/\x00",
    "http://ex%61mple.com/",
    "http:///etc/passwd",
    "http:example.com",
    "//example.com/",
    "example.com",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "data:text/html,x",
    "javascript:alert(1)",
    "view-source:http://example.com",
    "http://example.com:22/",
    "http://example.com:6379/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://-bad.example/",
    "http://" + "a" * 64 + ".example/",
    "http://example.com/" + "a" * 9_000,
    "",
]


@pytest.mark.proves("L14")
@pytest.mark.parametrize("url", ODD)
def test_an_address_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    async def nobody(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    assert refused(Egress(resolve=nobody), url).kind == "blocked"


def test_a_host_has_one_form() -> None:
    assert plain_host("EXAMPLE.com.") == "example.com"
    assert plain_host("bücher.example") == "xn--bcher-kva.example"
    assert plain_host("[2606:4700:0:0::1111]") == "2606:4700::1111"
    assert str(readable("https://Bücher.example./ä b"[:24] + "?q=1#part")).startswith("https://xn--bcher-kva.example/")


def test_lists_are_kept(site: FaultServer) -> None:
    site.on("/", "hello")
    assert refused(Egress(only=("example.com",), resolve=resolving(PUBLIC)), "http://example.org/").kind == "blocked"
    assert refused(site.egress("evil.test", deny=("evil.test",)), site.url(host="evil.test")).kind == "blocked"
    assert refused(site.egress("www.evil.test", deny=("evil.test",)), site.url(host="www.evil.test")).kind == "blocked"
    Egress(only=("example.com",)).check_host("docs.example.com", 443)
    with pytest.raises(ToolFailed):
        Egress(only=("example.com",)).check_host("notexample.com", 443)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DENY", "*.evil.example"),
        ("DENY", "https://evil.example"),
        ("ONLY", "example.com/docs"),
        ("ONLY", "example.com:443"),
        ("ALLOW", "wiki.example.com"),
        ("ALLOW", "wiki.example.com:https"),
        ("ALLOW", "http://wiki.example.com:80"),
    ],
)
def test_an_entry_of_a_list_that_could_never_match_is_refused_at_the_start(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"AUTERYN_EGRESS_{name}"):
        Settings.from_environment({f"AUTERYN_EGRESS_{name}": value}, home=tmp_path)


def test_lists_are_read_in_the_form_hosts_are_judged_by(tmp_path: Path) -> None:
    lists = {"DENY": "Bücher.Example., metadata.google.internal", "ONLY": "EXAMPLE.com", "ALLOW": "[0:0::1]:8080, Wiki.test:81"}
    read = Settings.from_environment({f"AUTERYN_EGRESS_{name}": value for name, value in lists.items()}, home=tmp_path).egress
    assert read.deny == ("xn--bcher-kva.example", "metadata.google.internal") and read.only == ("example.com",)
    assert read.allow == ("[::1]:8080", "wiki.test:81")


def test_what_the_owner_named_is_reached_but_never_a_metadata_server(site: FaultServer) -> None:
    site.on("/", "hello")
    assert fetched(Egress().trusting(site.url()), site.url())[1] == b"hello"
    assert refused(Egress(), site.url()).kind == "blocked"
    for address in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254"):
        named = Egress(allow=("meta.example:80",), resolve=resolving(address))
        assert refused(named, "http://meta.example/").kind == "blocked"


def test_the_environment_opens_nothing(site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a list of exceptions is taken from it."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, site.url())
    monkeypatch.setenv("no_proxy", "*")
    assert refused(Egress(), site.url()).kind == "blocked"
    assert refused(Egress(resolve=resolving("10.0.0.1")), "http://example.com/").kind == "blocked"
    assert site.asked == []


# ---- connections -------------------------------------------------------------------------------------------------


@pytest.mark.proves("L14")
def test_a_name_that_changes_its_mind_gains_nothing(site: FaultServer) -> None:
    """The address that was judged is the one connected to; the next request is judged anew."""
    asked = list[str]()

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    site.on("/", "hello")
    egress = site.egress("rebind.test", resolve=rebinding)
    assert fetched(egress, site.url(host="rebind.test"))[1] == b"hello"
    assert len(asked) == 1 and site.asked[0].headers["host"] == f"rebind.test:{site.port}"
    told = refused(egress, site.url(host="rebind.test"))
    assert told.kind == "blocked" and "169.254.169.254" in str(told) and len(site.asked) == 1


@pytest.mark.proves("L14")
def test_a_redirect_is_judged_like_a_first_request(site: FaultServer) -> None:
    goals = [
        "http://169.254.169.254/latest/",
        "http://localhost/",
        "file:///etc/passwd",
        "http://[::1]/",
        "//10.0.0.1/",
        "http://0x7f.1",
    ]
    for at, goal in enumerate(goals):
        site.on(f"/{at}", Reply(status=302, headers={"location": goal}))
        assert refused(site.egress(), site.url(f"/{at}")).kind == "blocked", goal
    site.on("/rebind", Reply(status=302, headers={"location": "http://innocent.example/"}))
    assert refused(site.egress(resolve=resolving("10.1.1.1")), site.url("/rebind")).kind == "blocked"
    assert site.paths() == [*(f"/{at}" for at in range(len(goals))), "/rebind"]


def test_a_few_redirects_are_followed_and_no_circle(site: FaultServer) -> None:
    for at in range(MOST_REDIRECTS + 1):
        site.on(f"/{at}", Reply(status=301, headers={"location": f"/{at + 1}"}))
    site.on("/9", "here")
    site.on(f"/{MOST_REDIRECTS}", "here")
    answer, body = fetched(site.egress(), site.url("/0"))
    assert (body, str(answer.url)) == (b"here", site.url(f"/{MOST_REDIRECTS}"))
    assert answer.redirects == tuple(site.url(f"/{at}") for at in range(MOST_REDIRECTS))
    site.on("/round", Reply(status=302, headers={"location": "/round"}))
    assert "redirects more than" in str(refused(site.egress(), site.url("/round")))


def test_secrets_stay_with_the_origin_they_were_for(site: FaultServer) -> None:
    headers = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "k", "Accept": "text/html"}
    site.on("/same", Reply(status=302, headers={"location": "/end"}))
    site.on("/other", Reply(status=302, headers={"location": site.url("/end", host="other.test")}))
    site.on("/end", "ok")
    egress = site.egress("other.test")
    fetched(egress, site.url("/same"), headers=headers)
    assert site.asked[-1].headers["authorization"] == "Bearer x"
    fetched(egress, site.url("/other"), headers=headers)
    assert not {"authorization", "cookie", "x-api-key"} & set(site.asked[-1].headers)
    assert site.asked[-1].headers["accept"] == "text/html"


def test_a_request_that_does_something_is_not_sent_on(site: FaultServer) -> None:
    site.on("/", Reply(status=307, headers={"location": site.url("/end", host="other.test")}))
    answer, _ = fetched(site.egress("other.test"), site.url(), "POST", body=b"secret")
    assert answer.status == 307 and site.paths() == ["/"]


OURS = """
Host Metadata-Flavor Metadata X-Google-Metadata-Request X-aws-ec2-metadata-token Proxy-Authorization Connection
Transfer-Encoding Content-Length Upgrade Accept-Encoding
"""


@pytest.mark.parametrize("name", OURS.split())
def test_headers_that_open_doors_are_refused(site: FaultServer, name: str) -> None:
    assert refused(site.egress(), site.url(), headers={name: "x"}).kind == "blocked"
    assert refused(site.egress(), site.url(), headers={f" {name.lower()}": "x"}).kind == "blocked"


def test_a_header_cannot_smuggle_another(site: FaultServer) -> None:
    assert refused(site.egress(), site.url(), headers={"x": "a\r\nHost: evil"}).kind == "blocked"
    assert refused(site.egress(), site.url(), headers={"x\r\nhost": "a"}).kind == "blocked"
    assert site.asked == []


def test_tls_is_checked_for_the_name_not_for_the_address(tmp_path: Path) -> None:
    site = FaultServer(tls=server_tls(tmp_path, "shop.test"))
    try:
        site.on("/", "sealed")
        assert fetched(site.egress("shop.test"), site.url(host="shop.test"))[1] == b"sealed"
        assert refused(site.egress("evil.test"), site.url(host="evil.test")).kind == "unavailable"
        assert refused(site.egress("shop.test", tls=None), site.url(host="shop.test")).kind == "unavailable"
        assert trusting_ca().check_hostname and len(site.asked) == 1
    finally:
        site.close()


# ---- size, time, faults ------------------------------------------------------------------------------------------


@pytest.mark.proves("L14")
def test_a_bomb_is_stopped_early(site: FaultServer) -> None:
    packed = bomb(200)
    assert len(packed) < 300_000

    def slowly() -> Any:
        yield from (packed[at : at + 4_096] for at in range(0, len(packed), 4_096))

    site.on("/bomb", Reply(headers={"content-encoding": "gzip"}, chunks=slowly))
    told = refused(site.egress(), site.url("/bomb"), most_bytes=6 << 20)
    assert told.kind == "too_large" and "6,291,456" in str(told)
    assert site.asked[0].headers["accept-encoding"] == "identity, gzip"


def test_gzip_is_unpacked_and_other_packings_are_refused(site: FaultServer) -> None:
    import gzip

    body = b"hello " * 50_000
    two = gzip.compress(body) + gzip.compress(b"more") + b"\0\0"
    site.on("/gzip", Reply(two, headers={"content-encoding": "gzip"}))
    assert fetched(site.egress(), site.url("/gzip"))[1] == body + b"more"
    site.on("/cut", Reply(gzip.compress(body)[:-20], headers={"content-encoding": "gzip"}))
    assert "ends in the middle" in str(refused(site.egress(), site.url("/cut")))
    site.on("/lie", Reply(b"not packed", headers={"content-encoding": "gzip"}))
    assert refused(site.egress(), site.url("/lie")).kind == "unavailable"
    site.on("/br", Reply(b"x", headers={"content-encoding": "br"}))
    assert refused(site.egress(), site.url("/br")).kind == "unsupported"


def test_an_endless_body_and_a_long_announcement_are_too_large(site: FaultServer) -> None:
    def endless() -> Any:
        while True:
            yield b"x" * 65_536

    site.on("/endless", Reply(chunks=endless))
    assert refused(site.egress(), site.url("/endless"), most_bytes=1 << 20).kind == "too_large"
    site.on("/long", Reply(b"x", announced=10**12))
    assert refused(site.egress(), site.url("/long")).kind == "too_large"
    assert fetched(site.egress(), site.url("/long"), "HEAD")[1] == b""


def test_an_answer_that_never_ends_is_left_in_time(site: FaultServer) -> None:
    def never() -> Any:
        yield b"x"
        site.released.wait(30)

    site.on("/never", Reply(chunks=never))
    told = refused(site.egress(), site.url("/never"), total=timedelta(milliseconds=200))
    assert told.kind == "timeout" and told.retryable and isinstance(told, AnswerLost)


def test_whether_a_request_may_have_arrived_is_known(site: FaultServer) -> None:
    with held_port() as port:
        nobody = refused(Egress(allow=(f"127.0.0.1:{port}",)), f"http://127.0.0.1:{port}/")
        assert nobody.kind == "unavailable" and nobody.retryable and not isinstance(nobody, AnswerLost)
    site.on("/drop", Reply(drop=True))
    site.on("/short", Reply(b"half", announced=100))
    for path in ("/drop", "/short"):
        told = refused(site.egress(), site.url(path))
        assert told.kind == "unavailable" and isinstance(told, AnswerLost)


def test_a_name_that_does_not_exist_is_not_found() -> None:
    def failing(code: int) -> Any:
        async def resolve(host: str, port: int) -> Sequence[str]:
            raise socket.gaierror(code, "no")

        return resolve

    assert refused(Egress(resolve=failing(socket.EAI_NONAME)), "http://nobody.example/").kind == "not_found"
    later = refused(Egress(resolve=failing(socket.EAI_AGAIN)), "http://nobody.example/")
    assert later.kind == "unavailable" and later.retryable
    assert refused(Egress(resolve=resolving([])), "http://nobody.example/").kind == "not_found"
