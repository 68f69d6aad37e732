"""The real CLI accepts the folder: written as it should be, valid, applied whole, and nothing to do afterwards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest

from auteryn.policy import cloud
from auteryn.policy.modes import DEEP, FAST
from terraform.deployments import DEPLOYMENTS, Standing
from terraform.folder import PROJECT, SOURCE, Folder, terraform
from terraform.schema import DECLARED, load

Stand = Callable[[str], Standing]


def test_the_folder_is_formatted(environ: dict[str, str]) -> None:
    Folder(SOURCE, environ).run("fmt", "-check", "-recursive", "-diff")


def test_without_the_cli_the_tests_fail_and_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(pytest.fail.Exception, match="no `terraform` on PATH"):
        terraform()


def test_the_folder_is_valid_without_a_warning(folder: Folder) -> None:
    assert folder.run("validate").strip() == "Success! The configuration is valid."


def test_its_own_tests_pass(folder: Folder) -> None:
    said = folder.run("test")

    passed = re.search(r"Success! (\d+) passed, 0 failed", said)
    assert passed, said
    assert int(passed[1]) >= 8


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_second_apply_has_nothing_to_do(name: str, standing: Stand) -> None:
    plan = standing(name).plan

    assert len(plan.world.resources) > 100
    assert {name: actions for name, actions in plan.changes.items() if actions != ["no-op"]} == {}


def test_a_newcomer_names_the_project_and_gets_the_address(standing: Stand) -> None:
    world = standing("first").plan.world

    assert world.outputs["endpoint"].startswith("https://auteryn-api-")
    assert world.outputs["repository"] == f"us-central1-docker.pkg.dev/{PROJECT}/auteryn"
    assert {one["template"][0]["containers"][0]["image"] for one in world.of("cloud_run_v2_service")} == {
        "us-docker.pkg.dev/cloudrun/container/hello"
    }


@pytest.mark.parametrize(("name", "secrets"), [("dev", {"brave-key"}), ("prod", {"auteryn-slack", "auteryn-smtp"})])
def test_what_an_example_leaves_out_can_be_taken_in(name: str, secrets: set[str], folder: Folder) -> None:
    file = folder.path / "environments" / f"{name}.tfvars"
    text, after = file.read_text(encoding="utf-8").split("\n#\n", 1)
    file.write_text(text + "\n" + re.sub(r"^# ?", "", after, flags=re.M), encoding="utf-8")

    world = folder.plan(f"-var-file=environments/{name}.tfvars", variables={"project_id": PROJECT}).world

    grants = list(world.of("secret_manager_secret_iam_member"))
    assert {one["secret_id"].rsplit("/")[-1] for one in grants} == secrets
    assert len(grants) == 3 * len(secrets)


HOLD_DATA = ("google_firestore_database.", "google_storage_bucket.", "google_secret_manager_secret.")
ADDRESSES = {
    "google_firestore_database.store",
    "google_secret_manager_secret.model_key",
    "google_storage_bucket.blobs",
    "google_storage_bucket.state",
}
"""As released. Whoever renames one writes a `moved` block from this address, and leaves this list alone."""


def test_what_holds_data_keeps_the_address_it_was_released_with(standing: Stand) -> None:
    world = standing("first").plan.world
    moved = {
        old: new
        for file in SOURCE.glob("*.tf")
        for old, new in re.findall(r"moved\s*\{\s*from\s*=\s*(\S+)\s*to\s*=\s*(\S+)", file.read_text(encoding="utf-8"))
    }

    assert {moved.get(address, address) for address in ADDRESSES} == {
        one.address for one in world.resources if one.address.startswith(HOLD_DATA)
    }


@pytest.mark.parametrize("moved", [False, True])
def test_a_renamed_bucket_is_lost_without_a_moved_block_and_kept_with_one(
    moved: bool, standing: Stand, environ, tmp_path
) -> None:
    folder = Folder(tmp_path / "infra", environ)
    shutil.copytree(standing("first").folder.path, folder.path)
    for file in folder.path.glob("*.tf"):
        file.write_text(
            file.read_text().replace('_bucket" "blobs"', '_bucket" "bytes"').replace("_bucket.blobs.", "_bucket.bytes.")
        )
    if moved:
        block = "moved {\n  from = google_storage_bucket.blobs\n  to   = google_storage_bucket.bytes\n}\n"
        (folder.path / "moved.tf").write_text(block)

    plan = folder.plan(variables=DEPLOYMENTS["first"].variables)

    assert plan.changes["google_storage_bucket.bytes"] == (["no-op"] if moved else ["create"])
    assert ("google_storage_bucket.blobs" in plan.changes) is not moved


def test_only_types_of_both_providers_are_used() -> None:
    """`schema.json` is google 6.50; what 7.0 took away of these types is named here (its upgrade guide)."""
    used = {found for file in SOURCE.glob("*.tf") for found in DECLARED.findall(file.read_text(encoding="utf-8"))}
    schema = load()
    written = "\n".join(file.read_text(encoding="utf-8") for file in SOURCE.glob("*.tf"))

    assert used == {(kind, name) for kind, types in schema.items() for name in types}
    for gone in ("enable_flow_logs", "retention_period ", "public_repository", "post_startup_script_config"):
        assert gone not in written
    services = written.count('resource "google_project_service"')
    assert written.count("disable_on_destroy = false") == services, "its default differs between 6 and 7"


def test_the_clouds_figures_are_the_modes() -> None:
    assert DEEP.slice_time == cloud.JOB_TIMEOUT
    assert DEEP.slice_time - DEEP.slice_margin == cloud.SLICE_STOP
    assert FAST.slice_time < cloud.API_TIMEOUT
    assert cloud.PUSH_SLICE_STOP < cloud.PUSH_ACK_DEADLINE <= cloud.DISPATCH_TIMEOUT
    assert cloud.BLOBS_RENEWED + cloud.BLOBS_RENEWED < cloud.BLOBS_KEPT


def test_variables_are_told_in_order_described_first_and_typed() -> None:
    written = (SOURCE / "variables.tf").read_text(encoding="utf-8")
    names = re.findall(r'^variable "(\w+)"', written, re.M)

    assert names == sorted(names)
    for body in re.split(r'^variable "\w+" ', written, flags=re.M)[1:]:
        told = re.findall(r"^  (\w+)", body, re.M)
        assert told[:2] == ["description", "type"], body[:80]
        assert "default" in told or "nullable" in told


def test_outputs_are_told_in_order_and_described() -> None:
    written = (SOURCE / "outputs.tf").read_text(encoding="utf-8")
    names = re.findall(r'^output "(\w+)"', written, re.M)

    assert names == sorted(names)
    assert written.count("description =") == len(names)


@pytest.mark.parametrize("word", ["store", "queue", "bus", "jobs", "blobs", "model"])
def test_a_port_word_names_a_file(word: str) -> None:
    assert (SOURCE / f"{word}.tf").exists()
