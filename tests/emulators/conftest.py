"""The plugin, as users of the package take it, and the local cloud that the walks share."""

from collections.abc import Iterator
from functools import partial

import pytest

from auteryn.testing.emulators.plugin import firestore_emulator, project, pubsub_emulator
from auteryn.testing.emulators.storage import Storage
from emulators.local import Rig, Threaded
from emulators.played import Played
from emulators.second_home import OpenCloud, cloud

__all__ = ["firestore_emulator", "project", "pubsub_emulator"]


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory, firestore_emulator: str, pubsub_emulator: str) -> Iterator[Threaded]:
    """Three functions and the stand-ins, started once; the emulators are older than its thread, and outlive it."""
    with Threaded(Rig(tmp_path_factory.mktemp("cloud"))) as threaded:
        yield threaded


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory, firestore_emulator: str, pubsub_emulator: str) -> Iterator[Played]:
    """The stage of the crash matrix and of the storms; how a scenario goes undisturbed is played once for both."""
    with Played(tmp_path_factory.mktemp("stage")) as ready:
        yield ready


@pytest.fixture
def second_home(
    project: str, firestore_emulator: str, pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenCloud]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    storage = Storage()
    yield partial(cloud, project, pubsub_emulator, storage)
    storage.stop()
