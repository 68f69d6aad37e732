"""Alerts fire on what the code really logs, and ask for metrics that Google really has."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from auteryn.adapters.gcp.log import CloudFormatter
from auteryn.errors import Unavailable
from auteryn.ports import Jobs, Services
from auteryn.runtime.dispatch import sweep
from auteryn.testing.clock import skipping
from auteryn.testing.world import World
from terraform.deployments import Standing

Stand = Callable[[str], Standing]

METRICS = {
    "cloudtasks_googleapis_com:queue_depth": ("cloud_tasks_queue", {"queue_id"}),
    "firestore_googleapis_com:document_write_ops_count": ("firestore.googleapis.com/Database", {"database_id"}),
    "pubsub_googleapis_com:subscription_num_undelivered_messages": ("pubsub_subscription", {"subscription_id"}),
    "run_googleapis_com:container_memory_utilizations_bucket": ("cloud_run_job", {"job_name", "le"}),
    "run_googleapis_com:job_completed_execution_count": ("cloud_run_job", {"job_name", "result"}),
    "run_googleapis_com:job_running_executions": ("cloud_run_job", {"job_name"}),
    "run_googleapis_com:request_count": ("cloud_run_revision", {"service_name", "response_code_class"}),
    "run_googleapis_com:request_latencies_bucket": ("cloud_run_revision", {"service_name", "le"}),
}
"""Google's metrics that are asked for, as PromQL writes them: of which resource, and those of its labels and theirs that we use
(cloud.google.com/monitoring/api/metrics_gcp). A metric of another resource is empty, without a word."""
OURS = ("cloud_run_job", "cloud_run_revision")


NAMES = ("auteryn_sweeps", "auteryn_sweeps_acting", "auteryn_sweeps_stuck")


class Closed:
    """Jobs at their quota."""

    async def start(self, run: str, *, roomy: bool = False) -> None:
        raise Unavailable("1,000 executions are at work")

    async def stop(self, run: str) -> None: ...

    async def close(self) -> None: ...

    def on_start(self, handler: Any) -> None: ...


@pytest.fixture
def lines() -> Any:
    """What the engine logs, as Cloud Logging gets it."""
    said = list[dict[str, Any]]()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(json.loads(CloudFormatter("a-project").format(record)))

    ear, log = Ear(), logging.getLogger("auteryn")
    before = log.level
    log.addHandler(ear)
    log.setLevel(logging.INFO)
    yield said
    log.removeHandler(ear)
    log.setLevel(before)


def test_a_run_that_cannot_be_started_is_counted_as_stuck(lines: list[dict[str, Any]], standing: Stand, tmp_path: Path) -> None:
    filters = {one["name"]: one["filter"] for one in standing("first").plan.world.of("logging_metric")}
    entry: dict[str, Any] = {
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": "auteryn-dispatch"}},
    }

    def counted(name: str) -> int:
        return sum(passes(filters[name], {**entry, "jsonPayload": line}) for line in lines)

    def around(services: Services) -> Services:
        return replace(services, jobs=cast("Jobs", Closed()))

    async def story() -> None:
        world = await World(tmp_path, model=["Hello!"], around=around).open(hosting=False)
        try:
            engine = world.host.engine
            await sweep(engine)
            assert [counted(name) for name in NAMES] == [1, 0, 0]

            await world.start("Say hello")
            await world.after(timedelta(hours=1))
            await sweep(engine)
            assert [counted(name) for name in NAMES] == [2, 1, 1]
        finally:
            await world.close()

    skipping(story())


def test_a_slice_is_counted_by_what_it_spent(lines: list[dict[str, Any]], standing: Stand, tmp_path: Path) -> None:
    [credits] = [one for one in standing("first").plan.world.of("logging_metric") if one["name"] == "auteryn_credits"]

    async def story() -> None:
        async with World(tmp_path, model=["Hello!"]) as world:
            run = await world.ended(await world.start("Say hello"))
        spent = [
            line["credits"]
            for line in lines
            if passes(credits["filter"], {"resource": {"type": "cloud_run_job"}, "jsonPayload": line})
        ]
        assert sum(spent) == run.usage.credits.total > 0

    skipping(story())
    assert credits["value_extractor"] == "EXTRACT(jsonPayload.credits)"


def test_every_metric_that_is_asked_for_is_one_of_the_resource_it_is_asked_of(standing: Stand) -> None:
    world = standing("whole").plan.world
    own = {one["name"] for one in world.of("logging_metric")}
    boards = [tile["widget"]["xyChart"]["dataSets"] for board in world.of("monitoring_dashboard") for tile in tiles(board)]
    queries = [one["timeSeriesQuery"]["prometheusQuery"] for sets in boards for one in sets]
    policies = [one for policy in world.of("monitoring_alert_policy") for one in policy["conditions"]]
    queries += [one["condition_prometheus_query_language"][0]["query"] for one in policies]

    asked = [found for query in queries for found in re.findall(r"(\w+_googleapis_com:\w+)\{(.*?)\}", query)]
    assert len(asked) > 20
    for metric, selectors in asked:
        labels = dict(re.findall(r'(\w+)=~?"(.*?)"', selectors))
        if metric.startswith("logging_googleapis_com:user_"):
            assert metric.partition("user_")[2].removesuffix("_sum") in own
            assert labels.keys() == {"monitored_resource"} and labels["monitored_resource"] in OURS, (metric, labels)
        else:
            resource, known = METRICS[metric]
            assert labels.pop("monitored_resource", None) == resource, (metric, labels)
            assert labels.keys() <= known, (metric, labels)
    assert {metric for metric, _ in asked if "user_" not in metric} == set(METRICS)


def tiles(board: Any) -> list[dict[str, Any]]:
    return json.loads(board["dashboard_json"])["mosaicLayout"]["tiles"]


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ('a.b="x"', True),
        ('a.b="y"', False),
        ('a.b=("y" OR "x") a.n>3', True),
        ("a.n>4", False),
        ("a.none>0", False),
    ],
)
def test_filters_are_understood(query: str, fits: bool) -> None:
    assert passes(query, {"a": {"b": "x", "n": 4}}) is fits


def passes(query: str, entry: dict[str, Any]) -> bool:
    """Cloud Logging's language, as far as our filters go: comparisons, all of which must hold."""
    terms = re.findall(r'([\w.]+)(=|>)(\(.*?\)|"[^"]*"|[\d.]+)', query)
    assert " ".join("".join(term) for term in terms) == query, f"{query!r} says more than is understood"
    return all(_holds(_at(entry, path), sign, value) for path, sign, value in terms)


def _at(entry: Any, path: str) -> Any:
    for name in path.split("."):
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


def _holds(found: Any, sign: str, value: str) -> bool:
    if sign == ">":
        return isinstance(found, int | float) and found > float(value)
    return found in [one.strip(' "') for one in value.strip("()").split(" OR ")]
