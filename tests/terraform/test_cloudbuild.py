"""`cloudbuild.yaml`: in this order, by digest, with commands that a laptop has too."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terraform.folder import DIGEST, PROJECT, Folder
from terraform.laptop import Laptop

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "cloudbuild.yaml"
ORDER = ["terraform", "install", "check", "emulators", "image", "push", "roll-out"]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file as Terraform's own YAML reader sees it."""
    folder = Folder(tmp_path_factory.mktemp("yaml"), {})
    (folder.path / "main.tf").write_text(f'output "yaml" {{\n  value = jsonencode(yamldecode(file("{FILE}")))\n}}\n')
    folder.run("apply", "-auto-approve")
    return json.loads(folder.run("output", "-raw", "yaml"))


@pytest.fixture
def steps(build: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["id"]: step for step in build["steps"]}


def test_each_step_waits_for_the_one_before(steps: dict[str, dict[str, Any]]) -> None:
    assert list(steps) == ORDER
    assert [step.get("waitFor") for step in steps.values()] == [None, *([before] for before in ORDER[:-1])]


def test_what_is_rolled_out_is_the_digest_that_was_pushed(steps: dict[str, dict[str, Any]]) -> None:
    push, roll_out = script(steps["push"]), script(steps["roll-out"])

    assert "docker push" in push
    assert "RepoDigests" in push
    assert "> .image" in push
    assert "@sha256:[0-9a-f]{64}" in push
    assert 'infra/terraform/release roll-out "$$(cat .image)"' in roll_out
    assert not any(word in script(step) for step in steps.values() for word in ("gcloud run deploy", ":latest"))


def test_the_commands_are_the_repositorys_own(steps: dict[str, dict[str, Any]]) -> None:
    said = " ".join(script(step) for step in steps.values())
    named = set(re.findall(r"(?:tests|functions|infra)/[\w./-]+", said))

    assert {"functions/Dockerfile", "functions/constraints.txt", "infra/terraform/release", "tests/architecture"} <= named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_script_is_one_that_bash_can_read_and_stops_at_the_first_error(steps: dict[str, dict[str, Any]]) -> None:
    scripts = [step for step in steps.values() if step.get("entrypoint") == "bash"]

    assert len(scripts) >= 5
    for step in scripts:
        assert step["args"][0] == "-euc", step["id"]
        subprocess.run(["bash", "-n", "-c", step["args"][1].replace("$$", "$")], check=True)


def test_every_substitution_is_declared_and_used(build: dict[str, Any]) -> None:
    """Cloud Build refuses a build in which either is missing."""
    declared = set(build["substitutions"])
    used = {name for text in texts(build) for name in re.findall(r"(?<!\$)\$\{(_\w+)\}", text)}

    assert used == declared
    assert build["options"]["dynamicSubstitutions"]


def test_the_builder_images_do_not_move(steps: dict[str, dict[str, Any]]) -> None:
    moving = [step["name"] for step in steps.values() if not re.search(r":\d+\.\d+\.\d+", step["name"])]

    assert set(moving) <= {"gcr.io/cloud-builders/docker"}, "Google's own builder has no versions"


def test_a_build_holds_no_secret_and_logs_where_its_account_may(build: dict[str, Any]) -> None:
    assert "availableSecrets" not in build
    assert not any(re.search(r"AIza|BEGIN [A-Z ]*PRIVATE|password", text) for text in texts(build))
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"


# ---- run, on a machine where only what lies outside is played


def test_the_build_runs_to_its_end_and_back_where_nobody_answers(build: dict[str, Any], laptop: Laptop) -> None:
    """Every step's own script, in order: tested, built, pushed, rolled out; then the same with an endpoint that is dead."""
    builder = Builder(build, laptop)

    laptop.answers(0)
    done = builder.run(digest="ab" * 32)
    assert [(name, one.returncode) for name, one in done.items()] == [(name, 0) for name in ORDER], _last(done)
    assert laptop.image() == DIGEST

    ran = [argv[2:] for argv in laptop.calls("venv python") if argv[:2] == ["-m", "pytest"]]
    tested = {word for argv in ran for word in argv if word.startswith("tests/")}
    assert tested >= {f"tests/{room}" for room in ("architecture", "terraform", "unit", "conformance", "crash", "emulators")}
    assert all((ROOT / path).exists() for path in tested)
    assert ["install", "-q", "--constraint", "functions/constraints.txt", "--editable", ".[dev]"] in laptop.calls("venv pip")
    [built, pushed, _] = laptop.calls("docker")
    tag = f"us-central1-docker.pkg.dev/{PROJECT}/auteryn/auteryn:a-build"
    assert built == [
        "build",
        "--file=functions/Dockerfile",
        "--build-arg=EXTRAS=[all]",
        "--build-arg=PACKAGES=bubblewrap git",
        f"--tag={tag}",
        ".",
    ]
    assert pushed == ["push", "--quiet", tag]

    laptop.answers(22)
    done = builder.run(digest="cd" * 32)
    assert [name for name, one in done.items() if one.returncode] == ["roll-out"]
    assert f"back to {DIGEST}" in done["roll-out"].stderr
    assert laptop.image() == DIGEST


def test_a_build_stops_at_the_first_step_that_fails(build: dict[str, Any], laptop: Laptop) -> None:
    builder = Builder(build, laptop)
    laptop.answers(0)

    done = builder.run(digest="ab" * 32, tests=1)

    assert list(done) == ["terraform", "install", "check"]
    assert laptop.calls("docker") == []


def test_what_was_not_pushed_by_digest_is_not_rolled_out(build: dict[str, Any], laptop: Laptop) -> None:
    laptop.answers(0)

    done = Builder(build, laptop).run(digest="latest")

    assert list(done)[-1] == "push"
    assert done["push"].returncode != 0


class Builder:
    """Cloud Build, as far as one machine can be it."""

    def __init__(self, build: dict[str, Any], laptop: Laptop) -> None:
        self.build, self.laptop, self.repository = build, laptop, laptop.folder.path.parents[1]
        shutil.copytree(
            ROOT / "tests",
            self.repository / "tests",
            ignore=lambda folder, names: [
                name for name in names if not (Path(folder) / name).is_dir() and not name.startswith("test_")
            ],
        )
        laptop.keeps_its_state()
        for name in ("apt-get", "git"):
            laptop.plays(name)

    def run(self, *, digest: str, tests: int = 0) -> dict[str, subprocess.CompletedProcess[str]]:
        """Step → how it ended, up to the first that failed. `tests`: how pytest ends."""
        image = f"us-central1-docker.pkg.dev/{PROJECT}/auteryn/auteryn"
        said = f"{image}@sha256:{digest}" if len(digest) == 64 else f"{image}:{digest}"
        self.laptop.plays("docker", f"print({said!r}) if sys.argv[1] == 'inspect' else None")
        self.laptop.plays("venv python", f"sys.exit({tests})", at=self.laptop.tools / "venv-python")
        self.laptop.plays("venv pip", at=self.laptop.tools / "venv-pip")
        made = f"""
os.makedirs('.venv/bin', exist_ok=True)
for name in ('python', 'pip'):
    if not os.path.lexists(f'.venv/bin/{{name}}'):
        os.symlink(f'{self.laptop.tools}/venv-{{name}}', f'.venv/bin/{{name}}')
"""
        self.laptop.plays("python3", made)
        given = {
            **self.build["substitutions"],
            "_EXTRAS": "[all]",
            "_PACKAGES": "bubblewrap git",
            "BUILD_ID": "a-build",
            "PROJECT_ID": PROJECT,
        }
        done = dict[str, subprocess.CompletedProcess[str]]()
        for step in self.build["steps"]:
            done[step["id"]] = self._step(step, given)
            if done[step["id"]].returncode:
                break
        return done

    def _step(self, step: dict[str, Any], given: dict[str, str]) -> subprocess.CompletedProcess[str]:
        named = [*self.build["options"].get("env", []), *step.get("env", [])]
        environ = dict(filled(one, given).split("=", 1) for one in named)
        words = [filled(one, given) for one in step["args"]]
        script = words[1] if step.get("entrypoint") in ("bash", "sh") else shlex.join(["docker", *words])
        script = script.replace("/bin/terraform", str(self.laptop.tools / "terraform"), 1)
        return self.laptop.sh(script, self.repository, self.laptop.environ(**environ))


def filled(text: str, given: dict[str, str]) -> str:
    """As Cloud Build fills substitutions in, those within substitutions too; `$$` is a dollar."""
    for _ in range(3):
        text = re.sub(r"(?<!\$)\$\{(\w+)\}", lambda match: given[match[1]], text)
    return text.replace("$$", "$")


def _last(done: dict[str, subprocess.CompletedProcess[str]]) -> str:
    name, one = list(done.items())[-1]
    return f"{name}: {one.stdout[-2000:]}{one.stderr[-2000:]}"


def script(step: dict[str, Any]) -> str:
    return " ".join(step["args"])


def texts(node: Any) -> Iterator[str]:
    match node:
        case str():
            yield node
        case dict():
            for inner in node.values():
                yield from texts(inner)
        case list():
            for inner in node:
                yield from texts(inner)
        case _:
            return
