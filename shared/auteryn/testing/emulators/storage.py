"""A stand-in for Cloud Storage over HTTP: as much of its JSON API as the stock client uses for whole objects.

Generations and their preconditions are real, which the emulators on the package index leave out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from auteryn.testing.emulators.faults import Faults
from auteryn.testing.emulators.http import Served, Speaking

Key = tuple[str, str]
"""Bucket and name."""


@dataclass
class Stored:
    body: bytes
    generation: int
    content_type: str
    created_at: datetime


class Storage(Served):
    """Buckets in memory; every bucket exists. Faults are planned for the points `upload`, `download` and `look`."""

    def __init__(self) -> None:
        self.objects: dict[Key, Stored] = {}
        self.faults = Faults()
        self.requests = 0
        self.always: int | None = None
        """A status that answers everything."""
        self._generation = 0
        self._lock = threading.Lock()
        self._uploads: dict[str, _Upload] = {}
        super().__init__(_handler(self))
        self.endpoint = f"http://{self.host}"

    def put(self, key: Key, body: bytes, content_type: str, wanted: int | None) -> Stored:
        """Raises `_Answer` (412) if the object's generation, 0 for none, is not the wanted one."""
        with self._lock:
            held = self.objects.get(key)
            if wanted is not None and wanted != (held.generation if held else 0):
                raise _Answer(412, "conditionNotMet")
            self._generation += 1
            stored = self.objects[key] = Stored(body, self._generation, content_type, datetime.now(UTC))
            return stored

    def find(self, key: Key) -> Stored:
        stored = self.objects.get(key)
        if stored is None:
            raise _Answer(404, f"No such object: {'/'.join(key)}")
        return stored

    def open_upload(self, upload: _Upload) -> str:
        name = str(len(self._uploads) + 1)
        self._uploads[name] = upload
        return name

    def upload(self, name: str) -> _Upload:
        if name not in self._uploads:
            raise _Answer(404, f"No such upload: {name}")
        return self._uploads[name]


@dataclass
class _Upload:
    """One that comes in pieces."""

    key: Key
    content_type: str
    wanted: int | None
    body: bytearray


class _Answer(Exception):
    def __init__(self, status: int, message: str = "", body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.body, self.headers = status, message, body, headers or {}


_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)")
_UPLOAD = re.compile(r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PIECE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


def _handler(storage: Storage) -> type[Speaking]:
    class Handler(Speaking):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self._do(self._get)

        def do_POST(self) -> None:
            self._do(self._post)

        def do_PUT(self) -> None:
            self._do(self._put)

        def do_DELETE(self) -> None:
            self._do(self._delete)

        def _do(self, act: Callable[[], _Answer]) -> None:
            storage.requests += 1
            split = urlsplit(self.path)
            self.place, self.query = split.path, {name: values[0] for name, values in parse_qs(split.query).items()}
            self.body = self._read()
            answer = self._answer(act)
            body = answer.body
            if answer.message:
                body = json.dumps({"error": {"code": answer.status, "message": answer.message}}).encode()
            self.say(answer.status, body, answer.headers)

        def _answer(self, act: Callable[[], _Answer]) -> _Answer:
            fault = storage.faults.next(self._point())
            kind = fault and fault.kind
            if storage.always or kind in ("refuse", "busy"):
                return _Answer(storage.always or (429 if kind == "busy" else 503), "as planned")
            try:
                answer = act()
            except _Answer as refusal:
                answer = refusal
            return _Answer(503, "the reply was lost") if kind == "lose" else answer

        def _point(self) -> str:
            return "upload" if "/upload/" in self.place else "download" if self.query.get("alt") == "media" else "look"

        def _read(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces: list[bytes] = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def _get(self) -> _Answer:
            key = self._key()
            stored = storage.find(key)
            if self.query.get("alt") != "media":
                return _Answer(200, body=_described(key, stored), headers={"Content-Type": "application/json"})
            headers = {
                "Content-Type": stored.content_type,
                "X-Goog-Hash": f"crc32c={_crc32c(stored.body)},md5={_md5(stored.body)}",
            }
            headers["X-Goog-Generation"] = str(stored.generation)
            wanted = _RANGE.match(self.headers.get("Range", ""))
            if not wanted or not stored.body:
                return _Answer(200, body=stored.body, headers=headers)
            first, last = int(wanted[1]), min(int(wanted[2] or len(stored.body) - 1), len(stored.body) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(stored.body)}"
            return _Answer(206, body=stored.body[first : last + 1], headers=headers)

        def _post(self) -> _Answer:
            found = _UPLOAD.fullmatch(self.place)
            if not found:
                raise _Answer(404, f"unknown path {self.place}")
            if self.query.get("uploadType") == "resumable":
                return self._begin_upload(found[1])
            described, media = _parts(self.headers["Content-Type"], self.body)
            key = (found[1], self.query.get("name") or described["name"])
            stored = storage.put(key, media, described.get("contentType", "application/octet-stream"), self._wanted())
            return _Answer(200, body=_described(key, stored), headers={"Content-Type": "application/json"})

        def _begin_upload(self, bucket: str) -> _Answer:
            described = json.loads(self.body or b"{}")
            name, kind = self.query.get("name") or described["name"], self.headers.get("X-Upload-Content-Type", "")
            upload = storage.open_upload(_Upload((bucket, name), kind, self._wanted(), bytearray()))
            return _Answer(200, headers={"Location": f"{storage.endpoint}{self.place}?uploadType=resumable&upload_id={upload}"})

        def _put(self) -> _Answer:
            upload = storage.upload(self.query.get("upload_id", ""))
            piece = _PIECE.fullmatch(self.headers.get("Content-Range", ""))
            first, total = (int(piece[1] or len(upload.body)), piece[3]) if piece else (0, str(len(self.body)))
            del upload.body[first:]
            upload.body += self.body
            if total == "*" or len(upload.body) < int(total):
                return _Answer(308, headers={"Range": f"bytes=0-{len(upload.body) - 1}"} if upload.body else {})
            stored = storage.put(upload.key, bytes(upload.body), upload.content_type, upload.wanted)
            return _Answer(200, body=_described(upload.key, stored), headers={"Content-Type": "application/json"})

        def _delete(self) -> _Answer:
            storage.find(self._key())
            del storage.objects[self._key()]
            return _Answer(204)

        def _key(self) -> Key:
            found = _OBJECT.fullmatch(self.place)
            if not found:
                raise _Answer(404, f"unknown path {self.place}")
            return found[1], unquote(found[2])

        def _wanted(self) -> int | None:
            wanted = self.query.get("ifGenerationMatch")
            return None if wanted is None else int(wanted)

    return Handler


def _parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The description and the bytes of a multipart upload."""
    whole = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n")
    mark = b"--" + str(whole.get_param("boundary")).encode()
    pieces = [piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")[2] for piece in body.split(mark)[1:3]]
    return json.loads(pieces[0]), pieces[1].removesuffix(b"\r\n")


def _described(key: Key, stored: Stored) -> bytes:
    bucket, name = key
    described = {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": str(stored.generation),
        "size": str(len(stored.body)),
        "contentType": stored.content_type,
        "crc32c": _crc32c(stored.body),
        "md5Hash": _md5(stored.body),
        "timeCreated": stored.created_at.isoformat().replace("+00:00", "Z"),
        "updated": stored.created_at.isoformat().replace("+00:00", "Z"),
    }
    return json.dumps(described).encode()


def _crc32c(body: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(body).digest()).decode()


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
