"""Filling one field of a form as a person would, and seeing whether it took the value."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auteryn.errors import ToolFailed
from auteryn.tools.browser_elements import Element
from auteryn.tools.browser_trail import Field
from auteryn.tools.egress import host_and_port, readable
from auteryn.tools.secrets import credential_of, secret_of
from auteryn.tools.tool import ToolContext

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from auteryn.tools.browser_session import Session

ACT_MS = 5_000
_ABOUT = """e => ({
    tag: e.tagName, type: (e.type || '').toLowerCase(), multiple: !!e.multiple, editable: e.isContentEditable,
    disabled: !!e.disabled || !!e.readOnly
})"""
_STATE = """e => ({
    value: e.isContentEditable ? e.innerText : e.value,
    problem: e.validity && !e.validity.valid ? e.validationMessage : '',
    invalid: e.getAttribute('aria-invalid') === 'true'
})"""
_PROBLEMS = """e => {
    const form = e.form || e.closest('form')
    if (!form || form.noValidate) return []
    return [...form.elements].filter(one => one.willValidate && !one.validity.valid).map(one => {
        const label = one.labels && one.labels[0] ? one.labels[0].innerText : ''
        return [(label || one.name || one.id || one.type).trim().slice(0, 80), one.validationMessage]
    })
}"""
_SUBMITS = """e => {
    const form = e.form || e.closest('form, [role=form], [role=search]')
    const buttons = 'button:not([type=button]):not([type=reset]), input[type=submit], input[type=image]'
    return form ? form.querySelector(buttons) : null
}"""
_TRUE = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


async def fill(ctx: ToolContext, session: Session, page: Page, field: Field, element: Element) -> None:
    """Put the value into the field. Raises `ToolFailed("conflict")` if the field does not take it."""
    from playwright.async_api import Error

    told = f"{element.role} {element.name!r}"
    place = page.locator(f"aria-ref={field.ref}")
    try:
        about: dict[str, Any] = await place.evaluate(_ABOUT, timeout=ACT_MS)
        if about["disabled"]:
            raise ToolFailed("conflict", f"{told} cannot be changed: it is disabled or read-only")
        await _put(ctx, session, page, place, field, about, told)
        await place.blur(timeout=ACT_MS)
        state: dict[str, Any] = await place.evaluate(_STATE, timeout=ACT_MS)
    except Error as error:
        raise ToolFailed("conflict", f"{told} does not take {_shown(field)}: {_reason(error)}") from error
    if state["problem"] or state["invalid"]:
        raise ToolFailed(
            "conflict", f"{told} does not take {_shown(field)}: {state['problem'] or 'the page marks it as wrong'}"
        )


async def _put(
    ctx: ToolContext, session: Session, page: Page, place: Locator, field: Field, about: dict[str, Any], told: str
) -> None:
    if field.credential:
        await place.fill(await _secret(ctx, session, page, field.credential), timeout=ACT_MS)
    elif about["tag"] == "SELECT":
        await _choose(place, _listed(field.value), multiple=about["multiple"], told=told)
    elif about["type"] in ("checkbox", "radio"):
        await place.set_checked(_ticked(field.value, told), timeout=ACT_MS)
    elif about["type"] == "file":
        await _attach(ctx, place, _listed(field.value))
    elif about["tag"] in ("INPUT", "TEXTAREA") or about["editable"]:
        text = _text(field.value, told)
        await place.fill(text, timeout=ACT_MS)
        kept: dict[str, Any] = await place.evaluate(_STATE, timeout=ACT_MS)
        if "".join(str(kept["value"]).split()) == "" and text.strip():
            raise ToolFailed("conflict", f"{told} does not take {text!r}: it stays empty")
    else:
        raise ToolFailed("invalid", f"{told} is no field: browser_click presses it")


async def _choose(place: Locator, wanted: list[str], *, multiple: bool, told: str) -> None:
    offered: list[dict[str, str]] = await place.evaluate(
        "e => [...e.options].filter(o => !o.disabled).map(o => ({label: o.label.trim(), value: o.value}))", timeout=ACT_MS
    )
    if len(wanted) > 1 and not multiple:
        raise ToolFailed("conflict", f"{told} takes one option, not {len(wanted)}")
    values = list[str]()
    for one in wanted:
        same = [o["value"] for o in offered if one.strip() == o["label"]] or [o["value"] for o in offered if one == o["value"]]
        if not same:
            names = ", ".join(repr(o["label"]) for o in offered[:30])
            raise ToolFailed("conflict", f"{told} has no option {one!r}; there are: {names}")
        values.append(same[0])
    await place.select_option(value=values, timeout=ACT_MS)


async def _attach(ctx: ToolContext, place: Locator, paths: list[str]) -> None:
    from playwright.async_api import FilePayload

    whole = [FilePayload(name=Path(path).name, mimeType=_media_type(path), buffer=ctx.files.read(path)) for path in paths]
    await place.set_input_files(whole, timeout=ACT_MS)


def _media_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


async def _secret(ctx: ToolContext, session: Session, page: Page, name: str) -> str:
    """What a credential stands for, if this page is one of its own."""
    found, (host, _) = await credential_of(ctx, name), host_and_port(readable(page.url))
    if host not in found.hosts:
        raise ToolFailed("denied", f"the credential {name!r} is for {', '.join(found.hosts)}, not for {host!r}")
    secret = secret_of(found.secret)
    session.secrets.add(secret)
    return secret


async def problems(page: Page, ref: str) -> list[str]:
    """What the form of this field would complain of if it were sent now."""
    found: list[list[str]] = await page.locator(f"aria-ref={ref}").evaluate(_PROBLEMS, timeout=ACT_MS)
    return [f"{name}: {message}" for name, message in found]


async def send(page: Page, ref: str) -> None:
    """Send the form of this field: press its button, or Enter where it has none."""
    place = page.locator(f"aria-ref={ref}")
    button = (await place.evaluate_handle(_SUBMITS, timeout=ACT_MS)).as_element()
    if button is not None:
        await button.click(timeout=ACT_MS)
    else:
        await place.press("Enter", timeout=ACT_MS)


def _listed(value: str | bool | list[str]) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _ticked(value: str | bool | list[str], told: str) -> bool:
    found = value if isinstance(value, bool) else _TRUE.get(str(value).lower())
    if found is None:
        raise ToolFailed("invalid", f"{told} is a box: its value is true or false, not {value!r}")
    return found


def _text(value: str | bool | list[str], told: str) -> str:
    if not isinstance(value, str):
        raise ToolFailed("invalid", f"{told} takes text, not {value!r}")
    return value


def _shown(field: Field) -> str:
    return f"the credential {field.credential!r}" if field.credential else repr(field.value)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].removeprefix("Locator.")[:200]
