"""`functions/Dockerfile`, built and run without Docker: its steps in a root of its own, by bubblewrap.

The base image is played by this machine's `/usr` and its Python; what no step put there is not there. Where pip is played too,
the packages come from this environment: what pip would install, by their own metadata, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "functions" / "Dockerfile"
BASE = "/base/bin"
"""Where the base image's `python` is."""
ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "group": "root:x:0:\n",
    "shadow": "",
    "gshadow": "",
    "subuid": "",
    "subgid": "",
}
"""Who there is in the base image."""
BUILDERS = re.compile(r"PIP_|SSL_|REQUESTS_|CURL_|(https?|no|all)_proxy$", re.IGNORECASE)
"""How this machine reaches its package index: only while building."""


DEPLOYED = re.compile(r"AUTERYN_|CLOUD_RUN_|GEMINI_|GOOGLE_|PORT$|(FIRESTORE|PUBSUB|STORAGE)_EMULATOR_HOST$")
"""What a container finds in its environment, of what this process has in its own."""


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.rest)


@dataclass
class Stage:
    """One `FROM` and what follows it."""

    name: str
    base: str
    steps: list[Instruction] = field(default_factory=list[Instruction])


def stages(text: str) -> list[Stage]:
    found = list[Stage]()
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, *named = rest.split(" AS ")
            found.append(Stage(named[0] if named else str(len(found)), base))
        else:
            found[-1].steps.append(Instruction(word, rest.strip()))
    return found


def context(dockerignore: str) -> list[str]:
    """The files of the repository that are sent to the builder: what is tracked or new, less what is ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    rules = [line for line in dockerignore.splitlines() if line and not line.startswith("#")]
    return [path for path in listed if path and (ROOT / path).exists() and not _ignored(path, rules)]


def _ignored(path: str, rules: Sequence[str]) -> bool:
    """Docker's way: the last rule that fits the path, or a folder above it, decides."""
    above = [str(one) for one in (*reversed(Path(path).parents[:-1]), Path(path))]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        every = pattern.removeprefix("**/")
        names = [one.rsplit("/", 1)[-1] for one in above] if every != pattern else above
        if any(fnmatchcase(name, every) for name in names):
            ignored = not rule.startswith("!")
    return ignored


@dataclass
class Image:
    """What was built: a root, its environment, its user, its command."""

    root: Path
    environ: dict[str, str]
    folder: str
    user: int
    command: list[str]
    said: str
    """By the steps that ran."""

    def argv(self, command: Sequence[str], environ: Mapping[str, str], writable: Sequence[str] = ()) -> list[str]:
        """The command in a container: the image is read only, `/tmp` is its own, the network is this machine's."""
        wall = [*_wall(self.root, write=False), "--uid", str(self.user), "--gid", str(self.user)]
        for place in writable:
            wall += ["--bind", place, place]
        for name, value in {**self.environ, **environ}.items():
            wall += ["--setenv", name, value]
        return [*wall, "--chdir", self.folder, "--", *command]

    def container(self, writable: Path) -> list[str]:
        """What starts the command that comes after it, with those variables of its own environment that are a deployment's."""
        asked = json.dumps({**vars(self), "root": str(self.root), "writable": [str(writable)]})
        return [sys.executable, __file__, asked]


def main(asked: str, *command: str) -> None:
    """Be the container."""
    said = json.loads(asked)
    writable = said.pop("writable")
    image = Image(**{**said, "root": Path(said["root"])})
    argv = image.argv(command, {name: value for name, value in os.environ.items() if DEPLOYED.match(name)}, writable)
    os.execvp(argv[0], argv)


def build(folder: Path, *, pip: bool, **arguments: str) -> Image:
    """The last stage of the Dockerfile, with these build arguments. Without `pip` nothing is downloaded, nor compiled."""
    made, image = dict[str, Path](), None
    for number, stage in enumerate(stages(DOCKERFILE.read_text(encoding="utf-8"))):
        root = folder / f"{number}-{stage.name}"
        _lay_base(root)
        image = _built(stage, root, made, arguments, pip=pip)
        made[stage.name] = root
    assert image is not None
    return image


def _lay_base(root: Path) -> None:
    python = root / BASE[1:] / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{getattr(sys, "_base_executable", sys.executable)}" "$@"\n')
    python.chmod(0o755)
    shutil.copytree("/etc", root / "etc", symlinks=True, ignore=shutil.ignore_patterns(*ACCOUNTS))
    for name in ACCOUNTS:
        (root / "etc" / name).write_text(ACCOUNTS[name])
    for place in ("/dev", "/proc", "/tmp", *map(str, _base())):
        (root / place[1:]).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        if (place := Path("/") / name).is_symlink():
            (root / name).symlink_to(place.readlink())


def _built(stage: Stage, root: Path, made: Mapping[str, Path], arguments: Mapping[str, str], *, pip: bool) -> Image:
    image = Image(root, {"PATH": f"{BASE}:/usr/bin:/bin:/usr/sbin:/sbin"}, "/", 0, [], "")
    given = dict[str, str]()
    for step in stage.steps:
        match step.word:
            case "ARG":
                name, _, usual = step.words[0].partition("=")
                given[name] = arguments.get(name, usual)
            case "ENV":
                image.environ |= {
                    name: _filled(value, image.environ | given) for name, _, value in (one.partition("=") for one in step.words)
                }
            case "WORKDIR":
                image.folder = step.rest
                (root / step.rest[1:]).mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copied(step.words, root, image.folder, made)
            case "RUN" if not pip and "pip install" in step.rest:
                _linked(root, step.rest, given)
            case "RUN" if not pip and "compileall" in step.rest:
                pass
            case "RUN":
                image.said += _ran(step.rest, image, given)
            case "USER":
                image.user = int(step.rest)
            case "CMD":
                image.command = json.loads(step.rest)
            case _:
                raise ValueError(f"{step.word} is nothing this builder knows")
    return image


def _filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)


def _copied(words: list[str], root: Path, folder: str, made: Mapping[str, Path]) -> None:
    stage = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    *sources, target = words
    to = root / os.path.normpath(f"{folder}/{target}")[1:] if not target.startswith("/") else root / target[1:]
    for source in sources:
        if stage is not None:
            place = made[stage] / source[1:]
            shutil.copytree(place, to, symlinks=True, copy_function=os.link)
            continue
        sent = context(DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8"))
        files = [one for one in sent if one == source or one.startswith(f"{source}/")]
        if not files:
            raise FileNotFoundError(f"COPY {source}: the context has nothing of that name")
        for file in files:
            inside = Path(file).relative_to(source) if file != source else None
            place = to / inside if inside else to / Path(file).name if target.endswith("/") else to
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place)


def _ran(command: str, image: Image, given: Mapping[str, str]) -> str:
    """As the builder's root, who is nobody outside."""
    index = {name: value for name, value in os.environ.items() if BUILDERS.match(name)}
    wall = [*_wall(image.root, write=True), "--uid", "0", "--gid", "0"]
    for name, value in {**index, "HOME": "/tmp", **image.environ, **given}.items():
        wall += ["--setenv", name, value]
    done = subprocess.run(
        [*wall, "--chdir", image.folder, "--", "sh", "-c", command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"RUN {command}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def _linked(root: Path, command: str, given: Mapping[str, str]) -> None:
    """What `pip install` of the folder would leave: the package from what was copied, what it needs from this environment."""
    wanted = re.fullmatch(r'(\S+)/bin/pip install --constraint (\S+) "\.(\$\{EXTRAS\})"', command)
    assert wanted, f"{command!r} is another way to install than the one that is played"
    extras = _filled(wanted[3], given).strip("[]").split(",")
    site = next((root / wanted[1][1:] / "lib").iterdir()) / "site-packages"
    for needed in closure("auteryn", frozenset(filter(None, extras))):
        for file in needed.files or ():
            place = Path(str(needed.locate_file(file)))
            if ".." in file.parts or (needed.name == "auteryn" and not file.parts[0].endswith(".dist-info")):
                continue
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            if not (site / file).exists():
                _laid(place, site / file)
        for script in needed.entry_points.select(group="console_scripts"):
            program = root / wanted[1][1:] / "bin" / script.name
            call = f"import sys\nfrom {script.module} import {script.attr}\nsys.exit({script.attr}())\n"
            program.write_text(f"#!{wanted[1]}/bin/python\n{call}")
            program.chmod(0o755)
    shutil.copytree(root / "app/shared/auteryn", site / "auteryn")


def _laid(place: Path, to: Path) -> None:
    try:
        to.hardlink_to(place)
    except OSError:  # on another disk
        shutil.copy2(place, to)


def closure(name: str, extras: frozenset[str]) -> list[Distribution]:
    """The distribution and all it needs, as their metadata say."""
    found, left = dict[tuple[str, frozenset[str]], Distribution](), [(name, extras)]
    while left:
        one, more = left.pop()
        if (canonicalize_name(one), more) in found:
            continue
        made = found[(canonicalize_name(one), more)] = distribution(one)
        for text in made.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *more)):
                left.append((needed.name, frozenset(needed.extras)))
    return list({one.name: one for one in found.values()}.values())


def _wall(root: Path, *, write: bool) -> list[str]:
    wall = ["bwrap", "--unshare-user", "--unshare-pid", "--die-with-parent", "--clearenv"]
    wall += ["--bind" if write else "--ro-bind", str(root), "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    for place in _base():
        wall += ["--ro-bind", str(place), str(place)]
    return wall


def _base() -> list[Path]:
    """What of this machine is the base image: its programs, its Python, and its packages if those lie in a folder."""
    names = ("usr", "opt", "bin", "lib", "lib64", "sbin")
    found = [place for name in names if (place := Path("/") / name).is_dir() and not place.is_symlink()]
    return found if sys.base_prefix.startswith(("/usr", "/opt")) else [*found, Path(sys.base_prefix)]


if __name__ == "__main__":
    main(*sys.argv[1:])
