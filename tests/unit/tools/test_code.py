"""Code of the model, of projects and of strangers, through the tools that run it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auteryn.errors import ToolFailed
from auteryn.tools.code import code_check, code_test
from auteryn.tools.files import file_find
from auteryn.tools.git import git, patch_apply
from auteryn.tools.sandbox import ladder
from auteryn.tools.shell import python_run, shell_run
from auteryn.tools.walled import files_now, last_word
from unit.tools.fault_server import FaultServer, Reply
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

# ---- Python and shell


@pytest.mark.tool("python_run", "happy")
def test_python_reads_and_writes_the_runs_files(room: Room) -> None:
    room.put("sales.csv", "1\n2\n3\n")
    code = "import os\ntotal = sum(map(int, open('sales.csv')))\nos.mkdir('out')\n"
    code += "open('out/total.txt', 'w').write(str(total))\nprint(total)"
    told = room.call(python_run, **as_a_judge_calls(python_run, code=code))
    assert told == {"exit_code": 0, "stdout": "6\n", "new_files": ["out/total.txt"]}
    assert room.files.read("out/total.txt") == b"6"
    room.files.write("out/total.txt", b"by another tool")
    assert room.call(python_run, code="open('out/total.txt', 'a').write('!')")["changed_files"] == ["out/total.txt"]


@pytest.mark.tool("python_run", "failure")
def test_a_mistake_is_shown_where_it_is(room: Room) -> None:
    told = room.call(python_run, code="x = 1\ny = x / 0\n")
    assert told["exit_code"] == 1 and "line 2" in told["stderr"] and "ZeroDivisionError" in told["stderr"]
    for seconds in (1, 4, 16):  # a busy machine needs more to begin
        late = room.refusal(python_run, code="print('begun', flush=True)\nwhile True: pass", timeout=seconds)
        if "begun" in str(late):
            break
    assert late.kind == "timeout" and "begun" in str(late)


@pytest.mark.tool("shell_run", "happy")
def test_a_command_starts_where_it_is_told(room: Room) -> None:
    room.put("in/a.txt", "b\na\n")
    told = room.call(shell_run, command="sort a.txt > sorted.txt; rm a.txt; pwd; ls", cwd="in")
    assert told["stdout"] == "/workspace/in\nsorted.txt\n"
    assert told["new_files"] == ["in/sorted.txt"] and told["deleted_files"] == ["in/a.txt"]


@pytest.mark.tool("shell_run", "failure")
def test_an_exit_code_is_data_and_a_folder_must_be_one(room: Room) -> None:
    assert room.call(shell_run, command="echo no >&2; exit 3") == {"exit_code": 3, "stdout": "", "stderr": "no\n"}
    room.put("a.txt", "a")
    assert room.refusal(shell_run, command="true", cwd="a.txt").kind == "invalid"
    assert room.refusal(shell_run, command="true", cwd="../..").kind == "denied"
    assert room.refusal(shell_run, command="true", cwd="none").kind == "not_found"


@pytest.mark.proves("L6")
def test_a_command_cut_off_by_a_crash_is_not_repeated_and_one_that_ended_keeps_its_answer(room: Room) -> None:
    told = room.call(shell_run, "call_x", command="echo one >> log; cat log")
    assert room.context is not None and room.loop.run(last_word(room.context)) == told
    room.context.call = "call_y"
    with pytest.raises(ToolFailed, match="outcome unknown") as unknown:
        room.loop.run(last_word(room.context))
    assert unknown.value.kind == "ambiguous" and room.files.read("log") == b"one\n"


def test_the_network_must_be_allowed_and_leads_through_the_guard(surfer: Room, site: FaultServer) -> None:
    site.on("/prices", "nine")
    ask = {True: "ask1", False: "auto"}
    for network, permission in ask.items():
        judged = shell_run.judged({"network": network}, surfer.files, surfer.run)
        assert (judged.permission, judged.sends) == (permission, network)
    code = f"import urllib.request as u\nprint(u.urlopen('http://shop.test:{site.port}/prices').read())\nu.urlopen('http://127.0.0.2:{site.port}/')"
    told = surfer.call(python_run, code=code, network=True)
    assert told["stdout"] == "b'nine'\n" and "403" in told["stderr"]
    assert surfer.context is not None
    assert [level for level, _ in surfer.context.logged] == ["info", "warning"]
    alone = surfer.call(python_run, code=code)
    assert alone["exit_code"] == 1 and not alone["stdout"]


def test_the_engines_own_files_are_not_there(room: Room) -> None:
    room.put("a.txt", "a")
    told = room.call(shell_run, command="ls -a; ls -a ..")
    assert ".auteryn" not in told["stdout"] and "files" not in told["stdout"].split()


def test_many_new_files_are_counted(room: Room) -> None:
    told = room.call(shell_run, command="for n in $(seq 60); do echo x > $n.txt; done")
    assert len(told["new_files"]) == 51 and told["new_files"][-1] == "… and 10 more"


def test_a_full_quota_runs_nothing(room: Room) -> None:
    room.put("a.txt", "a" * 100)
    room.files.tree_bytes = 50
    assert room.refusal(python_run, code="print(1)").kind == "quota"


def test_without_a_sandbox_the_tools_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ladder.SETTING, "off")
    for one in (python_run, shell_run, git, patch_apply, code_check, code_test):
        assert one.missing is not None and one.missing() == "AUTERYN_SANDBOX is off"


@pytest.fixture
def no_wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only the rung of Google Cloud is tried, and its command is not here."""
    monkeypatch.setenv(ladder.SETTING, "cloud-run")
    ladder.climbing.cache_clear()
    yield
    ladder.climbing.cache_clear()


@pytest.mark.tool("python_run", "failure")
@pytest.mark.usefixtures("no_wall")
def test_where_no_wall_stands_nothing_is_run(room: Room) -> None:
    for one, args in ((python_run, {"code": "open('a.txt', 'w')"}), (shell_run, {"command": "touch a.txt"})):
        assert one.missing is not None and "`sandbox` command" in str(one.missing())
        told = room.refusal(one, **args)
        assert (told.kind, told.retryable) == ("unavailable", False) and "auteryn doctor" in str(told)
        assert not room.files.exists("a.txt")


# ---- git


@pytest.fixture
def project(room: Room) -> Room:
    """A repository with one commit."""
    room.put("shop/a.txt", "one\ntwo\nthree\n")
    assert room.call(shell_run, command="git init -q -b main shop")["exit_code"] == 0
    room.call(git, action="commit", repo="shop", message="First")
    return room


@pytest.mark.tool("git", "happy")
def test_a_change_is_seen_committed_and_told(project: Room) -> None:
    project.put("shop/a.txt", "one\n2\nthree\n")
    assert project.call(git, action="status", repo="shop")["output"] == "## main\n M a.txt\n"
    assert "-two\n+2" in project.call(git, **as_a_judge_calls(git, action="diff", repo="shop", args=["--unified=0"]))["output"]
    assert project.call(git, action="branch", repo="shop", args=["work"])["branch"] == "work"
    told = project.call(git, "call_x", action="commit", repo="shop", message="Second")
    assert told["changes"] == "1 file changed, 1 insertion(+), 1 deletion(-)"
    assert project.call(git, "call_x", action="commit", repo="shop", message="Second") == told
    log = project.call(git, action="log", repo="shop", args=["--format=%an: %s"])["output"]
    assert log == "Auteryn: Second\nAuteryn: First\n"
    assert "Second" in project.call(git, action="show", repo="shop", args=["HEAD", "--stat"])["output"]
    assert "* work" in project.call(git, action="branch", repo="shop")["output"]


@pytest.mark.tool("git", "failure")
def test_what_git_refuses_is_told(project: Room) -> None:
    assert project.refusal(git, action="status", repo="nowhere").kind == "not_found"
    assert project.refusal(git, action="show", repo="shop", args=["deadbeef"]).kind == "not_found"
    assert project.refusal(git, action="commit", repo="shop", message="Nothing").kind == "conflict"
    assert project.refusal(git, action="commit", repo="shop", message=" ").kind == "invalid"
    for one in ("--upload-pack=touch x", "-c", "--ext-diff", "--output=/etc/x", "--git-dir=/"):
        assert project.refusal(git, action="log", repo="shop", args=[one]).kind == "denied"


@pytest.mark.tool("git", "happy")
@pytest.mark.proves("L6")
def test_a_repository_is_cloned_once_through_the_guard(surfer: Room, site: FaultServer, tmp_path: Path) -> None:
    serve(site, tmp_path, "shop")
    url = site.url("/shop.git", host="shop.test")
    told = surfer.call(git, "call_x", action="clone", url=url)
    assert told["repo"] == "shop" and told["head"].endswith(" First") and surfer.files.read("shop/a.txt") == b"one\n"
    asked = len(site.asked)
    assert surfer.call(git, "call_x", action="clone", url=url) == told and len(site.asked) == asked
    assert surfer.refusal(git, action="clone", url=url).kind == "conflict"
    assert not [path for path in surfer.files.root.iterdir() if path.name.startswith(".clone")]


@pytest.mark.tool("git", "failure")
@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% x",
        "file:///etc",
        "ssh://git@shop.test/a",
        "git@shop.test:a",
        "/etc",
        "http://169.254.169.254/a.git",
        "--upload-pack=x",
    ],
)
def test_only_the_public_web_is_cloned_from(room: Room, url: str) -> None:
    assert room.refusal(git, action="clone", url=url, repo="x").kind == "blocked"
    assert not room.files.exists("x")


@pytest.mark.proves("L14")
def test_a_hostile_repository_runs_nothing(project: Room) -> None:
    """Everything in it that git would run says so in a file."""
    trap = "/workspace/shop/.git/sprung"
    sprung = f"touch {trap}"
    for hook in ("pre-commit", "post-checkout", "commit-msg", "post-index-change", "reference-transaction"):
        project.put(f"shop/.git/hooks/{hook}", f"#!/bin/sh\n{sprung}\n")
    settings = {
        "core.fsmonitor": sprung, "core.pager": sprung, "core.editor": sprung, "core.sshCommand": sprung,
        "diff.external": sprung, "diff.evil.textconv": sprung, "diff.evil.command": sprung,
        "gpg.program": sprung, "commit.gpgsign": "true",
        "core.hooksPath": ".git/hooks", "core.askPass": sprung, "credential.helper": f"!{sprung}",
        "remote.origin.url": f"ext::{sprung}",
    }  # fmt: skip
    lines = "; ".join(f"git config {name} '{value}'" for name, value in settings.items())
    project.put("shop/.gitattributes", "*.txt diff=evil\n")
    assert project.call(shell_run, command=f"chmod +x .git/hooks/*; {lines}", cwd="shop")["exit_code"] == 0
    project.put("shop/a.txt", "changed\n")
    for action, more in (
        ("status", {}),
        ("diff", {}),
        ("log", {"args": ["-p"]}),
        ("show", {}),
        ("commit", {"message": "x"}),
        ("branch", {"args": ["b"]}),
    ):
        project.call(git, action=action, repo="shop", **more)
        assert not project.files.exists("shop/.git/sprung"), action


def serve(site: FaultServer, folder: Path, name: str) -> None:
    """A bare repository with one commit, as files of a web server."""
    here = folder / "origin"
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    script = f"""set -e; mkdir -p {here}/w; cd {here}/w; git init -q -b main; echo one > a.txt; git add .
git -c user.name=a -c user.email=a@b commit -q -m First
git clone -q --bare . ../{name}.git; cd ../{name}.git; git update-server-info"""
    subprocess.run(["sh", "-c", script], check=True, env=env, capture_output=True)
    for path in (here / f"{name}.git").rglob("*"):
        if path.is_file():
            site.on(f"/{path.relative_to(here)}", Reply(path.read_bytes()))


# ---- patches

PATCH = """--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@
 one
-two
+2
 three
--- /dev/null
+++ b/new.txt
@@ -0,0 +1 @@
+new
"""


@pytest.mark.tool("patch_apply", "happy")
def test_a_patch_is_applied_also_where_lines_have_moved(room: Room) -> None:
    room.put("a.txt", "zero\nzero\none\ntwo\nthree\n")
    assert room.call(patch_apply, diff=PATCH, check_only=True) == {"fits": True, "files": ["a.txt", "new.txt"]}
    assert room.files.read("a.txt").startswith(b"zero\nzero\none\ntwo") and not room.files.exists("new.txt")
    told = room.call(patch_apply, **as_a_judge_calls(patch_apply, diff=PATCH))
    assert told == {"applied": True, "files": ["a.txt", "new.txt"]}
    assert room.files.read("a.txt") == b"zero\nzero\none\n2\nthree\n" and room.files.read("new.txt") == b"new\n"
    assert room.call(patch_apply, diff=PATCH) == told


@pytest.mark.tool("patch_apply", "failure")
def test_the_hunk_that_does_not_fit_is_named_and_nothing_is_changed(room: Room) -> None:
    body = "\n".join(f"line {n}" for n in range(40)) + "\n"
    room.put("a.txt", body)
    diff = """--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@
-line 0
+line zero
 line 1
 line 2
@@ -20,3 +20,3 @@
 line 19
-line twenty
+line 20!
 line 21
"""
    told = room.refusal(patch_apply, diff=diff)
    assert told.kind == "conflict" and "Rejected hunk #2" in str(told) and "a.txt" in str(told)
    assert room.files.read("a.txt").decode() == body and [file.path for file in room.files.walk()] == ["a.txt"]


@pytest.mark.tool("patch_apply", "failure")
def test_a_patch_does_not_lead_out(room: Room, tmp_path: Path) -> None:
    room.put("a.txt", "a\n")
    out = "--- /dev/null\n+++ b/../../out.txt\n@@ -0,0 +1 @@\n+out\n"
    assert room.refusal(patch_apply, diff=out).kind == "denied"
    room.call(shell_run, command="ln -s /etc link")
    through = "--- /dev/null\n+++ b/link/out.txt\n@@ -0,0 +1 @@\n+out\n"
    assert room.refusal(patch_apply, diff=through).kind == "denied"
    assert room.refusal(patch_apply, diff="hello").kind == "invalid"
    assert not list(tmp_path.rglob("out.txt")) and not Path("/etc/out.txt").exists()


# ---- lint and tests


@pytest.mark.tool("code_check", "happy")
def test_seeded_mistakes_are_found_and_repaired(room: Room) -> None:
    room.put("pkg/a.py", "import os\nimport sys\n\nprint(sys.argv, undefined)\n")
    told = room.call(code_check, **as_a_judge_calls(code_check, path="pkg"))
    assert [(one["where"], one["code"]) for one in told["findings"]] == [("pkg/a.py:1:8", "F401"), ("pkg/a.py:4:17", "F821")]
    left = room.call(code_check, path="pkg/a.py", fix=True)
    assert left["total"] == 1 and room.files.read("pkg/a.py").startswith(b"import sys")
    room.put("pkg/pyproject.toml", '[tool.ruff.lint]\nignore = ["F821"]\n')
    assert room.call(code_check, path="pkg") == {"total": 0, "findings": []}


@pytest.mark.tool("code_check", "failure")
def test_what_is_no_python_is_not_checked(room: Room) -> None:
    room.put("a.txt", "x")
    room.put("docs/b.md", "x")
    assert room.refusal(code_check, path="a.txt").kind == room.refusal(code_check, path="docs").kind == "unsupported"
    assert room.refusal(code_check, path="none.py").kind == "not_found"
    room.put("bad/pyproject.toml", "[tool.ruff\n")
    room.put("bad/a.py", "x = 1\n")
    assert room.refusal(code_check, path="bad").kind == "invalid"
    room.put("broken.py", "def f(:\n")
    assert room.call(code_check, path="broken.py")["findings"][0]["code"] in ("syntax", "invalid-syntax")


@pytest.mark.tool("code_test", "happy")
def test_what_passed_and_what_failed_is_counted(room: Room) -> None:
    room.put("p/shop.py", "def price(n):\n    return n * 9\n")
    room.put(
        "p/tests/test_shop.py",
        "import pytest\nfrom shop import price\n\ndef test_one():\n    print('<testcase/>')\n    assert price(1) == 9\n\n"
        "def test_two():\n    assert price(2) == 19\n\n@pytest.mark.skip(reason='later')\ndef test_three():\n    pass\n",
    )
    told = room.call(code_test, path="p")
    assert {kind: told[kind] for kind in ("passed", "failed", "errors", "skipped")} == {
        "passed": 1,
        "failed": 1,
        "errors": 0,
        "skipped": 1,
    }
    (bad,) = told["failures"]
    assert bad["test"] == "tests.test_shop::test_two" and "assert 18 == 19" in bad["why"]
    assert room.call(code_test, path="p", select=["tests/test_shop.py::test_one"])["failed"] == 0


@pytest.mark.tool("code_test", "happy")
def test_a_project_s_own_command_is_run_and_its_report_is_counted(room: Room) -> None:
    room.put(
        "p/test_shop.py", "import unittest\n\nclass Shop(unittest.TestCase):\n    def test_one(self):\n        assert 1 == 2\n"
    )
    room.put("p/tests.sh", 'python -m unittest "$@"\n')
    told = room.call(code_test, path="p", command='sh tests.sh "$@"', select=["test_shop.Shop"])
    assert told["exit_code"] == 1 and "FAILED (failures=1)" in told["output"] and "passed" not in told
    report = '<testsuite><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>'
    told = room.call(code_test, path="p", command=f"echo begun; pwd; echo '{report}' > $JUNIT; exit 5")
    assert (told["passed"], told["failed"], told["exit_code"], told["output"]) == (1, 1, 5, "begun\n/workspace/p")
    assert told["failures"] == [{"outcome": "failed", "test": "b", "why": "no"}]
    assert room.call(code_test, path="p", command="echo fine") == {"exit_code": 0, "output": "fine"}


@pytest.mark.tool("code_test", "failure")
def test_a_hanging_a_crashing_and_an_empty_project_are_told_apart(room: Room) -> None:
    room.put("hang/test_a.py", "def test_hang():\n    while True: pass\n")
    assert room.refusal(code_test, path="hang", timeout=3).kind == "timeout"
    assert room.refusal(code_test, path="hang", command="sleep 60", timeout=1).kind == "timeout"
    room.put("crash/test_a.py", "import os\n\ndef test_crash():\n    os.kill(os.getpid(), 11)\n")
    told = room.call(code_test, path="crash")
    assert "exit code 139" in told["crashed"] and "Segmentation fault" in told["output"]
    room.put("empty/a.txt", "")
    assert room.refusal(code_test, path="empty").kind == "not_found"
    assert room.refusal(code_test, path="crash", select=["none.py"]).kind == "invalid"
    assert room.refusal(code_test, path="crash", select=["--rootdir=/"]).kind == "invalid"
    room.put("bad/test_a.py", "import nothing_of_that_name\n")
    assert room.call(code_test, path="bad")["errors"] == 1


def test_what_a_program_printed_is_told_though_a_file_it_left_has_no_name_in_unicode(room: Room) -> None:
    told = room.call(python_run, call="c", code=r"open(b'\xff.txt', 'w').close(); print('done')")
    assert told["stdout"] == "done\n"
    assert asyncio.run(last_word(room.context))["stdout"] == "done\n"


def test_a_file_that_another_call_takes_away_meanwhile_is_not_listed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.put("a.txt", "x")
    room.call(file_find)
    real = os.fwalk

    def late(*args: Any, **options: Any) -> Iterator[Any]:
        for here, folders, names, fd in real(*args, **options):
            yield here, folders, [*names, "gone.txt"], fd

    monkeypatch.setattr(os, "fwalk", late)
    assert room.context and list(files_now(room.context)) == ["a.txt"]
