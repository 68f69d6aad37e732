"""The deployments the rules are checked on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auteryn.policy import cloud
from terraform.folder import DIGEST, PROJECT, Folder, Plan
from terraform.rule import Given, Secret


@dataclass(frozen=True)
class Deployment:
    given: Given
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    """Passed with `-var`."""
    file: str | None = None
    """Passed with `-var-file`."""


FIRST = Deployment(Given(PROJECT), {"project_id": PROJECT})
"""What a newcomer types."""
DEV = Deployment(
    Given(PROJECT, image=DIGEST, protected=False),
    {"project_id": PROJECT, "image": DIGEST},
    "environments/dev.tfvars",
)
SETTINGS = {name if name[-1] != "_" else f"{name}ONE": f"a value of {name}" for name in cloud.SETTINGS}
"""Every plain setting there is."""
SECRETS = {
    name if name[-1] != "_" else f"{name}TWO": Secret(name.lower().strip("_"), str(place + 1))
    for place, name in enumerate(cloud.SECRETS)
} | {
    "AUTERYN_SECRET_SHOP": Secret("shop", "latest", ("slice",), created=True),
    "AUTERYN_SECRET_SHOP_OLD": Secret("shop", "1", ("api", "slice"), created=True),
}
"""Every secret there is; two versions of one, for some."""
WHOLE = Deployment(
    Given(
        PROJECT,
        image=DIGEST,
        key_version="3",
        egress=True,
        asked={
            "AUTERYN_AUDIENCE": "door.apps.example.com",
            "AUTERYN_EGRESS_ALLOW": "wiki.inside.example:443,git.inside.example:22",
            "AUTERYN_EGRESS_DENY": "evil.example",
            "AUTERYN_EGRESS_ONLY": "example.com,inside.example",
            "AUTERYN_MEMBERS": "ann@example.com=admin,*@example.com=viewer",
            "AUTERYN_MODEL_FAST": "gemini-flash-latest",
            "AUTERYN_SPEND_LIMIT": "5000/1d",
            "AUTERYN_TOOLS": "shop.tools,other",
            **SETTINGS,
        },
        secrets=SECRETS,
        knowledge="an-owners-handbooks",
    ),
    {
        "project_id": PROJECT,
        "image": DIGEST,
        "alert_emails": ["team@example.com"],
        "budget": {"amount": 500, "billing_account": "01AB23-CD45EF-678901"},
        "egress": {
            "allow": ["wiki.inside.example:443", "git.inside.example:22"],
            "deny": ["evil.example"],
            "only": ["example.com", "inside.example"],
        },
        "google_accounts": {
            "audience": "door.apps.example.com",
            "members": {"*@example.com": "viewer", "ann@example.com": "admin"},
        },
        "knowledge_bucket": "an-owners-handbooks",
        "kms_key": "projects/keys/locations/us-central1/keyRings/ring/cryptoKeys/key",
        "model_key_version": "3",
        "models": {"fast": "gemini-flash-latest"},
        "secrets": {
            name: {"secret": one.id, "version": one.version, "readers": list(one.readers), "create": one.created}
            for name, one in SECRETS.items()
        },
        "settings": SETTINGS,
        "spend_limit": "5000/1d",
        "tools": ["shop.tools", "other"],
    },
    "environments/prod.tfvars",
)
"""Every option at once, on the production example."""

DEPLOYMENTS = {"first": FIRST, "dev": DEV, "whole": WHOLE}


@dataclass(frozen=True)
class Standing:
    """A deployment that was applied, and the plan after it."""

    folder: Folder
    plan: Plan


def stand(folder: Folder, deployment: Deployment) -> Standing:
    apply(folder, deployment)
    return Standing(folder, folder.plan(*files(deployment), variables=deployment.variables))


def apply(folder: Folder, deployment: Deployment, *arguments: str) -> None:
    folder.apply(*arguments, *files(deployment), variables=deployment.variables)


def files(deployment: Deployment) -> list[str]:
    return [f"-var-file={deployment.file}"] if deployment.file else []
