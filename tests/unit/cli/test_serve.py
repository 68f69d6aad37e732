"""`auteryn serve`, `auteryn keys` and `auteryn limits`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import httpx2
import pytest


def test_a_key_is_made_listed_and_revoked(auteryn):
    made = auteryn("keys", "create", "--name", "laptop", "--role", "viewer", "--json").lines[0]
    assert made["key"].startswith(f"auteryn_{made['id']}_") and "mac" not in made
    [listed] = auteryn("keys", "ls", "--json").lines
    assert (listed["name"], listed["role"], "key" in listed, "mac" in listed) == ("laptop", "viewer", False, False)
    assert "valid" in auteryn("keys", "ls").out
    assert auteryn("keys", "revoke", made["id"]).code == 0
    assert "revoked" in auteryn("keys", "ls").out
    assert auteryn("keys", "revoke", "nobody").code == 2
    assert auteryn("keys", "create", "--name", "x", "--expires", "2y").code == 2
    assert auteryn("keys", "create", "--name", "x", "--expires", "400d").code == 2


def test_what_an_owner_may_spend_is_set_listed_and_taken_back(auteryn):
    assert auteryn("limits", "set", "local", "1000/1d").code == 0
    [listed] = auteryn("limits", "ls", "--json").lines
    assert (listed["owner"], listed["limit"], listed["now"]["spent"]) == ("local", "1000/1d", 0)
    assert "1000/1d" in auteryn("limits", "ls").out
    assert auteryn("limits", "set", "local", "plenty").code == 2
    assert auteryn("limits", "rm", "local").code == 0
    assert auteryn("limits", "ls", "--quiet").out == ""


@pytest.mark.proves("L15")
def test_beyond_this_machine_it_takes_a_key(auteryn):
    done = auteryn("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.code == 2 and "auteryn keys create" in done.err


def test_a_port_that_is_taken_is_named(auteryn):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = auteryn("serve", "--port", str(port))
    assert done.code == 2 and str(port) in done.err and "--port 0" in done.err


def test_the_printed_link_opens_the_home_and_ctrl_c_stops_at_once(tmp_path):
    command = [sys.executable, "-m", "auteryn", "--home", str(tmp_path), "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    told = json.loads(process.stdout.readline())
    try:
        with httpx2.Client(base_url=told["url"], timeout=60) as browser:
            assert browser.get("/v1/runs").status_code == 401
            assert browser.get(told["link"]).status_code == 303
            token = {"X-CSRF-Token": browser.get("/v1/session").json()["csrf"]}
            run = browser.post("/v1/asks", json={"message": "Go?", "options": ["Yes", "No"]}, headers=token).json()["id"]
            with browser.stream("GET", f"/v1/runs/{run}/events") as stream:
                lines = stream.iter_lines()
                assert any(line.startswith("event: ask") for line in lines)
                process.send_signal(signal.SIGINT)
                list(lines)  # the stream ends in order, not with a broken connection
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
        process.communicate()
