"""Every rule holds for every deployment."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from auteryn.policy import cloud
from auteryn.policy.modes import DEEP
from terraform.deployments import DEPLOYMENTS, Standing
from terraform.rules import RULES, Rule, seconds

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_rule_holds(name: str, rule: Rule, standing: Callable[[str], Standing]) -> None:
    world = standing(name).plan.world

    assert list(rule(world, DEPLOYMENTS[name].given)) == []


@pytest.mark.proves("P19")
def test_an_execution_of_the_job_has_deeps_two_hours_and_no_second_try(standing: Callable[[str], Standing]) -> None:
    jobs = [job["template"][0]["template"][0] for job in standing("first").plan.world.of("cloud_run_v2_job")]

    assert [(job["timeout"], job["max_retries"]) for job in jobs] == [(seconds(DEEP.slice_time), 0)] * 2


VARIABLE = re.compile(r"(AUTERYN|CLOUD_RUN|FIRESTORE|FUNCTION|GEMINI|GOOGLE|K|PUBSUB|STORAGE)_[A-Z_]+")


def test_every_variable_the_deployed_code_reads_is_accounted_for() -> None:
    """Read in the cloud: set by Terraform, by the platform or by dispatch; else named as not deployed, with its reason."""
    known = {
        *cloud.ENVIRONMENT,
        *cloud.BY_KEY,
        *cloud.BY_VERTEX,
        *cloud.ON_REQUEST,
        *cloud.NOT_DEPLOYED,
        *cloud.PLATFORM,
        cloud.RUN_VARIABLE,
    }
    read = {name: str(file.relative_to(ROOT)) for file in deployed() for name in variables(file)}

    assert {name: where for name, where in read.items() if name not in known} == {}


def deployed() -> list[Path]:
    package = ROOT / "shared" / "auteryn"
    return [*(ROOT / "functions").rglob("*.py"), *(package / "adapters" / "gcp").rglob("*.py"), package / "compose.py"]


def variables(file: Path) -> set[str]:
    """String literals that are names of environment variables."""
    literals = [one.value for one in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(one, ast.Constant)]
    return {text for text in literals if isinstance(text, str) and VARIABLE.fullmatch(text)}
