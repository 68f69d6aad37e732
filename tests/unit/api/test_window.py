"""What is no page: a program is told by a problem document, a person by a page."""

from __future__ import annotations

import pytest

from auteryn.testing.clock import skipping

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HOSTILE = "/nope/<script>alert(1)</script>/%3Cb%3E"


@pytest.mark.proves("L14", "L15")
def test_a_browser_at_an_unknown_address_gets_a_page_that_repeats_nothing_of_it(opened):
    async def main():
        async with opened() as office, office.browser(Accept=BROWSER) as browser:
            for path, status in ((HOSTILE, 404), ("/runs", 404), ("/runs.txt", 401), ("/console/0/app.js", 404)):
                page = await browser.get(path)
                assert page.status_code == status and page.headers["content-type"] == "text/html; charset=utf-8", path
                assert '<a class="button" href="/">All runs</a>' in page.text and "<script" not in page.text
                assert "nope" not in page.text and "alert" not in page.text and "%3C" not in page.text
                policy = page.headers["content-security-policy"]
                assert policy.startswith("default-src 'none'; style-src 'self';") and "script-src" not in policy
                assert page.headers["cache-control"] == "no-store" and page.headers["x-content-type-options"] == "nosniff"
            assert (await browser.get("/runs.txt")).headers["www-authenticate"] == "Bearer"
            assert (await browser.head(HOSTILE)).headers["content-type"] == "text/html; charset=utf-8"

    skipping(main())


@pytest.mark.proves("L15")
def test_a_program_is_told_by_a_problem_document_whatever_it_takes(opened):
    async def main():
        async with opened() as office, office.browser() as nobody:
            asked = [("GET", "/nope", "*/*"), ("GET", "/nope", "application/json"), ("HEAD", "/nope", "*/*")]
            asked += [("POST", "/nope", BROWSER), ("GET", "/v1/nope", BROWSER), ("GET", "/v1/runs", BROWSER)]
            asked += [("DELETE", "/", BROWSER), ("GET", "/mcp", BROWSER)]
            for method, path, accept in asked:
                answer = await nobody.request(method, path, headers={"Accept": accept})
                assert answer.status_code in (401, 404, 405)
                assert answer.headers["content-type"] == "application/problem+json", (method, path, accept)

    skipping(main())
