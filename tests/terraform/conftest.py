"""One stand-in provider and one applied copy of each deployment, for all tests of the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from terraform.deployments import DEPLOYMENTS, Standing, stand
from terraform.folder import Folder, copied
from terraform.laptop import Laptop
from terraform.standin import standin


@pytest.fixture(scope="session")
def environ() -> Iterator[dict[str, str]]:
    with standin() as environ:
        yield environ


@pytest.fixture(scope="session")
def standing(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Standing]:
    """The deployment of this name, applied once."""

    @cache
    def made(name: str) -> Standing:
        folder = copied(tmp_path_factory.mktemp(name) / "infra", environ)
        folder.init()
        return stand(folder, DEPLOYMENTS[name])

    return made


@pytest.fixture
def folder(environ: dict[str, str], tmp_path: Path) -> Folder:
    """A copy of the folder, initialised, nothing applied."""
    folder = copied(tmp_path / "infra", environ)
    folder.init()
    return folder


@pytest.fixture
def laptop(environ: dict[str, str], tmp_path: Path) -> Laptop:
    """A copy of the folder beside played programs; nothing is initialised or applied."""
    tools = tmp_path / "tools"
    tools.mkdir()
    return Laptop(copied(tmp_path / "repository" / "infra" / "terraform", environ), tools)
