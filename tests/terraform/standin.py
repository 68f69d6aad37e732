"""A stand-in for the google provider: the real `terraform` plans, applies and tests against it without network or account.

It knows every argument of the types in `schema.json`, answers over plugin protocol 5 on loopback, and is handed to Terraform by
TF_REATTACH_PROVIDERS. Attributes that only Google sets are unknown in a plan and get plausible values in an apply. It knows no
rule that only the API knows: formats of durations, numeric ranges, conflicts between arguments.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import grpc

from terraform.protocol import MESSAGES, SERVICE, UNKNOWN, read, write
from terraform.schema import Block, load

ADDRESS = "registry.terraform.io/hashicorp/google"
PROJECT_NUMBER = "123456789012"
OPTIONAL_AND_COMPUTED = ("id", "name", "project")
"""Of the optional attributes the provider may fill, those we read."""
SINGLE, LIST, SET = 1, 2, 3


@contextmanager
def standin() -> Iterator[dict[str, str]]:
    """The environment under which `terraform` talks to a stand-in, for as long as it is open."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((Provider(load()),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    provider = {
        "Protocol": "grpc",
        "ProtocolVersion": 5,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
    }
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps({ADDRESS: provider})}
    finally:
        server.stop(0).wait()


class Provider(grpc.GenericRpcHandler):
    def __init__(self, schema: dict[str, dict[str, Block]]) -> None:
        self.schema = schema
        self.methods: dict[str, tuple[str, Callable[[Any], Any]]] = {
            "GetSchema": ("Nothing", lambda asked: self.schemas),
            "PrepareProviderConfig": ("Prepare", lambda asked: MESSAGES["Prepared"](config=asked.config)),
            "Configure": ("Nothing", lambda asked: MESSAGES["Diagnostics"]()),
            "ValidateResourceTypeConfig": ("Config", lambda asked: self.validated("resource", asked)),
            "ValidateDataSourceConfig": ("Config", lambda asked: self.validated("data", asked)),
            "UpgradeResourceState": ("Upgrade", lambda asked: MESSAGES["State"](state={"json": asked.state.json})),
            "ReadResource": ("Read", lambda asked: MESSAGES["State"](state=asked.state)),
            "ReadDataSource": ("Config", self.looked_up),
            "PlanResourceChange": ("Plan", self.planned),
            "ApplyResourceChange": ("Apply", self.applied),
            "Stop": ("Nothing", lambda asked: MESSAGES["Nothing"]()),
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        service, _, method = details.method.strip("/").rpartition("/")
        if service != SERVICE or method not in self.methods:
            return None
        asked, answer = self.methods[method]
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: answer(request),
            request_deserializer=MESSAGES[asked].FromString,
            response_serializer=lambda reply: reply.SerializeToString(),
        )

    @cached_property
    def schemas(self) -> Any:
        reply = MESSAGES["Schemas"]()
        for name in ("project", "region", "billing_project"):
            reply.provider.block.attributes.add(name=name, type=b'"string"', optional=True)
        reply.provider.block.attributes.add(name="user_project_override", type=b'"bool"', optional=True)
        for kind, entries in (("resource", reply.resources), ("data", reply.data)):
            for name, block in self.schema[kind].items():
                entries.add(key=name).value.block.CopyFrom(described(block, top=True))
        return reply

    def validated(self, kind: str, asked: Any) -> Any:
        """What Terraform does not check itself: documented values, and attributes that cannot be set."""
        reply = MESSAGES["Diagnostics"]()
        for summary, detail in faults(read(asked.config), self.schema[kind][asked.type], asked.type):
            reply.diagnostics.add(severity=1, summary=summary, detail=detail)
        return reply

    def planned(self, asked: Any) -> Any:
        value = read(asked.proposed)
        return MESSAGES["State"](state=write(opened(value, self.schema["resource"][asked.type]) if value else None))

    def applied(self, asked: Any) -> Any:
        value = read(asked.planned)
        return MESSAGES["State"](
            state=write(settled(value, self.schema["resource"][asked.type], asked.type) if value else None)
        )

    def looked_up(self, asked: Any) -> Any:
        block = self.schema["data"][asked.type]
        return MESSAGES["State"](state=write(settled(opened(read(asked.config), block), block, asked.type)))


def described(block: Block, *, top: bool = False) -> Any:
    """A block as the protocol says it."""
    made = MESSAGES["Block"]()
    for name, attribute in block["attrs"].items():
        made.attributes.add(
            name=name,
            type=json.dumps(attribute.get("cty") or nested(attribute["t"])).encode(),
            required=attribute["req"],
            optional=not attribute["req"],
            computed=top and not attribute["req"] and name in OPTIONAL_AND_COMPUTED,
            deprecated=attribute.get("deprecated", False),
        )
    for name, shape in block.get("computed", {}).items():
        made.attributes.add(name=name, type=json.dumps(shape).encode(), computed=True)
    for name, inner in block["blocks"].items():
        single = top and name == "timeouts"
        made.block_types.add(
            type_name=name,
            block=described(inner["block"]),
            nesting=SINGLE if single else SET if inner["nest"] == "set" else LIST,
            min_items=int(inner["req"] and not single),
            max_items=int(inner["max1"] and not single),
        )
    return made


def nested(shape: str) -> Any:
    """`list(string)` → `["list", "string"]`."""
    outer, _, inner = shape.partition("(")
    return [outer, nested(inner[:-1])] if inner else outer


def faults(value: dict[str, Any], block: Block, at: str) -> Iterator[tuple[str, str]]:
    for name, attribute in block["attrs"].items():
        given = value.get(name)
        if isinstance(given, str) and given not in attribute.get("enum", [given]):
            yield "Value is not in the documented list", f"{at}.{name} = {given!r}, not one of {attribute['enum']}"
    for name in block.get("computed", {}):
        if value.get(name) is not None:
            yield "Read-only attribute", f"{at}.{name} cannot be set"
    for name, inner in blocks_of(value, block):
        yield from faults(inner, block["blocks"][name]["block"], f"{at}.{name}")


def opened(value: dict[str, Any], block: Block, *, top: bool = True) -> dict[str, Any]:
    """The value as planned: what only the provider sets is unknown until it is set."""
    own = list(block.get("computed", {}))
    if top:
        own += [name for name in OPTIONAL_AND_COMPUTED if name in block["attrs"] and not block["attrs"][name]["req"]]
    for name in own:
        if value.get(name) is None:
            value[name] = UNKNOWN
    for name, inner in blocks_of(value, block):
        opened(inner, block["blocks"][name]["block"], top=False)
    return value


def settled(value: dict[str, Any], block: Block, kind: str) -> dict[str, Any]:
    """The value as applied: what was unknown is known."""
    types = block.get("computed", {}) | dict.fromkeys(OPTIONAL_AND_COMPUTED, "string")
    for name, given in value.items():
        if given == UNKNOWN:
            value[name] = likely(value, kind, name) if types.get(name) == "string" else empty(types.get(name, "string"))
    for name, inner in blocks_of(value, block):
        settled(inner, block["blocks"][name]["block"], "")
    return value


def blocks_of(value: dict[str, Any], block: Block) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in block["blocks"]:
        found = value.get(name)
        for inner in found if isinstance(found, list) else []:
            if isinstance(inner, dict):
                yield name, inner


def likely(value: dict[str, Any], kind: str, name: str) -> str:
    """As Google would name it, as far as this project reads it back; else a text that says whose it is."""
    known = {key: given for key, given in value.items() if isinstance(given, str)}
    template = LIKELY.get((kind, name), f"{kind}/{name}/{{name}}")
    return template.format_map(Gaps(known | {"number": PROJECT_NUMBER}))


class Gaps(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


_EMAIL = "{account_id}@{project}.iam.gserviceaccount.com"
LIKELY = {
    ("google_firestore_database", "id"): "projects/{project}/databases/{name}",
    ("google_project", "number"): "{number}",
    ("google_project_iam_custom_role", "id"): "projects/{project}/roles/{role_id}",
    ("google_pubsub_subscription", "id"): "projects/{project}/subscriptions/{name}",
    ("google_pubsub_topic", "id"): "projects/{project}/topics/{name}",
    ("google_secret_manager_secret", "id"): "projects/{project}/secrets/{secret_id}",
    ("google_service_account", "email"): _EMAIL,
    ("google_service_account", "member"): f"serviceAccount:{_EMAIL}",
    ("google_service_account", "name"): f"projects/{{project}}/serviceAccounts/{_EMAIL}",
}


def empty(shape: Any) -> Any:
    """Nothing, of this type."""
    match shape:
        case "string":
            return ""
        case "number":
            return 0
        case "bool":
            return False
        case ["map", _]:
            return {}
        case ["object", fields]:
            return {name: empty(inner) for name, inner in fields.items()}
        case _:
            return []
