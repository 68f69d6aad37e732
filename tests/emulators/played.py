"""A stage on an event loop of its own, which the tests of a file share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from auteryn.testing.emulators.chaos import judged
from auteryn.testing.emulators.stage import Disturbance, Report, Stage, stage

T = TypeVar("T")


class Played:
    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._plain = dict[str, Report]()

    def __enter__(self) -> Played:
        self._thread.start()
        self.stage: Stage = self.do(self._stack.enter_async_context(stage(self._folder)))
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, story: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(story, self._loop).result()

    def plain(self, name: str) -> Report:
        """The scenario as it goes by itself."""
        if name not in self._plain:
            self._plain[name] = self.do(self.stage.play(name))
        return self._plain[name]

    def holds(self, name: str, disturbance: Disturbance) -> Report:
        """The scenario came to what it comes to by itself, and no law was broken."""
        plain = self.plain(name)
        report = self.do(self.stage.play(name, disturbance))
        assert judged(report, plain) == [], (report.disturbed, report.done)
        return report
