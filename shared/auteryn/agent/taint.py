"""What a run has read, and whether a call could carry it out: taint follows data, whatever way it takes (L14).

A run that holds private data and has read text of others asks before anything leaves. It has read what its tools read, what
its steps and its parent read before it, what any run of its tree left in files and notes (and the run it was forked from, or
tries again), and what a memory was made of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, cast

from auteryn.agent.mind import Mind
from auteryn.policy.gates import FOREIGN, PRIVATE, Gate, gate, named_recipients
from auteryn.schema.change import Doc
from auteryn.tools.registry import Registry
from auteryn.tools.tool import Judged, Tool

LABEL = "label"
"""Kind of the documents that say what the runs of a tree have read."""
HEIRS = frozenset({"fork_of", "retry_of"})
"""Labels of runs that begin with the files and notes of another."""
_WEB = ("web", "browser")
_OURS = ("code", "utility", "browser")
"""Groups of tools that work in the sandbox, or only look at a page, unless they send something."""
_ECHOED = frozenset({"query", "url", "redirected_from", "saved_as"})
"""Parts of an answer that only repeat what was asked for."""


def verdict(mind: Mind, tool: Tool, judged: Judged) -> Gate:
    """Whether a person must allow this call, now."""
    if mind.run.options.effects == "dry" and not _harmless(tool, judged):
        return "dry"
    risky = judged.sends and tainted(mind)
    return gate(
        judged.permission,
        tool=tool.name,
        target=judged.target,
        run=mind.run,
        now=mind.now(),
        sends=judged.sends,
        tainted=risky and not (judged.url and _seen(mind, judged.url)),
        outward=tool.effect in ("keyed", "once"),
        named=bool(judged.recipients) and {one.lower() for one in judged.recipients} <= set(_named(mind)),
    )


def _harmless(tool: Tool, judged: Judged) -> bool:
    """Whether the call changes nothing outside: it may be repeated, runs in the sandbox, or only looks at a page."""
    if tool.effect in ("read", "idempotent"):
        return True
    return tool.group in _OURS and judged.permission == "auto" and (not judged.sends or bool(judged.url))


def tainted(mind: Mind) -> bool:
    """The run holds private data and has read text of others: together with a way out, that is how data is stolen.

    Files given with the task are both, and their very names are shown with it: they are the owner's, and anybody may have
    written them.
    """
    return {FOREIGN, PRIVATE} <= read_by(mind)


def read_by(mind: Mind) -> set[str]:
    """The labels of what this run knows."""
    found = read_with(mind.run.used_tools, mind.registry)
    found |= {FOREIGN, PRIVATE} if mind.thread.task.files else set()
    if mind.notes or any(tool.reads_files or tool.reads_notes for tool in _known(mind.run.used_tools, mind.registry)):
        found |= mind.tree_read
    return found


def read_with(used: Collection[str], registry: Registry) -> set[str]:
    """The labels of what a run has read with these tools; `used` may hold labels, too."""
    found = {FOREIGN, PRIVATE}.intersection(used)
    return found.union(*map(_labels_of, _known(used, registry)))


def _labels_of(tool: Tool) -> set[str]:
    return {label for label, has in ((FOREIGN, tool.untrusted), (PRIVATE, tool.private)) if has}


def _known(used: Collection[str], registry: Registry) -> list[Tool]:
    return [registry.get(name) for name in used if name in registry]


def label_of(root: str, label: str, at: datetime) -> Doc:
    """The document that says: in the files and notes of this tree may stand what has this label."""
    return Doc(kind=LABEL, id=f"{root}/{label}", scope=root, body=label, at=at)


def labels(mind: Mind, tool: Tool, more: Iterable[str] = ()) -> tuple[str, ...]:
    """What the run has read for the first time with this answer. It stays known when the tool itself is gone."""
    return tuple(sorted({*more, *_labels_of(tool)}.difference(mind.run.used_tools)))


async def learn_of_tree(mind: Mind) -> None:
    """Look up what other runs of the tree have read and may have left in files and notes."""
    if _in_company(mind) and len(mind.tree_read) < 2:
        mind.tree_read |= {str(doc.body) for doc in await mind.services.store.docs(LABEL, mind.run.root)}


async def warn_tree(mind: Mind, tool: Tool) -> None:
    """Write down, before the call runs, what it reads: from now on this run may leave some of it in the tree's files and
    notes."""
    if not _in_company(mind):
        return
    for label in sorted((read_by(mind) | _labels_of(tool)) - mind.tree_told):
        await mind.services.store.put(label_of(mind.run.root, label, mind.now()), if_absent=True)
        mind.tree_told.add(label)


def _in_company(mind: Mind) -> bool:
    """Whether other runs may have left something in the files and notes, or will find there what this one leaves."""
    run = mind.run
    return bool(run.parent or run.plan or run.schedules or run.shares or not HEIRS.isdisjoint(run.labels))


def _named(mind: Mind) -> tuple[str, ...]:
    """Recipients the owner wrote into the task. A step's own text was written by a model, so it does not count."""
    own = () if mind.run.parent else named_recipients("\n".join(mind.thread.owner_said))
    return (*mind.run.recipients, *own)


def _seen(mind: Mind, url: str) -> bool:
    """Whether the address stands word for word in the owner's task, or in a page from before the model first wrote it: then
    nobody has put data into it."""
    if not mind.run.parent and any(url in said for said in mind.thread.owner_said):
        return True
    for content in mind.thread.contents:
        for part in content["parts"]:
            if content["role"] == "model":
                if _inside(part.get("functionCall", {}).get("args"), url, but=()) or url in str(part.get("text", "")):
                    return False
            elif _shown_by_page(mind, part.get("functionResponse"), url):
                return True
    return False


def _shown_by_page(mind: Mind, said: dict[str, Any] | None, url: str) -> bool:
    """Whether a tool of the web gave this address, and not only as an echo of the question or in an error."""
    return bool(said) and _of_web(mind, str(said["name"])) and _inside(said["response"].get("output"), url)


def _of_web(mind: Mind, name: str) -> bool:
    return name in mind.registry and mind.registry.get(name).group in _WEB


def _inside(value: Any, url: str, but: Collection[str] = _ECHOED) -> bool:
    match value:
        case str():
            return url in value
        case dict():
            return any(_inside(one, url, but) for key, one in cast("dict[str, Any]", value).items() if key not in but)
        case list():
            return any(_inside(one, url, but) for one in cast("list[Any]", value))
        case _:
            return False
