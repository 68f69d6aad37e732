"""Archives are packed, listed and unpacked; hostile ones leave nothing behind."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from auteryn.policy import quotas
from auteryn.tools import archive as module
from auteryn.tools.archive import archive
from unit.tools.room import Room

KINDS = ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"]


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def tarred(*members: tuple[str, bytes, bytes], mode: str = "w") -> bytes:
    """(name, type, link target or body)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, kind, body in members:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(body)
            else:
                entry.linkname = body.decode()
            archive.addfile(entry, io.BytesIO(body) if kind == tarfile.REGTYPE else None)
    return out.getvalue()


def nothing_was_unpacked(room: Room, *kept: str) -> bool:
    tmp = room.files.own / "tmp"
    return [one.path for one in room.files.walk()] == list(kept) and not list(tmp.iterdir())


@pytest.mark.tool("archive", "happy")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_packed_is_unpacked_again(room: Room, kind: str) -> None:
    room.put("in/one.txt", "1")
    room.put("in/deep/zwei äöü.txt", "2" * 100_000)
    room.put("three.md", "3")
    packed = room.call(archive, action="pack", path=f"out.{kind}", members=["in", "*.md"])
    assert packed["files"] == 3
    listed = room.call(archive, action="list", path=f"out.{kind}")
    assert {one["path"]: one["size_bytes"] for one in listed["members"]} == {
        "in/one.txt": 1,
        "in/deep/zwei äöü.txt": 100_000,
        "three.md": 1,
    }
    told = room.call(archive, action="unpack", path=f"out.{kind}")
    assert told["dest"] == "out" and told["total"] == 3 and told["size_bytes"] == 100_002
    assert room.files.read("out/in/deep/zwei äöü.txt") == b"2" * 100_000


def test_single_members_and_folders_are_taken(room: Room) -> None:
    room.put("a.zip", zipped(("a.txt", b"a"), ("sub/b.txt", b"b"), ("sub/c.md", b"c")))
    assert room.call(archive, action="unpack", path="a.zip", members=["sub/"], dest="x")["files"] == [
        "x/sub/b.txt",
        "x/sub/c.md",
    ]
    assert room.call(archive, action="unpack", path="a.zip", members=["*.md"], dest="y")["files"] == ["y/sub/c.md"]
    assert room.refusal(archive, action="unpack", path="a.zip", members=["none"], dest="z").kind == "not_found"


@pytest.mark.tool("archive", "failure")
@pytest.mark.proves("L14")
@pytest.mark.parametrize("name", ["../out", "a/../../out", "/abs", "..\\out", "a\nb", ".auteryn/done/x"])
@pytest.mark.parametrize(
    "make",
    [
        lambda name: ("a.zip", zipped(("good", b"1"), (name, b"x"))),
        lambda name: ("a.tar", tarred(("good", tarfile.REGTYPE, b"1"), (name, tarfile.REGTYPE, b"x"))),
    ],
)
def test_a_member_that_leads_out_spoils_the_whole_archive(
    room: Room, name: str, make: Callable[[str], tuple[str, bytes]]
) -> None:
    path, body = make(name)
    room.put(path, body)
    assert room.refusal(archive, action="unpack", path=path, dest=".").kind == "denied"
    assert nothing_was_unpacked(room, path)


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, b"/etc/passwd"),
        (tarfile.SYMTYPE, b"good"),
        (tarfile.LNKTYPE, b"../secret"),
        (tarfile.LNKTYPE, b"good"),
        (tarfile.CHRTYPE, b""),
        (tarfile.BLKTYPE, b""),
        (tarfile.FIFOTYPE, b""),
    ],
)
def test_links_and_devices_in_a_tar_are_denied(room: Room, kind: bytes, target: bytes) -> None:
    room.put("a.tar", tarred(("good", tarfile.REGTYPE, b"1"), ("bad", kind, target), ("bad/file", tarfile.REGTYPE, b"x")))
    failed = room.refusal(archive, action="unpack", path="a.tar")
    assert failed.kind == "denied" and "'bad'" in str(failed)
    assert nothing_was_unpacked(room, "a.tar")


@pytest.mark.proves("L14")
def test_a_link_in_a_zip_is_denied(room: Room) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    room.put("a.zip", zipped(("good", b"1"), (link, b"/etc/passwd")))
    assert room.refusal(archive, action="unpack", path="a.zip").kind == "denied"
    assert nothing_was_unpacked(room, "a.zip")


@pytest.mark.tool("archive", "failure")
@pytest.mark.proves("L14")
@pytest.mark.parametrize(("path", "mode"), [("a.zip", ""), ("a.tar.gz", "w:gz"), ("a.tar.xz", "w:xz")])
def test_a_bomb_is_stopped_long_before_it_is_unpacked(room: Room, path: str, mode: str) -> None:
    zeros = bytes(64 * quotas.MB)
    room.put(path, tarred(("bomb", tarfile.REGTYPE, zeros), mode=mode) if mode else zipped(("bomb", zeros)))
    failed = room.refusal(archive, action="unpack", path=path)
    assert failed.kind == "too_large" and "bomb" in str(failed)
    assert nothing_was_unpacked(room, path)


@pytest.mark.proves("L14")
def test_skipped_members_of_a_bomb_count_too(room: Room) -> None:
    body = tarred(("bomb", tarfile.REGTYPE, bytes(64 * quotas.MB)), ("small", tarfile.REGTYPE, b"1"), mode="w:gz")
    room.put("a.tar.gz", body)
    assert room.refusal(archive, action="unpack", path="a.tar.gz", members=["small"]).kind == "too_large"
    assert room.refusal(archive, action="list", path="a.tar.gz").kind == "too_large"


@pytest.mark.proves("L14")
def test_the_cap_on_all_members_holds(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNPACKED_BYTES", 1_000)
    room.put("a.zip", zipped(("a", b"x" * 600), ("b", b"y" * 600), method=zipfile.ZIP_STORED))
    assert room.refusal(archive, action="unpack", path="a.zip").kind == "too_large"
    assert nothing_was_unpacked(room, "a.zip")


@pytest.mark.proves("L14")
def test_a_forged_header_cannot_ask_for_memory(room: Room) -> None:
    entry = tarfile.TarInfo("long name")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    room.put("a.tar", entry.tobuf() + bytes(10_240))
    assert room.refusal(archive, action="unpack", path="a.tar").kind == "too_large"


@pytest.mark.proves("L14")
def test_too_many_members_are_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBERS", 3)
    room.put("a.zip", zipped(*((str(n), b"") for n in range(4))))
    room.put("a.tar", tarred(*((str(n), tarfile.REGTYPE, b"") for n in range(4))))
    assert room.refusal(archive, action="list", path="a.zip").kind == "too_large"
    assert room.refusal(archive, action="unpack", path="a.tar").kind == "too_large"


@pytest.mark.parametrize("path", ["a.zip", "a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
@pytest.mark.parametrize("body", [b"", b"no archive at all" * 100, b"PK\x03\x04" + b"\xff" * 200, b"\x1f\x8b" + b"\0" * 50])
def test_what_is_no_archive_is_said_so(room: Room, path: str, body: bytes) -> None:
    room.put(path, body)
    if path == "a.tar" and not body:
        return  # tar's own end marker is emptiness: an empty tar
    assert room.refusal(archive, action="unpack", path=path).kind in ("unsupported", "not_found")


def test_a_damaged_member_is_said_so(room: Room) -> None:
    body = bytearray(zipped(("a", b"hello world, hello world"), method=zipfile.ZIP_STORED))
    body[40] ^= 0xFF
    room.put("a.zip", bytes(body))
    assert room.refusal(archive, action="unpack", path="a.zip").kind == "unsupported"
    assert nothing_was_unpacked(room, "a.zip")


def test_a_password_is_said_so(room: Room) -> None:
    body = bytearray(zipped(("a", b"hello"), method=zipfile.ZIP_STORED))
    for at in (body.index(b"PK\x03\x04") + 6, body.index(b"PK\x01\x02") + 8):
        body[at] |= 1
    room.put("a.zip", bytes(body))
    assert room.refusal(archive, action="unpack", path="a.zip").kind == "auth"


def test_nothing_is_overwritten(room: Room) -> None:
    room.put("a.zip", zipped(("one", b"1"), ("two", b"2")))
    room.put("x/two", "mine")
    assert room.refusal(archive, action="unpack", path="a.zip", dest="x").kind == "conflict"
    assert nothing_was_unpacked(room, "a.zip", "x/two") and room.files.read("x/two") == b"mine"


@pytest.mark.proves("L6")
def test_a_repeated_unpack_is_one_unpack(room: Room) -> None:
    room.put("a.zip", zipped(("one", b"1"), ("two", b"2")))
    first = room.call(archive, "call_x", action="unpack", path="a.zip")
    assert room.call(archive, "call_x", action="unpack", path="a.zip") == first
    assert room.refusal(archive, "call_y", action="unpack", path="a.zip").kind == "conflict"


@pytest.mark.proves("L6")
def test_an_unpack_cut_off_in_the_middle_goes_on_where_it_was(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put("a.zip", zipped(("one", b"1"), ("two", b"2"), ("three", b"3")))
    rename, moved = room.files._jail.rename, list[str]()

    def dies(src: str, dst: str) -> None:
        if dst.startswith("a/") and len(moved) == 1:
            raise KeyboardInterrupt
        moved.extend([dst] if dst.startswith("a/") else [])
        rename(src, dst)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(room.files._jail, "rename", dies)
        room.call(archive, "call_x", action="unpack", path="a.zip")
    assert len(moved) == 1
    told = room.call(archive, "call_x", action="unpack", path="a.zip")
    assert told["total"] == 3
    assert sorted(one.path for one in room.files.walk("a")) == ["a/one", "a/three", "a/two"]


def test_other_endings_and_nothing_to_pack_are_refused(room: Room) -> None:
    assert room.refusal(archive, action="list", path="a.rar").kind == "unsupported"
    assert room.refusal(archive, action="list", path="a.zip").kind == "not_found"
    assert room.refusal(archive, action="pack", path="a.zip").kind == "invalid"
    assert room.refusal(archive, action="pack", path="a.zip", members=["none"]).kind == "not_found"


@pytest.mark.parametrize(("at", "year"), [(0, 1980), (5e9, 2107)])
def test_a_file_older_or_newer_than_a_zip_can_say_is_packed(room: Room, at: float, year: int) -> None:
    room.put("a.txt", "x")
    os.utime(room.files.root / "a.txt", (at, at))
    room.call(archive, action="pack", path="a.zip", members=["a.txt"])
    with zipfile.ZipFile(io.BytesIO(room.files.read("a.zip"))) as packed:
        assert packed.getinfo("a.txt").date_time[0] == year and packed.read("a.txt") == b"x"


def test_a_file_that_is_named_twice_is_packed_once(room: Room) -> None:
    room.put("a.csv", "x")
    assert room.call(archive, action="pack", path="a.zip", members=["a.csv", "*.csv"])["files"] == 1
