"""Reading, writing, editing, finding, moving and deleting the run's files."""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Annotated, Any, BinaryIO, Literal, cast

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.limits import OUTPUT_CAP
from auteryn.policy.quotas import AUTO_DELETES, MB, WRITE_CHARACTERS
from auteryn.schema.record import derived_id, to_json
from auteryn.tools.jail import cleaned
from auteryn.tools.tool import Permission, ToolContext, tool
from auteryn.tools.workspace import SKIPPED, TRASH, Found, Workspace

PAGE = OUTPUT_CAP - 1_500
"""Bytes of one `file_read` answer as JSON: the rest is the next page, never a cut output."""
LINE = 2_000
"""Characters of a line that are shown."""
SEARCH_TIME = timedelta(seconds=20)
"""After this `file_grep` answers with what it has."""
SEARCHED = MB
"""Bytes of a line that are searched."""
NEAREST_BYTES = MB
"""Files up to this size are compared with what `file_edit` did not find."""

Path = Annotated[str, "Path relative to the run's files"]


# ---- read ----------------------------------------------------------------------------------------------------


@tool(reads_files=True, effect="read", group="files")
def file_read(
    ctx: ToolContext,
    path: Path,
    offset: Annotated[int, "First line, from 1", Meta(ge=1)] = 1,
    limit: Annotated[int, "Most lines", Meta(ge=1, le=5_000)] = 800,
) -> dict[str, Any]:
    """Read what is in a text file, as numbered lines. A long file comes in pages: go on at `next_offset`."""
    with ctx.files.reading(path) as file:
        _refuse_binary(file, path)
        for _ in range(offset - 1):
            if not _line(file):
                break
        shown, full = list[str](), False
        left = PAGE
        for number in range(offset, offset + limit):
            if not (line := _line(file)):
                break
            text = f"{number}\t{_shown(line)}"
            left -= len(to_json(text))
            if left < 0 and shown:
                full = True
                break
            shown.append(text)
        rest = (1 if full else 0) + _lines_left(file)
    last = offset + len(shown) - 1
    total = last + rest if shown or rest else _lines_of(ctx.files, path)
    answer: dict[str, Any] = {"text": "\n".join(shown), "lines": f"{offset}-{last}" if shown else "none", "total": total}
    return answer | ({"next_offset": last + 1} if rest else {})


def _refuse_binary(file: BinaryIO, path: str) -> None:
    head = file.read(8_192)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ToolFailed("unsupported", f"{path!r} is UTF-16 text: convert it to UTF-8 first")
    if b"\0" in head:
        raise ToolFailed(
            "unsupported", f"{path!r} is no text: use the tool for its kind (sheet_read, doc_read, image_view, archive)"
        )
    file.seek(3 if head.startswith(b"\xef\xbb\xbf") else 0)


def _line(file: BinaryIO, most: int = 4 * LINE) -> bytes:
    """The next line, of a long one only what is shown of it, or `most` bytes; b"" at the end."""
    line = file.readline(most)
    piece = line
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(1 << 16)
    return line


def _shown(line: bytes) -> str:
    text = line.rstrip(b"\r\n").decode("utf-8", "replace")
    most = LINE if len(to_json(text[:LINE])) < PAGE else LINE // 6  # as JSON a sign takes up to six bytes
    return text if len(text) <= most else f"{text[:most]}… (cut: the line goes on)"


def _lines_left(file: BinaryIO) -> int:
    count, end = 0, b"\n"
    while chunk := file.read(1 << 20):
        count, end = count + chunk.count(b"\n"), chunk
    return count + (not end.endswith(b"\n"))


def _lines_of(files: Workspace, path: str) -> int:
    with files.reading(path) as file:
        return _lines_left(file)


# ---- write and edit ------------------------------------------------------------------------------------------


def _by_path(args: dict[str, Any]) -> str:
    return str(args["path"])


@tool(effect="idempotent", group="files", serial=_by_path)
def file_write(
    ctx: ToolContext,
    path: Path,
    content: Annotated[str, "The text"],
    mode: Annotated[Literal["create", "overwrite", "append"], "`create` refuses to replace a file"] = "create",
) -> dict[str, Any]:
    """Save text to a file: a new one, one to replace, or at the end of one. Folders are made."""
    if len(content) > WRITE_CHARACTERS:
        raise ToolFailed(
            "too_large", f"content: {len(content):,} characters are more than one call writes ({WRITE_CHARACTERS:,})"
        )
    body = _encoded(content, "content")
    if mode == "append":
        if (done := ctx.files.receipt(ctx.key)) is not None:
            return done
        old = ctx.files.read(path) if ctx.files.exists(path) else b""
        return _put(ctx, path, old + body, key=ctx.key)
    if mode == "create" and ctx.files.exists(path) and not _holds(ctx.files, path, body):
        raise ToolFailed("conflict", f"{path!r} exists already: mode 'overwrite' replaces it, file_edit changes a part of it")
    return _put(ctx, path, body)


def _holds(files: Workspace, path: str, body: bytes) -> bool:
    """The very text is there already: a repeat, not a clash. Raises `ToolFailed` for a folder."""
    there = files.stat(path)
    return (there.folder or there.size_bytes == len(body)) and files.read(path) == body


def _encoded(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed("invalid", f"{field}: character {error.start} is half of a surrogate pair, which is no text") from None


def _put(
    ctx: ToolContext, path: str, body: bytes, *, key: str | None = None, more: dict[str, Any] | None = None
) -> dict[str, Any]:
    output: dict[str, Any] = {"path": path, "size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **(more or {})}
    ctx.files.write(path, body, key=key, output=output)
    return output


@tool(reads_files=True, effect="idempotent", group="files", serial=_by_path)
def file_edit(
    ctx: ToolContext,
    path: Path,
    old: Annotated[str, "Text to replace, exactly as it stands in the file, without line numbers", Meta(min_length=1)],
    new: Annotated[str, "Text to put there"],
    count: Annotated[int, "How often `old` must occur; all are replaced", Meta(ge=1)] = 1,
) -> dict[str, Any]:
    """Replace exact text in a file and return the diff. Nothing changes unless `old` occurs exactly `count` times."""
    if (done := ctx.files.receipt(ctx.key)) is not None:
        return done
    body = ctx.files.read(path)
    try:
        before = body.decode()
    except UnicodeDecodeError:
        raise ToolFailed("unsupported", f"{path!r} is not UTF-8 text: file_edit would damage it") from None
    if not _mixed(before, old):
        old, new = _same_line_ends(before, old), _same_line_ends(before, new)
    if (times := before.count(old)) != count:
        where = f"{times} times, not {count}" if times else _nearest(before, old)
        raise ToolFailed("conflict", f"`old` occurs in {path!r} {where}; nothing was changed")
    after = before.replace(old, new)
    return _put(ctx, path, _encoded(after, "new"), key=ctx.key, more={"diff": _diff(before, after, path)})


def _mixed(text: str, piece: str) -> bool:
    """Whether the lines of `piece` stand in the text with plain ends, whatever ends others have (a cell of a csv)."""
    return "\n" in piece and "\r" not in piece and piece in text


def _same_line_ends(text: str, piece: str) -> str:
    """A file with Windows line ends keeps them, whichever the model wrote."""
    return piece.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else piece


def _nearest(text: str, old: str) -> str:
    """Where in the file something like `old` stands."""
    if len(text) > NEAREST_BYTES or len(old) > 4_000:
        return "nowhere"
    import difflib

    lines, height = text.splitlines(), max(1, len(old.splitlines()))
    first = next((line.strip() for line in old.splitlines() if line.strip()), old)
    close = difflib.get_close_matches(first, {line.strip() for line in lines}, n=1, cutoff=0.5)
    if not close:
        return "nowhere, nor anything like it"
    at = next(i for i, line in enumerate(lines) if line.strip() == close[0])
    found = "\n".join(lines[at : at + min(height, 12)])
    return f"nowhere. The nearest is line {at + 1}:\n{found[:1_500]}"


def _diff(before: str, after: str, path: str) -> str:
    import difflib

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, n=2, lineterm="")
    whole = "\n".join(islice(lines, 400))
    return whole if len(whole) <= 4_000 else f"{whole[:4_000]}\n… (the diff goes on)"


# ---- find and search -----------------------------------------------------------------------------------------


@tool(reads_files=True, effect="read", group="files")
def file_find(
    ctx: ToolContext,
    glob: Annotated[str, "`*.csv` (any folder), `reports/**/*.md`, `{a,b}.txt`"] = "**",
    limit: Annotated[int, "Most files", Meta(ge=1, le=2_000)] = 200,
) -> dict[str, Any]:
    """Find where files are by what they are called: paths, sizes, times. Folders such as .git, node_modules and .trash are
    searched only if named."""
    found, total = list[Found](), 0
    for file in _matching(ctx.files, glob):
        total += 1
        if len(found) < limit:
            found.append(file)
    files = [{"path": f.path, "size_bytes": f.size_bytes, "modified_at": f"{f.modified_at:%Y-%m-%dT%H:%M:%SZ}"} for f in found]
    answer: dict[str, Any] = {"files": files, "total": total}
    return answer | ({"cut": f"only the first {limit} are shown: narrow the glob"} if total > limit else {})


@tool(reads_files=True, effect="read", group="files")
def file_grep(
    ctx: ToolContext,
    pattern: Annotated[str, "RE2 expression; `(?i)` ignores case; no lookaround, no backreferences", Meta(min_length=1)],
    glob: Annotated[str, "Which files"] = "**",
    context: Annotated[int, "Lines before and after each hit", Meta(ge=0, le=10)] = 0,
    limit: Annotated[int, "Most hits", Meta(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """Search for a word or a pattern in all files. Each hit is `path:line: text`."""
    expression, until = compiled(pattern), time.monotonic() + SEARCH_TIME.total_seconds()
    hits, searched, cut = list[str](), 0, ""
    for file in _matching(ctx.files, glob):
        searched += 1
        hits += islice(_hits(ctx.files, file.path, expression, context, until), limit + 1 - len(hits))
        if len(hits) > limit:
            cut = f"only the first {limit} hits are shown: narrow pattern or glob"
        elif time.monotonic() > until:
            cut = f"stopped after {SEARCH_TIME.seconds} s in {file.path!r}: narrow the glob"
        if cut:
            break
    answer: dict[str, Any] = {"hits": hits[:limit], "files_searched": searched}
    return answer | ({"cut": cut} if cut else {})


def compiled(pattern: str, field: str = "pattern") -> Any:
    """An RE2 expression, whose time is linear in the text whatever a model or a page wrote; raises `ToolFailed("invalid")`."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:  # pyright: ignore[reportUnknownVariableType]
        reason: Any = cast("Any", error).args[0]
        why = reason.decode() if isinstance(reason, bytes) else str(reason)
        hint = " (RE2 has no lookaround and no backreferences)" if "perl operator" in why or "escape" in why else ""
        raise ToolFailed("invalid", f"{field}: {pattern!r} is no RE2 expression: {why}{hint}") from None


def _hits(files: Workspace, path: str, expression: Any, context: int, until: float) -> Iterator[str]:
    """Each hit with the lines around it, as soon as those have been read."""
    before, growing = deque[str](maxlen=context), list[list[str]]()
    with files.reading(path) as file:
        if b"\0" in file.read(8_192):
            return
        file.seek(0)
        for number, line in enumerate(iter(lambda: _line(file, SEARCHED), b""), start=1):
            text = line.rstrip(b"\r\n").decode("utf-8", "replace")
            for block in growing:
                block.append(f"{path}:{number}- {text[:400]}")
            if hit := expression.search(text):
                at = max(0, hit.start() - 100) if len(text) > 400 else 0
                growing.append([*before, f"{path}:{number}: {'…' if at else ''}{text[at : at + 400]}"])
                growing[-1][:0] = [""] * (context - len(before))  # so that all blocks end at the same length
            before.append(f"{path}:{number}- {text[:400]}")
            while growing and len(growing[0]) == 2 * context + 1:
                yield "\n".join(growing.pop(0)).lstrip("\n")
            if time.monotonic() > until:
                return
    yield from ("\n".join(block).lstrip("\n") for block in growing)


def _matching(files: Workspace, glob: str) -> Iterator[Found]:
    """The files a glob names. One without a slash names files in every folder."""
    parts = glob.removeprefix("./").split("/")
    fixed = parts[:-1]
    stop = next((i for i, part in enumerate(fixed) if any(sign in part for sign in "*?[{")), len(fixed))
    under = "/".join(fixed[:stop])
    expression = compiled(glob_expression(glob), "glob")
    if under and not files.exists(under):
        return
    named = SKIPPED - {name for name in SKIPPED if name in parts}
    for file in files.walk(under, skip=named):
        if expression.fullmatch(file.path):
            yield file


_PIECES = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]/]+\]|[{},]|[^*?\[{},]+|.", re.DOTALL)


def glob_expression(glob: str) -> str:
    """The expression for whole paths; a glob without a slash matches in every folder."""
    glob = glob.removeprefix("./")
    glob = glob if "/" in glob else f"**/{glob}"
    depth, out = 0, "(?s)"
    for piece in _PIECES.findall(glob):
        match piece:
            case "**/":
                out += "(?:.*/)?"
            case "**":
                out += ".*"
            case "*":
                out += "[^/]*"
            case "?":
                out += "[^/]"
            case "{":
                depth, out = depth + 1, out + "(?:"
            case "}" if depth:
                depth, out = depth - 1, out + ")"
            case "," if depth:
                out += "|"
            case _ if piece.startswith("[") and len(piece) > 1:
                out += "[" + piece[1:-1].replace("!", "^", 1).replace("\\", "\\\\") + "]" if piece[1] == "!" else piece
            case _:
                out += re.escape(piece)
    return out


# ---- move and delete -----------------------------------------------------------------------------------------


@tool(effect="idempotent", group="files", serial=lambda args: str(args["dst"]))
def file_move(
    ctx: ToolContext,
    src: Annotated[str, "File or folder"],
    dst: Annotated[str, "Its new path; must be free"],
    copy: Annotated[bool, "Keep the original"] = False,
) -> dict[str, Any]:
    """Move, rename or copy a file or folder. What file_delete put into the trash is had back with this tool."""
    if (done := ctx.files.receipt(ctx.key)) is not None:
        return done
    output: dict[str, Any] = {"path": dst, "from": src}
    if not copy:
        ctx.files.move(src, dst, key=ctx.key, output=output)
        return output
    at = ctx.files.stat(src)
    inside = list(ctx.files.walk(src, skip=frozenset())) if at.folder else [at]
    copies = ((dst + file.path.removeprefix(at.path), _pieces(ctx.files, file.path)) for file in inside)
    ctx.files.place(copies, key=ctx.key, output=lambda: output | {"files": len(inside)})
    return output | {"files": len(inside)}


def _pieces(files: Workspace, path: str) -> Iterator[bytes]:
    with files.reading(path) as file:
        while chunk := file.read(1 << 18):
            yield chunk


def _many_ask(args: dict[str, Any], files: Workspace) -> Permission:
    """More than a handful at once is asked of a person; a folder counts as all that is in it."""
    count = 0
    try:
        for path in args["paths"]:
            inside = files.walk(path, skip=frozenset()) if files.exists(path) and files.stat(path).folder else iter(())
            count += max(1, sum(1 for _ in islice(inside, AUTO_DELETES + 1)))
    except ToolFailed:
        return "auto"  # a path the call itself will refuse
    return "ask" if count > AUTO_DELETES else "auto"


@tool(
    effect="idempotent",
    group="files",
    decide=_many_ask,
    target=lambda args: f"{len(args['paths'])} paths: {', '.join(args['paths'][:3])}{' …' if len(args['paths']) > 3 else ''}",
)
def file_delete(
    ctx: ToolContext, paths: Annotated[list[str], "Files and folders", Meta(min_length=1, max_length=1_000)]
) -> dict[str, Any]:
    """Move files and folders to the trash. More than 20 at once must be allowed by a person; file_move brings them back."""
    batch = derived_id("del", ctx.call)
    for path in paths:
        if not (ctx.files.exists(path) or ctx.files.exists(f"{TRASH}/{batch}/{path}")):
            raise ToolFailed("not_found", f"there is no {path!r}; nothing was deleted")
    folders_first = sorted(paths, key=lambda path: cleaned(path).count("/"))  # what lies in one that is named goes with it
    return {"deleted": {path: ctx.files.trash(path, batch) for path in folders_first}}
