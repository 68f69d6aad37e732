"""Fixtures: hosts of the emulators, and a project of the test's own.

The stand-ins of Cloud Tasks (`tasks.CloudTasks`) and Cloud Run jobs (`executions.CloudRunJobs`) belong to an event loop and
a clock: a test enters them itself, `async with CloudTasks(clock) as tasks`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, host_of, stop_all
from auteryn.testing.emulators.storage import Storage


@pytest.fixture(scope="session")
def firestore_emulator() -> str:
    """`host:port` of a Firestore emulator. Without any way to run one the test fails."""
    return host_of(FIRESTORE)


@pytest.fixture(scope="session")
def pubsub_emulator() -> str:
    """`host:port` of a Pub/Sub emulator. Without any way to run one the test fails."""
    return host_of(PUBSUB)


@pytest.fixture(scope="session")
def cloud_storage() -> Iterator[Storage]:
    """A stand-in for Cloud Storage; a bucket named like the test's project is the test's own."""
    running = Storage()
    yield running
    running.stop()


@pytest.fixture
def project() -> str:
    """A fresh project id: nobody else's documents, topics and queues are in it."""
    return f"test-{secrets.token_hex(6)}"


def pytest_sessionfinish() -> None:
    stop_all()
