"""`./release` rolls an image out, and back if nobody answers. Terraform is real; only `curl` is told what to say."""

from __future__ import annotations

import os

from terraform.folder import DIGEST, SOURCE
from terraform.laptop import Laptop

OTHER = DIGEST.replace("ab" * 32, "cd" * 32)


def test_a_release_that_answers_stays_and_one_that_does_not_goes_back(laptop: Laptop) -> None:
    laptop.answers(0)
    good = laptop.release("roll-out", DIGEST)
    assert good.returncode == 0, good.stdout[-3000:] + good.stderr
    assert laptop.image() == DIGEST
    assert [call[-1] for call in laptop.calls("curl")] == ["https://auteryn-api-123456789012.us-central1.run.app/health"]

    laptop.answers(22)
    bad = laptop.release("roll-out", OTHER)
    assert bad.returncode == 1
    assert f"back to {DIGEST}" in bad.stderr
    assert laptop.image() == DIGEST
    assert {one["template"][0]["containers"][0]["image"] for one in laptop.folder.world().of("cloud_run_v2_service")} == {
        DIGEST
    }


def test_a_first_release_that_does_not_answer_leaves_the_hello_image(laptop: Laptop) -> None:
    laptop.answers(22)

    bad = laptop.release("roll-out", DIGEST)

    assert bad.returncode == 1
    assert "back to the hello image" in bad.stderr
    assert laptop.image() is None
    containers = [one["template"][0]["containers"][0] for one in laptop.folder.world().of("cloud_run_v2_service")]
    assert {one["image"] for one in containers} == {"us-docker.pkg.dev/cloudrun/container/hello"}
    assert not any(one["command"] for one in containers), "it knows none of ours"


def test_a_release_that_never_gets_ready_goes_back_too(laptop: Laptop) -> None:
    """Terraform fails then, when some of it is rolled out."""
    laptop.answers(0)
    assert laptop.release("roll-out", DIGEST).returncode == 0
    laptop.fails_to_apply_once()

    bad = laptop.release("roll-out", OTHER)

    assert bad.returncode == 1
    assert f"back to {DIGEST}" in bad.stderr
    assert "the one before answers" in bad.stderr
    assert laptop.image() == DIGEST


def test_whether_the_old_image_answers_is_told_too(laptop: Laptop) -> None:
    laptop.answers(0)
    laptop.release("roll-out", DIGEST)
    laptop.plays("curl", f"sys.exit(0 if len(open({str(laptop.notes)!r}).readlines()) > 3 else 22)")

    assert "the one before answers" in laptop.release("roll-out", OTHER).stderr

    laptop.answers(22)
    assert "the one before does not answer either" in laptop.release("roll-out", OTHER).stderr


def test_a_tag_is_refused_before_anything_is_made(laptop: Laptop) -> None:
    laptop.answers(0)

    refused = laptop.release("roll-out", "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn:v1")

    assert refused.returncode == 1
    assert "image must name a digest" in refused.stderr + refused.stdout
    assert laptop.calls("curl") == []
    assert not (laptop.folder.path / "terraform.tfstate").exists()


def test_who_asks_for_nothing_is_told_how(laptop: Laptop) -> None:
    told = laptop.release()

    assert told.returncode == 2
    for word in ("roll-out", "smoke", "move-state", "PROJECT_ID", "STATE_BUCKET"):
        assert word in told.stdout


def test_the_state_goes_where_it_is_told(laptop: Laptop) -> None:
    """Up to the bucket: reaching it takes an account."""
    laptop.plays("terraform")

    assert laptop.release("move-state", STATE_BUCKET="a-bucket").returncode == 0

    [said] = laptop.calls("terraform")
    assert said == [
        "init",
        "-input=false",
        "-backend-config=bucket=a-bucket",
        "-backend-config=prefix=auteryn",
        "-migrate-state",
        "-force-copy",
    ]
    assert 'backend "gcs"' in (laptop.folder.path / "backend_override.tf").read_text()


def test_the_script_is_there_to_be_run() -> None:
    assert os.access(SOURCE / "release", os.X_OK)
    assert "*_override.tf" in (SOURCE / ".gitignore").read_text().split()
