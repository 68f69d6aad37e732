"""Questions find the passage that answers them, with its source; what changes in the folder is found at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auteryn.tools.knowledge import PASSAGE_CHARS, kb_search, passages
from auteryn.tools.registry import Registry
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

FAQ = {
    "How do I reset my password?": "Open Settings, choose Security and press Reset. A link arrives by mail within a minute.",
    "Which payment methods do you take?": "Visa, Mastercard, SEPA debit and invoices for orders above 500 euro.",
    "How long does shipping take?": "Two working days inside Germany, five to other countries of the union.",
    "Can I return an article?": "Within 30 days, unused, in its box. We pay for the parcel.",
    "Where is my invoice?": "Under Orders, at the right of each order, as a PDF file.",
    "Do you offer student discounts?": "Students get 15 percent with a valid certificate of enrolment.",
    "How do I cancel my subscription?": "Under Plan choose Cancel; it ends with the month that was paid.",
    "Is my data stored in Europe?": "All servers stand in Frankfurt and Dublin; backups never leave the union.",
}
ASKED = {
    "I forgot my password, what now?": "Security",
    "is SEPA a payment method here": "SEPA debit",
    "shipping time to France": "Two working days",
    "returning goods I do not like": "Within 30 days",
    "download invoices": "PDF",
    "discount for students": "15 percent",
    "cancel subscriptions": "ends with the month",
    "where are the servers, in Europe?": "Frankfurt",
}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kb"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "faq.md").write_text("\n\n".join(f"## {question}\n\n{answer}" for question, answer in FAQ.items()))
    (folder / "other.txt").write_text("The canteen serves soup on Mondays.\n")
    monkeypatch.setenv("AUTERYN_KB", str(folder))
    return folder


def found(room: Room, query: str, **more: Any) -> Any:
    return room.call(kb_search, query=query, **more)["passages"]


@pytest.mark.tool("kb_search", "happy")
@pytest.mark.proves("P14")
@pytest.mark.parametrize(("question", "answer"), ASKED.items())
def test_a_question_finds_its_answer_first_with_its_source(room: Room, base: Path, question: str, answer: str) -> None:
    best = found(room, **as_a_judge_calls(kb_search, query=question))[0]
    assert answer in best["text"] and best["source"].startswith("shop/faq.md § ")


def test_documents_of_every_kind_are_found_and_changes_count_at_once(room: Room, base: Path) -> None:
    from auteryn.tools.document import docx_create

    room.call(docx_create, path="a.docx", markdown="# Warranty\n\nTwenty-four months on every zeppelin.")
    (base / "warranty.docx").write_bytes(room.files.read("a.docx"))
    assert found(room, "warranty zeppelin")[0]["source"] == "warranty.docx § Warranty"
    (base / "other.txt").write_text("The canteen serves zeppelin pasta.\n")
    assert found(room, "canteen zeppelin")[0]["source"] == "other.txt"
    (base / "other.txt").unlink()
    assert "other.txt" not in [one["source"] for one in found(room, "canteen zeppelin")]


def test_nothing_that_fits_is_nothing_and_the_limit_holds(room: Room, base: Path) -> None:
    assert found(room, "quantum chromodynamics") == [] and len(found(room, "the order is in the union", limit=1)) <= 1


@pytest.mark.proves("L14")
def test_links_and_hidden_files_are_not_followed_and_hidden_signs_are_gone(room: Room, base: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the zeppelin password")
    (base / "link.txt").symlink_to(tmp_path / "secret.txt")
    (base / ".hidden.txt").write_text("the zeppelin password")
    (base / "z.txt").write_text("zeppelin\u200b sighted")
    assert [(one["source"], one["text"]) for one in found(room, "zeppelin")] == [("z.txt", "zeppelin sighted")]
    assert kb_search.private and kb_search.untrusted


def test_a_long_text_becomes_pieces_that_lose_nothing() -> None:
    text = "# A\n\n" + "\n\n".join(f"paragraph {at} " + "word " * 60 for at in range(30)) + "\n\n## B\n\nend"
    pieces = list(passages("x.md", text))
    assert all(len(one.text) <= PASSAGE_CHARS + 400 for one in pieces) and pieces[-1].source == "x.md § B"
    joined = " ".join(one.text for one in pieces)
    assert [at for at in range(30) if f"paragraph {at} " not in joined] == []


@pytest.mark.tool("kb_search", "failure")
def test_without_a_folder_the_tool_is_hidden_and_says_why(
    room: Room, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "bad.pdf").write_bytes(b"no pdf")
    assert "bad.pdf" in room.call(kb_search, query="servers")["left_out"][0]
    monkeypatch.setenv("AUTERYN_KB", str(tmp_path / "none"))
    assert "AUTERYN_KB" in Registry([kb_search]).hidden["kb_search"]
    assert room.refusal(kb_search, query="x").kind == "not_configured"
