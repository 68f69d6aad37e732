"""The rules and the CLI catch what they are for: one error planted at a time, each caught by the one that should."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from terraform import rules
from terraform.deployments import WHOLE, Standing, apply
from terraform.folder import Folder
from terraform.rule import Rule
from terraform.rules import RULES


@dataclass(frozen=True)
class Planted:
    file: str
    old: str
    new: str
    rule: Rule
    """The one that must speak."""


PLANTED = {
    "dispatch for everybody": Planted(
        "functions.tf",
        "member   = google_service_account.this[each.key].member",
        'member   = "allUsers"',
        rules.nobody_but_the_api_is_public,
    ),
    "dispatch reached from outside": Planted(
        "functions.tf",
        "INGRESS_TRAFFIC_INTERNAL_ONLY",
        "INGRESS_TRAFFIC_ALL",
        rules.nobody_but_the_api_is_public,
    ),
    "a bucket that could be public": Planted(
        "blobs.tf",
        '"enforced"',
        '"inherited"',
        rules.nobody_but_the_api_is_public,
    ),
    "a primitive role": Planted("store.tf", "roles/datastore.user", "roles/editor", rules.roles_are_narrow),
    "every database": Planted("store.tf", 'resource.name == \\"', 'resource.name != \\"', rules.roles_are_narrow),
    "a wildcard": Planted("jobs.tf", "run.executions.list", "run.executions.*", rules.roles_are_narrow),
    "a borrowed account": Planted(
        "functions.tf",
        "google_service_account.this[each.key].email",
        'google_service_account.this["slice"].email',
        rules.everything_runs_as_its_own_account,
    ),
    "a sandbox that may think": Planted(
        "model.tf",
        "for_each = local._by_key ? local.hosts",
        'for_each = local._by_key ? toset(["api", "dispatch", "sandbox", "slice"])',
        rules.accounts_do_one_thing,
    ),
    "slices that start slices": Planted(
        "jobs.tf",
        'google_service_account.this["dispatch"].member',
        'google_service_account.this["slice"].member',
        rules.dispatch_alone_starts_slices,
    ),
    "no right to pass the run": Planted("jobs.tf", '"run.jobs.runWithOverrides",', "", rules.dispatch_alone_starts_slices),
    "nobody may enqueue": Planted(
        "queue.tf", "roles/cloudtasks.enqueuer", "roles/cloudtasks.viewer", rules.hosts_can_do_their_work
    ),
    "a feed of any topic": Planted(
        "bus.tf",
        "role    = google_project_iam_custom_role.listener.id",
        'role    = "roles/pubsub.subscriber"',
        rules.the_api_hears_events_and_no_other_topic,
    ),
    "a deaf api": Planted("bus.tf", '    "pubsub.subscriptions.consume",\n', "", rules.the_api_hears_events_and_no_other_topic),
    "documents that can be written": Planted(
        "jobs.tf", "read_only = true", "read_only = false", rules.knowledge_is_mounted_to_be_read
    ),
    "documents nobody may read": Planted(
        "knowledge.tf", "roles/storage.objectViewer", "roles/storage.objectCreator", rules.knowledge_is_mounted_to_be_read
    ),
    "a renamed queue": Planted("queue.tf", '"auteryn-wakes"', '"auteryn-wake"', rules.names_equal_the_codes),
    "a short job": Planted("jobs.tf", '"7200s"', '"600s"', rules.times_equal_the_codes),
    "jobs that repeat": Planted("jobs.tf", "max_retries = 0", "max_retries = 3", rules.times_equal_the_codes),
    "a hasty push": Planted("bus.tf", "ack_deadline_seconds = 600", "ack_deadline_seconds = 10", rules.times_equal_the_codes),
    "a slow sweeper": Planted("sweep.tf", '"* * * * *"', '"*/5 * * * *"', rules.times_equal_the_codes),
    "wakes given up soon": Planted(
        "queue.tf", "max_attempts       = 100", "max_attempts       = 5", rules.retries_equal_the_codes
    ),
    "a variable forgotten": Planted(
        "locals.tf",
        "    AUTERYN_QUEUE         = google_cloud_tasks_queue.wakes.name\n",
        "",
        rules.every_process_gets_what_it_reads,
    ),
    "two topics mixed up": Planted(
        "locals.tf",
        "google_pubsub_topic.steps.name",
        "google_pubsub_topic.events.name",
        rules.values_name_what_was_made,
    ),
    "whatever key is newest": Planted(
        "model.tf", "version = var.model_key_version", 'version = "latest"', rules.secrets_stay_secret
    ),
    "a secret for everybody": Planted(
        "secrets.tf",
        "if one.version != null && contains(one.readers, host)",
        "if one.version != null",
        rules.secrets_stay_secret,
    ),
    "a secret whoever asks": Planted(
        "secrets.tf",
        '/secrets/${split("/", each.key)[1]}',
        '/secrets/${reverse(split("/", each.key))[0]}-too',
        rules.secrets_are_read_by_whom_they_are_for,
    ),
    "a secret that goes with a plan": Planted(
        "secrets.tf", "deletion_protection = var.deletion_protection", "deletion_protection = false", rules.data_is_protected
    ),
    "a token for somebody else": Planted(
        "bus.tf",
        "audience              = local.dispatch_url",
        "audience              = local.api_url",
        rules.callers_present_themselves,
    ),
    "a path nobody serves": Planted("sweep.tf", "/sweep", "/sweeps", rules.callers_present_themselves),
    "an index the wrong way round": Planted(
        "store.tf",
        '["status", "ASCENDING"], ["created_at", "DESCENDING"]',
        '["status", "ASCENDING"], ["created_at", "ASCENDING"]',
        rules.indexes_equal_the_codes,
    ),
    "an index within one run only": Planted(
        "store.tf", '["COLLECTION", "COLLECTION_GROUP"]', '["COLLECTION"]', rules.indexes_equal_the_codes
    ),
    "a body in the index": Planted("store.tf", '    "journal/body",\n', "", rules.indexes_equal_the_codes),
    "a function the framework cannot find": Planted(
        "locals.tf", "--target=dispatch", "--target=main", rules.one_image_starts_three_ways
    ),
    "streams that stall": Planted(
        "functions.tf", "cpu_idle = false", "cpu_idle = true", rules.processes_are_watched_and_have_time
    ),
    "a restart for the store's sake": Planted(
        "functions.tf", "local.alive_paths", "local.health_paths", rules.processes_are_watched_and_have_time
    ),
    "a probe of nothing": Planted("locals.tf", '["/health"]', '["/healthz"]', rules.processes_are_watched_and_have_time),
    "a database anybody may delete": Planted(
        "store.tf", 'var.deletion_protection ? "ABANDON"', 'var.point_in_time_recovery ? "DELETE"', rules.data_is_protected
    ),
    "blobs that go too soon": Planted("blobs.tf", "age = 90", "age = 5", rules.blobs_are_kept_and_then_go),
    "dead letters that get lost": Planted(
        "bus.tf", 'role         = "roles/pubsub.subscriber"', 'role         = "roles/pubsub.viewer"', rules.dead_letters_arrive
    ),
    "a forgotten alert": Planted("alerts.tf", "    sweeper-silent = {", "    other = {", rules.alerts_exist),
    "a line nobody logs": Planted(
        "alerts.tf",
        'jsonPayload.message=\\"slice\\"',
        'jsonPayload.message=\\"slices\\"',
        rules.alerts_count_what_the_code_logs,
    ),
    "a way around the network": Planted(
        "functions.tf", '"ALL_TRAFFIC"', '"PRIVATE_RANGES_ONLY"', rules.egress_goes_through_the_network
    ),
    "a door to the inside": Planted("network.tf", '"10.0.0.0/8", ', "", rules.egress_goes_through_the_network),
    "an API that is off": Planted("apis.tf", '      "cloudtasks",\n', "", rules.apis_are_switched_on),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_caught(
    name: str, standing: Callable[[str], Standing], environ: dict[str, str], tmp_path: Path
) -> None:
    planted = PLANTED[name]
    folder = Folder(tmp_path / "infra", environ)
    shutil.copytree(standing("whole").folder.path, folder.path)
    plant(folder.path / planted.file, planted.old, planted.new)

    apply(folder, WHOLE, "-refresh=false")

    assert list(planted.rule(folder.world(), WHOLE.given)) != []


def test_every_rule_has_been_seen_to_speak() -> None:
    assert {planted.rule for planted in PLANTED.values()} == set(RULES)


REFUSED = {
    "an argument that does not exist": ("queue.tf", "max_doublings", "max_doubling"),
    "a block that does not exist": ("bus.tf", "dead_letter_policy {", "dead_letters {"),
    "a missing argument": ("store.tf", '  type        = "FIRESTORE_NATIVE"\n', ""),
    "a value that is not in the list": ("store.tf", '"FIRESTORE_NATIVE"', '"NATIVE"'),
    "a wrong type": ("bus.tf", "ack_deadline_seconds = 600", 'ack_deadline_seconds = "long"'),
    "a resource nobody declared": ("locals.tf", "google_storage_bucket.blobs", "google_storage_bucket.bytes"),
    "an attribute that does not exist": ("identities.tf", '["tasks"].name', '["tasks"].mail'),
    "a read-only attribute": ("identities.tf", "  display_name =", '  email        = "a@b.c"\n  display_name ='),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_cli_refuses_a_planted_error(name: str, folder: Folder) -> None:
    file, old, new = REFUSED[name]
    plant(folder.path / file, old, new)

    assert folder.attempt("validate").returncode != 0


def test_a_crooked_line_is_seen(folder: Folder) -> None:
    plant(folder.path / "queue.tf", "  project  =", "    project =")

    assert folder.attempt("fmt", "-check").returncode != 0


def plant(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file.name} no longer holds {old!r}: plant the error anew"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
