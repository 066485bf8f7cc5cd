"""The price of a typed page, from bytes to values: `python benchmarks/decode.py`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec
import pairs
import pydantic
import server

from wacht._protocol.decoding import structure_page
from wacht._protocol.json import parse_json

PAGE = 100


class Context(msgspec.Struct):
    id: str | None = None
    agent_id: str | None = None
    workflow_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    context: Any = None
    created_at: datetime | None = None
    deployment_id: str | None = None
    title: str | None = None
    system_instructions: str | None = None
    context_group: str | None = None
    status: str | None = None
    source: str | None = None
    external_context_id: str | None = None
    updated_at: datetime | None = None
    last_activity_at: datetime | None = None
    completed_at: datetime | None = None
    execution_state: Any = None
    external_resource_metadata: Any = None
    completion_summary: Any = None
    parent_context_id: int | None = None


class Page(msgspec.Struct):
    data: list[Context]
    has_more: bool


def pydantic_page() -> type[pydantic.BaseModel]:
    """Make the same classes with pydantic."""
    hints = msgspec.structs.fields(Context)
    fields: dict[str, Any] = {field.name: (field.type, None) for field in hints}
    model = pydantic.create_model("Context", **fields)
    return pydantic.create_model("Page", data=(list[model], ...), has_more=(bool, ...))


def typed(body: bytes) -> object:
    return structure_page(parse_json(body), str)


def main() -> None:
    with_msgspec = msgspec.json.Decoder(Page).decode
    with_pydantic = pydantic_page().model_validate_json
    for title, whole in (("seven fields", False), ("twenty-one fields", True)):
        data = [server.context(number, whole=whole) for number in range(PAGE)]
        body = json.dumps({"data": data, "has_more": True}).encode()
        others = {
            "json.loads alone": lambda body=body: json.loads(body),
            "msgspec, its own classes": lambda body=body: with_msgspec(body),
            "pydantic": lambda body=body: with_pydantic(body),
        }
        ratios = pairs.compare(lambda body=body: typed(body), others, rounds=500)
        with pairs.without_msgspec():
            alone = {
                "json.loads alone; ours without msgspec": others["json.loads alone"]
            }
            ratios |= pairs.compare(lambda body=body: typed(body), alone, rounds=500)
        names = ("attrs", "cattrs", "msgspec", "pydantic")
        print(pairs.table(pairs.heading(f"Decode {title}", *names), ratios))


if __name__ == "__main__":
    main()
