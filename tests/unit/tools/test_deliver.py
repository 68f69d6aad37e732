"""Published files: what people get is what was there, whatever happens to the run's files afterwards."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from auteryn.policy.quotas import LEAST_STORAGE_CREDITS, MB, storage_credits
from auteryn.schema.event import ArtifactPublished
from auteryn.schema.run import Artifact
from auteryn.tools.deliver import artifact_publish, media_type
from auteryn.tools.tool import Result
from unit.tools.room import Room


def published(outcome: Result) -> Artifact:
    (fact,) = outcome.events
    assert isinstance(fact, ArtifactPublished)
    return fact.artifact


@pytest.mark.tool("artifact_publish", "happy")
def test_what_is_downloaded_equals_the_hash(room: Room) -> None:
    body = b"# Report\n" * 20_000
    room.put("out/report.md", body)
    artifact = published(room.call(artifact_publish, path="./out//report.md", title="Report", description="All of it"))
    assert artifact.sha256 == hashlib.sha256(body).hexdigest() and artifact.size_bytes == len(body)
    assert (artifact.path, artifact.title, artifact.media_type, artifact.run) == (
        "out/report.md",
        "Report",
        "text/markdown",
        "run_1",
    )
    room.put("out/report.md", "changed afterwards")
    assert asyncio.run(room.blobs.get(artifact.sha256)) == body


@pytest.mark.proves("L6")
def test_a_repeated_publish_is_one_artifact(room: Room) -> None:
    room.put("a.csv", "x")
    first, second = (room.call(artifact_publish, "call_x", path="a.csv") for _ in range(2))
    assert first == second
    room.commit(first)
    assert [one.title for one in room.run.artifacts] == ["a.csv"]


@pytest.mark.tool("artifact_publish", "failure")
@pytest.mark.proves("L14")
def test_only_the_runs_own_files_can_be_handed_over(room: Room) -> None:
    (room.files.root / "link").symlink_to("/etc/passwd")
    room.put("folder/a", "a")
    kinds = {path: room.refusal(artifact_publish, path=path).kind for path in ("none", "link", "../x", "/etc/passwd", "folder")}
    assert kinds == {"none": "not_found", "link": "denied", "../x": "denied", "/etc/passwd": "denied", "folder": "invalid"}


def test_storage_is_paid_by_size_and_never_nothing(room: Room) -> None:
    assert [storage_credits(size) for size in (0, 1, MB, 10 * MB)] == [LEAST_STORAGE_CREDITS, LEAST_STORAGE_CREDITS, 50, 500]
    room.put("a", b"x" * MB)
    room.commit(room.call(artifact_publish, path="a"))
    assert room.run.usage.credits.storage == 50


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.MD", "text/markdown"),
        ("a.csv", "text/csv"),
        ("a.pdf", "application/pdf"),
        ("a.png", "image/png"),
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_media_type_follows_the_ending(path: str, kind: str) -> None:
    assert media_type(path) == kind
