"""README's three commands of a deployment, run as they stand there: Terraform is real, Google Cloud and the last are played."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from auteryn.cli.root import cli
from terraform.folder import PROJECT
from terraform.laptop import Laptop

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """The lines of the block under *Deploy*, for our project."""
    block = re.search(r"## Deploy\n.*?```bash\n(.*?)```", README, re.S)
    assert block is not None
    return [re.sub(r"(?<![A-Z_])PROJECT(?![A-Z_])", PROJECT, line) for line in block[1].splitlines()]


def test_three_commands_deploy(laptop: Laptop) -> None:
    first, build, key = commands()
    repository = laptop.folder.path.parents[1]
    laptop.keeps_its_state()
    laptop.plays("gcloud")
    laptop.plays("auteryn", at=repository / ".venv" / "bin" / "auteryn")

    for command in (first, build, key):
        done = laptop.sh(command, repository, laptop.environ())
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    assert laptop.folder.world().outputs["endpoint"].startswith("https://auteryn-api-")
    assert laptop.calls("terraform")[-2][-2:] == ["-migrate-state", "-force-copy"]
    [submitted] = laptop.calls("gcloud")
    assert submitted[:2] == ["builds", "submit"]
    given = dict(word.split("=", 1) for word in submitted[2:])
    outputs = laptop.folder.world().outputs
    assert given["--service-account"] == outputs["build_account"]
    assert given["--gcs-source-staging-dir"] == f"gs://{outputs['state_bucket']}/source"
    declared = set(re.findall(r"^  (_\w+):", (ROOT / "cloudbuild.yaml").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"(_[A-Z]+)=", given["--substitutions"])) <= declared
    assert laptop.calls("auteryn") == [["keys", "create", "--name", "me"]]


def test_the_key_command_is_one_and_reads_what_it_is_given() -> None:
    key = commands()[2]
    told = dict(re.findall(r"(\w+)=(\S+)", key.split(".venv")[0]))

    assert told.keys() == {"AUTERYN_BACKEND", "AUTERYN_REGION", "GOOGLE_CLOUD_PROJECT"}
    asked = shlex.split(key.split(".venv/bin/auteryn ")[1])
    assert CliRunner().invoke(cli, [*asked, "--help"]).exit_code == 0


def test_what_readme_names_of_the_folder_is_there() -> None:
    deploy = README.split("## Deploy")[1].split("\n## ")[0]
    written = (ROOT / "infra/terraform/variables.tf").read_text(encoding="utf-8")
    variables = set(re.findall(r'^variable "(\w+)"', written, re.M))
    outputs = set(re.findall(r'^output "(\w+)"', (ROOT / "infra/terraform/outputs.tf").read_text(encoding="utf-8"), re.M))

    assert set(re.findall(r"-var (\w+)=", deploy)) <= variables
    assert set(re.findall(r"output (?:-raw )?(\w+)", deploy)) <= outputs
    assert [path for path in re.findall(r"(?:infra|environments|shared)/[\w./-]*\w", deploy) if not _there(path)] == []


def _there(path: str) -> bool:
    return (ROOT / path).exists() or (ROOT / "infra" / "terraform" / path).exists()
