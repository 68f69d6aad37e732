"""Who must allow a message sees all of it, and allows no other."""

from __future__ import annotations

import hashlib

import pytest

from auteryn.tools.browser import browser_click, browser_fill
from auteryn.tools.browser_elements import Element
from auteryn.tools.browser_trail import Field, Trail, write_trail
from auteryn.tools.calendar import calendar_create
from auteryn.tools.confluence import confluence_write
from auteryn.tools.email import email_send
from auteryn.tools.slack import slack_post
from auteryn.tools.webhook import webhook_send
from unit.tools.room import Room

MAIL = {
    "to": ["ann@example.com"],
    "cc": ["bob@example.com"],
    "subject": "Prices",
    "body_markdown": "Hello",
    "attachments": ["a.csv", "no.csv"],
}


@pytest.mark.proves("L14")
def test_the_preview_of_a_mail_is_the_mail_and_the_hashes_of_what_is_attached(room: Room) -> None:
    assert email_send.preview
    room.put("a.csv", "1,2")
    seen = email_send.preview(MAIL, room.files)
    assert seen.splitlines()[:5] == ["To: ann@example.com", "Cc: bob@example.com", "Subject: Prices", "", "Hello"]
    assert f"Attached: a.csv (3 bytes, sha256 {hashlib.sha256(b'1,2').hexdigest()})" in seen
    assert "Attached: no.csv (cannot be read" in seen
    room.put("a.csv", "1,3")
    assert email_send.preview(MAIL, room.files) != seen


@pytest.mark.proves("L14")
def test_the_preview_of_a_post_is_the_post(room: Room) -> None:
    assert slack_post.preview
    room.put("a.csv", "1,2")
    seen = slack_post.preview({"channel": "#alerts", "text": "Prices changed", "files": ["a.csv"]}, room.files)
    assert seen.startswith("To: #alerts\n\nPrices changed\nAttached: a.csv (3 bytes")


@pytest.mark.proves("L14")
def test_the_preview_of_a_signed_message_names_the_host_and_no_secret_of_the_address(
    monkeypatch: pytest.MonkeyPatch, room: Room
) -> None:
    monkeypatch.setenv("AUTERYN_WEBHOOK_OPS", '{"url": "https://hooks.example.com/T0/secret"}')
    assert webhook_send.preview
    seen = webhook_send.preview({"name": "ops", "payload": {"text": "Prices changed"}}, room.files)
    assert seen == 'To: ops (hooks.example.com)\n\n{\n  "text": "Prices changed"\n}'
    assert "no address is set" in webhook_send.preview({"name": "else", "payload": {}}, room.files)


@pytest.mark.proves("L14")
def test_the_previews_of_a_page_and_of_an_appointment_are_all_of_them(room: Room) -> None:
    assert confluence_write.preview and calendar_create.preview
    page = {"space": "ENG", "title": "Prices", "body_markdown": "# Now", "mode": "append", "parent": "Reports"}
    seen = confluence_write.preview(page, room.files)
    assert seen == "Space: ENG\nPage: Prices (added at its end)\nUnder: Reports\n\n# Now"
    meeting = {
        "path": "a.ics",
        "title": "Talk",
        "start": "2026-03-30T09:00",
        "end": "2026-03-30T10:00",
        "attendees": ["a@example.com"],
    }
    seen = calendar_create.preview(meeting, room.files)
    assert seen.splitlines() == [
        "File: a.ics",
        "What: Talk",
        "From: 2026-03-30T09:00",
        "To: 2026-03-30T10:00",
        "With: a@example.com",
    ]


@pytest.mark.proves("L14")
def test_whoever_must_allow_a_form_sees_everything_that_is_sent_with_it(room: Room) -> None:
    shown = (
        Element(ref="e1", role="textbox", name="Name"),
        Element(ref="e2", role="textbox", name="Password"),
        Element(ref="e3", role="button", name="Buy now", kind="submit"),
    )
    trail = Trail(url="https://shop.example.com/cart", elements=shown, filled=(Field(ref="e1", value="Ann"),))
    write_trail(room.files, room.run.id, trail)
    fill = {"fields": [Field(ref="e2", credential="shop")], "submit": True}
    assert browser_fill.judged(fill, room.files, room.run).preview.splitlines() == [
        "On: https://shop.example.com/cart",
        "textbox “Name”: Ann",
        "textbox “Password”: the secret named shop",
        "Then send the form",
    ]
    click = browser_click.judged({"ref": "e3"}, room.files, room.run)
    assert click.permission == "ask1"
    assert click.preview.splitlines()[1:] == ["textbox “Name”: Ann", "Then click: button “Buy now”"]
