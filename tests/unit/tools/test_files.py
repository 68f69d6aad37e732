"""The file tools: what they return, what they refuse, and that a repeated call changes nothing a second time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auteryn.policy.limits import OUTPUT_CAP
from auteryn.schema.record import to_json
from auteryn.tools.files import file_delete, file_edit, file_find, file_grep, file_move, file_read, file_write
from unit.tools.room import Room

# ---- file_read


@pytest.mark.tool("file_read", "happy")
def test_a_file_is_read_as_numbered_lines(room: Room) -> None:
    room.put("a.txt", "one\ntwo\nthree\n")
    assert room.call(file_read, path="a.txt") == {"text": "1\tone\n2\ttwo\n3\tthree", "lines": "1-3", "total": 3}
    second = room.call(file_read, path="a.txt", offset=2, limit=1)
    assert second == {"text": "2\ttwo", "lines": "2-2", "total": 3, "next_offset": 3}
    assert room.call(file_read, path="a.txt", offset=9) == {"text": "", "lines": "none", "total": 3}


def test_an_empty_file_has_no_lines(room: Room) -> None:
    room.put("a.txt", "")
    assert room.call(file_read, path="a.txt") == {"text": "", "lines": "none", "total": 0}


def test_windows_lines_byte_order_marks_and_bad_bytes_are_read(room: Room) -> None:
    room.put("a.txt", b"\xef\xbb\xbfone\r\nt\xffwo")
    assert room.call(file_read, path="a.txt")["text"] == "1\tone\n2\tt\ufffdwo"


@pytest.mark.parametrize("letter", ["x", "字", '"', "\x01"])
def test_pages_of_a_long_file_join_up_and_each_stays_under_the_output_cap(room: Room, letter: str) -> None:
    lines = [f"line {n} " + letter * (n % 90) for n in range(1, 1_001)]
    room.put("a.txt", "\n".join(lines))
    seen, at = list[str](), 1
    while at:
        page = room.call(file_read, path="a.txt", offset=at)
        assert len(to_json(page)) <= OUTPUT_CAP and page["total"] == 1_000
        seen += [line.split("\t", 1)[1] for line in page["text"].split("\n")]
        at = page.get("next_offset", 0)
    assert seen == lines


@pytest.mark.parametrize("letter", ["x", "字", "\x01"])
def test_one_endless_line_is_cut_and_said_so(room: Room, letter: str) -> None:
    room.put("a.txt", letter * 50_000 + "\nnext")
    page = room.call(file_read, path="a.txt")
    assert page["total"] == 2 and "(cut: the line goes on)" in page["text"] and len(to_json(page)) <= OUTPUT_CAP
    assert room.call(file_read, path="a.txt", offset=2)["text"] == "2\tnext"


def test_a_gigabyte_of_nothing_is_refused_at_once(room: Room) -> None:
    room.put("sparse", "")
    with (room.files.root / "sparse").open("r+b") as file:
        file.truncate(1 << 30)
    assert room.refusal(file_read, path="sparse").kind == "unsupported"


@pytest.mark.tool("file_read", "failure")
@pytest.mark.parametrize("body", [b"%PDF\x00\x01", "text".encode("utf-16")])
def test_what_is_no_text_points_to_another_tool(room: Room, body: bytes) -> None:
    room.put("a", body)
    assert room.refusal(file_read, path="a").kind == "unsupported"


@pytest.mark.tool("file_read", "failure")
def test_a_missing_file_is_not_found(room: Room) -> None:
    assert room.refusal(file_read, path="a").kind == "not_found"


# ---- file_write


@pytest.mark.tool("file_write", "happy")
def test_a_file_is_written_and_its_hash_told(room: Room) -> None:
    told = room.call(file_write, path="new/a.txt", content="höi")
    assert told["size_bytes"] == 4 and len(told["sha256"]) == 64
    assert room.files.read("new/a.txt") == "höi".encode()


@pytest.mark.tool("file_write", "failure")
@pytest.mark.parametrize("path", ["", ".", "box"])
@pytest.mark.parametrize("mode", ["create", "append"])
def test_a_folder_is_not_written_to_as_a_file(room: Room, path: str, mode: str) -> None:
    room.put("box/a.txt", "a")
    assert "is a folder" in str(room.refusal(file_write, path=path, content="new", mode=mode))


def test_create_refuses_to_replace_and_overwrite_does(room: Room) -> None:
    room.put("a.txt", "old")
    assert room.refusal(file_write, path="a.txt", content="new").kind == "conflict"
    room.call(file_write, path="a.txt", content="new", mode="overwrite")
    assert room.files.read("a.txt") == b"new"


@pytest.mark.proves("L6")
@pytest.mark.parametrize("mode", ["create", "overwrite", "append"])
def test_a_repeated_write_is_one_write(room: Room, mode: str) -> None:
    first = room.call(file_write, "call_x", path="a.txt", content="line\n", mode=mode)
    assert room.call(file_write, "call_x", path="a.txt", content="line\n", mode=mode) == first
    assert room.files.read("a.txt") == b"line\n"


def test_two_appends_append_twice(room: Room) -> None:
    room.call(file_write, path="a.txt", content="1", mode="append")
    room.call(file_write, path="a.txt", content="2", mode="append")
    assert room.files.read("a.txt") == b"12"


@pytest.mark.tool("file_write", "failure")
def test_too_long_a_text_and_half_a_character_are_refused(room: Room) -> None:
    assert room.refusal(file_write, path="a", content="x" * 2_000_001).kind == "too_large"
    with pytest.raises(Exception, match="surrogate"):
        file_write.fn(room.context, path="a", content="\ud800")


# ---- file_edit


@pytest.mark.tool("file_edit", "happy")
def test_an_exact_piece_is_replaced_and_the_diff_told(room: Room) -> None:
    room.put("a.txt", "one\ntwo\nthree\n")
    told = room.call(file_edit, path="a.txt", old="two", new="2")
    assert room.files.read("a.txt") == b"one\n2\nthree\n"
    assert "-two\n+2" in told["diff"]


@pytest.mark.proves("L6")
def test_a_repeated_edit_is_one_edit(room: Room) -> None:
    room.put("a.txt", "aa")
    first = room.call(file_edit, "call_x", path="a.txt", old="aa", new="aaaa")
    assert room.call(file_edit, "call_x", path="a.txt", old="aa", new="aaaa") == first
    assert room.files.read("a.txt") == b"aaaa"


@pytest.mark.tool("file_edit", "failure")
def test_the_count_must_be_exact(room: Room) -> None:
    room.put("a.txt", "x x x")
    assert "3 times, not 1" in str(room.refusal(file_edit, path="a.txt", old="x", new="y"))
    room.call(file_edit, path="a.txt", old="x", new="y", count=3)
    assert room.files.read("a.txt") == b"y y y"


@pytest.mark.tool("file_edit", "failure")
def test_what_is_not_there_is_answered_with_the_nearest(room: Room) -> None:
    room.put("a.txt", "def total(items):\n    return sum(items)\n")
    failed = room.refusal(file_edit, path="a.txt", old="def totals(item):", new="x")
    assert failed.kind == "conflict" and "line 1:\ndef total(items):" in str(failed)


def test_windows_line_ends_are_matched_and_kept(room: Room) -> None:
    room.put("a.txt", "one\r\ntwo\r\nthree")
    room.call(file_edit, path="a.txt", old="one\ntwo", new="1\n2")
    assert room.files.read("a.txt") == b"1\r\n2\r\nthree"


def test_bytes_that_are_no_text_are_not_damaged(room: Room) -> None:
    room.put("a", b"\xff\xfe")
    assert room.refusal(file_edit, path="a", old="a", new="b").kind == "unsupported"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text("ab\n", max_size=30), old=st.text("ab\n", min_size=1, max_size=3), new=st.text("xy\n", max_size=3))
def test_an_edit_is_all_or_nothing(room: Room, before: str, old: str, new: str) -> None:
    room.put("p.txt", before)
    times = before.count(old)
    if times == 0:
        assert room.refusal(file_edit, path="p.txt", old=old, new=new).kind == "conflict"
        assert room.files.read("p.txt").decode() == before
    else:
        room.call(file_edit, path="p.txt", old=old, new=new, count=times)
        assert room.files.read("p.txt").decode() == before.replace(old, new)


# ---- file_find, file_grep


@pytest.mark.tool("file_find", "happy")
@pytest.mark.parametrize(
    ("glob", "paths"),
    [
        ("*.txt", ["a.txt", "sub/b.txt", "sub/deep/c.txt"]),
        ("sub/*.txt", ["sub/b.txt"]),
        ("sub/**/*.txt", ["sub/b.txt", "sub/deep/c.txt"]),
        ("{a,b}.txt", ["a.txt", "sub/b.txt"]),
        ("[!a].txt", ["sub/b.txt", "sub/deep/c.txt"]),
        ("?.md", ["d.md"]),
        ("**", ["a.txt", "d.md", "sub/b.txt", "sub/deep/c.txt"]),
        (".git/**", [".git/config"]),
        ("nowhere/*", []),
    ],
)
def test_globs_find_what_people_expect(room: Room, glob: str, paths: list[str]) -> None:
    for path in ("a.txt", "d.md", "sub/b.txt", "sub/deep/c.txt", ".git/config"):
        room.put(path, "x")
    assert [one["path"] for one in room.call(file_find, glob=glob)["files"]] == paths


@pytest.mark.tool("file_find", "failure")
def test_a_long_list_is_cut_and_says_so(room: Room) -> None:
    for n in range(12):
        room.put(f"{n:02}.txt", "x")
    found = room.call(file_find, limit=5)
    assert found["total"] == 12 and len(found["files"]) == 5 and "first 5" in found["cut"]


@pytest.mark.tool("file_find", "failure")
@pytest.mark.parametrize("glob", ["../*", "/etc/*", "a/../../*"])
def test_a_glob_does_not_lead_out(room: Room, glob: str) -> None:
    assert room.refusal(file_find, glob=glob).kind == "denied"


@pytest.mark.tool("file_grep", "happy")
def test_hits_are_shown_with_path_line_and_context(room: Room) -> None:
    room.put("a.txt", "one\ntwo\nthree\nfour\n")
    room.put("b.bin", b"two\0")
    assert room.call(file_grep, pattern="t(wo|hree)")["hits"] == ["a.txt:2: two", "a.txt:3: three"]
    assert room.call(file_grep, pattern="(?i)FOUR", context=2)["hits"] == ["a.txt:2- two\na.txt:3- three\na.txt:4: four"]
    assert room.call(file_grep, pattern="one", context=1)["hits"] == ["a.txt:1: one\na.txt:2- two"]


def test_more_hits_than_wanted_are_cut_and_say_so(room: Room) -> None:
    room.put("a.txt", "x\n" * 50)
    found = room.call(file_grep, pattern="x", limit=3)
    assert len(found["hits"]) == 3 and "first 3" in found["cut"]


@pytest.mark.tool("file_grep", "failure")
@pytest.mark.proves("L14")
def test_a_hostile_expression_takes_no_time(room: Room) -> None:
    """Python's own `re` needs hours for this line: the test would never end."""
    room.put("a.txt", "a" * 5_000 + "!")
    assert room.call(file_grep, pattern="^(a+)+$")["hits"] == []
    assert room.call(file_find, glob="*a" * 40 + "b")["files"] == []


@pytest.mark.tool("file_grep", "failure")
def test_what_re2_lacks_is_said_plainly(room: Room) -> None:
    for pattern in ("(?<=a)b", r"(a)\1"):
        assert "no lookaround and no backreferences" in str(room.refusal(file_grep, pattern=pattern))
    assert room.refusal(file_grep, pattern="(").kind == "invalid"


# ---- file_move, file_delete


@pytest.mark.tool("file_move", "happy")
def test_files_and_folders_are_moved_and_copied(room: Room) -> None:
    room.put("a/one.txt", "1")
    room.call(file_move, src="a", dst="b/c")
    room.call(file_move, src="b/c/one.txt", dst="two.txt", copy=True)
    room.call(file_move, src="b", dst="d", copy=True)
    assert [one.path for one in room.files.walk()] == ["two.txt", "b/c/one.txt", "d/c/one.txt"]


@pytest.mark.tool("file_move", "failure")
def test_nothing_is_moved_over_something_or_into_itself(room: Room) -> None:
    room.put("a/x", "a")
    room.put("b", "b")
    assert room.refusal(file_move, src="a", dst="b").kind == "conflict"
    assert room.refusal(file_move, src="b", dst="a/x", copy=True).kind == "conflict"
    assert room.refusal(file_move, src="a", dst="a/b").kind == "invalid"
    assert room.refusal(file_move, src="none", dst="c").kind == "not_found"
    assert room.files.read("a/x") == b"a" and room.files.read("b") == b"b"


@pytest.mark.proves("L6")
@pytest.mark.parametrize("copy", [False, True])
def test_a_repeated_move_is_one_move(room: Room, copy: bool) -> None:
    room.put("a", "1")
    first = room.call(file_move, "call_x", src="a", dst="b", copy=copy)
    assert room.call(file_move, "call_x", src="a", dst="b", copy=copy) == first
    assert room.files.exists("a") == copy and room.files.read("b") == b"1"


@pytest.mark.tool("file_delete", "happy")
def test_what_was_deleted_comes_back(room: Room) -> None:
    room.put("a/one.txt", "1")
    told = room.call(file_delete, paths=["a"])
    assert not room.files.exists("a") and room.call(file_find)["total"] == 0
    room.call(file_move, src=told["deleted"]["a"], dst="a")
    assert room.files.read("a/one.txt") == b"1"


@pytest.mark.proves("L6")
def test_a_repeated_delete_is_one_delete(room: Room) -> None:
    room.put("a", "1")
    room.put("b", "2")
    first = room.call(file_delete, "call_x", paths=["a"])
    assert room.call(file_delete, "call_x", paths=["a"]) == first
    assert room.files.exists("b")


@pytest.mark.tool("file_delete", "failure")
def test_a_missing_file_keeps_the_others(room: Room) -> None:
    room.put("a", "1")
    assert room.refusal(file_delete, paths=["a", "none"]).kind == "not_found"
    assert room.files.exists("a")


def test_more_than_twenty_files_are_deleted_only_with_leave(room: Room) -> None:
    for n in range(21):
        room.put(f"many/{n}", "x")
    few, many = [f"many/{n}" for n in range(20)], ["many"]
    assert file_delete.judged({"paths": few}, room.files, room.run).permission == "auto"
    assert file_delete.judged({"paths": many}, room.files, room.run).permission == "ask"
    assert file_delete.judged({"paths": ["none"] * 21}, room.files, room.run).permission == "ask"
    assert file_delete.judged({"paths": ["../x"]}, room.files, room.run).permission == "auto"
    assert file_delete.target and file_delete.target({"paths": few}) == "20 paths: many/0, many/1, many/2 …"


# ---- what files are like


def test_what_lies_in_a_folder_that_is_deleted_too_goes_with_it(room: Room) -> None:
    room.put("d/x", "x")
    room.put("d/y", "y")
    deleted = room.call(file_delete, paths=["d/x", "d"])["deleted"]
    assert room.files.read(deleted["d/x"]) == b"x" and not room.files.exists("d")


def test_lines_with_plain_ends_can_be_edited_beside_windows_lines(room: Room) -> None:
    room.put("a.csv", b'a,b\r\n1,"two\nlines"\r\n')
    room.call(file_edit, path="a.csv", old="two\nlines", new="three\nlines")
    room.call(file_edit, path="a.csv", old="a,b\n1", new="a,b\n2")
    assert room.files.read("a.csv") == b'a,b\r\n2,"three\nlines"\r\n'


def test_a_hit_far_out_in_a_long_line_is_found_and_shown(room: Room) -> None:
    room.put("a.json", '{"a": "' + "x" * 9_000 + ' needle"}\n')
    (hit,) = room.call(file_grep, pattern="needle")["hits"]
    assert "needle" in hit and len(hit) < 500


def test_a_name_that_is_no_text_hides_no_other_file(room: Room) -> None:
    room.put("a.csv", "needle")
    (room.files.root / os.fsdecode(b"\xff.csv")).write_text("needle")
    assert [one["path"] for one in room.call(file_find, glob="*.csv")["files"]] == ["a.csv"]
    assert room.call(file_grep, pattern="needle")["hits"] == ["a.csv:1: needle"]
