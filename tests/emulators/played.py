"""A stage on an event loop of its own, which the tests of a file share."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from auteryn.testing.emulators.chaos import judged
from auteryn.testing.emulators.stage import Disturbance, Report, Stage, stage
from emulators.loop_thread import LoopThread


class Played(LoopThread):
    stage: Stage

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder, self._plain = folder, dict[str, Report]()

    async def open(self, stack: AsyncExitStack) -> None:
        self.stage = await stack.enter_async_context(stage(self._folder))

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
