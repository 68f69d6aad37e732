"""Who must allow a message sees all of it, and allows no other."""

from __future__ import annotations

import hashlib

import pytest

from auteryn.tools.email import email_send
from auteryn.tools.slack import slack_post
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
