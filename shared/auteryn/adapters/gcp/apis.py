"""Whether Google's APIs are on for a project, and whether its processes can read the secrets they are given: by REST, as
whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from google.api_core import exceptions

from auteryn.adapters.gcp.faults import CALL_SECONDS, from_auth, from_google
from auteryn.adapters.gcp.settings import CloudSettings
from auteryn.errors import Conflict, NotAllowed, NotFound, Unavailable

ACCESSOR = "roles/secretmanager.secretAccessor"


class Given(NamedTuple):
    """A secret that a process gets in its environment."""

    variable: str
    secret: str
    version: str
    account: str
    """Of the process."""


class Google:
    """Google's REST APIs, or their stand-in on this machine, which asks for no credentials."""

    def __init__(self, there: CloudSettings) -> None:
        self._there = there

    async def get(self, api: str, path: str) -> Mapping[str, Any]:
        return await asyncio.to_thread(self._get, api, path)

    def _get(self, api: str, path: str) -> Mapping[str, Any]:
        import requests
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession

        stand_in = self._there.apis_host
        try:
            if stand_in:
                answer = requests.get(f"http://{stand_in}/{api}/{path}", timeout=CALL_SECONDS)
            else:
                session: Any = AuthorizedSession(_credentials())
                with session:
                    answer = session.get(f"https://{api}.googleapis.com/{path}", timeout=CALL_SECONDS)
        except GoogleAuthError as error:
            raise from_auth(error, f"{api}.googleapis.com") from error
        except requests.exceptions.RequestException as error:
            raise Unavailable(f"{api}.googleapis.com did not answer: {error}") from error
        if answer.status_code != 200:
            theirs: Any = exceptions
            raise from_google(theirs.from_http_response(answer), path.partition("?")[0])
        return answer.json()


async def signed_in() -> str:
    """Whose token opens everything else; raises what `from_auth` makes of there being none."""
    return await asyncio.to_thread(_signed_in)


def _signed_in() -> str:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials = _credentials()
        credentials.refresh(Request())
    except GoogleAuthError as error:
        raise from_auth(error, "Google Cloud") from error
    return f"tokens are those of {getattr(credentials, 'service_account_email', 'your own account')}"


def _credentials() -> Any:
    import google.auth

    known: Any = google.auth
    return known.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])[0]


async def apis(google: Google, project: str, needed: Sequence[str]) -> str:
    """Raises `Conflict` naming those that are off, with the command that switches them on."""
    on, page = set[str](), ""
    while True:
        path = f"v1/projects/{project}/services?filter=state:ENABLED&pageSize=200" + (f"&pageToken={page}" if page else "")
        found = await google.get("serviceusage", path)
        on |= {one["config"]["name"] for one in found.get("services", ())}
        page = found.get("nextPageToken", "")
        if not page:
            break
    off = [name for one in needed if (name := f"{one}.googleapis.com") not in on]
    if off:
        raise Conflict(f"{', '.join(off)} is off: gcloud services enable {' '.join(off)} --project={project}")
    return f"all {len(needed)} that are needed are on"


async def given(google: Google, there: CloudSettings, services: Sequence[str]) -> list[Given]:
    """Every secret of every process, as it is deployed."""
    found = list[Given]()
    for kind, name in (*(("services", one) for one in services), ("jobs", there.job), ("jobs", there.job_large)):
        made = await google.get("run", f"v2/{there.place}/{kind}/{name}")
        template: Mapping[str, Any] = made["template"] if kind == "services" else made["template"]["template"]
        for one in template["containers"][0].get("env", ()):
            if key := one.get("valueSource", {}).get("secretKeyRef"):
                secret, version = key["secret"].rpartition("/")[2], key.get("version", "latest")
                found.append(Given(one["name"], secret, version, template["serviceAccount"]))
    return list(dict.fromkeys(found))


async def secret(google: Google, project: str, one: Given) -> str:
    """That the version can be read by the process; raises what is wrong, with the command that mends it."""
    place, what = f"v1/projects/{project}/secrets/{one.secret}", f"{one.variable} comes from the secret {one.secret!r}"
    try:
        state = (await google.get("secretmanager", f"{place}/versions/{one.version}")).get("state", "ENABLED")
    except NotFound as error:
        add = f"gcloud secrets versions add {one.secret} --data-file=- --project={project}"
        raise NotFound(f"{what}, which has no version {one.version!r}: {add}") from error
    if state != "ENABLED":
        again = f"gcloud secrets versions enable {one.version} --secret={one.secret} --project={project}"
        raise Conflict(f"{what}, whose version {one.version!r} is {state.lower()}: {again}, or name another version")
    member = f"serviceAccount:{one.account}"
    policy = await google.get("secretmanager", f"{place}:getIamPolicy")
    if not any(bound["role"] == ACCESSOR and member in bound["members"] for bound in policy.get("bindings", ())):
        raise NotAllowed(
            f"{what}, which {one.account} may not read: terraform apply, or gcloud secrets add-iam-policy-binding {one.secret}"
            f" --member={member} --role={ACCESSOR} --project={project}"
        )
    return f"{one.account} can read version {one.version!r} of {one.secret!r}"
