"""Nothing gets out of a run's files, by whichever spelling; what is written is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auteryn.errors import DiskFull, ToolFailed
from auteryn.tools.hidden import HIDDEN
from auteryn.tools.jail import Jail, cleaned, told
from auteryn.tools.workspace import Workspace


@pytest.fixture(params=[None, False], ids=["kernel", "walked"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """Both ways of opening: by the kernel where it can, and folder by folder."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "files").mkdir()
    return Workspace(tmp_path / "files", kernel=request.param)


def kind(files: Workspace, path: str) -> str:
    with pytest.raises(ToolFailed) as failed:
        files.read(path)
    return failed.value.kind


@pytest.mark.proves("L14")
@pytest.mark.parametrize("path", ["../secret", "a/../../secret", "/etc/passwd", "~/secret", "..", "a/..", "//etc/passwd"])
def test_a_path_that_leads_out_is_denied(files: Workspace, path: str) -> None:
    assert kind(files, path) == "denied"


@pytest.mark.proves("L14")
@pytest.mark.parametrize("path", ["a\0b", "a\nb", "..\\secret", "\x7f", "a" * 256, "a/" * 600, "\ud800"])
def test_a_path_that_is_none_is_refused(files: Workspace, path: str) -> None:
    assert kind(files, path) == "invalid"


@pytest.mark.proves("L14")
def test_links_are_never_followed(files: Workspace, tmp_path: Path) -> None:
    (files.root / "link").symlink_to(tmp_path / "secret")
    (files.root / "folder").symlink_to(tmp_path)
    (files.root / "inside").symlink_to("plain")
    files.write("plain", b"plain")
    for path in ("link", "folder/secret", "inside"):
        assert kind(files, path) == "denied"
    for write in ("folder/new", "folder/sub/new"):
        with pytest.raises(ToolFailed, match="link"):
            files.write(write, b"x")
    with pytest.raises(ToolFailed, match="link"):
        files.stat("link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "files.auteryn", "secret"]
    assert [found.path for found in files.walk()] == ["plain"]


@pytest.mark.proves("L14")
def test_writing_over_a_link_replaces_the_link_and_not_what_it_points_to(files: Workspace, tmp_path: Path) -> None:
    (files.root / "link").symlink_to(tmp_path / "secret")
    files.write("link", b"mine")
    assert (tmp_path / "secret").read_text() == "secret"
    assert files.read("link") == b"mine"


@pytest.mark.proves("L14")
def test_a_folder_swapped_for_a_link_in_the_middle_of_reading_never_leads_out(files: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    files.write("folder/file", b"mine")
    stop = False

    def swap() -> None:
        while not stop:
            (files.root / "folder").rename(files.root / "kept")
            (files.root / "folder").symlink_to(outside)
            (files.root / "folder").unlink()
            (files.root / "kept").rename(files.root / "folder")

    swapper = Thread(target=swap)
    swapper.start()
    try:
        seen = set[bytes]()
        for _ in range(3_000):
            try:
                seen.add(files.read("folder/file"))
            except ToolFailed as error:
                seen.add(error.kind.encode())
    finally:
        stop = True
        swapper.join()
    assert b"secret" not in seen and files.read("folder/file") == b"mine"


@pytest.mark.proves("L14")
def test_special_files_are_refused_without_hanging(files: Workspace) -> None:
    os.mkfifo(files.root / "pipe")
    assert kind(files, "pipe") == "denied"
    assert list(files.walk()) == []


def test_the_engines_own_files_are_out_of_reach(files: Workspace) -> None:
    files.write("a", b"a", key="k", output=1)
    assert kind(files, HIDDEN) == kind(files, f"./{HIDDEN}/done") == "denied"
    assert [found.path for found in files.walk(skip=frozenset())] == ["a"]
    assert (files.own).stat().st_mode & 0o077 == 0


@given(st.text(max_size=40) | st.text(alphabet="./ab~\\", max_size=12))
def test_whatever_is_cleaned_stays_inside(path: str) -> None:
    try:
        name = cleaned(path)
    except ToolFailed:
        return
    assert not name.startswith("/") and ".." not in name.split("/") and "\0" not in name
    assert os.path.normpath(name or ".") == (name or ".")


def test_a_missing_file_is_not_found(files: Workspace) -> None:
    files.write("a", b"a")
    assert kind(files, "b") == kind(files, "a/b") == "not_found"
    assert kind(files, "") == "invalid"


def test_a_file_is_there_whole_or_not_at_all(files: Workspace) -> None:
    def breaks():
        yield b"half"
        raise RuntimeError("cut off")

    files.write("a", b"before")
    with pytest.raises(RuntimeError):
        files.write("a", breaks())
    assert files.read("a") == b"before"
    assert list((files.own / "tmp").iterdir()) == []


def test_a_second_reader_never_sees_half_a_file(files: Workspace) -> None:
    bodies = [letter * 300_000 for letter in (b"a", b"b")]
    files.write("a", bodies[0])
    stop = False

    def rewrite() -> None:
        at = 0
        while not stop:
            at += 1
            files.write("a", bodies[at % 2])

    writer = Thread(target=rewrite)
    writer.start()
    try:
        assert all(files.read("a") in bodies for _ in range(200))
    finally:
        stop = True
        writer.join()


def test_too_large_a_file_and_too_many_bytes_are_refused(tmp_path: Path) -> None:
    files = Workspace(tmp_path / "files", file_bytes=1_000, tree_bytes=1_500)
    files.write("a", b"x" * 900)
    with pytest.raises(ToolFailed) as too_large:
        files.write("b", b"x" * 1_001)
    with pytest.raises(ToolFailed) as quota:
        files.write("b", b"x" * 700)
    with pytest.raises(ToolFailed) as read:
        files.read("a", most=899)
    assert [failed.value.kind for failed in (too_large, quota, read)] == ["too_large", "quota", "too_large"]
    assert not files.exists("b")


def test_a_library_gets_a_path_of_the_same_name_and_its_result_is_taken_in_whole(files: Workspace) -> None:
    files.write("in/book.xlsx", b"book")
    with files.path_for_library("in/book.xlsx") as path:
        assert path.name == "book.xlsx" and path.read_bytes() == b"book" and not path.is_symlink()
    with files.path_to_write("out/new.xlsx") as target:
        target.write_bytes(b"new")
        assert not files.exists("out/new.xlsx")
    assert files.read("out/new.xlsx") == b"new"
    with pytest.raises(RuntimeError), files.path_to_write("out/new.xlsx") as target:
        target.write_bytes(b"half")
        raise RuntimeError
    assert files.read("out/new.xlsx") == b"new"
    assert not path.exists() and list((files.own / "tmp").iterdir()) == []


def test_a_link_a_library_leaves_is_not_taken_in(files: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="link"), files.path_to_write("out") as target:
        target.symlink_to(tmp_path / "secret")
    assert not files.exists("out")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_a_name_of_its_own(code: int) -> None:
    with pytest.raises(DiskFull, match=r"no space left .* 'a\.txt'"), told("a.txt"):
        raise OSError(code, "full")


def test_a_disk_that_fills_up_while_writing_leaves_nothing_behind(files: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    files.write("a", b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        files.write("a", b"after")
    assert files.read("a") == b"before"
    assert list((files.own / "tmp").iterdir()) == []


def test_deep_folders_are_made_on_the_way(files: Workspace) -> None:
    files.write("/".join("abcdefgh") + "/file", b"x")
    assert files.stat("a/b/c").folder and files.read("a//b/./c/d/e/f/g/h/file") == b"x"


def test_the_jail_opens_what_is_inside(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    fd = Jail(tmp_path).open("a")
    assert os.read(fd, 9) == b"a"
    os.close(fd)


def test_a_receipt_counts_only_when_the_effect_is_there(files: Workspace) -> None:
    """Cut off between the receipt and the rename, the effect has not happened, and the repeat does it."""
    staged = files._staged("k")
    files._fill(staged, [b"new"], "a")
    files._leave_receipt("k", staged, {"done": True})
    assert files.receipt("k") is None
    files.write("a", b"new", key="k", output={"done": True})
    assert files.receipt("k") == {"done": True} and files.receipt("other") is None
