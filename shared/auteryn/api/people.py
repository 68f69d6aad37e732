"""Routes of people: questions and their answers; who is signed in; whether anybody is at home."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from auteryn.api import bodies as b
from auteryn.api import views as v
from auteryn.api.auth import COOKIE, may, of_key
from auteryn.api.call import Call, Reply, made
from auteryn.api.keys import key_of
from auteryn.api.problems import Unauthenticated
from auteryn.errors import NotAllowed, NotFound
from auteryn.schema.human import Answer, Ask
from auteryn.service.asks import Question


async def list_asks(call: Call[b.AsksQuery, None]) -> v.Asks:
    """Questions of all the owner's runs, oldest first."""
    return v.Asks(asks=tuple(await call.desk.asks(open_only=call.query.open)))


async def list_run_asks(call: Call[b.AsksQuery, None]) -> v.Asks:
    """Questions of a run and its steps, oldest first."""
    return v.Asks(asks=tuple(await call.desk.asks(call.path["run"], open_only=call.query.open)))


async def get_ask(call: Call[b.Empty, None]) -> Ask:
    """One question, open or not."""
    return await call.desk.question(call.path["ask"])


async def make_links(call: Call[b.Empty, b.LinksBody]) -> Reply:
    """One-tap links that answer an open question in your name, or, for an admin, in somebody else's: for a mail or message of
    your own."""
    by, caller = call.body.by or call.caller.name, call.caller
    if by != caller.name and not may(caller, "admin"):
        raise NotAllowed(f"by: only an admin may make links that answer as another than {caller.name!r}")
    found = await call.desk.links(call.path["ask"], by)
    return Reply(v.Links(links=tuple(found)), 201)


async def create_ask(call: Call[b.Empty, Question]) -> Reply:
    """Ask a person: a run without a model, that ends with the answer."""
    async with call.room.for_one(call.caller.owner):
        run = await call.desk.ask(call.body, key=call.idempotency_key)
    return made(v.view(run, call.now))


async def answer_ask(call: Call[b.Empty, b.AnswerBody]) -> Answer:
    """Answer a question. The first answer counts; the others are told who gave it. With an `Idempotency-Key` the repeat of
    one's own answer is that answer again."""
    said, by = call.body, call.caller.name
    again = call.idempotency_key is not None
    return await call.desk.answer(
        call.path["ask"], said.value, by, said.remember, until=said.until, args=said.args, again=again
    )


async def get_answer(call: Call[b.Empty, None]) -> Answer:
    """The answer a run ended with that was only a question."""
    found = await call.desk.answered(call.path["run"])
    if found is None:
        raise NotFound(f"run {call.path['run']!r} has no answer (yet)")
    return found


# ---- the console's session -----------------------------------------------------------------------------------


async def get_session(call: Call[b.Empty, None]) -> v.Session:
    """Who is signed in, and the token that changes by cookie must carry."""
    caller = call.caller
    return v.Session(owner=caller.owner, role=caller.role, csrf=caller.csrf, until=caller.until)


async def sign_in(call: Call[b.Empty, b.LoginBody]) -> Response:
    """Turn an API key into the console's cookie."""
    key = await key_of(call.auth.store, call.auth.seal, call.body.key, call.now)
    if key is None:
        raise Unauthenticated("that is no key of ours, or it has expired or was revoked")
    response = Response(status_code=204)
    await call.auth.sign_in(response, of_key(key), call.now)
    return response


async def sign_out(call: Call[b.Empty, None]) -> Response:
    """The browser forgets the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=call.auth.secure)
    return response


async def follow_link(call: Call[b.LoginQuery, None]) -> Response:
    """The link `auteryn serve` prints: signs in, and opens the console. A browser that comes too late is told so there."""
    caller = await call.auth.signed("login", call.query.token, call.now)
    if caller is None and "text/html" in call.request.headers.get("accept", ""):
        return RedirectResponse("/?link=expired", 303)
    if caller is None:
        raise Unauthenticated("this link has expired: `auteryn serve` prints a new one when it starts")
    response = RedirectResponse("/", 303)
    await call.auth.sign_in(response, caller, call.now)
    return response


async def get_health(call: Call[b.Empty, None]) -> v.Health:
    """200 while the store answers."""
    await call.auth.store.doc("door", "health")
    return v.Health(status="ok")


async def get_alive(call: Call[b.Empty, None]) -> v.Health:
    """200 while this process answers, whether or not the store does: a process that is restarted for the store's sake only
    loses what it was at."""
    return v.Health(status="ok")
