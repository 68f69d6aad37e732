"""`auteryn messages`, `step`, `rename`: what is said is stored, whoever works on the run later."""

from __future__ import annotations

from collections.abc import Callable

from unit.cli.conftest import Auteryn


def test_what_was_said_is_listed_changed_and_taken_back(auteryn: Auteryn, created: Callable[[str], str]) -> None:
    run = created("Compare the prices")
    assert auteryn("messages", run).out == ""
    assert auteryn("send", run, "in euros").code == auteryn("send", run, "be quick", "--queue").code == 0
    first, second = auteryn("messages", run, "--json").lines[0]["messages"]
    assert auteryn("send", run, "stop that", "--interrupt").code == 0
    third = auteryn("messages", run, "--json").lines[0]["messages"][2]
    assert third["mode"] == "interrupt" and auteryn("messages", run, "--take-back", third["id"]).code == 0
    assert (first["text"], second["text"], second["mode"]) == ("in euros", "be quick", "queue")
    assert auteryn("messages", run, "--change", first["id"], "in dollars").code == 0
    assert auteryn("messages", run, "--take-back", second["id"]).code == 0
    assert auteryn("messages", run).out == f"{first['id']}  owner, on its way: in dollars\n"
    both = auteryn("messages", run, "--change", first["id"], "x", "--take-back", second["id"])
    assert (both.code, "one of --change and --take-back" in both.err) == (2, True)


def test_what_cannot_be_changed_is_said(auteryn: Auteryn, created: Callable[[str], str]) -> None:
    run = created("Compare the prices")
    assert auteryn("rename", run, "Prices").code == 0
    for args, why in (
        (("rename", run, " "), "must say something"),
        (("step", run, "1", "--skip"), "has no step 1"),
        (("step", run, "1"), "one of --text and --skip"),
        (("messages", run, "--take-back", "m_none"), "not waiting any more"),
    ):
        done = auteryn(*args)
        assert done.code and why in done.err, done
