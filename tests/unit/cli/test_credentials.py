"""Commands that look at a deployment, from a machine that is not signed in to Google Cloud."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A deployer on a laptop who has forgotten to sign in."""
    from google.auth.compute_engine import _metadata

    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)  # as the variable NO_GCE_CHECK does, read when it is imported
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    for name in ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("AUTERYN_BACKEND", "gcp")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop-123456")
    monkeypatch.setenv("AUTERYN_REGION", "us-central1")


@pytest.mark.usefixtures("nobody")
def test_the_doctor_says_once_that_nobody_is_signed_in(auteryn) -> None:
    done = auteryn("doctor", "--cloud", "--json")

    bad = [one for one in done.lines if one["state"] == "bad"]
    assert done.code == 1
    assert [one["name"] for one in bad] == ["credentials"]
    assert "gcloud auth application-default login" in bad[0]["detail"]


@pytest.mark.usefixtures("nobody")
def test_a_key_is_refused_in_one_sentence_without_credentials(auteryn) -> None:
    done = auteryn("keys", "create", "--name", "me")

    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "gcloud auth application-default login" in done.err
