"""A page is written once, whoever else writes it and whatever is lost on the way."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auteryn.tools.confluence import confluence_read, confluence_write, storage
from auteryn.tools.registry import Registry
from unit.tools.fault_server import Asked, FaultServer, Reply
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

SPACE = "7"


class Wiki:
    """A Confluence with one space that keeps every version of its pages."""

    def __init__(self, site: FaultServer) -> None:
        self.site = site
        self.pages = dict[str, list[dict[str, Any]]]()
        """Id → versions, oldest first."""
        self.properties = dict[str, dict[str, Any]]()
        self.lose = 0
        """Answers of writes that are lost after they were done."""
        self.before_put: list[Any] = []
        """What others do before a write is looked at."""
        self.status: Reply | None = None
        for path in ("spaces", "pages"):
            site.on(f"/wiki/api/v2/{path}", self.answer)
        site.on("/wiki/rest/api/search", self.answer)

    @property
    def versions(self) -> int:
        return sum(map(len, self.pages.values()))

    def add(self, title: str, body: str, message: str = "") -> str:
        page = str(100 + len(self.pages))
        version = {"number": 1, "message": message}
        self.pages[page] = [{"id": page, "title": title, "spaceId": SPACE, "version": version, "body": body}]
        for end in ("", "/versions", "/properties", "/properties/1"):
            self.site.on(f"/wiki/api/v2/pages/{page}{end}", self.answer)
        return page

    def change(self, page: str, body: str, message: str = "") -> None:
        last = self.pages[page][-1]
        self.pages[page].append(last | {"body": body, "version": {"number": last["version"]["number"] + 1, "message": message}})

    def answer(self, asked: Asked) -> Reply:
        assert asked.headers["authorization"] == "Basic bWU6czNjcmV0"
        if self.status is not None:
            return self.status
        url = urlsplit(asked.path)
        query = {name: one[0] for name, one in parse_qs(url.query).items()}
        path = url.path.removeprefix("/wiki")
        status, body = self.done(asked, path, query)
        if asked.method != "GET" and "properties" not in path and status == 200 and self.lose:
            self.lose -= 1
            return Reply(drop=True)
        return Reply(json.dumps(body), status, headers={"content-type": "application/json"})

    def done(self, asked: Asked, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/api/v2/spaces":
            return 200, {"results": [{"id": SPACE}] if query["keys"] == "TEAM" else []}
        if path == "/rest/api/search":
            hits = [one[-1] for one in self.pages.values() if "price" in one[-1]["body"]]
            assert query["cql"] == 'type = page AND siteSearch ~ "price  x" AND space = "TEAM"'
            return 200, {
                "results": [{"content": {"id": one["id"], "title": one["title"]}, "excerpt": "a price"} for one in hits]
            }
        if path == "/api/v2/pages" and asked.method == "GET":
            assert query["space-id"] == SPACE
            return 200, {"results": [shown(one[-1]) for one in self.pages.values() if one[-1]["title"] == query["title"]]}
        if path == "/api/v2/pages":
            if any(one[-1]["title"] == asked.json["title"] for one in self.pages.values()):
                return 400, {"errors": [{"title": "A page with this title already exists"}]}
            page = self.add(asked.json["title"], asked.json["body"]["value"])
            self.pages[page][-1]["parentId"] = asked.json.get("parentId")
            return 200, shown(self.pages[page][-1])
        page, *rest = path.removeprefix("/api/v2/pages/").split("/")
        if rest[:1] == ["versions"]:
            return 200, {"results": [one["version"] for one in self.pages[page]]}
        if rest[:1] == ["properties"]:
            return self.kept(asked, page, query)
        if asked.method == "PUT":
            while self.before_put:
                self.before_put.pop()()
            if asked.json["version"]["number"] != self.pages[page][-1]["version"]["number"] + 1:
                return 409, {}
            self.change(page, asked.json["body"]["value"], asked.json["version"]["message"])
        return 200, shown(self.pages[page][-1])

    def kept(self, asked: Asked, page: str, query: dict[str, str]) -> tuple[int, Any]:
        if asked.method == "GET":
            return 200, {"results": [self.properties[page]] if page in self.properties else []}
        self.properties[page] = {"id": "1", "version": {"number": 1}, **asked.json}
        return 200, self.properties[page]


def shown(page: dict[str, Any]) -> dict[str, Any]:
    return page | {"body": {"storage": {"value": page["body"]}}, "_links": {"webui": f"/spaces/TEAM/pages/{page['id']}"}}


@pytest.fixture
def wiki(site: FaultServer, surfer: Room, monkeypatch: pytest.MonkeyPatch) -> Wiki:
    set_up(site, monkeypatch)
    return Wiki(site)


def set_up(site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTERYN_CONFLUENCE_URL", site.url("/wiki"))
    monkeypatch.setenv("AUTERYN_CONFLUENCE_USER", "me")
    monkeypatch.setenv("AUTERYN_SECRET_CONFLUENCE", "s3cret")


GIVEN = {
    "space": "TEAM",
    "title": "Rivals",
    "body_markdown": "# Rivals\n\nAcme **9.50** <b>\n\n| a | b |\n| - | - |\n| 1 | 2 |",
}


@pytest.mark.tool("confluence_write", "happy")
@pytest.mark.proves("P73")
def test_a_new_page_then_its_next_version(surfer: Room, wiki: Wiki) -> None:
    parent = wiki.add("Home", "<p>home</p>")
    told = surfer.call(confluence_write, **as_a_judge_calls(confluence_write, **GIVEN, parent="Home"))
    assert (told["version"], told["url"]) == (1, wiki.site.url("/wiki/spaces/TEAM/pages/101"))
    (first,) = wiki.pages["101"]
    assert first["parentId"] == parent and "<strong>9.50</strong> &lt;b&gt;" in first["body"] and "<td>1</td>" in first["body"]
    assert surfer.call(confluence_write, space="TEAM", title="Rivals", body_markdown="new")["version"] == 2
    assert wiki.pages["101"][-1]["body"] == "<p>new</p>\n"
    assert surfer.call(confluence_write, space="TEAM", title="Rivals", body_markdown="more", mode="append")["version"] == 3
    assert wiki.pages["101"][-1]["body"] == "<p>new</p>\n<p>more</p>\n"


@pytest.mark.proves("L6")
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_repeat_finds_its_own_write_even_below_later_ones(surfer: Room, wiki: Wiki, there: bool, mode: str) -> None:
    if there:
        wiki.add("Rivals", "<p>old</p>")
    first = surfer.call(confluence_write, call="c", **GIVEN, mode=mode)
    assert surfer.call(confluence_write, call="c", **GIVEN, mode=mode) == first
    (page,) = wiki.pages
    wiki.change(page, "<p>somebody else</p>")
    count = wiki.versions
    surfer.call(confluence_write, call="c", **GIVEN, mode=mode)
    assert wiki.versions == count and wiki.properties[page]["key"] == "auteryn-call"


@pytest.mark.proves("L6")
@pytest.mark.parametrize("there", [False, True])
def test_a_lost_answer_is_looked_up_before_anything_is_written_again(surfer: Room, wiki: Wiki, there: bool) -> None:
    if there:
        wiki.add("Rivals", "<p>old</p>")
    wiki.lose = 1
    lost = surfer.refusal(confluence_write, call="c", **GIVEN, mode="append")
    assert (lost.kind, lost.retryable) == ("ambiguous", True)
    count = wiki.versions
    told = surfer.call(confluence_write, call="c", **GIVEN, mode="append")
    assert told["version"] == 1 + there and wiki.versions == count == 1 + there


def test_who_is_slower_reads_again_and_appends_to_what_is_new(surfer: Room, wiki: Wiki) -> None:
    page = wiki.add("Rivals", "<p>old</p>")
    wiki.before_put.append(lambda: wiki.change(page, "<p>old</p><p>theirs</p>"))
    told = surfer.call(confluence_write, space="TEAM", title="Rivals", body_markdown="mine", mode="append")
    assert told["version"] == 3 and wiki.pages[page][-1]["body"] == "<p>old</p><p>theirs</p><p>mine</p>\n"


@pytest.mark.tool("confluence_write", "failure")
def test_what_others_wrote_meanwhile_is_not_replaced(surfer: Room, wiki: Wiki) -> None:
    page = wiki.add("Rivals", "<p>old</p>")
    wiki.before_put.append(lambda: wiki.change(page, "<p>theirs</p>"))
    failed = surfer.refusal(confluence_write, **GIVEN)
    assert failed.kind == "conflict" and "merge" in str(failed) and wiki.pages[page][-1]["body"] == "<p>theirs</p>"
    assert surfer.refusal(confluence_write, **GIVEN, mode="create").kind == "conflict"


@pytest.mark.tool("confluence_read", "failure")
@pytest.mark.tool("confluence_write", "failure")
@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "denied"), (429, "rate_limited"), (503, "unavailable")])
def test_what_confluence_refuses_is_told(surfer: Room, wiki: Wiki, status: int, kind: str) -> None:
    wiki.status = Reply("{}", status)
    failed = surfer.refusal(confluence_write, **GIVEN)
    assert failed.kind == kind and "s3cret" not in str(failed)
    assert surfer.refusal(confluence_read, page="Prices", space="TEAM").kind == kind


@pytest.mark.tool("confluence_read", "happy")
def test_a_page_is_read_as_markdown_and_found_by_words(surfer: Room, wiki: Wiki) -> None:
    page = wiki.add("Prices", "<h1>List</h1><table><tr><th>a</th></tr><tr><td>price 9</td></tr></table><p>x\u200by</p>")
    told = surfer.call(confluence_read, **as_a_judge_calls(confluence_read, page="Prices", space="TEAM"))
    assert told["id"] == page and "# List" in told["text"] and "price 9" in told["text"] and "xy" in told["text"]
    assert surfer.call(confluence_read, page=page) == told and "not instructions" in told["text"]
    hits = surfer.call(confluence_read, query='price" x', space="TEAM")["pages"]
    assert [(one["id"], one["excerpt"]) for one in hits] == [(page, "a price")]


@pytest.mark.tool("confluence_read", "failure")
def test_what_is_not_there_is_not_found(surfer: Room, wiki: Wiki) -> None:
    assert surfer.refusal(confluence_read, page="Nope", space="TEAM").kind == "not_found"
    assert surfer.refusal(confluence_read, page="Nope", space="NONE").kind == "not_found"
    assert surfer.refusal(confluence_read, page="Nope").kind == "invalid"
    assert surfer.refusal(confluence_read).kind == "invalid"
    assert surfer.refusal(confluence_read, query="x", space='A" OR space = "B').kind == "invalid"


@pytest.mark.proves("L14")
def test_raw_html_and_pictures_of_others_are_not_stored() -> None:
    text = storage("<script>x</script> ![p](https://evil.test/p.png) [a](javascript:alert(1))")
    assert "<script" not in text and "<img" not in text and not re.search(r'href="javascript', text)


def test_without_its_settings_the_tools_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTERYN_CONFLUENCE_URL", raising=False)
    assert set(Registry([confluence_read, confluence_write]).hidden) == {"confluence_read", "confluence_write"}
    assert confluence_write.permission == "ask1" and confluence_write.sends and confluence_write.effect == "keyed"
