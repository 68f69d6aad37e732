"""What tools need of the place they work in: libraries, programs, settings of the owner.

Each function says in words what is missing, or None. They are here and not beside the tools, so that what can work is known
before any tool is imported.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from auteryn.tools.secrets import names

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CONFLUENCE_URL, CONFLUENCE_USER = "AUTERYN_CONFLUENCE_URL", "AUTERYN_CONFLUENCE_USER"
CONFLUENCE_TOKEN = "AUTERYN_SECRET_CONFLUENCE"
KNOWLEDGE = "AUTERYN_KB"
MAIL_SERVER, MAIL_SENDER = "AUTERYN_SMTP_URL", "AUTERYN_MAIL_FROM"
SEARXNG_URL, BRAVE_KEY, TAVILY_KEY = "AUTERYN_SEARXNG_URL", "BRAVE_API_KEY", "TAVILY_API_KEY"
SLACK_TOKEN = "SLACK_BOT_TOKEN"
WEBHOOKS = "AUTERYN_WEBHOOK_"
"""Variables that begin so are the owner's webhook targets; the target's name is the rest."""


# ---- libraries


def no_calendar() -> str | None:
    return _extra("comms", "icalendar")


def no_charts() -> str | None:
    return _extra("data", "vl_convert", "duckdb")


def no_documents() -> str | None:
    return _extra("office", "docx", "pptx", "pypdfium2", "python_calamine", "markdown_it", "PIL")


def no_duckdb() -> str | None:
    return _extra("data", "duckdb")


def no_mcp() -> str | None:
    return _extra("mcp", "mcp")


def no_monty() -> str | None:
    return _extra("script", "pydantic_monty")


def no_pdfs() -> str | None:
    return _extra("office", "pypdf", "markdown_it")


def no_pictures() -> str | None:
    return _extra("office", "PIL")


def no_slides() -> str | None:
    return _extra("office", "pptx", "PIL")


def no_spreadsheets() -> str | None:
    return _extra("office", "xlsxwriter", "python_calamine")


def no_updates() -> str | None:
    """Of workbooks that are there."""
    return _extra("office", "openpyxl", "python_calamine")


def no_web() -> str | None:
    return _extra("web", "trafilatura", "selectolax", "feedparser", "protego")


def _extra(name: str, *libraries: str) -> str | None:
    return None if all(map(importlib.util.find_spec, libraries)) else f"it needs pip install 'auteryn[{name}]'"


# ---- programs and walls


def no_browser() -> str | None:
    return _extra("browser", "playwright") or (None if chromium() else "it needs Chromium (Debian: apt install chromium)")


def no_code() -> str | None:
    """To be checked or tested."""
    return _extra("code", "ruff", "pytest") or no_sandbox()


def no_git() -> str | None:
    return no_sandbox() if shutil.which("git") else "it needs git: apt-get install git"


def no_sandbox() -> str | None:
    """Blocks for what is left of a fraction of a second, until it has been looked for."""
    from auteryn.tools.sandbox.ladder import no_sandbox

    return no_sandbox()


def chromium() -> str | None:
    """The browser's program on this machine."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


# ---- settings


def no_confluence() -> str | None:
    if os.environ.get(CONFLUENCE_URL) and os.environ.get(CONFLUENCE_TOKEN):
        return None
    return (
        f"it needs a Confluence: set {CONFLUENCE_URL} (https://site.atlassian.net/wiki), {CONFLUENCE_TOKEN} and, for a cloud "
        f"token, {CONFLUENCE_USER}"
    )


def no_knowledge() -> str | None:
    place = os.environ.get(KNOWLEDGE)
    return None if place and Path(place).is_dir() else f"it needs a folder of documents: set {KNOWLEDGE} to its path"


def no_mail() -> str | None:
    if not (os.environ.get(MAIL_SERVER) and os.environ.get(MAIL_SENDER)):
        return f"it needs a mail server: set {MAIL_SERVER} (smtp://user:password@host:587) and {MAIL_SENDER}"
    return _extra("comms", "markdown_it")


def no_search() -> str | None:
    """But the model's own, which is not looked at."""
    services = (SEARXNG_URL, BRAVE_KEY, TAVILY_KEY)
    if any(map(os.environ.get, services)):
        return None
    return f"it needs a search service or a Gemini key: set one of {', '.join(services)}, GEMINI_API_KEY"


def no_slack() -> str | None:
    if os.environ.get(SLACK_TOKEN):
        return None
    return f"it needs a Slack bot token: set {SLACK_TOKEN} (scopes chat:write, files:write, channels:history)"


def no_targets() -> str | None:
    """Of webhooks."""
    if names(WEBHOOKS):
        return None
    return f'it needs a target: set {WEBHOOKS}<NAME> to {{"url": "https://…", "secret": "AUTERYN_SECRET_…"}}'
