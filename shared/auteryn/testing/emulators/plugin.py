"""Fixtures: hosts of the emulators, and a project of the test's own."""

from __future__ import annotations

import secrets

import pytest

from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, host_of, stop_all


@pytest.fixture(scope="session")
def firestore_emulator() -> str:
    """`host:port` of a Firestore emulator. Without any way to run one the test fails."""
    return host_of(FIRESTORE)


@pytest.fixture(scope="session")
def pubsub_emulator() -> str:
    """`host:port` of a Pub/Sub emulator. Without any way to run one the test fails."""
    return host_of(PUBSUB)


@pytest.fixture
def project() -> str:
    """A fresh project id: nobody else's documents, topics and queues are in it."""
    return f"test-{secrets.token_hex(6)}"


def pytest_sessionfinish() -> None:
    stop_all()
