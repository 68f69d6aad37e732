"""`/openapi.json`: OpenAPI 3.1, made from the table of routes and the very types that are read and written."""

from __future__ import annotations

import functools
import re
from typing import Any, cast, get_args

import msgspec

from auteryn.api.auth import COOKIE, CSRF
from auteryn.api.bodies import Empty
from auteryn.api.problems import Problem
from auteryn.api.reading import JSON, ZIP
from auteryn.api.routes import PAGE, ROUTES, Route
from auteryn.api.uploads import FILES, MEDIA, REQUEST
from auteryn.schema.release import RELEASE
from auteryn.service.feed import Kind

REFUSALS = {
    400: "the request cannot be read",
    401: "nobody we know",
    403: "known, and not allowed",
    404: "not there, or not yours",
    405: "no such method here",
    408: "the body did not come",
    409: "the state does not allow it",
    413: "too many bytes",
    415: "the body is of another type",
    416: "no such bytes",
    422: "a value breaks a rule: `field`, `value`, `rule`",
    429: "too much at once: see `Retry-After`",
    500: "a fault of ours",
    503: "not now: see `Retry-After`",
    507: "no space is left",
}
OK = {
    200: "as asked",
    201: "created",
    202: "not ended yet",
    204: "nothing to say",
    206: "a part",
    303: "goes on there",
    304: "same",
}

BARE = (204, 303, 304)
EVENT = {
    "description": "One server-sent event; come back with its id as `Last-Event-ID`.",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": list(get_args(Kind))},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "event", "data"],
}


@functools.cache
def document() -> bytes:
    """The whole description, encoded."""
    shapes = [
        Problem,
        *(route.body for route in ROUTES if route.body not in (None, bytes)),
        *(route.reply for route in ROUTES if route.reply),
    ]
    schemas, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    of = dict(zip(map(str, shapes), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route, of)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Auteryn", "version": RELEASE, "description": "Agents that work for days."},
            "paths": paths,
            "components": {
                "schemas": components,
                "responses": _refusals(of),
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a Google ID token."},
                    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": f"Changes need {CSRF}, too."},
                },
            },
        }
    )


def _operation(route: Route, of: dict[str, Any]) -> dict[str, Any]:
    summary = " ".join((route.handler.__doc__ or "").split())
    more: dict[str, Any] = {}
    if route.body is bytes:
        more["requestBody"] = {"required": True, "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
    elif route.body:
        content = {JSON: {"schema": of[str(route.body)]}, **(_form(of[str(route.body)]) if route.form else {})}
        more["requestBody"] = {"required": bool(_required(route.body)), "content": content}
    return {
        "operationId": route.name if route.path != "/healthz" else f"{route.name}_z",
        "summary": summary.partition(". ")[0].rstrip("."),
        "description": summary,
        "security": [] if route.role is None else [{"bearer": []}, {"cookie": []}],
        "parameters": [*_in_path(route), *_in_query(route), *_in_headers(route)],
        "responses": _answers(route, of),
        **more,
    }


def _form(request: dict[str, Any]) -> dict[str, Any]:
    """The same request, with files in parts of their own."""
    files = {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}}
    schema = {"type": "object", "properties": {REQUEST: request, FILES: files}, "required": [REQUEST]}
    return {MEDIA: {"schema": schema, "encoding": {REQUEST: {"contentType": JSON}}}}


def _path(route: Route) -> str:
    return route.path.replace(":path}", "}")


def _in_path(route: Route) -> list[dict[str, Any]]:
    names = cast("list[str]", re.findall(r"\{(\w+)", route.path))
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names]


def _in_query(route: Route) -> list[dict[str, Any]]:
    if route.query is Empty:
        return []
    found = msgspec.json.schema_components([route.query])[1][route.query.__name__]
    required, known = found["required"], found["properties"].items()
    return [{"name": name, "in": "query", "required": name in required, "schema": schema} for name, schema in known]


def _in_headers(route: Route) -> list[dict[str, Any]]:
    key = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
    headers = [("Idempotency-Key", key)] if route.idempotent else []
    headers += [("Last-Event-ID", {"type": "string"})] if route.resumes else []
    return [{"name": name, "in": "header", "required": False, "schema": schema} for name, schema in headers]


def _answers(route: Route, of: dict[str, Any]) -> dict[str, Any]:
    said = route.media if route.reply or route.media != (JSON,) else ()
    content = {"content": {media: {"schema": _schema(route, media, of)} for media in said}} if said else {}
    refusals = {str(status): _refusal(route, status, of) for status in REFUSALS}
    answers = {str(status): {"description": OK[status], **(content if status not in BARE else {})} for status in route.statuses}
    return {**answers, **refusals}


def _refusal(route: Route, status: int, of: dict[str, Any]) -> dict[str, Any]:
    """A problem document; where a person is at the other end, perhaps a page instead."""
    if PAGE not in route.media:
        return {"$ref": f"#/components/responses/{status}"}
    return {"description": REFUSALS[status], "content": {"application/problem+json": {"schema": of[str(Problem)]}, PAGE: {}}}


def _schema(route: Route, media: str, of: dict[str, Any]) -> Any:
    match media:
        case "application/json":
            return of[str(route.reply)]
        case "text/event-stream":
            return EVENT
        case _:
            return {}


def _refusals(of: dict[str, Any]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": of[str(Problem)]}}
    return {str(status): {"description": why, "content": content} for status, why in REFUSALS.items()}


def _required(shape: type[Any]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(shape) if field.required]
