"""Nonsense gives one line that helps, the usage exit code, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auteryn.cli.home import opened
from auteryn.cli.root import Common
from auteryn.demo.marker import mark
from auteryn.service.asks import Question
from auteryn.tools.mcp import approve
from auteryn.tools.mcp_server import Definition

NONSENSE = {
    "no task": ((), "say what to do"),
    "only spaces": (("   ",), "say what to do"),
    "unknown mode": (("x", "--mode", "turbo"), "mode: 'turbo' is none of 'auto', 'fast', 'deep'"),
    "missing file": (("x", "--file", "nothing.csv"), "--file: 'nothing.csv' is no file that can be read"),
    "a folder for a file": (("x", "--file", "folder"), "--file: 'folder' is a folder: name the files in it"),
    "two files of one name": (("x", "--file", "a.txt", "--file", "folder/a.txt"), "the same name as a.txt"),
    "no span": (("x", "--max-duration", "soon"), "max_duration: 'soon' must be a span"),
    "too long": (("x", "--max-duration", "8d"), "max_duration: '8d' is longer than a run can live"),
    "no budget": (("x", "--budget", "-1"), "budget.credits"),
    "budget in words": (("x", "--budget", "much"), "'much' is not a valid float"),
    "unknown approval": (("x", "--approve", "maybe"), "approve: 'maybe' is none of"),
    "missing plan": (("x", "--steps", "plan.json"), "--steps: 'plan.json' cannot be read"),
    "a plan that is none": (("x", "--steps", "a.txt"), "--steps: 'a.txt' is no JSON"),
    "a plan in another encoding": (("x", "--steps", "latin.json"), "--steps: 'latin.json' is no JSON"),
    "a plan that says two things": (
        ("x", "--steps", "twice.json"),
        "description: ['a', 'b'] stands in one object more than once",
    ),
    "a plan in a circle": (("x", "--steps", "circle.json"), "depends_on"),
    "unknown option": (
        (
            "x",
            "--fsat",
        ),
        "No such option",
    ),
}


@pytest.mark.parametrize("args, words", NONSENSE.values(), ids=NONSENSE)
def test_a_run_that_cannot_be_is_refused_before_anything_is_written(auteryn, tmp_path: Path, args, words: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").write_text("not json")
    (tmp_path / "folder" / "a.txt").write_text("b")
    (tmp_path / "latin.json").write_bytes('[{"description": "Größe"}]'.encode("latin-1"))
    (tmp_path / "twice.json").write_text('[{"description": "a", "description": "b"}]')
    (tmp_path / "circle.json").write_text(
        json.dumps([{"description": "a", "depends_on": [2]}, {"description": "b", "depends_on": [1]}])
    )

    done = auteryn("run", *args)

    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert auteryn("ls", "--quiet").out == ""


def test_without_a_key_no_run_is_made_and_the_demo_is_named(auteryn) -> None:
    done = auteryn("run", "What is the capital of Australia?")

    assert done.code == 2
    assert "GEMINI_API_KEY: '' is not set" in done.err
    assert "auteryn demo" in done.err
    assert auteryn("ls", "--quiet").out == ""


def test_a_task_of_ones_own_is_not_given_to_the_script_of_a_demo(auteryn, tmp_path: Path) -> None:
    mark(tmp_path / "home")
    for more in ([], ["--detach"]):
        done = auteryn("run", "What is the capital of Australia?", *more)
        assert (done.code, done.out) == (2, "")
        assert "is the demo's, whose model is a script of one task" in done.err
    assert auteryn("ls", "--quiet").out == ""


def test_a_file_name_that_is_no_text_is_refused(auteryn, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\x01.csv")
    (tmp_path / name).write_text("a")

    done = auteryn("run", "look at it", "--file", name)

    assert done.code == 2
    assert "is no name a file of a run can have" in done.err


NAMING_A_RUN = (
    *("status", "watch", "result", "logs", "metrics", "credits", "artifacts list", "artifacts get"),
    *("pause", "resume", "cancel", "retry", "send"),
)


@pytest.mark.parametrize("command", NAMING_A_RUN)
def test_an_unknown_run_is_named_with_where_to_look(auteryn, command: str) -> None:
    done = auteryn(*command.split(), "run_0000000000000000", *(["text"] if command == "send" else []))

    assert done.code == 2
    assert "there is no run 'run_0000000000000000'" in done.err
    assert "auteryn ls" in done.err


NO_TEXT = os.fsdecode(b"\x01\xff")
"""What a terminal of another encoding passes on."""


@pytest.mark.parametrize("command", NAMING_A_RUN)
def test_bytes_that_are_no_text_are_refused(auteryn, created, command: str) -> None:
    words = [created("Compare the prices"), NO_TEXT] if command == "send" else [NO_TEXT]

    done = auteryn(*command.split(), *words)

    assert done.code == 2
    assert "which is no text" in done.err
    assert done.err.count("\n") == 1


def test_a_task_that_is_no_text_makes_no_run(auteryn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "none")

    done = auteryn("run", f"say {NO_TEXT}", "--mode", "deep")

    assert done.code == 2
    assert "text: 'say \\x01\\udcff' holds half of a surrogate pair at character 5, which is no text" in done.err
    assert auteryn("ls", "--quiet").out == ""


def test_an_unknown_question_is_named_with_where_to_look(auteryn) -> None:
    done = auteryn("answer", "ask_0", "yes")

    assert (done.code, done.out) == (2, "")
    assert "there is no question 'ask_0'" in done.err


def test_an_unknown_status_lists_what_there_is(auteryn) -> None:
    done = auteryn("ls", "--status", "sleeping")

    assert done.code == 2
    assert "is none of pending, running" in done.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("show", "no_tool"), "`auteryn tools list`"),
        (("try", "calculate", "--arg", "1+1"), "must be name=value"),
        (("try", "calculate"), "does not fit calculate"),
        (("try", "file_read", "--arg", "path=x", "--file", "nothing"), "is no file that can be read"),
    ],
)
def test_a_tool_that_cannot_be_tried_says_why(auteryn, args: tuple[str, ...], words: str) -> None:
    done = auteryn("tools", *args)

    assert done.code == 2
    assert words in done.err


def test_what_others_call_a_command_leads_to_it(auteryn) -> None:
    for said, meant in (("stop", "cancel"), ("approve", "answer"), ("show", "status"), ("list", "ls")):
        assert f"did you mean `auteryn {meant}`?" in auteryn(said).err


@pytest.mark.parametrize("group", ["artifacts", "tools", "keys", "limits", "webhooks", "memories", "mcp", "schedule"])
def test_a_group_by_itself_lists_what_there_is(auteryn, created, group: str) -> None:
    run = created("Compare the prices")

    for listed in ("ls", "list"):
        assert auteryn(group) == auteryn(group, listed)
        assert auteryn(group, "--json") == auteryn(group, listed, "--json")
    assert auteryn(group).code == 0
    assert group in ("artifacts", "tools") or (auteryn(group).out, auteryn(group).err.count("\n")) == ("", 1)
    assert "Commands:" in auteryn(group, "-h").out
    assert "No such command 'nonsense'" in auteryn(group, "nonsense").err
    if group == "artifacts":
        assert auteryn(group, run, "--json") == auteryn(group, "list", run, "--json")
        assert "handed over no files" in auteryn(group, "get", run).err


def test_a_tool_server_is_added_as_it_can_be_reached_and_taken_out_again(auteryn, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for wrong, said in (
        (("add", "shop", "--command", 'serve "orders'), "--command: 'serve \"orders' cannot be read"),
        (("add", "shop", "--command", "  "), "--command"),
        (("add", "shop", "--url", "ftp://shop.example.com"), "must begin with http:// or https://"),
        (("add", "my shop", "--command", "serve"), "letters, digits"),
        (("remove", "shop"), "is not among the servers: there are none"),
    ):
        done = auteryn("mcp", *wrong)
        assert (done.code, said in done.err) == (2, True), done
    assert not (home / "mcp.json").exists()
    assert auteryn("mcp", "add", "shop", "--command", "serve orders").code == 0
    assert "`auteryn mcp remove shop` takes it out" in auteryn("mcp", "add", "shop", "--command", "serve").err
    assert "does not answer: there is no program 'serve'" in auteryn("mcp", "approve", "shop").err
    approve(home, "shop", [Definition(name="order")])
    assert "none of the approved tools of shop: order" in auteryn("mcp", "allow", "shop", "odrer").err
    assert auteryn("mcp", "allow", "shop", "order", "--effect", "read").code == 0
    assert auteryn("mcp", "remove", "shop").code == 0
    assert auteryn("mcp", "list").out == "" and "order" not in (home / "mcp-approved.json").read_text()


def test_a_run_that_was_cancelled_says_so_when_it_is_asked_for_its_result(auteryn, created) -> None:
    run = created("Compare the prices")
    auteryn("cancel", run)

    done = auteryn("result", run)

    assert (done.code, done.out, done.err) == (4, "", f"auteryn: {run} was cancelled\n")


CLOSED = """
import os, sys
from auteryn.cli.root import run
code = run(["ls"])
first = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(int(sys.argv[2]), f"{code} {first > 2}".encode())
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_leads_nowhere_and_nothing_takes_its_place(tmp_path: Path, closed: str) -> None:
    reading, writing = os.pipe()
    command = f'exec "$0" -c "$1" "$2" {writing} {closed}'
    environment = os.environ | {"AUTERYN_HOME": str(tmp_path / "home")}
    subprocess.run(
        ["sh", "-c", command, sys.executable, CLOSED, str(tmp_path / "file")], env=environment, pass_fds=[writing], check=True
    )
    os.close(writing)
    with open(reading) as told:  # noqa: PTH123
        assert told.read() == "0 True"


def test_an_id_or_a_name_that_is_nearly_right_is_guessed(auteryn, created) -> None:
    run = created("Compare the prices")
    wrong = run[:9] + run[10:]

    assert (
        f"there is no run {wrong!r}" in auteryn("status", wrong).err
        and f"(did you mean {run}?)" in auteryn("status", wrong).err
    )
    assert auteryn("status", f" {run}\n").code == 0
    assert "(did you mean calculate?)" in auteryn("tools", "show", "calculte").err


def auteryn_here(home: Path, command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """In a shell of its own, where `$0` is the program; its exit code is the program's, whatever it is piped into."""
    argv = ["bash", "-c", f"set -o pipefail; {command}", sys.executable]
    return subprocess.run(argv, env=os.environ | {"AUTERYN_HOME": str(home), **environment}, capture_output=True, check=False)


@pytest.mark.parametrize("command", ["tools list", "tools list --json", "logs --json"])
def test_a_reader_who_has_seen_enough_is_no_failure(created, tmp_path: Path, command: str) -> None:
    created("Compare the prices")

    done = auteryn_here(tmp_path / "home", f'"$0" -m auteryn {command} | true')

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_our_letters_shows_them_escaped_and_json_stays_whole(created, tmp_path: Path) -> None:
    created("Preise 比較 😀 vergleichen")
    ascii = {"PYTHONIOENCODING": "ascii"}

    shown = auteryn_here(tmp_path / "home", '"$0" -m auteryn ls', **ascii)
    told = auteryn_here(tmp_path / "home", '"$0" -m auteryn ls --json', **ascii)

    assert (shown.returncode, shown.stderr) == (0, b"") and rb"Preise \u6bd4\u8f03 \U0001f600 vergleichen" in shown.stdout
    assert json.loads(told.stdout)["title"] == "Preise 比較 😀 vergleichen"


@pytest.mark.parametrize("command", ["send", "rename"])
def test_words_in_the_wrong_order_are_told_in_the_right_one(auteryn, created, command: str) -> None:
    run = created("Compare the prices")

    done = auteryn(command, "only in euros", run)

    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(f": auteryn {command} {run} 'only in euros'\n")
    assert auteryn(*done.err.rpartition(": auteryn ")[2].replace("'only in euros'", "euros").split()).code == 0


def test_a_run_for_a_question_and_an_answer_before_it_lead_to_the_question(auteryn) -> None:
    async def asked() -> tuple[str, str]:
        async with opened(Common()) as home:
            await home.desk.ask(Question(message="Go on?", options=("Yes, go", "No")))
            [ask] = await home.desk.asks()
            return ask.run, ask.id

    run, ask = asyncio.run(asked())

    assert (
        f"is a run, its questions have ids of their own: auteryn answer {ask} 'Yes, go'"
        in auteryn("answer", run, "Yes, go").err
    )
    turned = auteryn("answer", "Yes, go", ask)
    assert (turned.code, turned.err) == (
        2,
        f"auteryn: 'Yes, go' is no question and {ask} is one: auteryn answer {ask} 'Yes, go'\n",
    )


@pytest.mark.parametrize("command", ["run x --file", "artifacts get --out", "keys create --name", "logs --level"])
def test_an_option_without_its_value_leads_to_the_help_of_its_command(auteryn, command: str) -> None:
    done = auteryn(*command.split())

    *words, option = [word for word in command.split() if word != "x"]
    assert (done.code, done.err) == (
        2,
        f"auteryn: Option '{option}' requires an argument.  (auteryn {' '.join(words)} --help)\n",
    )


@pytest.mark.parametrize("command", ["run Research the competitors", "answer ask_1 Yes, proceed", "send run_1 go on"])
def test_a_text_without_quotes_is_told_of_them(auteryn, command: str) -> None:
    assert "in quotes" in auteryn(*command.split()).err


@pytest.mark.parametrize("command", ["run x", "watch"])
def test_a_folder_that_takes_no_files_is_found_before_the_work_begins(auteryn, tmp_path: Path, command: str) -> None:
    (tmp_path / "report").write_text("a file")
    done = auteryn(*command.split(), "--out", str(tmp_path / "report" / "new"))
    assert done.code == 2 and "'--out'" in done.err and f"in {str(tmp_path / 'report')!r}" in done.err


@pytest.mark.parametrize("home", ["", "elsewhere"])
def test_without_a_folder_of_ones_own_it_is_asked_where_runs_live(auteryn, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv("AUTERYN_HOME")
    monkeypatch.setenv("HOME", home)

    done = auteryn("ls")

    rule = "is no folder of yours: say where runs live with --home or AUTERYN_HOME"
    assert (done.code, done.err) == (2, f"auteryn: HOME: {home!r} {rule}\n")


def test_a_home_that_is_said_and_empty_is_not_the_usual_one(auteryn, created) -> None:
    created("Compare the prices")

    assert auteryn("ls", "--home", "").err.startswith("auteryn: home: '' is empty")
    assert auteryn("--home", "~nobody-of-that-name", "ls").err.startswith("auteryn: home: '~nobody-of-that-name' is no user's")
