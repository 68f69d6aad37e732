"""Sixty tasks as people say them: the right tool is among the first three that the search finds.

The phrases were written from what people want, not from the tools' descriptions.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from auteryn.policy.modes import MODES
from auteryn.tools.builtin import DEEP, FAST, builtin_tools
from auteryn.tools.profiles import PROFILES, for_words
from auteryn.tools.registry import Registry
from auteryn.tools.said import SAID
from auteryn.tools.search import FOUND, about, find

PHRASES = {
    "show me what is in this text file": "file_read",
    "store this paragraph on disk": "file_write",
    "fix a typo in an existing document without rewriting it": "file_edit",
    "where did I put the invoices? look for files called invoice": "file_find",
    "which files mention the word deadline": "file_grep",
    "rename the draft to final": "file_move",
    "make a copy of a folder": "file_move",
    "get rid of the old exports": "file_delete",
    "zip these documents": "archive",
    "extract the tar.gz I uploaded": "archive",
    "google who founded the company": "web_search",
    "find recent news articles about batteries": "web_search",
    "read the article at this link": "web_fetch",
    "download a PDF from a URL": "web_fetch",
    "collect all documentation pages of a website": "web_crawl",
    "what are the latest posts in this blog's RSS": "feed_read",
    "go to a site that needs JavaScript": "browser_open",
    "press the accept button on the page": "browser_click",
    "type my name into the contact form and submit it": "browser_fill",
    "log in to the portal": "browser_fill",
    "capture a picture of the website": "browser_screenshot",
    "pull the product names and prices from the open page as structured JSON": "browser_extract",
    "wait for the loading spinner to disappear from the page": "browser_wait",
    "tell me when the price of this product changes": "monitor_watch",
    "keep an eye on a competitor's pricing page for a week": "monitor_watch",
    "keep a snapshot of how the page looks today": "monitor_capture",
    "what is different since the last look at the page": "monitor_compare",
    "diff two versions of a contract": "compare",
    "are these two images identical": "compare",
    "join two CSV tables and sum by region": "data_query",
    "run a SQL query over my parquet file": "data_query",
    "give me an overview of the columns and missing values in this dataset": "data_profile",
    "open the Excel file and list its rows": "sheet_read",
    "build a spreadsheet with formulas": "sheet_create",
    "export the results to xlsx": "sheet_create",
    "make a presentation for the board": "slides_create",
    "plot revenue per month as a bar graph": "chart_create",
    "draw a pie chart": "chart_create",
    "mail the report to my boss": "email_send",
    "write an e-mail with an attachment": "email_send",
    "message the team channel on Slack": "slack_post",
    "trigger our deployment webhook": "webhook_send",
    "POST to a REST API": "http_request",
    "call an API endpoint with a token": "http_request",
    "jot down what I have found so far": "note_write",
    "what did I write in my scratchpad about pricing": "note_read",
    "remember that the customer prefers German": "memory_save",
    "what do you know about my preferences from earlier conversations": "memory_search",
    "break this project down into parallel steps": "plan_create",
    "change the remaining steps of the plan": "plan_update",
    "get sign-off from a manager before going on": "ask_approval",
    "ask the user for their budget": "ask_input",
    "send me a progress update": "notify",
    "pause until tomorrow morning": "wait",
    "do this every six hours for a week": "schedule",
    "give the finished report to the user": "artifact_publish",
    "how much is 17.5 percent of 2,340": "calculate",
    "convert a time from Berlin to New York": "calculate",
    "get the third item's price out of this JSON": "json_query",
    "find out which tool can do something": "tool_search",
}


@pytest.fixture(scope="module")
def registry(request: pytest.FixtureRequest) -> Registry:
    """Every tool there is, also those whose extra or credential is missing here."""
    from msgspec.structs import replace

    return Registry(replace(one, missing=None) for one in builtin_tools())


def test_the_right_tool_is_among_the_first_three_for_sixty_tasks(registry: Registry) -> None:
    assert len(PHRASES) == 60 and FOUND >= 3
    missed = {phrase: find(registry, phrase)[:3] for phrase, tool in PHRASES.items() if tool not in find(registry, phrase)[:3]}
    assert missed == {}


def phrases(name: str) -> list[tuple[str, str]]:
    """(tool, phrase) of each line."""
    lines = Path(__file__).with_name("phrases").joinpath(f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [(tool, phrase) for tool, phrase in (line.split("\t") for line in lines)]


@pytest.mark.parametrize(("name", "least", "of"), [("tuned", 174, 176), ("unseen", 36, 50), ("fresh", 55, 60)])
def test_more_phrases_and_how_many_of_them_find_their_tool(registry: Registry, name: str, least: int, of: int) -> None:
    """Phrases of `tuned` were looked at while words were chosen, those of `unseen` while it was chosen how words are weighed
    and what they mean (31 before). Those of `fresh` were written before that and measured after it (53 before); nothing was
    changed for them, though whoever wrote them had seen the words. The first is what a known wish finds, the last what an
    unknown one does."""
    found = [tool in find(registry, phrase)[:3] for tool, phrase in phrases(name)]
    assert len(found) == of and sum(found) >= least
    assert {tool for tool, _ in phrases(name)} <= {one.name for one in builtin_tools()}


def test_what_people_say_is_said_of_every_tool(registry: Registry) -> None:
    assert set(SAID) == {one.name for one in registry}


def test_few_tools_are_shown_at_first_and_the_rest_in_one_line_each(registry: Registry) -> None:
    assert (len(DEEP), len(FAST)) == (MODES["deep"].tools_shown, MODES["fast"].tools_shown) == (20, 12) and len(registry) > 60
    for mode, names in (("deep", DEEP), ("fast", FAST)):
        shown = registry.declared(mode)
        assert {one.name for one in shown} == set(names) & {one.name for one in registry}
        index = next(one.description for one in shown if one.name == "tool_search")
        for one in registry:
            assert (f"\n{one.name}: " in index) == (one.name not in names), one.name
        assert len(index) < 8_000
    assert registry.declared("deep") == registry.declared("deep")


def test_a_step_is_not_shown_what_it_must_not_use(registry: Registry) -> None:
    index = next(one.description for one in registry.declared("deep", without=("schedule",)) if one.name == "tool_search")
    assert "\nschedule: " not in index


@pytest.mark.parametrize(
    ("task", "profile"),
    [
        ("Research 10 competitors and compare their prices", "research"),
        ("Write a report as a Word document with charts", "office"),
        ("Look into the failing tests of this repository", "code"),
        ("Monitor the pricing page every 6 hours and alert the team", "monitor"),
        ("Answer the support tickets about refunds", "support"),
    ],
)
def test_the_task_brings_its_tools(task: str, profile: str, registry: Registry) -> None:
    assert set(PROFILES[profile].tools) <= set(for_words(task))
    shown = {one.name for one in registry.declared("deep", for_words(task))}
    assert {name for name in PROFILES[profile].tools if name in registry} <= shown


def test_every_first_sentence_is_short(registry: Registry) -> None:
    assert all(len(about(one)) < 260 for one in registry)
