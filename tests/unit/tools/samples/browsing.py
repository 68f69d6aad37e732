"""A real browser, and pages under watch."""

from __future__ import annotations

import io
from collections.abc import Iterator

from auteryn.tools.browser_trail import Trail, read_trail, write_trail
from unit.tools.bench import Args, Bench, sample
from unit.tools.fault_server import Reply

HTML = {"content-type": "text/html; charset=utf-8"}
PAGE = """<title>Order</title><h1>Oak chair</h1><p>Only 49.90 EUR</p>
<form action="/order" method="post"><label>Name <input name="name"></label><button>Send</button></form>"""


@sample
def browser_open(bench: Bench) -> Iterator[Args]:
    _shop(bench)
    yield {"url": bench.site.url("/", host="shop.test")}


@sample
def browser_read(bench: Bench) -> Iterator[Args]:
    _left_open(bench)
    yield {"selector": "h1"}


@sample
def browser_click(bench: Bench) -> Iterator[Args]:
    yield {"ref": _seen(bench, "Send")}


@sample
def browser_fill(bench: Bench) -> Iterator[Args]:
    yield {"fields": [{"ref": _seen(bench, "Name"), "value": "Ann"}], "submit": True}


@sample
def browser_wait(bench: Bench) -> Iterator[Args]:
    _left_open(bench)
    yield {"text": "Oak chair"}


@sample
def browser_screenshot(bench: Bench) -> Iterator[Args]:
    _left_open(bench)
    yield {"path": "chair.png"}


@sample
def browser_extract(bench: Bench) -> Iterator[Args]:
    _left_open(bench)
    bench.model = ('{"price": 49.9}',)
    yield {"schema": {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}}


@sample
def compare(bench: Bench) -> Iterator[Args]:
    bench.put("a.png", _picture("white"))
    bench.put("b.png", _picture("navy"))
    yield {"a": "a.png", "b": "b.png", "out": "both.png"}


@sample
def monitor_capture(bench: Bench) -> Iterator[Args]:
    _shop(bench)
    yield {"url": bench.site.url("/", host="shop.test"), "name": "chair"}


@sample
def monitor_compare(bench: Bench) -> Iterator[Args]:
    first = next(monitor_watch(bench))
    bench.facts_of("monitor_watch", first)
    bench.site.on("/", PAGE.replace("49.90", "39.90"))
    bench.facts_of("monitor_capture", {"url": first["url"], "name": "chair", "screenshot": False})
    yield {"name": "chair"}


@sample
def monitor_watch(bench: Bench) -> Iterator[Args]:
    _shop(bench)
    url = bench.site.url("/", host="shop.test")
    yield {"url": url, "name": "chair", "every": "6h", "until": "7d", "screenshot": False}


def _shop(bench: Bench) -> None:
    """A page with a form; what is ordered is counted."""
    orders = list[bytes]()

    def take(asked: object) -> Reply:
        orders.append(getattr(asked, "body"))  # noqa: B009
        return Reply("<title>Thanks</title>", headers=HTML)

    bench.site.on("/", PAGE)
    bench.site.on("/order", take)
    bench.outside = lambda: len(orders)


def _left_open(bench: Bench) -> None:
    """An earlier slice was on the page."""
    _shop(bench)
    write_trail(bench.files, bench.run.id, Trail(url=bench.site.url("/", host="shop.test")))


def _seen(bench: Bench, name: str) -> str:
    """The ref of an element that an earlier call has shown."""
    _shop(bench)
    bench.facts_of("browser_open", {"url": bench.site.url("/", host="shop.test")})
    return next(one.ref for one in read_trail(bench.files, bench.run.id).elements if one.name == name)


def _picture(colour: str) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return out.getvalue()
