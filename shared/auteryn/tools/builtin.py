"""The built-in tools, and which of them a mode shows from the start. All others are found by `tool_search`.

Showing all costs thousands of tokens in every call, and models choose worse among many.
"""

from __future__ import annotations

from msgspec.structs import replace

from auteryn.tools import (
    archive,
    browser,
    calculate,
    calendar,
    chart,
    code,
    compare,
    confluence,
    crawl,
    data,
    deliver,
    document,
    email,
    feed,
    files,
    git,
    http,
    human,
    image,
    json_query,
    knowledge,
    memory,
    mode,
    monitor,
    notes,
    pdf,
    plan,
    preview,
    script,
    search,
    search_web,
    sheet,
    sheet_update,
    shell,
    slack,
    slides,
    spawn,
    time,
    web,
    webhook,
)
from auteryn.tools.tool import Tool

DEEP = (
    "file_read",
    "file_write",
    "file_edit",
    "file_find",
    "file_grep",
    "web_search",
    "web_fetch",
    "note_write",
    "note_read",
    "plan_create",
    "plan_update",
    "ask_approval",
    "ask_input",
    "notify",
    "wait",
    "python_run",
    "schedule",
    "artifact_publish",
    "calculate",
    "tool_search",
)
FAST = (
    "kb_search",
    "web_search",
    "web_fetch",
    "calculate",
    "ask_input",
    "notify",
    "memory_search",
    "note_write",
    "file_read",
    "json_query",
    "tool_search",
    "go_deep",
)
"""Twelve where all can work. What asks tables comes with the tables (`profiles`)."""


def builtin_tools(*, model_searches: bool = False) -> list[Tool]:
    """All of them, in the order the model sees them. `model_searches`: the model can search the web where nothing else does."""
    shown = {name: place for place, name in enumerate(dict.fromkeys([*DEEP, *FAST]))}
    ordered = sorted(_ALL, key=lambda one: shown.get(one.name, len(shown)))
    shown_in = [replace(one, modes=_modes(one.name)) for one in ordered]
    return [replace(one, missing=None) if model_searches and one.name == "web_search" else one for one in shown_in]


def _modes(name: str) -> tuple[str, ...]:
    return tuple(mode for mode, names in (("fast", FAST), ("deep", DEEP)) if name in names)


_ALL: tuple[Tool, ...] = (
    files.file_read,
    files.file_write,
    files.file_edit,
    files.file_find,
    files.file_grep,
    files.file_move,
    files.file_delete,
    archive.archive,
    data.data_profile,
    data.data_query,
    sheet.sheet_read,
    sheet.sheet_create,
    sheet_update.sheet_update,
    slides.slides_create,
    document.doc_read,
    document.docx_create,
    pdf.pdf_create,
    preview.office_preview,
    image.image_view,
    chart.chart_create,
    shell.python_run,
    shell.shell_run,
    script.script_run,
    git.git,
    git.patch_apply,
    code.code_check,
    code.code_test,
    browser.browser_open,
    browser.browser_read,
    browser.browser_click,
    browser.browser_fill,
    browser.browser_wait,
    browser.browser_screenshot,
    browser.browser_extract,
    monitor.monitor_watch,
    monitor.monitor_capture,
    monitor.monitor_compare,
    compare.compare,
    search_web.web_search,
    web.web_fetch,
    crawl.web_crawl,
    feed.feed_read,
    email.email_send,
    slack.slack_post,
    webhook.webhook_send,
    confluence.confluence_read,
    confluence.confluence_write,
    calendar.calendar_create,
    http.http_request,
    notes.note_write,
    notes.note_read,
    memory.memory_save,
    memory.memory_search,
    knowledge.kb_search,
    plan.plan_create,
    plan.plan_update,
    spawn.agent_spawn,
    mode.go_deep,
    human.ask_approval,
    human.ask_input,
    human.notify,
    time.wait,
    time.schedule,
    deliver.artifact_publish,
    calculate.calculate,
    json_query.json_query,
    search.tool_search,
)
