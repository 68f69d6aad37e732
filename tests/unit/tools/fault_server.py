"""A web server on this machine that behaves as badly as it is told to, and remembers what was asked of it."""

from __future__ import annotations

import datetime
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from auteryn.tools.egress import Egress


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. `chunks` are sent as they come, without a length; `drop` closes the connection without a word."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    chunks: Callable[[], Iterator[bytes]] | None = None
    drop: bool = False
    announced: int | None = None
    """A Content-Length that is not true."""


Answering = Reply | Callable[[Asked], Reply]


class FaultServer:
    """Paths are answered as `on` says, all others by 404."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked = list[Asked]()
        self.routes = dict[str, Answering]()
        self.sent_bytes = 0
        self.released = threading.Event()
        """Set when whatever hangs is to go on."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                outer._answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            request_queue_size = 64  # many calls of one turn arrive at once

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that hung up

        self._server = Server((host, port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def on(self, path: str, reply: Answering | str, **headers: str) -> None:
        """`on("/a", "text")`, `on("/a", Reply(…))`, `on("/a", lambda asked: Reply(…))`."""
        if isinstance(reply, str):
            reply = Reply(reply, headers={"content-type": "text/html; charset=utf-8", **headers})
        self.routes[path] = reply

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    def egress(self, *hosts: str, **more: Any) -> Egress:
        """A guard that lets this server pass, by its address and under these names."""
        allow = tuple(f"{host}:{self.port}" for host in ("127.0.0.1", *hosts))
        return Egress(**{"allow": allow, "resolve": _here, "tls": trusting_ca() if self._scheme == "https" else None, **more})

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        asked = Asked(handler.command, handler.path, headers, handler.rfile.read(length))
        self.asked.append(asked)
        route = self.routes.get(handler.path.partition("?")[0], Reply("nothing here", 404))
        reply = route if isinstance(route, Reply) else route(asked)
        if reply.drop:
            handler.close_connection = True
            return
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.chunks is None:
            handler.send_header("content-length", str(len(body) if reply.announced is None else reply.announced))
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.close_connection = True
        if handler.command == "HEAD":
            return
        for chunk in [body] if reply.chunks is None else reply.chunks():
            handler.wfile.write(chunk)
            self.sent_bytes += len(chunk)


async def _here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def bomb(megabytes: int) -> bytes:
    """Zeros of that size, packed a thousandfold."""
    return gzip.compress(bytes(1 << 20) * megabytes, compresslevel=9)


# ---- certificates ------------------------------------------------------------------------------------------------


@cache
def _authority() -> tuple[Any, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    return key, _certificate(x509, hashes, "a test authority", key, key, "a test authority", ca=True)


def _certificate(x509: Any, hashes: Any, name: str, key: Any, by: Any, issuer: str, *, ca: bool = False) -> Any:
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if ca:
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        names = [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(by, hashes.SHA256())


@cache
def trusting_ca() -> ssl.SSLContext:
    """A client's context that trusts our authority, and no other."""
    from cryptography.hazmat.primitives.serialization import Encoding

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=_authority()[1].public_bytes(Encoding.PEM).decode())
    return context


def server_tls(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context with a certificate for that name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(x509, hashes, name, key, _authority()[0], "a test authority")
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
