"""What each refusal of the Gemini API means for us: come back later, compact, use another model, or stop.

Wordings and codes are those of recorded traffic; nothing else in this package reads a vendor's error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from auteryn.adapters.gcp.gemini_events import BrokenAnswer, Wire
from auteryn.errors import AuterynError, ModelRefused, RateLimited, Unavailable

if TYPE_CHECKING:
    import httpx2
    from google.genai.errors import APIError

HOW_TO_GET_ACCESS = (
    "set GEMINI_API_KEY (a key from https://aistudio.google.com/apikey), or GOOGLE_GENAI_USE_VERTEXAI=true with "
    "GOOGLE_CLOUD_PROJECT and application default credentials (gcloud auth application-default login)"
)


def wire_errors() -> tuple[type[Exception], ...]:
    """Everything that can come out of the SDK and its transport while one request runs."""
    import httpx2
    from google.auth.exceptions import GoogleAuthError
    from google.genai.errors import APIError

    return (APIError, GoogleAuthError, BrokenAnswer, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)


def meaning(error: Exception, model: str, silence: timedelta, prompt_tokens: Callable[[], int]) -> AuterynError:
    """The error of our own tree for one of `wire_errors()`; `prompt_tokens` is asked only where a quota must be compared."""
    import httpx2
    from google.auth.exceptions import GoogleAuthError
    from google.genai.errors import APIError

    from auteryn.adapters.gcp.faults import for_now

    match error:
        case APIError():
            return _api_error(error, model, prompt_tokens)
        case GoogleAuthError() if for_now(error):
            return Unavailable(f"the credentials for {model!r} could not be refreshed: {error}")
        case GoogleAuthError():
            return ModelRefused("no_key", f"Google credentials were not accepted: {error}; {HOW_TO_GET_ACCESS}")
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            return ModelRefused("bad_request", f"the base URL cannot be called: {error}; check GOOGLE_GEMINI_BASE_URL")
        case httpx2.ConnectTimeout() | httpx2.ConnectError():
            return Unavailable(f"no connection to the Gemini API: {error or type(error).__name__}")
        case httpx2.ReadTimeout():
            return Unavailable(f"{model!r} was silent for {silence.total_seconds():g} s")
        case BrokenAnswer():
            return Unavailable(f"{model!r}: {error}")
        case _:
            return Unavailable(f"{model!r}: the connection broke in the answer ({type(error).__name__}: {error})")


def _api_error(error: APIError, model: str, prompt_tokens: Callable[[], int]) -> AuterynError:
    code, said = int(error.code or 500), _message(error)
    if code == 429:
        return _over_quota(error, model, prompt_tokens)
    if code in (408, 499) or code >= 500:
        return Unavailable(f"{model!r} answered {code}: {said}", retry_after=_retry_after(error))
    if code == 404:
        return ModelRefused("no_model", f"{model!r} is not there (404): {said}")
    if code in (401, 403) or any("API_KEY" in detail.reason for detail in _details(error)) or "API key" in said:
        return ModelRefused("no_key", f"the Gemini API did not accept the key ({code}): {said}; {HOW_TO_GET_ACCESS}")
    if code == 413 or _TOO_LONG.search(said):
        return ModelRefused("too_long", f"the prompt is too long for {model!r} ({code}): {said}")
    reason = "signature" if _SIGNATURE.search(said) else "bad_request"
    return ModelRefused(reason, f"{model!r} refused the request ({code}): {said}")


_SIGNATURE = re.compile(r"thought[_ ]signature", re.I)
_TOO_LONG = re.compile(r"input token count.*exceeds|exceeds the maximum number of tokens|payload size exceeds", re.I | re.S)
_LIMIT = re.compile(r"metric: (\S*), limit: (\d+)")
_RETRY_IN = re.compile(r"retry in (\d+(?:\.\d+)?)s")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)s?")
_KEY = re.compile(r"(api_key:)[^'\s]+|AIza[\w-]{20,}")


def _over_quota(error: APIError, model: str, prompt_tokens: Callable[[], int]) -> AuterynError:
    said, limits = _message(error), _limits(error)
    if any(limit == 0 for _, limit in limits):  # the plan has no quota for this model at all: waiting never helps
        return ModelRefused("no_model", f"the plan behind this key gives no quota for {model!r}: {said}")
    prompt = prompt_tokens()
    too_small = [limit for metric, limit in limits if "input_token" in metric and prompt > limit]
    if too_small:
        return ModelRefused(
            "too_long", f"the prompt alone (~{prompt} tokens) exceeds the quota of {min(too_small)} for {model!r}"
        )
    per_day = any("PerDay" in violation.quota_id for violation in _violations(error))
    used = "the quota of the day" if per_day else "the quota"
    named = ", ".join(dict.fromkeys(f"{metric.rpartition('/')[2]}: {limit:,}" for metric, limit in limits))
    which = f" ({named}); https://ai.dev/rate-limit shows it" if named else f": {said}"
    return RateLimited(f"{model!r}: {used} is used up{which}", retry_after=_retry_after(error), per_day=per_day)


def _limits(error: APIError) -> list[tuple[str, int]]:
    """(metric, limit) of every quota named, by its details or else by its message."""
    named = [(violation.quota_metric, violation.quota_value) for violation in _violations(error)]
    return [(metric, int(limit)) for metric, limit in named or _LIMIT.findall(_message(error)) if limit.isdecimal()]


def _retry_after(error: APIError) -> timedelta | None:
    """RetryInfo, else the message's "Please retry in", else the header; `None` where nothing was said."""
    delays = (_SPAN.fullmatch(detail.retry_delay) for detail in _details(error) if detail.kind.endswith("RetryInfo"))
    response = cast("httpx2.Response | None", error.response)
    header = response.headers.get("retry-after", "") if response is not None else ""
    found = next(filter(None, delays), None) or _RETRY_IN.search(_message(error)) or _SPAN.fullmatch(header)
    return timedelta(seconds=float(found[1])) if found else None


class _Violation(Wire):
    quota_metric: str = ""
    quota_id: str = ""
    quota_value: str = ""


class _Detail(Wire):
    """The union of the `google.rpc` details that say something to us."""

    kind: str = msgspec.field(default="", name="@type")
    reason: str = ""
    retry_delay: str = ""
    violations: tuple[_Violation, ...] = ()


class _Error(Wire):
    details: tuple[_Detail, ...] = ()


class _Body(Wire):
    error: _Error | None = None


def _violations(error: APIError) -> list[_Violation]:
    return [violation for detail in _details(error) for violation in detail.violations]


def _details(error: APIError) -> tuple[_Detail, ...]:
    try:
        read = msgspec.convert(error.details, _Body, strict=False).error
        return read.details if read else ()
    except msgspec.ValidationError:  # a gateway's own error page
        return ()


def _message(error: APIError) -> str:
    """What the API said, without the key: a suspended one is quoted in full."""
    return _KEY.sub(r"\1…", str(error.message or error.status or "no message"))[:2_000]
