"""What must hold of everything the Terraform folder makes. A rule yields what breaks it, in words; silence means it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from auteryn.policy import cloud
from terraform.folder import Resource, World
from terraform.processes import (
    every_process_gets_what_it_reads,
    one_image_starts_three_ways,
    processes_are_watched_and_have_time,
    secrets_are_read_by_whom_they_are_for,
    secrets_stay_secret,
    values_name_what_was_made,
)
from terraform.rule import Given, Rule, differences, hosts, seconds

HOSTS = cloud.ALL
CALLERS = cloud.CALLERS
EVERYBODY = ("allUsers", "allAuthenticatedUsers")

PROJECT_WIDE = {
    "roles/browser": ("build",),
    "roles/datastore.user": HOSTS,
    "roles/logging.logWriter": ("build",),
    "roles/run.viewer": ("build",),
    "auterynFeed": ("api",),
    "auterynThinker": HOSTS,
}
"""Roles that may be granted on the whole project, and to whom."""


def nobody_but_the_api_is_public(world: World, given: Given) -> Iterator[str]:
    for member, role, grant in world.grants:
        if member in EVERYBODY and not grant.address.startswith("google_cloud_run_v2_service_iam_member.api_invoker"):
            yield f"{grant.address} gives {role} to {member}"
    for service in world.of("cloud_run_v2_service"):
        internal = service["ingress"] == "INGRESS_TRAFFIC_INTERNAL_ONLY"
        if service["name"] != cloud.API and not internal:
            yield f"{service.address} is reached from outside: {service['ingress']}"
        if service.values.get("invoker_iam_disabled"):
            yield f"{service.address} asks nobody who they are"
    for bucket in world.of("storage_bucket"):
        if bucket["public_access_prevention"] != "enforced" or not bucket["uniform_bucket_level_access"]:
            yield f"{bucket.address} could be made public"


def roles_are_narrow(world: World, given: Given) -> Iterator[str]:
    accounts = world.accounts()
    for member, role, grant in world.grants:
        name = role.rsplit("/", 1)[-1] if role.startswith("projects/") else role
        if name in ("roles/owner", "roles/editor", "roles/viewer") or "admin" in name.lower() or "*" in name:
            yield f"{grant.address} grants {role}"
        if grant.type == "google_project_iam_member" and accounts.get(member) not in PROJECT_WIDE.get(name, ()):
            yield f"{grant.address} grants {role} on the whole project to {member}"
    for grant in world.of("project_iam_member"):
        if grant["role"] == "roles/datastore.user" and not _one_database(grant, given):
            yield f"{grant.address} reaches every database of the project"
    for role in world.of("project_iam_custom_role"):
        wide = [one for one in role["permissions"] if "*" in one or one.endswith((".setIamPolicy", ".actAs"))]
        if wide:
            yield f"{role.address} holds {wide}"


def _one_database(grant: Resource, given: Given) -> bool:
    wanted = f'resource.name == "projects/{given.project}/databases/{cloud.DATABASE}"'
    return [one["expression"] for one in grant["condition"]] == [wanted]


def everything_runs_as_its_own_account(world: World, given: Given) -> Iterator[str]:
    pieces = {one["email"]: one["account_id"].removeprefix("auteryn-") for one in world.of("service_account")}
    if sorted(pieces.values()) != sorted([*HOSTS, *CALLERS, "build", "sandbox"]):
        yield f"the accounts are {sorted(pieces.values())}"
    for name, (resource, template) in hosts(world):
        runs_as = pieces.get(template["service_account"])
        if runs_as != name:
            yield f"{resource.address} runs as {runs_as}"


def accounts_do_one_thing(world: World, given: Given) -> Iterator[str]:
    accounts = world.accounts()
    for member, role, grant in world.grants:
        piece = accounts.get(member, member)
        on = grant.type.removeprefix("google_").removesuffix("_iam_member")
        if piece == "sandbox":
            yield f"{grant.address} gives the sandbox {role}"
        if piece in CALLERS and (role, on, grant.values.get("name")) != (
            "roles/run.invoker",
            "cloud_run_v2_service",
            cloud.DISPATCH,
        ):
            yield f"{grant.address} gives {piece} {role}: it only calls dispatch"
        if piece in ("api", "slice") and on.startswith("cloud_run"):
            yield f"{grant.address} lets {piece} act on Cloud Run"
        if role == "roles/iam.serviceAccountUser" and not _may_act_as(piece, grant):
            yield f"{grant.address} lets {piece} act as {grant['service_account_id']}"


def _may_act_as(piece: str, grant: Resource) -> bool:
    whom = grant["service_account_id"].split("/auteryn-")[-1].split("@")[0]
    return whom in HOSTS if piece == "build" else piece in HOSTS and whom == "tasks"


def dispatch_alone_starts_slices(world: World, given: Given) -> Iterator[str]:
    accounts = world.accounts()
    starters = {(accounts.get(m, m), g["name"]) for m, r, g in world.grants if r.endswith("/auterynSliceStarter")}
    if starters != {("dispatch", cloud.JOB), ("dispatch", cloud.JOB_LARGE)}:
        yield f"the right to start slices is with {sorted(starters)}"
    role = world.one("project_iam_custom_role.starter")
    wanted = {"run.executions.cancel", "run.executions.list", "run.jobs.run", "run.jobs.runWithOverrides"}
    if set(role["permissions"]) != wanted:
        yield f"{role.address} holds {sorted(role['permissions'])}, and the code calls for {sorted(wanted)}"


def the_api_hears_events_and_no_other_topic(world: World, given: Given) -> Iterator[str]:
    """Its feed is made, read and deleted by itself; attached to `events` only, as no right on another topic lets it."""
    accounts, project = world.accounts(), f"projects/{given.project}"
    roles = {f"{project}/roles/{one['role_id']}": set(one["permissions"]) for one in world.of("project_iam_custom_role")}
    wanted = {
        ("", frozenset({f"pubsub.subscriptions.{what}" for what in ("consume", "create", "delete")})),
        (f"{project}/topics/{cloud.EVENTS_TOPIC}", frozenset({"pubsub.topics.attachSubscription"})),
    }
    held = {
        (_named(grant), frozenset(roles.get(role, {role})))
        for member, role, grant in world.grants
        if accounts.get(member) == "api" and any(one.startswith("pubsub.") for one in roles.get(role, ()))
    }
    yield from (f"the api may {sorted(may)} on {on or 'the project'}" for on, may in sorted(held - wanted, key=repr))
    yield from (f"the api may not {sorted(may)} on {on or 'the project'}" for on, may in sorted(wanted - held, key=repr))
    for member, role, grant in world.grants:
        if accounts.get(member) in HOSTS and role.startswith("roles/pubsub.") and role != "roles/pubsub.publisher":
            yield f"{grant.address} gives {accounts[member]} {role}"


def hosts_can_do_their_work(world: World, given: Given) -> Iterator[str]:
    """Every port's right, for every host of slices."""
    accounts = world.accounts()
    held = {(accounts.get(member, member), role, _named(grant)) for member, role, grant in world.grants}
    topics = f"projects/{given.project}/topics/"
    wanted = {
        ("roles/datastore.user", ""),
        ("roles/cloudtasks.enqueuer", cloud.QUEUE),
        ("roles/pubsub.publisher", topics + cloud.STEPS_TOPIC),
        ("roles/pubsub.publisher", topics + cloud.EVENTS_TOPIC),
        ("roles/storage.objectUser", f"{given.project}-auteryn-blobs"),
        ("roles/secretmanager.secretAccessor", f"projects/{given.project}/secrets/{cloud.MODEL_KEY}")
        if given.key_version
        else (f"projects/{given.project}/roles/auterynThinker", ""),
    }
    yield from (f"{host} lacks {role} {on}" for host in HOSTS for role, on in sorted(wanted) if (host, role, on) not in held)
    tasks = world.one('service_account.this["tasks"]')["name"]
    yield from (f"{host} cannot sign wakes" for host in HOSTS if (host, "roles/iam.serviceAccountUser", tasks) not in held)


def knowledge_is_mounted_to_be_read(world: World, given: Given) -> Iterator[str]:
    mounts = [("knowledge", "/knowledge")] if given.knowledge else []
    for name, (resource, template) in hosts(world):
        volumes = [(one["name"], one["gcs"][0]["bucket"], one["gcs"][0]["read_only"]) for one in template["volumes"]]
        if volumes != [("knowledge", given.knowledge, True)][: len(mounts)]:
            yield f"{resource.address} has {volumes}"
        mounted = [(one["name"], one["mount_path"]) for one in template["containers"][0]["volume_mounts"]]
        if mounted != mounts:
            yield f"{resource.address} of {name} mounts {mounted}"
    accounts, wanted = world.accounts(), {(host, "roles/storage.objectViewer") for host in HOSTS}
    readers = {(accounts.get(who, who), role) for who, role, grant in world.grants if _named(grant) == given.knowledge}
    if given.knowledge and readers != wanted:
        yield f"the documents are read by {sorted(readers)}"


def _named(grant: Resource) -> str:
    """What the grant is on; empty for the project."""
    keys = ("service_account_id", "secret_id", "bucket", "topic", "subscription", "repository", "name")
    return next((grant[key] for key in keys if grant.values.get(key)), "")


def names_equal_the_codes(world: World, given: Given) -> Iterator[str]:
    wanted = {
        "cloud_run_v2_job": {cloud.JOB, cloud.JOB_LARGE},
        "cloud_run_v2_service": {cloud.API, cloud.DISPATCH},
        "cloud_scheduler_job": {cloud.SWEEP_SCHEDULE},
        "cloud_tasks_queue": {cloud.QUEUE},
        "firestore_database": {cloud.DATABASE},
        "pubsub_subscription": {cloud.STEPS_SUBSCRIPTION, cloud.DEAD_SUBSCRIPTION},
        "pubsub_topic": {cloud.STEPS_TOPIC, cloud.DEAD_TOPIC, cloud.EVENTS_TOPIC},
        "secret_manager_secret": {cloud.MODEL_KEY, *(one.id for one in given.secrets.values() if one.created)},
    }
    for kind, names in wanted.items():
        found = {one.values.get("secret_id") or one["name"] for one in world.of(kind)}
        if found != names:
            yield f"{kind}: {sorted(found)} in Terraform, {sorted(names)} in the code"


def times_equal_the_codes(world: World, given: Given) -> Iterator[str]:
    steps = world.one("pubsub_subscription.steps")
    sweep = world.one("cloud_scheduler_job.sweep")
    found = {
        "job timeout": [one["template"][0]["template"][0]["timeout"] for one in world.of("cloud_run_v2_job")],
        "job retries": [one["template"][0]["template"][0]["max_retries"] for one in world.of("cloud_run_v2_job")],
        "ack deadline": [steps["ack_deadline_seconds"]],
        "api timeout": [world.function("api")["template"][0]["timeout"]],
        "dispatch timeout": [world.function("dispatch")["template"][0]["timeout"]],
        "sweep schedule": [sweep["schedule"]],
        "sweep deadline": [sweep["attempt_deadline"]],
    }
    wanted = {
        "job timeout": [seconds(cloud.JOB_TIMEOUT)] * 2,
        "job retries": [cloud.JOB_MAX_RETRIES] * 2,
        "ack deadline": [int(cloud.PUSH_ACK_DEADLINE.total_seconds())],
        "api timeout": [seconds(cloud.API_TIMEOUT)],
        "dispatch timeout": [seconds(cloud.DISPATCH_TIMEOUT)],
        "sweep schedule": ["* * * * *" if timedelta(minutes=1) == cloud.SWEEP_EVERY else None],
        "sweep deadline": [seconds(cloud.SWEEP_DEADLINE)],
    }
    yield from differences(found, wanted)


def retries_equal_the_codes(world: World, given: Given) -> Iterator[str]:
    queue, steps = world.one("cloud_tasks_queue.wakes"), world.one("pubsub_subscription.steps")
    wakes, rates = queue["retry_config"][0], queue["rate_limits"][0]
    pushes, sweep = steps["retry_policy"][0], world.one("cloud_scheduler_job.sweep")["retry_config"][0]
    of_queue, of_steps = cloud.QUEUE_RETRY, cloud.STEPS_RETRY
    found = {
        "queue": [wakes[key] for key in ("max_attempts", "min_backoff", "max_backoff", "max_retry_duration")],
        "queue rates": [rates["max_dispatches_per_second"], rates["max_concurrent_dispatches"]],
        "steps": [
            steps["dead_letter_policy"][0]["max_delivery_attempts"],
            pushes["minimum_backoff"],
            pushes["maximum_backoff"],
        ],
        "sweep": [sweep["retry_count"]],
    }
    wanted = {
        "queue": [of_queue.attempts, seconds(of_queue.first), seconds(of_queue.most), seconds(of_queue.span or timedelta())],
        "queue rates": [cloud.QUEUE_PER_SECOND, cloud.QUEUE_AT_ONCE],
        "steps": [of_steps.attempts, seconds(of_steps.first), seconds(of_steps.most)],
        "sweep": [cloud.SWEEP_RETRY.attempts],
    }
    yield from differences(found, wanted)


def callers_present_themselves(world: World, given: Given) -> Iterator[str]:
    """Everything that calls dispatch carries a token for it, of its own account, to a path that dispatch serves."""
    url = world.function("dispatch")["custom_audiences"][0]
    push = world.one("pubsub_subscription.steps")["push_config"][0]
    sweep = world.one("cloud_scheduler_job.sweep")["http_target"][0]
    found = {
        "steps": [push["push_endpoint"], _token(push)],
        "sweep": [sweep["uri"], _token(sweep)],
    }
    emails = {one["account_id"]: one["email"] for one in world.of("service_account")}
    wanted = {
        "steps": [url + cloud.STEPS_PATH, (url, emails["auteryn-push"])],
        "sweep": [url + cloud.SWEEP_PATH, (url, emails["auteryn-sweep"])],
    }
    yield from differences(found, wanted)
    accounts = world.accounts()
    invited = {accounts.get(m, m) for m, r, g in world.grants if r == "roles/run.invoker" and g["name"] == cloud.DISPATCH}
    if invited != set(CALLERS):
        yield f"dispatch is called by {sorted(invited)}"


def _token(target: dict[str, Any]) -> tuple[str, str] | None:
    return next(((one["audience"], one["service_account_email"]) for one in target["oidc_token"]), None)


def indexes_equal_the_codes(world: World, given: Given) -> Iterator[str]:
    fields = list(world.of("firestore_field"))
    scopes = {_place(one): {index["query_scope"] for index in one["index_config"][0]["indexes"]} for one in fields}
    found = {
        "indexes": {
            (one["collection"], tuple((field["field_path"], field["order"]) for field in one["fields"]), one["query_scope"])
            for one in world.of("firestore_index")
        },
        "indexed fields": {place: own for place, own in scopes.items() if own},
        "unindexed": {_place(one) for one in fields if not one["ttl_config"] and not scopes[_place(one)]},
        "expiring": {_place(one) for one in fields if one["ttl_config"]},
    }
    wanted = {
        "indexes": {(one.collection, one.fields, "COLLECTION") for one in cloud.INDEXES},
        "indexed fields": {(one.collection, one.field): set(one.scopes) for one in cloud.FIELD_INDEXES},
        "unindexed": set(cloud.UNINDEXED),
        "expiring": set[tuple[str, str]](),  # a journal without its beginning is no run: they go whole, by an erasure
    }
    yield from differences(found, wanted)
    for one in world.of("firestore_field", "firestore_index"):
        if one["database"] != cloud.DATABASE:
            yield f"{one.address} is in the database {one['database']}"


def _place(one: Resource) -> tuple[str, str]:
    return one["collection"], one["field"]


def data_is_protected(world: World, given: Given) -> Iterator[str]:
    database = world.one("firestore_database.store")
    wanted = ("DELETE_PROTECTION_ENABLED", "ABANDON") if given.protected else ("DELETE_PROTECTION_DISABLED", "DELETE")
    if (database["delete_protection_state"], database["deletion_policy"]) != wanted:
        yield f"{database.address} is {database['delete_protection_state']}, {database['deletion_policy']}"
    for bucket in world.of("storage_bucket"):
        if bucket["force_destroy"] == given.protected:
            yield f"{bucket.address}: force_destroy is {bucket['force_destroy']}"
    for secret in world.of("secret_manager_secret"):
        if secret["deletion_protection"] is not given.protected:
            yield f"{secret.address}: deletion_protection is {secret['deletion_protection']}"


def blobs_are_kept_and_then_go(world: World, given: Given) -> Iterator[str]:
    blobs = world.one("storage_bucket.blobs")
    rules = {rule["action"][0]["type"]: rule["condition"][0]["age"] for rule in blobs["lifecycle_rule"]}
    if rules.get("Delete") != cloud.BLOBS_KEPT.days or "AbortIncompleteMultipartUpload" not in rules:
        yield f"{blobs.address} deletes after {rules}"
    if [one["enabled"] for one in blobs["versioning"]] != [False]:
        yield f"{blobs.address} keeps versions"


def dead_letters_arrive(world: World, given: Given) -> Iterator[str]:
    steps = world.one("pubsub_subscription.steps")
    dead = f"projects/{given.project}/topics/{cloud.DEAD_TOPIC}"
    if [one["dead_letter_topic"] for one in steps["dead_letter_policy"]] != [dead]:
        yield f"{steps.address} has no dead-letter topic"
    if [one["topic"] for one in world.of("pubsub_subscription") if one["name"] == cloud.DEAD_SUBSCRIPTION] != [dead]:
        yield "nobody subscribes to the dead letters"
    agent = {(role, _named(grant)) for member, role, grant in world.grants if "@gcp-sa-pubsub." in member}
    if agent != {("roles/pubsub.publisher", dead), ("roles/pubsub.subscriber", steps["id"])}:
        yield f"Pub/Sub itself may do {sorted(agent)}"
    for one in world.of("pubsub_subscription"):
        if [policy["ttl"] for policy in one["expiration_policy"]] != [""]:
            yield f"{one.address} is forgotten when idle"


def alerts_exist(world: World, given: Given) -> Iterator[str]:
    policies = {one.address.split('"')[1]: one for one in world.of("monitoring_alert_policy")}
    wanted = {"dead-letters", "errors", "slices", "spend", "stuck-runs", "sweeper-acting", "sweeper-silent"}
    if set(policies) != wanted:
        yield f"the alerts are {sorted(policies)}"
    for name, policy in policies.items():
        queries = [one["condition_prometheus_query_language"][0]["query"] for one in policy["conditions"]]
        if not all(queries) or not policy["documentation"][0]["content"]:
            yield f"alert {name!r} says nothing"
    told = {one["labels"]["email_address"] for one in world.of("monitoring_notification_channel")}
    if told and not all(policy["notification_channels"] for policy in policies.values()):
        yield "an alert tells nobody"


def alerts_count_what_the_code_logs(world: World, given: Given) -> Iterator[str]:
    minutes = int(cloud.STUCK_AFTER.total_seconds())
    wanted = {
        "auteryn_sweeps": f'jsonPayload.message="{cloud.SWEEP_LINE}"',
        "auteryn_sweeps_acting": f'jsonPayload.message="{cloud.SWEEP_LINE}" jsonPayload.acted>0',
        "auteryn_sweeps_stuck": f'jsonPayload.message="{cloud.SWEEP_LINE}" jsonPayload.overdue_seconds>{minutes}',
        "auteryn_credits": f'jsonPayload.message="{cloud.SLICE_LINE}" jsonPayload.credits>0',
    }
    found = {one["name"]: one["filter"] for one in world.of("logging_metric")}
    yield from (f"{name} counts {found.get(name)!r}" for name, tail in wanted.items() if not found.get(name, "").endswith(tail))
    boards = [one["dashboard_json"] for one in world.of("monitoring_dashboard")]
    asked = " ".join([*boards, *(json.dumps(one["conditions"]) for one in world.of("monitoring_alert_policy"))])
    for metric in [piece.split("{")[0].removesuffix("_sum") for piece in asked.split("user_")[1:]]:
        if metric not in found:
            yield f"{metric} is asked for and not counted"
    if not all(json.loads(board)["mosaicLayout"]["tiles"] for board in boards) or len(boards) != 1:
        yield "there is no dashboard"


def egress_goes_through_the_network(world: World, given: Given) -> Iterator[str]:
    for _, (resource, template) in hosts(world):
        egress = [(one["egress"], one["network_interfaces"][0]["tags"]) for one in template["vpc_access"]]
        if egress != ([("ALL_TRAFFIC", ["auteryn"])] if given.egress else []):
            yield f"{resource.address} sends {egress}"
    walls = sorted(world.of("compute_firewall"), key=lambda one: one["priority"])
    if given.egress and [bool(one["deny"]) for one in walls] != [True, False, True]:
        yield "the firewall does not deny inside, allow the web, deny the rest"
    inside = {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
    if given.egress and not inside <= set(walls[0]["destination_ranges"]):
        yield f"{walls[0].address} lets through to {sorted(inside - set(walls[0]['destination_ranges']))}"
    for one in walls:
        if one["direction"] != "EGRESS" or one["target_tags"] != ["auteryn"]:
            yield f"{one.address} is for others"


def apis_are_switched_on(world: World, given: Given) -> Iterator[str]:
    switched = {one["service"].split(".")[0] for one in world.of("project_service")}
    needed = {api for one in world.resources for prefix, api in API_OF.items() if one.type.startswith(f"google_{prefix}")}
    needed |= set(cloud.APIS)
    needed |= {"generativelanguage" if given.key_version else "aiplatform", "cloudresourcemanager", "iamcredentials"}
    yield from (f"{api}.googleapis.com is off" for api in sorted(needed - switched))
    yield from (f"{one.address} is switched off with us" for one in world.of("project_service") if one["disable_on_destroy"])


API_OF = {
    "artifact_registry": "artifactregistry",
    "billing_budget": "billingbudgets",
    "cloud_run": "run",
    "cloud_scheduler": "cloudscheduler",
    "cloud_tasks": "cloudtasks",
    "compute": "compute",
    "firestore": "firestore",
    "logging": "logging",
    "monitoring": "monitoring",
    "pubsub": "pubsub",
    "secret_manager": "secretmanager",
    "service_account": "iam",
    "storage": "storage",
}

RULES: tuple[Rule, ...] = (
    nobody_but_the_api_is_public,
    roles_are_narrow,
    everything_runs_as_its_own_account,
    accounts_do_one_thing,
    dispatch_alone_starts_slices,
    hosts_can_do_their_work,
    the_api_hears_events_and_no_other_topic,
    knowledge_is_mounted_to_be_read,
    names_equal_the_codes,
    times_equal_the_codes,
    retries_equal_the_codes,
    every_process_gets_what_it_reads,
    values_name_what_was_made,
    secrets_stay_secret,
    secrets_are_read_by_whom_they_are_for,
    callers_present_themselves,
    indexes_equal_the_codes,
    one_image_starts_three_ways,
    processes_are_watched_and_have_time,
    data_is_protected,
    blobs_are_kept_and_then_go,
    dead_letters_arrive,
    alerts_exist,
    alerts_count_what_the_code_logs,
    egress_goes_through_the_network,
    apis_are_switched_on,
)
