"""A run as one file: its journals, notes and published files, without secrets; and back again.

A zip: `manifest.json`, `runs/<id>.jsonl` (one journal entry a line), `notes/<id>.json`, `blobs/<sha256>`, and `figures.json`
for people. The root comes first in the manifest; nothing in it is believed before it was checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Literal, cast

import msgspec
from msgspec.structs import replace

from auteryn.agent.taint import label_of, read_with
from auteryn.errors import AuterynError, Corrupt, Invalid, WrongState
from auteryn.policy.asking import withdrawn
from auteryn.policy.cloud import BY_KEY, SECRETS
from auteryn.policy.scrub import scrubbed, scrubbed_file, secrets_in
from auteryn.ports.store import Store, children_of
from auteryn.runtime.outgoing import ask_line
from auteryn.schema import event as e
from auteryn.schema.change import Doc, Newborn
from auteryn.schema.fold import after, born
from auteryn.schema.record import Record, from_json, new_id, to_json, utc
from auteryn.schema.release import RELEASE
from auteryn.schema.run import VERSION, Run
from auteryn.schema.versions import read_entry
from auteryn.service.access import Access
from auteryn.service.progress import credit_usage, metrics
from auteryn.service.tree import files_in
from auteryn.tools.notes import KIND as NOTE

FORMAT = 1
MOST_BYTES = 512_000_000
"""Of everything in a bundle, unpacked."""
MOST_RUNS = 10_000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_ID = re.compile(r"run_[A-Za-z0-9_-]{1,100}", re.ASCII)
_SECRETS = (*BY_KEY, *SECRETS, "GOOGLE_API_KEY")
"""Variables whose values are known secrets."""


class Manifest(Record):
    format: int
    version: str
    """Of Auteryn, when it was written."""
    schema: int
    exported_at: datetime
    runs: tuple[str, ...]
    """The root, then everything below it."""
    secrets: int
    """How many were struck out."""


# ---- out -----------------------------------------------------------------------------------------------------


async def export(access: Access, run_id: str, environ: Mapping[str, str] = os.environ) -> bytes:
    """The bundle of a run and everything below it. Secrets are struck out wherever they stand, also in published files, but
    where those are packed (PDF, pictures)."""
    root = await access.run(run_id)
    if root.parent:
        raise WrongState(f"run {run_id!r} belongs to {root.parent.root!r}: export that run")
    store = access.services.store
    known = [secret for name, value in environ.items() if name.startswith(_SECRETS) for secret in secrets_in(value)]
    journals = await _journals(store, root.id)
    sizes = {one.sha256: one.size_bytes for entries in journals.values() for one in files_in(entries)}
    if sum(sizes.values()) > MOST_BYTES:
        raise WrongState(f"run {run_id!r} has published {sum(sizes.values()):,} bytes, more than fit into a bundle")
    files, renamed, secrets = dict[str, bytes](), dict[str, str](), 0
    for sha256 in sizes:
        body, found = scrubbed_file(await access.services.blobs.get(sha256), known)
        renamed[sha256] = hashlib.sha256(body).hexdigest()
        files[f"blobs/{renamed[sha256]}"], secrets = body, secrets + found
    for run, entries in journals.items():
        body, found = scrubbed(b"\n".join(map(to_json, entries)), known)
        for old, new in renamed.items():
            body = body.replace(old.encode(), new.encode())
        files[f"runs/{run}.jsonl"], secrets = body, secrets + found
    body, found = scrubbed(to_json(await store.docs(NOTE, root.id)), known)
    files[f"notes/{root.id}.json"], secrets = body, secrets + found
    figures = {"metrics": metrics(root, root.usage, access.now()), "credits": credit_usage(root.usage)}
    files["figures.json"] = msgspec.json.format(msgspec.json.encode(figures))
    manifest = Manifest(
        format=FORMAT,
        version=RELEASE,
        schema=VERSION,
        exported_at=access.now(),
        runs=tuple(journals),
        secrets=secrets,
    )
    return await asyncio.to_thread(_zipped, {"manifest.json": msgspec.json.format(to_json(manifest)), **files})


async def _journals(store: Store, run: str) -> dict[str, Sequence[e.Entry]]:
    """Of the run and everything below it. Each is read before its children are listed: whom it names is among them."""
    found = {run: await store.journal(run)}
    async for child in children_of(store, run):
        found |= await _journals(store, child.id)
    return found


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, body in files.items():
            bundle.writestr(name, body)
    return out.getvalue()


# ---- in ------------------------------------------------------------------------------------------------------


async def take_in(access: Access, raw: bytes) -> Run:
    """The run of the bundle as it was when exported, owned by the importer.

    A run that had not ended is cancelled here, because it goes on where it came from. Importing twice gives the same run.
    Raises `Invalid` for anything that is no bundle, before something is stored.
    """
    files = await asyncio.to_thread(_unzipped, raw)
    manifest = _read(files, "manifest.json", Manifest)
    if manifest.format != FORMAT:
        raise Invalid("bundle", manifest.format, f"is of a format this release does not read; it reads {FORMAT}")
    if not 1 <= len(manifest.runs) <= MOST_RUNS:
        raise Invalid("bundle", len(manifest.runs), f"must hold 1 to {MOST_RUNS:,} runs")
    for run in manifest.runs:
        if not _ID.fullmatch(run):  # it names folders here: it must not lead out of them
            raise Invalid("bundle", run, "must hold runs with ids of ours, such as run_4f0c")
    newborn = [_newborn(files, run, access.owner, access.now()) for run in manifest.runs]
    root = newborn[0].run
    if root.parent or any(one.run.root != root.id for one in newborn[1:]):
        raise Invalid("bundle", root.id, "must hold one run and what is below it")
    _check_whole(files, newborn)
    notes = _notes(files, root.id)
    await _refuse_others(access, newborn)
    for name, body in files.items():
        if name.startswith("blobs/"):
            await access.services.blobs.put(body)
    for note in notes:
        await access.services.store.put(note, if_absent=True)
    for label in {label for one in newborn for label in read_with(one.run.used_tools, access.engine.registry)}:
        await access.services.store.put(label_of(root.id, label, access.now()), if_absent=True)
    for line in (line for one in newborn for line in _questions(one, access.owner)):
        await access.services.store.put(line, if_absent=True)
    for one in reversed(newborn):  # the root last: until then nobody sees any of it
        await access.services.store.create(one)
    return await access.run(root.id)


def _newborn(files: Mapping[str, bytes], run_id: str, owner: str, now: datetime) -> Newborn:
    """The run, folded entry by entry. Raises `Invalid` for a journal that does not make a run."""
    where = f"runs/{run_id}.jsonl"
    try:
        entries = [read_entry(line, where=where) for line in files.get(where, b"").split(b"\n")]
        first = entries[0].events[0]
        if not isinstance(first, e.RunCreated) or first.run.id != run_id:
            raise Invalid("bundle", run_id, "must begin with the run's creation")
        owned = e.RunCreated(run=replace(first.run, owner=owner), input=first.input)
        entries[0] = replace(entries[0], events=(owned, *entries[0].events[1:]))
        run = born(entries[0])
        for entry in entries[1:]:
            run = after(run, entry)
        if not run.terminal:
            end = e.RunCancelled(by="import", receipt=e.Receipt())
            entries.append(e.Entry(seq=run.seq + 1, at=now, slice=0, commit=new_id("c"), events=(end,)))
            run = after(run, entries[-1])
    except (Corrupt, WrongState, IndexError, AttributeError, TypeError) as error:
        raise Invalid("bundle", where, f"cannot be read: {error}") from error
    return Newborn(run=run, entry=entries[0], past=tuple(entries[1:]))


def _check_whole(files: Mapping[str, bytes], newborn: Sequence[Newborn]) -> None:
    """Raises `Invalid` for a journal with a run or a file that is not here, or a time of no zone, which compares with none."""
    here = {one.run.id for one in newborn}
    for one in newborn:
        entries = (one.entry, *one.past)
        if away := sorted(set(one.run.shares) - here):
            raise Invalid("bundle", away[0], f"is a run below {one.run.id!r}, and is missing")
        for file in files_in(entries):
            if f"blobs/{file.sha256}" not in files:
                raise Invalid("bundle", file.sha256, f"is what {file.path!r} holds, and is missing")
        if _naive(entries):
            raise Invalid("bundle", f"runs/{one.run.id}.jsonl", "has a time that does not say its zone")


def _naive(value: Any) -> bool:
    match value:
        case datetime():
            return value.tzinfo is None
        case msgspec.Struct():
            return any(_naive(getattr(value, name)) for name in value.__struct_fields__)
        case dict():
            return any(map(_naive, cast("dict[str, Any]", value).values()))
        case list() | tuple():
            return any(map(_naive, cast("Sequence[Any]", value)))
        case _:
            return False


class _Note(Record):
    section: str
    text: str
    mode: Literal["append", "replace"]
    run: str


def _notes(files: Mapping[str, bytes], root: str) -> list[Doc]:
    name = f"notes/{root}.json"
    found = _read(files, name, tuple[Doc, ...])
    try:
        return [
            replace(one, kind=NOTE, scope=root, body=msgspec.to_builtins(msgspec.convert(one.body, _Note)), at=utc(one.at))
            for one in found
        ]
    except msgspec.ValidationError as error:
        raise Invalid("bundle", name, f"cannot be read: {error}") from error


def _questions(newborn: Newborn, owner: str) -> list[Doc]:
    """The index lines of the run's own questions, all of them closed: those of a fork's past were another run's."""
    run, facts = newborn.run.id, list(e.facts((newborn.entry, *newborn.past)))
    forked = max((at for at, event in enumerate(facts) if isinstance(event, e.Forked)), default=0)
    facts = facts[forked:]
    answers = {event.answer.ask: event.answer for event in facts if isinstance(event, e.AskAnswered)}
    return [
        ask_line(ask.id, run, owner, ask.opened_at, answers.get(ask.id) or withdrawn(ask.id, ask.opened_at))
        for ask in (event.ask for event in facts if isinstance(event, e.AskOpened))
    ]


async def _refuse_others(access: Access, newborn: Sequence[Newborn]) -> None:
    """Raises `WrongState` if a different run with one of these ids is here."""
    for one in newborn:
        first = await access.services.store.journal(one.run.id, limit=1)
        if first and (
            first[0].commit != one.entry.commit or (await access.services.store.get(one.run.id)).owner != access.owner
        ):
            raise WrongState(f"there is another run {one.run.id!r} here: erase it first")


def _unzipped(raw: bytes) -> dict[str, bytes]:
    """The members with known names. Raises `Invalid` for more bytes than allowed, or a blob that is not what its name says."""
    try:
        with zipfile.ZipFile(BytesIO(raw)) as bundle:
            members = bundle.infolist()
            if sum(one.file_size for one in members) > MOST_BYTES:
                raise Invalid("bundle", len(raw), f"holds more than {MOST_BYTES:,} bytes")
            files = {one.filename: bundle.read(one) for one in members if _known(one.filename)}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, AuterynError):
            raise
        raise Invalid("bundle", f"{len(raw):,} bytes", f"are nothing that was exported from here: {error}") from error
    for name, body in files.items():
        kind, _, rest = name.partition("/")
        if kind == "blobs" and hashlib.sha256(body).hexdigest() != rest:
            raise Invalid("bundle", name, "is not what its name says")
    return files


def _known(name: str) -> bool:
    folder, _, rest = name.rpartition("/")
    return folder in ("", "runs", "notes", "blobs") and bool(_NAME.fullmatch(rest))


def _read(files: Mapping[str, bytes], name: str, shape: Any) -> Any:
    try:
        return from_json(files[name], shape, where=name)
    except KeyError:
        raise Invalid("bundle", name, "is missing") from None
    except Corrupt as error:
        raise Invalid("bundle", name, f"cannot be read: {error}") from error


def name_of(run: Run) -> str:
    """The file name of a run's bundle."""
    return f"{run.id}.auteryn.zip"
