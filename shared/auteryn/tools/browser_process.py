"""A running Chromium whose every byte passes the guard, and of which nothing is left when it is closed.

Chromium leads a process group of its own; the group is killed at the end, whatever happened before. If this process dies
first, the driver sees its pipe close and takes Chromium with it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec.structs import replace

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import FILE_BYTES
from auteryn.tools.egress import Egress
from auteryn.tools.egress_proxy import Proxy, proxy
from auteryn.tools.needs import chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession

START_TIME = timedelta(seconds=30)
STOP_TIME = timedelta(seconds=4)
GONE_TIME = timedelta(seconds=5)
_LOOK_SECONDS = 0.005
CHATTER = (
    "update.googleapis.com",
    "content-autofill.googleapis.com",
    "optimizationguide-pa.googleapis.com",
    "clients2.google.com",
    "edgedl.me.gvt1.com",
)
"""Where Chromium calls home whatever it is told; nobody asked for it."""
_ACCOUNTS = "accounts.google.com"
"""It asks there at its start whether somebody is logged in; people's pages may need it, too."""
_FOLDER = "auteryn-browser-"
"""Of a browser's files; the owner's process id follows."""
_PROFILE = "profile"
"""A link in it to the temporary profile, which the driver makes, and removes unless it is killed."""
_ARGUMENTS = (
    "--disable-dev-shm-usage",  # Cloud Run has 64 MB of it
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # its name in older versions; an unknown one is ignored
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # names are looked up by the guard alone
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)


def chatter(target: str) -> bool:
    """Whether Chromium itself wanted this, and no page."""
    return any(host in target for host in (*CHATTER, _ACCOUNTS))


class Chromium:
    """The browser, its processes and its proxy."""

    def __init__(self, browser: Browser, wire: CDPSession, proxy: Proxy, pid: int, stack: AsyncExitStack) -> None:
        self.browser, self.proxy, self.pid, self._wire, self._stack = browser, proxy, pid, wire, stack
        """`pid` leads the process group."""

    @classmethod
    async def start(cls, guard: Egress) -> Chromium:
        """Raises `ToolFailed("unavailable")` if it does not come up."""
        from playwright.async_api import Error

        async with AsyncExitStack() as stack:
            quiet = replace(guard, deny=(*guard.deny, *CHATTER))
            way_out = await stack.enter_async_context(proxy(quiet, most_bytes=FILE_BYTES))
            await asyncio.to_thread(_swept)
            ours = tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", ignore_cleanup_errors=True)
            home = Path(stack.enter_context(ours))
            try:
                browser, wire, pid = await stack.enter_async_context(_launched(way_out, home))
            except (Error, OSError, TimeoutError) as error:
                raise ToolFailed("unavailable", f"the browser does not start: {_first_line(error)}", retryable=True) from error
            return cls(browser, wire, way_out, pid, stack.pop_all())
        raise AssertionError("unreachable")

    @property
    def alive(self) -> bool:
        return self.browser.is_connected()

    async def count_tabs(self) -> int:
        """Tabs that exist, including those the driver does not tell of before their page begins to come."""
        told = cast("dict[str, Any]", await self._wire.send("Target.getTargets", {"filter": [{"type": "page"}]}))
        return len(told["targetInfos"])

    async def close(self) -> None:
        await self._stack.aclose()


def _swept() -> None:
    """Remove the folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            with suppress(OSError):
                shutil.rmtree((folder / _PROFILE).readlink(), ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _launched(way_out: Proxy, home: Path) -> AsyncGenerator[tuple[Browser, CDPSession, int]]:
    from playwright.async_api import async_playwright

    root = os.geteuid() == 0  # Chromium's own sandbox does not work for root
    playwright = await async_playwright().start()
    browser: Browser | None = None
    pid, driver, profile = 0, 0, None
    try:
        async with asyncio.timeout(START_TIME.total_seconds()):
            browser = await playwright.chromium.launch(
                executable_path=chromium(),
                args=[*_ARGUMENTS, *(["--no-sandbox"] if root else [])],
                chromium_sandbox=not root,
                proxy={"server": way_out.url, "bypass": "<-loopback>"},
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"},
                downloads_path=home,
                artifacts_dir=home,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
            wire = await browser.new_browser_cdp_session()
            pid = await _pid(wire)
            driver, profile = _parent(pid), _profile(pid)
            if profile is not None:
                (home / _PROFILE).symlink_to(profile)
        yield browser, wire, pid
    finally:
        try:
            with suppress(Exception):
                async with asyncio.timeout(STOP_TIME.total_seconds()):
                    if browser is not None and browser.is_connected():
                        await browser.close()
                    await playwright.stop()
        finally:  # also if whoever closes it has lost patience
            _kill(pid, driver)
            await _gone(pid)
            if profile is not None:
                shutil.rmtree(profile, ignore_errors=True)


async def _pid(wire: CDPSession) -> int:
    told = cast("dict[str, Any]", await wire.send("SystemInfo.getProcessInfo"))
    return next(int(one["id"]) for one in told["processInfo"] if one["type"] == "browser")


def _parent(pid: int) -> int:
    """The driver: what started Chromium."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _profile(pid: int) -> Path | None:
    """The temporary profile."""
    try:
        told = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    found = next((one.partition("=")[2] for one in told if one.startswith("--user-data-dir=")), "")
    return Path(found) if "playwright" in found else None


def _kill(pid: int, driver: int) -> None:
    """Whatever of the group is still there, and a driver that did not stop in order."""
    if pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    if driver > 1 and _parent(driver) == os.getpid():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(driver, signal.SIGKILL)


async def _gone(leader: int) -> None:
    """Wait until the killed processes are gone: for a moment they still write into the profile."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GONE_TIME.total_seconds()):
            while leader and _lives(leader):  # noqa: ASYNC110 - of a whole group nobody tells
                await asyncio.sleep(_LOOK_SECONDS)


def _lives(leader: int) -> bool:
    """Whether a process of this group lives; zombies do not count."""
    for one in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = one.read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader and state != "Z":
                return True
    return False


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
