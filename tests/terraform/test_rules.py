"""Every rule holds for every deployment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from auteryn.policy.modes import DEEP
from terraform import rules
from terraform.deployments import DEPLOYMENTS, Standing
from terraform.rule import Rule, seconds
from terraform.rules import RULES

PROVES = {rules.blobs_are_kept_and_then_go: pytest.mark.proves("F30")}


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.__name__, marks=PROVES.get(rule, ())) for rule in RULES])
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_rule_holds(name: str, rule: Rule, standing: Callable[[str], Standing]) -> None:
    world = standing(name).plan.world

    assert list(rule(world, DEPLOYMENTS[name].given)) == []


@pytest.mark.proves("P19")
def test_an_execution_of_the_job_has_deeps_two_hours_and_no_second_try(standing: Callable[[str], Standing]) -> None:
    jobs = [job["template"][0]["template"][0] for job in standing("first").plan.world.of("cloud_run_v2_job")]

    assert [(job["timeout"], job["max_retries"]) for job in jobs] == [(seconds(DEEP.slice_time), 0)] * 2
