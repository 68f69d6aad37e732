"""A real Chromium in front of a real server on a home of its own. Only the model is scripted."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from auteryn.api.auth import login_token
from auteryn.api.door import Door
from auteryn.api.limits import Quota
from auteryn.testing.scripted import ScriptedModel
from auteryn.testing.world import World
from served import served

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_MS = 30_000
"""Before something that should be seen counts as never: a machine may be busy."""
UNLIMITED = Quota(requests_per_minute=10**6, burst=10**5)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's, as `.ci/run` installs it. It goes with its module: Playwright keeps this thread's event loop running, and no
    test after it could have one of its own."""
    where = shutil.which("chromium")
    assert where, "the console's tests need Chromium: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Window:
    """One served home, and who looks at it."""

    url: str
    link: str
    context: BrowserContext
    page: Page
    asked: list[str]
    """Every address the browser asked for, from any page of the context."""
    complaints: list[str]
    """Errors that pages threw, and what their content policy refused."""

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.url + path)
        return self.page

    def api(self, path: str) -> Any:
        return self.page.evaluate("path => fetch(path).then(answer => answer.json())", path)

    def run(self, beginning: str) -> str:
        """The id of the newest run whose title begins like this."""
        return next(run["id"] for run in self.api("/v1/runs")["runs"] if run["title"].startswith(beginning))


@pytest.fixture
def window_of(chromium: Browser, tmp_path: Path) -> Iterator[Any]:
    """`window_of(script, tools=…)`: a home's console, signed in; `settings=` of the home, `scheme=`, `width=` of the window."""
    with ExitStack() as closing:

        def window_of(script: Any, *, tools: Any = (), before: Any = None, settings: Any = None, **looks: Any) -> Window:
            url, link = closing.enter_context(home_served(tmp_path / "home", script, tools, before, settings=settings))
            return closing.enter_context(looking(chromium, url, link, **looks))

        yield window_of


@contextmanager
def home_served(
    folder: Path, script: Any, tools: Any = (), before: Any = None, port: int = 0, settings: dict[str, Any] | None = None
) -> Generator[tuple[str, str]]:
    """(address, a link that signs in). `before(world)` makes what is there from the start."""
    tokens = list[str]()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Door]:
        async with World(
            folder, model=ScriptedModel(script), tools=tools, builtin=True, real_time=True, **(settings or {})
        ) as world:
            if before:
                await before(world)
            door = Door(world.host.engine, quota=UNLIMITED, secure=False)
            tokens.append(await login_token(door.auth.seal, "local", world.now()))
            yield door

    with served(opened, port=port) as url:
        yield url, f"{url}/login?token={tokens[0]}"


@contextmanager
def looking(
    chromium: Browser, url: str, link: str, *, scheme: Any = "light", width: int = 1280, scripts: bool = True
) -> Generator[Window]:
    """A browser window of its own, signed in."""
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=scripts)
    context.set_default_timeout(PATIENCE_MS)
    asked, complaints = list[str](), list[str]()
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    try:
        page = context.new_page()
        page.goto(link)
        yield Window(url, link, context, page, asked, complaints)
    finally:
        context.close()
