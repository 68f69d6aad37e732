"""Terraform's plugin protocol 5, as far as a provider without an API needs it: messages built from a table, no generated code.

Source: `tfplugin5.proto` of hashicorp/terraform. Field numbers are the wire; names are ours.
"""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "tfplugin5.Provider"

TABLE: dict[str, list[tuple[int, str, str]]] = {
    # message → (number, field, type); * repeats; a map field is a repeated Entry
    "Value": [(1, "msgpack", "bytes"), (2, "json", "bytes")],
    "Diagnostic": [(1, "severity", "int64"), (2, "summary", "string"), (3, "detail", "string")],
    "Attribute": [
        (1, "name", "string"),
        (2, "type", "bytes"),
        (4, "required", "bool"),
        (5, "optional", "bool"),
        (6, "computed", "bool"),
        (9, "deprecated", "bool"),
    ],
    "Block": [(1, "version", "int64"), (2, "attributes", "*Attribute"), (3, "block_types", "*Nested")],
    "Nested": [
        (1, "type_name", "string"),
        (2, "block", "Block"),
        (3, "nesting", "int64"),
        (4, "min_items", "int64"),
        (5, "max_items", "int64"),
    ],
    "Schema": [(1, "version", "int64"), (2, "block", "Block")],
    "Entry": [(1, "key", "string"), (2, "value", "Schema")],
    "Nothing": [],
    "Diagnostics": [(1, "diagnostics", "*Diagnostic")],
    "Schemas": [(1, "provider", "Schema"), (2, "resources", "*Entry"), (3, "data", "*Entry")],
    "Prepare": [(1, "config", "Value")],
    "Prepared": [(1, "config", "Value")],
    "Config": [(1, "type", "string"), (2, "config", "Value")],
    "RawState": [(1, "json", "bytes")],
    "Upgrade": [(1, "type", "string"), (2, "version", "int64"), (3, "state", "RawState")],
    "Read": [(1, "type", "string"), (2, "state", "Value")],
    "Plan": [(1, "type", "string"), (2, "prior", "Value"), (3, "proposed", "Value"), (4, "config", "Value")],
    "Apply": [(1, "type", "string"), (2, "prior", "Value"), (3, "planned", "Value"), (4, "config", "Value")],
    "State": [(1, "state", "Value")],
}
SCALARS = {"bytes": 12, "bool": 8, "int64": 3, "string": 9}
MESSAGE, OPTIONAL, REPEATED = 11, 1, 3

UNKNOWN = msgspec.msgpack.Ext(0, b"\0")
"""What is known only after the apply."""


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="standin.proto", package="standin", syntax="proto3")
    for name, fields in TABLE.items():
        message = file.message_type.add(name=name)
        for number, field, shape in fields:
            kind = shape.lstrip("*")
            made = message.field.add(name=field, number=number, type=SCALARS.get(kind, MESSAGE))
            made.label = REPEATED if shape.startswith("*") else OPTIONAL
            if kind not in SCALARS:
                made.type_name = f".standin.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"standin.{name}")) for name in TABLE}


MESSAGES = _messages()


def read(value: Any) -> Any:
    """What a `Value` holds; `UNKNOWN` wherever Terraform does not know yet."""
    return msgspec.msgpack.decode(value.msgpack, ext_hook=lambda code, data: UNKNOWN) if value.msgpack else None


def write(value: Any) -> Any:
    return MESSAGES["Value"](msgpack=msgspec.msgpack.encode(value))
