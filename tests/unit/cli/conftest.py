"""The command line in this process, with a home of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auteryn.cli.home import opened
from auteryn.cli.root import Common, run
from auteryn.service.new import NewRun


@dataclass
class Done:
    """One command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Auteryn = Callable[..., Done]


@pytest.fixture
def auteryn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Auteryn:
    """`auteryn("ls", "--json")`: what it printed and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTERYN_HOME", str(tmp_path / "home"))

    def call(*args: str) -> Done:
        capfd.readouterr()
        code = run(args)
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture
def created(auteryn: Auteryn, tmp_path: Path) -> Callable[[str], str]:
    """`created("Compare the prices")`: a run that is stored and that no process works on; gives its id."""

    async def store(text: str) -> str:
        async with opened(Common()) as home:
            return (await home.desk.create(NewRun(input=text, mode="deep"))).id

    return lambda text: asyncio.run(store(text))
