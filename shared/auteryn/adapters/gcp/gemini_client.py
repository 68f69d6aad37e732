"""google-genai's client: where Gemini is, what opens it, and one answer's chunks.

The SDK costs half a second to import and 40 ms to build, so both happen on first use, in a thread. It builds the URL,
signs in and sends; its transport is pinned to httpx2, because with aiohttp installed it would switch by itself and a
timeout would then count for a whole stream. Its request objects are filled with ready bytes and its response is read
raw: see `gemini_request` and `gemini_events` for why.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from auteryn.adapters.gcp.gemini_errors import HOW_TO_GET_ACCESS
from auteryn.adapters.gcp.gemini_events import Chunk, Events
from auteryn.errors import Invalid, ModelRefused

if TYPE_CHECKING:
    import httpx2
    from google.genai import Client

CONNECT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where Gemini is and what opens it: an API key (Developer API), or a project (Vertex AI, with a key in express mode)."""

    api_key: str = field(default="", repr=False)
    base_url: str | None = None
    vertex: bool = False
    project: str | None = None
    location: str = "global"
    credentials: Any = field(default=None, repr=False)
    """`google.auth` credentials for Vertex; `None` takes the application default ones."""

    def __post_init__(self) -> None:
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise Invalid("api_key", "…", "holds characters that no key has; copy it again")
        if self.base_url is not None:
            url = urlsplit(self.base_url)
            if url.scheme not in ("http", "https") or not url.netloc:
                raise Invalid("base_url", self.base_url, "must be an http:// or https:// URL")

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Access:
        """As the SDK names it: `GEMINI_API_KEY` or `GOOGLE_API_KEY`, `GOOGLE_GEMINI_BASE_URL`; or `GOOGLE_GENAI_USE_VERTEXAI`
        (`..._ENTERPRISE`) with `GOOGLE_CLOUD_PROJECT`, `GOOGLE_CLOUD_LOCATION`, `GOOGLE_VERTEX_BASE_URL`."""
        vertex = (env.get("GOOGLE_GENAI_USE_ENTERPRISE") or env.get("GOOGLE_GENAI_USE_VERTEXAI") or "").lower() in ("true", "1")
        project = (env.get("GOOGLE_CLOUD_PROJECT") or None) if vertex else None
        key = (env.get("GEMINI_API_KEY") or env.get("GOOGLE_API_KEY") or "").strip()
        return cls(
            api_key="" if project else key,
            base_url=env.get("GOOGLE_VERTEX_BASE_URL" if vertex else "GOOGLE_GEMINI_BASE_URL") or None,
            vertex=vertex,
            project=project,
            location=env.get("GOOGLE_CLOUD_LOCATION") or "global",
        )

    @property
    def opens(self) -> bool:
        """Whether there is anything to ask with."""
        return bool(self.api_key or (self.vertex and (self.project or self.base_url or self.credentials)))

    def path(self, model: str) -> str:
        """The REST path of a streamed answer; a full resource name is taken as it is."""
        prefix = "" if "/" in model else "publishers/google/models/" if self.vertex else "models/"
        return f"{prefix}{model}:streamGenerateContent?alt=sse"


class Clients:
    """One client per event loop, because pooled connections belong to the loop that opened them."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._building: dict[asyncio.AbstractEventLoop, asyncio.Task[tuple[Client, httpx2.AsyncClient]]] = {}

    async def here(self) -> Client:
        """The running loop's client, built in a thread the first time; raises `ModelRefused` where there is no access."""
        loop = asyncio.get_running_loop()
        task = self._building.get(loop)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            self._building = {known: built for known, built in self._building.items() if not known.is_closed()}
            task = self._building[loop] = loop.create_task(asyncio.to_thread(_build, self.access))
        return (await asyncio.shield(task))[0]

    async def chunks(self, model: str, body: bytes, silence: timedelta) -> AsyncGenerator[Chunk]:
        """Send one request and yield its answer as it arrives. Leaving the generator early closes the connection."""
        import httpx2

        api = (await self.here())._api_client  # pyright: ignore[reportPrivateUsage]
        request = api._build_request("post", self.access.path(model), {})  # pyright: ignore[reportPrivateUsage]
        request.data = body
        # Not by `HttpOptions.timeout`: that also tells the server to give up after so long (X-Server-Timeout).
        seconds = silence.total_seconds()
        request.timeout = httpx2.Timeout(connect=CONNECT_SECONDS, read=seconds, write=seconds, pool=None)  # pyright: ignore[reportAttributeAccessIssue]
        sent = await api._async_request(request, stream=True)  # pyright: ignore[reportPrivateUsage]
        response: httpx2.Response = sent.response_stream  # pyright: ignore[reportAssignmentType]
        events = Events()
        try:
            async for piece in response.aiter_bytes():
                for chunk in events.feed(piece):
                    yield chunk
            for chunk in events.end():
                yield chunk
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close this loop's connections; those of other loops went with their loop."""
        task = self._building.pop(asyncio.get_running_loop(), None)
        if task is not None and not (task.done() and (task.cancelled() or task.exception())):
            _, transport = await task
            await transport.aclose()


def _build(access: Access) -> tuple[Client, httpx2.AsyncClient]:
    if not (access.api_key or access.project or (access.vertex and not access.base_url)):
        raise ModelRefused("no_key", f"there is no key for Gemini: {HOW_TO_GET_ACCESS}")
    import httpx2
    from google.auth.exceptions import GoogleAuthError
    from google.genai import Client
    from google.genai.types import HttpOptions

    verify = _tls()
    transport = httpx2.AsyncClient(verify=verify, limits=httpx2.Limits(max_connections=None, max_keepalive_connections=50))
    try:
        client = Client(
            vertexai=access.vertex,
            api_key=access.api_key or None,
            project=access.project,
            location=access.location if access.project else None,
            credentials=access.credentials,
            http_options=HttpOptions(
                base_url=access.base_url,
                api_version="v1beta1" if access.vertex else "v1beta",
                httpx_async_client=transport,
                client_args={"verify": verify},  # shared: every TLS context of its own costs 40 ms
                async_client_args={"ssl": verify},
            ),
        )
    except (ValueError, GoogleAuthError) as error:
        raise ModelRefused("no_key", f"the Gemini client cannot be set up: {error}; {HOW_TO_GET_ACCESS}") from error
    return client, transport


def _tls() -> ssl.SSLContext:
    """The system's trust, or what `SSL_CERT_FILE` / `SSL_CERT_DIR` say, as the SDK does it."""
    import httpx2

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    return ssl.create_default_context(cafile=file, capath=folder) if file or folder else httpx2.create_ssl_context()
