"""A task that says what it is about has the tools for it from the first turn."""

from __future__ import annotations

import pytest

from auteryn.tools.builtin import builtin_tools
from auteryn.tools.profiles import FOR_TABLES, PROFILES, for_files, for_words


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("Make a PowerPoint of the figures", ["slides_create"]),
        ("Research 10 competitors and compare their prices", ["web_crawl", "slides_create"]),
        ("Answer the customer's question from our knowledge base", ["kb_search"]),
        (
            "E-mail the stakeholders, post to Slack and update the Confluence page",
            ["email_send", "slack_post", "confluence_write"],
        ),
        ("Read contract.pdf and tell me the notice period", ["doc_read"]),
    ],
)
def test_words_of_the_task_bring_their_tools(text: str, has: list[str]) -> None:
    assert set(has) <= set(for_words(text)) and for_words(text) == for_words(text.upper())


@pytest.mark.parametrize("text", ["What is 2 + 2?", "Wait two hours, then say hello", "Refactor the parser"])
def test_other_tasks_bring_none(text: str) -> None:
    assert for_words(text) == ()


def test_every_name_is_a_tool_and_tables_bring_theirs() -> None:
    known = {one.name for one in builtin_tools()}
    assert {name for one in PROFILES.values() for name in one.tools} | set(FOR_TABLES) <= known
    assert for_files(["a.CSV"]) == FOR_TABLES and for_files(["a.txt"]) == ()
