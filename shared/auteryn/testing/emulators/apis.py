"""A stand-in for what `auteryn doctor --cloud` asks over REST: which APIs are on, what is deployed, which secrets there are."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from auteryn.testing.emulators.http import Served, Speaking


class Apis(Served):
    """`answers`: path (`<api>/<path>` without its query) → what is answered; everything else is not there."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        super().__init__(_handler(self))

    def enable(self, project: str, *apis: str) -> None:
        """These are on, and no others."""
        on = [{"config": {"name": f"{one}.googleapis.com"}, "state": "ENABLED"} for one in apis]
        self.answers[f"serviceusage/v1/projects/{project}/services"] = {"services": on}

    def deploy(self, place: str, kind: str, name: str, account: str, env: list[dict[str, Any]]) -> None:
        """A service or job, with its account and environment; `place`: `projects/…/locations/…`."""
        template: dict[str, Any] = {"containers": [{"env": env}], "serviceAccount": account}
        self.answers[f"run/v2/{place}/{kind}/{name}"] = {"template": template if kind == "services" else {"template": template}}

    def keep(self, project: str, secret: str, versions: dict[str, str], readers: tuple[str, ...]) -> None:
        """A secret: version → state, and the accounts that may read it."""
        place = f"secretmanager/v1/projects/{project}/secrets/{secret}"
        for version, state in versions.items():
            self.answers[f"{place}/versions/{version}"] = {"name": f"{place}/versions/{version}", "state": state}
        members = [f"serviceAccount:{one}" for one in readers]
        self.answers[f"{place}:getIamPolicy"] = {
            "bindings": [{"role": "roles/secretmanager.secretAccessor", "members": members}] if members else []
        }


def _handler(apis: Apis) -> type[Speaking]:
    class Handler(Speaking):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.lstrip("/")
            status = 200 if path in apis.answers else 404
            found = apis.answers.get(path, {"error": {"code": 404, "message": f"{path} was not found", "status": "NOT_FOUND"}})
            self.say(status, json.dumps(found).encode(), {"Content-Type": "application/json"})

    return Handler
