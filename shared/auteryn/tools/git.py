"""git and patches in the sandbox. There is no push: what leaves, leaves by tools that a person allows.

A repository of others is data: its hooks, monitors, filters and helpers are programs somebody else wrote. Whatever of them can
be switched off by a setting is, and the sandbox holds the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.schema.run import Run
from auteryn.tools.needs import no_git
from auteryn.tools.sandbox.box import Ran
from auteryn.tools.tool import Judged, ToolContext, tool
from auteryn.tools.walled import folder_of, text, walled
from auteryn.tools.web import host_of
from auteryn.tools.workspace import Workspace

Action = Literal["clone", "status", "diff", "log", "show", "commit", "branch"]

_INERT = {
    "commit.gpgsign": "false",
    "core.askPass": "",
    "core.attributesFile": "/dev/null",
    "core.editor": "true",
    "core.excludesFile": "/dev/null",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.sshCommand": "false",
    "credential.helper": "",
    "diff.external": "",
    "gc.auto": "0",
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    "submodule.recurse": "false",
    "tag.gpgsign": "false",
}
"""Settings of the command line win over those of a repository."""
_ENV = {
    "GIT_AUTHOR_EMAIL": "agent@auteryn.invalid",
    "GIT_AUTHOR_NAME": "Auteryn",
    "GIT_COMMITTER_EMAIL": "agent@auteryn.invalid",
    "GIT_COMMITTER_NAME": "Auteryn",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
_RUNS_PROGRAMS = re.compile(
    r"-c|-u|-O.*|--(upload-pack|receive-pack|exec|exec-path|config|config-env|template|ext-diff|textconv|output|git-dir|work-tree)(=.*)?"
)
"""Arguments that name programs or other places."""
_PLAIN_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color")
_SECONDS = 300


def _judge(args: dict[str, Any], files: Workspace, run: Run) -> Judged:
    clone = args.get("action") == "clone"
    return Judged(target=host_of(str(args.get("url", ""))) if clone else "", sends=clone)


@tool(
    effect="idempotent",
    group="code",
    timeout=timedelta(seconds=_SECONDS + 30),
    judge=_judge,
    serial=lambda args: str(args.get("repo", "")),
    reads_files=True,
    untrusted=True,
    missing=no_git,
)
async def git(
    ctx: ToolContext,
    action: Annotated[Action, "There is no push"],
    repo: Annotated[str, "Folder of the repository; clone: the folder to make"] = "",
    args: Annotated[
        list[str], "Revisions, paths and options as git takes them; branch: the name to be on", Meta(max_length=50)
    ] = [],  # noqa: B006 - never changed
    url: Annotated[str, "clone: an http:// or https:// address"] = "",
    message: Annotated[str, "commit: why; everything that changed is in it, or what args name"] = "",
) -> dict[str, Any]:
    """Work with a git repository in the run's files: look at it, commit to it, or clone one."""
    for one in args:
        if _RUNS_PROGRAMS.fullmatch(one):
            raise ToolFailed("denied", f"args: {one!r} names a program or another place, which is not let through")
    match action:
        case "clone":
            return await _clone(ctx, url, repo, args)
        case "commit":
            return await _commit(ctx, repo, args, message)
        case "branch" if args:
            name = _plain(args[0], "args")
            known = await _git(ctx, repo, ["rev-parse", "--verify", "--quiet", f"refs/heads/{name}"], fails=False)
            await _git(ctx, repo, ["switch", "--quiet", *([] if known.exit_code == 0 else ["--create"]), name, *args[1:]])
            return {"branch": name, "new": known.exit_code != 0} if known.exit_code else {"branch": name}
        case "branch":
            ran = await _git(ctx, repo, ["branch", "--list", "--all", "--verbose", "--no-color"])
        case "status":
            ran = await _git(ctx, repo, ["status", "--short", "--branch", *args])
        case "log":
            ran = await _git(ctx, repo, ["log", "--max-count=50", "--date=iso-strict", *_PLAIN_DIFF, *args])
        case "diff" | "show":
            ran = await _git(ctx, repo, [action, *_PLAIN_DIFF, *args])
    return {"output": text(ran.stdout)}


async def _clone(ctx: ToolContext, url: str, repo: str, args: Sequence[str]) -> dict[str, Any]:
    goal = str(ctx.egress.checked(url))
    name = repo or goal.rstrip("/").rpartition("/")[2].removesuffix(".git")
    if ctx.files.exists(name):
        if ctx.files.exists(f"{name}/.git/{ctx.key}"):
            return await _cloned(ctx, name)
        raise ToolFailed("conflict", f"{name!r} exists already: choose another folder for repo")
    folder_of(ctx, "")
    # Made under another name and moved in one step: a clone that was cut off is none.
    made = f".clone-{ctx.key}"
    script = 'rm -rf "$MADE" && mkdir -p "$(dirname "$NAME")" && git "$@" "$URL" "$MADE" && touch "$MADE/.git/$KEY"'
    script = f'{script} && mv "$MADE" "$NAME"'
    line = [*_settings(), "clone", "--quiet", "--no-recurse-submodules", *args, "--"]
    env = _ENV | {"MADE": made, "NAME": name, "URL": goal, "KEY": ctx.key}
    ran = await walled(ctx, ["sh", "-c", script, "sh", *line], seconds=_SECONDS, network=True, env=env)
    if ran.exit_code:
        await walled(ctx, ["rm", "-rf", made])
        raise _failure(ran, "clone")
    return await _cloned(ctx, name)


async def _cloned(ctx: ToolContext, name: str) -> dict[str, Any]:
    at = await _git(ctx, name, ["log", "--max-count=1", "--format=%H %s"], fails=False)
    return {"repo": name, "head": text(at.stdout).strip()}


async def _commit(ctx: ToolContext, repo: str, paths: Sequence[str], message: str) -> dict[str, Any]:
    if not message.strip():
        raise ToolFailed("invalid", f"message: {message!r} must say why")
    mark = f"auteryn {ctx.key}"
    last = await _git(ctx, repo, ["reflog", "--max-count=1", "--format=%gs"], fails=False)
    if not text(last.stdout).startswith(mark):  # else this very call has committed already
        await _git(ctx, repo, ["add", "--all", "--", *(paths or ["."])])
        await _git(ctx, repo, ["commit", "--quiet", "--message", message], env={"GIT_REFLOG_ACTION": mark})
    told = await _git(ctx, repo, ["log", "--max-count=1", "--shortstat", "--format=%H"])
    commit, _, stat = text(told.stdout).strip().partition("\n")
    return {"commit": commit, "changes": stat.strip()}


async def _git(
    ctx: ToolContext, repo: str, line: Sequence[str], *, fails: bool = True, env: dict[str, str] | None = None
) -> Ran:
    if not ctx.files.exists(f"{repo}/.git" if repo else ".git"):
        raise ToolFailed("not_found", f"there is no repository at {repo or '.'!r}: name its folder in repo")
    argv = ["git", *_settings(), "--no-pager", "--literal-pathspecs" if line[0] == "add" else "--no-replace-objects", *line]
    ran = await walled(ctx, argv, seconds=_SECONDS, cwd=repo, env=_ENV | (env or {}), output_bytes=8 << 20)
    if ran.exit_code and fails:
        raise _failure(ran, line[0])
    return ran


def _settings() -> list[str]:
    return [part for name, value in _INERT.items() for part in ("-c", f"{name}={value}")]


def _plain(name: str, field: str) -> str:
    if name.startswith("-"):
        raise ToolFailed("invalid", f"{field}: {name!r} is no name")
    return name


def _failure(ran: Ran, action: str) -> ToolFailed:
    said = text(ran.stderr or ran.stdout).strip()[-2_000:]
    if "403" in said or "CONNECT tunnel failed" in said:
        return ToolFailed("blocked", f"git {action}: the address is not let through, or does not let us in: {said}")
    if "unknown revision" in said or "not found" in said or "did not match" in said or "bad revision" in said:
        return ToolFailed("not_found", f"git {action}: {said}")
    if "Could not resolve" in said or "unable to access" in said:
        return ToolFailed("unavailable", f"git {action}: {said}", retryable=True)
    return ToolFailed("conflict", f"git {action}: {said or f'exit code {ran.exit_code}'}")


# ---- patches -----------------------------------------------------------------------------------------------------


@tool(
    effect="idempotent",
    group="code",
    timeout=timedelta(seconds=120),
    serial=lambda args: str(args.get("repo", "")),
    missing=no_git,
)
async def patch_apply(
    ctx: ToolContext,
    diff: Annotated[
        str, "A unified diff with a/ and b/ before the paths, as git writes it", Meta(min_length=1, max_length=2_000_000)
    ],
    repo: Annotated[str, "Folder the paths of the diff begin in"] = "",
    check_only: Annotated[bool, "Only say whether it fits"] = False,
) -> dict[str, Any]:
    """Apply a patch, all of it or nothing. Lines may have moved; what does not fit is named by its hunk."""
    body = (diff if diff.endswith("\n") else f"{diff}\n").encode()
    # Models do not count: a first line number of 1 would tie a hunk to the first line, and lengths are often wrong.
    loose = re.sub(rb"^@@ -1,([1-9]\d*) \+1,", rb"@@ -2,\1 +2,", body, flags=re.MULTILINE)
    ways: list[tuple[bytes, list[str]]] = [(body, []), (loose, ["-C1"]), (loose, ["-C1", "--recount"])]
    ways += [(one, [*options, "--reverse"]) for one, options in ways]
    for one, options in ways:
        if (await _apply(ctx, repo, one, ["--check", *options])).exit_code == 0:
            break
    else:
        raise await _misfit(ctx, repo, body)
    named = await _apply(ctx, repo, one, ["--numstat", *options])
    paths = sorted(line.split("\t")[-1] for line in text(named.stdout).splitlines())
    applied_already = "--reverse" in options  # by this very call before a crash, or by somebody else
    if not (check_only or applied_already):
        ran = await _apply(ctx, repo, one, options)
        if ran.exit_code:
            raise ToolFailed("conflict", text(ran.stderr).strip()[-2_000:])
    return {"fits": True, "files": paths} if check_only else {"applied": True, "files": paths}


async def _apply(ctx: ToolContext, repo: str, body: bytes, options: Sequence[str]) -> Ran:
    argv = ["git", *_settings(), "apply", "--whitespace=nowarn", *options, "-"]
    return await walled(ctx, argv, cwd=repo, stdin=body, env=_ENV)


async def _misfit(ctx: ToolContext, repo: str, body: bytes) -> ToolFailed:
    """Why a patch does not apply; tried on a copy of its files to learn which hunks fit."""
    said = text((await _apply(ctx, repo, body, ["--check"])).stderr).strip()
    if "invalid path" in said or "beyond a symbolic link" in said:
        return ToolFailed("denied", f"the patch leads out of the folder: {said}")
    if "No valid patches" in said or "corrupt patch" in said or "unrecognized input" in said or "lacks filename" in said:
        return ToolFailed("invalid", f"diff: it is no unified diff: {said}")
    script = (
        'git apply --numstat - <"$INPUTS/p" | cut -f3 | while IFS= read -r f; do '
        '[ -f "$f" ] && mkdir -p "$TMPDIR/t/$(dirname "$f")" && cp "$f" "$TMPDIR/t/$f"; done; '
        'mkdir -p "$TMPDIR/t" && cd "$TMPDIR/t" && git apply --reject --verbose "$INPUTS/p" 2>&1'
    )
    ran = await walled(ctx, ["sh", "-c", script], cwd=repo, inputs={"p": body}, env=_ENV)
    hunks = [line.strip() for line in text(ran.stdout).splitlines() if re.match(r"(Rejected hunk|Hunk #|Applying patch)", line)]
    return ToolFailed("conflict", "\n".join([said[:2_000], *hunks[:50], "Nothing was changed."]))
