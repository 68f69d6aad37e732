"""What must hold of the processes: which image, which command, which environment, which secrets."""

from __future__ import annotations

from collections.abc import Iterator

from auteryn.policy import cloud
from terraform.folder import World
from terraform.rule import Given, hosts


def every_process_gets_what_it_reads(world: World, given: Given) -> Iterator[str]:
    models = () if given.key_version else cloud.BY_VERTEX
    for name, (resource, template) in hosts(world):
        wanted = (
            {variable for variable, who in cloud.ENVIRONMENT.items() if name in who}
            | set(models)
            | set(given.asked)
            | set(given.secrets_of(name))
        )
        found = {one["name"] for one in template["containers"][0]["env"]}
        if found != wanted:
            yield f"{resource.address} lacks {sorted(wanted - found)} and does not read {sorted(found - wanted)}"
        for one in template["containers"][0]["env"]:
            if not one["value"] and not one["value_source"]:
                yield f"{resource.address}: {one['name']} is empty"


def values_name_what_was_made(world: World, given: Given) -> Iterator[str]:
    emails = {one["account_id"]: one["email"] for one in world.of("service_account")}
    wanted = {
        "AUTERYN_BACKEND": "gcp",
        "AUTERYN_BUCKET": f"{given.project}-auteryn-blobs",
        "AUTERYN_CALLERS": ",".join(emails[f"auteryn-{caller}"] for caller in cloud.CALLERS),
        "AUTERYN_DATABASE": cloud.DATABASE,
        "AUTERYN_DISPATCH_URL": world.function("dispatch")["custom_audiences"][0],
        "AUTERYN_EVENTS_TOPIC": cloud.EVENTS_TOPIC,
        "AUTERYN_JOB": cloud.JOB,
        "AUTERYN_JOB_LARGE": cloud.JOB_LARGE,
        "AUTERYN_QUEUE": cloud.QUEUE,
        "AUTERYN_STEPS_TOPIC": cloud.STEPS_TOPIC,
        "AUTERYN_TASKS_ACCOUNT": emails["auteryn-tasks"],
        "GOOGLE_CLOUD_PROJECT": given.project,
        **given.asked,
    }
    for _, (resource, template) in hosts(world):
        for one in template["containers"][0]["env"]:
            if one["value"] != wanted.get(one["name"], one["value"]):
                yield f"{resource.address}: {one['name']} is {one['value']!r}, not {wanted[one['name']]!r}"


def secrets_stay_secret(world: World, given: Given) -> Iterator[str]:
    for host, (resource, template) in hosts(world):
        wanted = given.secrets_of(host)
        for one in template["containers"][0]["env"]:
            name, sources = one["name"], one["value_source"]
            found = [(key["secret"], key["version"]) for source in sources for key in source["secret_key_ref"]]
            if found != ([wanted[name]] if name in wanted else []) or (found and one["value"]):
                yield f"{resource.address}: {name} comes from {found or 'the plan'}"
    for one in world.of("secret_manager_secret_version"):
        yield f"{one.address} puts a secret into the state"


def secrets_are_read_by_whom_they_are_for(world: World, given: Given) -> Iterator[str]:
    """Whoever gets a secret may read that one; nobody else may, and nobody may read all."""
    accounts = world.accounts()
    found = {
        (accounts.get(member, member), grant.values.get("secret_id", "any"))
        for member, role, grant in world.grants
        if role.startswith("roles/secretmanager.")
    }
    place = f"projects/{given.project}/secrets/"
    wanted = {(host, place + secret) for host in cloud.ALL for secret, _ in given.secrets_of(host).values()}
    yield from (f"{host} cannot read {secret}" for host, secret in sorted(wanted - found))
    yield from (f"{host} can read {secret}" for host, secret in sorted(found - wanted))


def one_image_starts_three_ways(world: World, given: Given) -> Iterator[str]:
    for name, (resource, template) in hosts(world):
        container = template["containers"][0]
        command = list(cloud.COMMANDS[name]) if given.image else []
        if (container["command"] or []) != command:
            yield f"{resource.address} starts {container['command']}, not {command}"
        if given.image and container["image"] != given.image:
            yield f"{resource.address} runs {container['image']}"


def processes_are_watched_and_have_time(world: World, given: Given) -> Iterator[str]:
    """Streams and the feed live beside requests, so the API has CPU between them; all work of dispatch is inside requests."""
    for name, idle in (("api", False), ("dispatch", True)):
        service = world.function(name)
        container = service["template"][0]["containers"][0]
        if container["resources"][0]["cpu_idle"] is not idle:
            yield f"{service.address}: cpu_idle is {not idle}"
        for probe, path in (("startup_probe", cloud.HEALTH_PATH), ("liveness_probe", cloud.ALIVE_PATH))[: 2 - idle]:
            paths = [get["path"] for one in container[probe] for get in one["http_get"]]
            if paths != ([path] if given.image else []):
                yield f"{service.address}: {probe} asks {paths}"
        for probe in (one for kind in ("startup_probe", "liveness_probe") for one in container[kind]):
            if probe["timeout_seconds"] > probe["period_seconds"]:
                yield f"{service.address}: a probe waits longer than until the next"
        slots = service["template"][0]["max_instance_request_concurrency"]
        if slots < 2:
            yield f"{service.address} takes one request at a time: a stream would keep everybody else out"
