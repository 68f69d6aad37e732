"""What the model sees of an answer is bounded, and what it does not see lies in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auteryn.agent.output import capped
from auteryn.policy.limits import OUTPUT_CAP, OUTPUT_HEAD, OUTPUT_TAIL
from auteryn.schema.record import to_json
from auteryn.tools.workspace import Workspace


@pytest.fixture
def files(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "files")


def test_what_just_fits_is_shown_as_it_is_and_one_character_more_is_not(files: Workspace) -> None:
    fits = "x" * (OUTPUT_CAP - 2)  # its JSON has quotes
    assert capped(fits, "call_1", files) == (fits, False)
    assert not list(files.root.rglob("*.txt"))
    shown, cut = capped(f"{fits}x", "call_1", files)
    assert cut and shown["chars_total"] == len(fits) + 1


def test_of_a_long_text_the_ends_are_shown_and_the_whole_is_in_a_file(files: Workspace) -> None:
    text = "".join(f"line {at}: ünïcödé\n" for at in range(2_000))
    shown, cut = capped(text, "call_1", files)
    assert cut and (shown["head"], shown["tail"]) == (text[:OUTPUT_HEAD], text[-OUTPUT_TAIL:])
    assert (shown["path"], shown["chars_total"]) == ("outputs/call_1.txt", len(text))
    assert files.read(shown["path"]).decode() == text
    assert len(to_json(shown)) <= 2 * OUTPUT_CAP and "texts" not in shown


def test_a_large_object_is_kept_as_json_and_its_long_texts_line_by_line(files: Workspace) -> None:
    log = "".join(f"{at} happened\n" for at in range(1_000))
    output = {"log": log, "endless": "x" * 5_000, "short": "a\nb", "no name": log, "rows": list(range(3))}
    shown, _ = capped(output, "call_1", files)
    assert shown["path"] == "outputs/call_1.json" and json.loads(files.read(shown["path"])) == output
    assert shown["texts"] == {"log": "outputs/call_1.log.txt"}
    assert files.read("outputs/call_1.log.txt").decode() == log
