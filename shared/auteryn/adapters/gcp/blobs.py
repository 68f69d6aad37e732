"""Bytes by their hash in Cloud Storage (`ports.blobs`): `{prefix}{sha256}`, each object written once.

The client library is synchronous; its calls run in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, PreconditionFailed, RetryError
from google.api_core.exceptions import NotFound as Missing
from google.auth.exceptions import GoogleAuthError

from auteryn.adapters.embedded.faults import from_os
from auteryn.adapters.gcp.faults import PATIENCE, from_auth, from_google
from auteryn.errors import AuterynError, Corrupt, NotFound, Unavailable

LOOK_FIRST_BYTES = 1 << 20
"""From here on a look whether the object exists costs less than sending it for nothing."""

CALL_SECONDS = 60.0
"""Of silence on a connection; a large object may take longer in all."""

CHUNK_BYTES = 1 << 20

_HASH = re.compile(r"[0-9a-f]{64}")


class CloudBlobs:
    """The objects of one bucket. `endpoint` leads to a stand-in on this machine, which asks for no credentials.

    A bucket that deletes old objects needs `renew_after`: what is put again when it is older than that is written anew.
    """

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "blobs/",
        endpoint: str | None = None,
        renew_after: timedelta | None = None,
        patience: timedelta = PATIENCE,
    ) -> None:
        self.bucket, self._prefix, self._endpoint, self._renew_after = bucket, prefix, endpoint, renew_after
        self._patience_s = patience.total_seconds()
        self._made: Any = None
        self._making = threading.Lock()

    async def put(self, body: bytes | Path) -> str:
        return await asyncio.to_thread(self._put, body)

    async def get(self, sha256: str) -> bytes:
        return await asyncio.to_thread(self._get, sha256)

    async def save(self, sha256: str, to: Path) -> None:
        await asyncio.to_thread(self._save, sha256, to)

    async def has(self, sha256: str) -> bool:
        return bool(_HASH.fullmatch(sha256)) and await asyncio.to_thread(self._has, sha256)

    async def delete(self, sha256: str) -> None:
        if _HASH.fullmatch(sha256):
            await asyncio.to_thread(self._delete, sha256)

    async def close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _put(self, body: bytes | Path) -> str:
        source = str(body) if isinstance(body, Path) else ""
        with _translated(self._name(), source):
            sha256, crc32c, size = _digests(body)
            held = self._holds(sha256, crc32c) if size >= LOOK_FIRST_BYTES else 0
            while held is not True:
                try:
                    self._upload(sha256, body, generation=held)
                    break
                except PreconditionFailed:  # another writer was there since, or our own try whose reply was lost
                    held = self._holds(sha256, crc32c)
            return sha256

    def _upload(self, sha256: str, body: bytes | Path, *, generation: int) -> None:
        options: dict[str, Any] = {"if_generation_match": generation, "checksum": "crc32c", **self._patience()}
        if isinstance(body, Path):
            self._object(sha256).upload_from_filename(str(body), **options)
        else:
            self._object(sha256).upload_from_string(body, **options)

    def _holds(self, sha256: str, crc32c: str) -> bool | int:
        """Whether the object is there, whole and young; else the generation of what is to be replaced, 0 for nothing."""
        found = self._object(sha256)
        try:
            found.reload(**self._patience())
        except Missing:
            return 0
        young = self._renew_after is None or datetime.now(UTC) - found.time_created < self._renew_after
        return True if found.crc32c == crc32c and young else int(found.generation)

    def _get(self, sha256: str) -> bytes:
        with self._found(sha256), _translated(self._name()):
            body: bytes = self._object(sha256).download_as_bytes(checksum="crc32c", **self._patience())
        if hashlib.sha256(body).hexdigest() != sha256:
            raise self._damaged(sha256)
        return body

    def _save(self, sha256: str, to: Path) -> None:
        aside = to.with_name(f".{to.name[:100]}.{secrets.token_hex(4)}")
        with self._found(sha256), _translated(self._name(), str(to)):
            to.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._object(sha256).download_to_filename(str(aside), checksum="crc32c", **self._patience())
                if _digests(aside)[0] != sha256:
                    raise self._damaged(sha256)
                aside.replace(to)
            finally:
                aside.unlink(missing_ok=True)

    def _has(self, sha256: str) -> bool:
        with _translated(self._name()):
            return bool(self._object(sha256).exists(**self._patience()))

    def _delete(self, sha256: str) -> None:
        with _translated(self._name()), contextlib.suppress(Missing):
            self._object(sha256).delete(**self._patience())

    @contextlib.contextmanager
    def _found(self, sha256: str) -> Generator[None]:
        from google.cloud.storage.exceptions import DataCorruption

        if not _HASH.fullmatch(sha256):
            raise NotFound(f"no blob {sha256!r}")
        try:
            yield
        except NotFound as error:
            raise NotFound(f"no blob {sha256!r} in {self._name()}") from error
        except DataCorruption as error:
            raise self._damaged(sha256) from error

    def _damaged(self, sha256: str) -> Corrupt:
        return Corrupt(f"blob {sha256!r} in {self._name()} no longer matches its hash: restore it, or put the same bytes again")

    def _name(self) -> str:
        return f"bucket {self.bucket!r}"

    def _object(self, sha256: str) -> Any:
        return self._client().bucket(self.bucket).blob(f"{self._prefix}{sha256}")

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                # Else the library asks for the bucket's description, in a thread of its own that goes on for minutes, to
                # decorate traces we do not use; it would also want a right the slice's account does not have.
                os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
                from google.auth.credentials import AnonymousCredentials
                from google.cloud import storage

                if self._endpoint is None:
                    self._made = storage.Client()
                else:
                    options = {"api_endpoint": self._endpoint}
                    self._made = storage.Client("local", credentials=AnonymousCredentials(), client_options=options)
            return self._made

    def _patience(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        return {"timeout": CALL_SECONDS, "retry": DEFAULT_RETRY.with_timeout(self._patience_s)}


def _digests(body: bytes | Path) -> tuple[str, str, int]:
    """SHA-256, the CRC32C as the service writes it, and the size."""
    import base64

    import google_crc32c

    sha256, crc32c, size = hashlib.sha256(), google_crc32c.Checksum(), 0
    for chunk in _chunks(body):
        sha256.update(chunk)
        crc32c.update(chunk)
        size += len(chunk)
    return sha256.hexdigest(), base64.b64encode(crc32c.digest()).decode(), size


def _chunks(body: bytes | Path) -> Generator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    with body.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


@contextlib.contextmanager
def _translated(bucket: str, file: str = "") -> Generator[None]:
    import requests

    try:
        yield
    except PreconditionFailed:
        raise
    except GoogleAPICallError as error:
        raise from_google(error, bucket) from error
    except GoogleAuthError as error:
        raise from_auth(error, bucket) from error
    except RetryError as error:
        raise _given_up(error, bucket) from error
    except requests.exceptions.RequestException as error:
        raise Unavailable(f"{bucket} did not answer: {error}") from error
    except FileNotFoundError as error:
        raise NotFound(f"no file {error.filename!r}") from error
    except OSError as error:
        raise from_os(error, Path(file or error.filename or ".")) from error


def _given_up(error: RetryError, bucket: str) -> AuterynError:
    """What the last of many tries met."""
    from google.api_core import exceptions as known

    exceptions: Any = known
    last: Any = error.cause
    status = getattr(getattr(last, "response", None), "status_code", None)
    if status is not None:
        last = exceptions.from_http_status(status, str(last))
    return (
        from_google(last, bucket) if isinstance(last, GoogleAPICallError) else Unavailable(f"{bucket} did not answer: {last}")
    )
