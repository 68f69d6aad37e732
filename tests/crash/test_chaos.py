"""The certificate."""

from __future__ import annotations

import subprocess
import sys

import pytest

from auteryn.errors import Invalid
from auteryn.testing.chaos import Report, certificate, main


@pytest.mark.proves("L3")
def test_the_certificate_counts_what_was_done() -> None:
    told = list[Report]()
    reports = main(["gate"], seed=3, tell=told.append)
    assert told == reports and reports[0].holds
    report = reports[0]
    assert report.kills == report.points
    deaths = report.kills + report.double_kills + report.power_cuts
    assert report.states_compared == deaths + report.message_faults + report.zombies and report.power_cuts > 10
    assert "holds" in certificate(reports) and "gate" in certificate(reports)


def test_an_unknown_scenario_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="'nothing' must be one of plan, wait"):
        main(["nothing"])


def test_the_command_says_what_holds_and_nothing_of_what_it_killed() -> None:
    code = "import sys; from auteryn.cli.root import run; sys.exit(run(['chaos', 'wait']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ wait") and done.stdout.rstrip().endswith("0 laws broken") and done.stdout.count("\n") == 1
