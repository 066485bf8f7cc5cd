"""
How each client's own service pages, as far as its list needs it.

A service reads a request and writes the answer. What pages by a cursor that the service
chooses gets a position in the list as its cursor; `openai`, `anthropic`, `stripe` and
`opik` send the id of the last item, so they go on after that item wherever it is now.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from world import Reply

if TYPE_CHECKING:
    from world import Page, Request, World

TIME = "2026-03-01T12:34:56Z"
START = datetime(2026, 3, 1, tzinfo=UTC)


def uuid(item: int) -> str:
    """Write an item's number as a UUID."""
    return f"00000000-0000-4000-8000-{item:012d}"


def by_cursor(world: World, cursor: Any) -> Page:
    return world.page(int(cursor or 0), world.size)


def by_number(world: World, request: Request) -> Page:
    number = int(request.query.get("page", "1"))
    return world.page((number - 1) * world.size, world.size)


def wacht_page(request: Request, world: World) -> Any:
    size = int(request.query["per_page"])
    page = world.page((int(request.query["page"]) - 1) * size, size)
    return {"data": [_context(item) for item in page.items], "has_more": page.more}


def wacht_offset(request: Request, world: World) -> Any:
    size = min(int(request.query.get("limit", "50")), 100)
    offset = int(request.query.get("offset", "0"))
    page = world.page(offset, size)
    data = [_context(item) for item in page.items]
    for context, item in zip(data, page.items, strict=True):
        at = START + timedelta(minutes=page.activity[item])
        context["last_activity_at"] = at.isoformat()
    return {"data": data, "has_more": page.more, "limit": size, "offset": offset}


def _context(item: int) -> dict[str, Any]:
    created = START + timedelta(minutes=item)
    return {"id": str(item), "agent_id": "1", "created_at": created.isoformat()}


def langsmith(request: Request, world: World) -> Any:
    if not request.path.endswith("/runs/query"):
        return {}
    page = by_cursor(world, request.body.get("cursor"))
    run = {"name": "run", "run_type": "chain", "start_time": TIME, "inputs": {}}
    runs = [{**run, "id": uuid(i), "trace_id": uuid(i)} for i in page.items]
    if "/v2/" in request.path:
        return {"items": runs, "next_cursor": page.next}
    return {"runs": runs, "cursors": {"next": page.next}}


def langfuse(request: Request, world: World) -> Any:
    if "/dataset-items" not in request.path:
        times = {"createdAt": TIME, "updatedAt": TIME}
        return {"id": "d", "name": "d", "metadata": {}, "projectId": "p", **times}
    page = by_number(world, request)
    item = {"status": "ACTIVE", "datasetId": "d", "datasetName": "d"}
    item |= {"createdAt": TIME, "updatedAt": TIME}
    item |= {
        "input": None,
        "expectedOutput": None,
        "metadata": None,
        "mediaReferences": [],
    }
    # This service counts pages in place of saying that there are more.
    at = int(request.query.get("page", "1"))
    pages = max(-(-page.total // world.size), at + 1 if page.more else 1)
    meta = {"page": at, "limit": world.size, "totalItems": page.total}
    data = [{**item, "id": str(number)} for number in page.items]
    return {"data": data, "meta": {**meta, "totalPages": pages}}


def mlflow(request: Request, world: World) -> Any:
    if not request.path.endswith("/traces/search"):
        return {}
    page = by_cursor(world, request.body.get("page_token"))
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}}
    trace = {"trace_location": place, "request_time": TIME, "state": "OK"}
    traces = [{**trace, "trace_id": str(item)} for item in page.items]
    return {"traces": traces, "next_page_token": page.next or ""}


def wandb(request: Request, world: World) -> Any:
    if "perPage" not in request.body.get("variables", {}):
        return {"data": {"viewer": {"id": "v", "entity": "e"}, "serverInfo": {}}}
    page = by_cursor(world, request.body["variables"].get("cursor"))
    # The client takes the last run's cursor, so each run has one.
    edges = [
        {"node": _wandb_run(item), "cursor": str(page.start + at)}
        for at, item in enumerate(page.items, start=1)
    ]
    info = {"endCursor": page.next, "hasNextPage": page.more}
    runs = {"edges": edges, "pageInfo": info}
    return {"data": {"project": {"runs": runs, "runCount": page.total}}}


def _wandb_run(item: int) -> dict[str, Any]:
    run = {"id": str(item), "name": str(item), "displayName": "r", "state": "finished"}
    user = {"name": "u", "username": "u"}
    return {**run, "projectId": "1", "createdAt": TIME, "tags": [], "user": user}


def opik(request: Request, world: World) -> Any:
    if not request.path.endswith("/traces/search"):
        return {}
    start = world.position(request.body.get("last_retrieved_id"))
    page = world.page(start, world.size)
    lines = [json.dumps({"id": uuid(item), "start_time": TIME}) for item in page.items]
    kind = {"Content-Type": "application/octet-stream"}
    return Reply("".join(line + "\n" for line in lines).encode(), kind)


def phoenix(request: Request, world: World) -> Any:
    if not request.path.endswith("/spans"):
        return {}
    page = by_cursor(world, request.query.get("cursor"))
    return {"data": [{"id": str(i)} for i in page.items], "next_cursor": page.next}


def openai(request: Request, world: World) -> Any:
    page = world.page(world.position(request.query.get("after")), world.size)
    data = [{"id": str(item), "object": "file"} for item in page.items]
    return {"object": "list", "data": data, "has_more": page.more}


def anthropic(request: Request, world: World) -> Any:
    page = world.page(world.position(request.query.get("after_id")), world.size)
    data = [{"id": str(item), "type": "message_batch"} for item in page.items]
    last = data[-1]["id"] if data else None
    return {"data": data, "has_more": page.more, "first_id": None, "last_id": last}


def stripe(request: Request, world: World) -> Any:
    page = world.page(world.position(request.query.get("starting_after")), world.size)
    data = [{"id": str(item), "object": "customer"} for item in page.items]
    listing = {"object": "list", "url": "/v1/customers", "has_more": page.more}
    return {**listing, "data": data}


def gitlab(request: Request, world: World) -> Any:
    page = by_number(world, request)
    return Reply([{"id": item} for item in page.items], _links(request, page))


def _links(request: Request, page: Page) -> dict[str, str]:
    if not page.more:
        return {}
    number = int(request.query.get("page", "1")) + 1
    link = f'<{request.url}{request.path}?page={number}&per_page=100>; rel="next"'
    return {"Link": link, "X-Next-Page": str(number)}


def github(request: Request, world: World) -> Any:
    page = by_number(world, request)
    repos = [{"id": item, "name": str(item)} for item in page.items]
    return Reply(repos, _links(request, page))


def hub(request: Request, world: World) -> Any:
    page = by_number(world, request)
    return Reply([{"id": str(item)} for item in page.items], _links(request, page))


def airtable(request: Request, world: World) -> Any:
    page = by_cursor(world, request.query.get("offset"))
    records = [{"id": str(i), "createdTime": TIME, "fields": {}} for i in page.items]
    return {"records": records} | ({"offset": page.next} if page.more else {})


def notion(request: Request, world: World) -> Any:
    page = by_cursor(world, request.query.get("start_cursor"))
    users = [{"object": "user", "id": str(item)} for item in page.items]
    listing = {"object": "list", "has_more": page.more, "next_cursor": page.next}
    return {**listing, "results": users}


def twilio(request: Request, world: World) -> Any:
    page = by_number(world, request)
    number = int(request.query.get("page", "1")) + 1
    following = f"{request.path}?page={number}" if page.more else None
    messages = [{"sid": str(item)} for item in page.items]
    return {"messages": messages, "next_page_uri": following}


def hcloud(request: Request, world: World) -> Any:
    page = by_number(world, request)
    number = int(request.query.get("page", "1"))
    paging = {"page": number, "next_page": number + 1 if page.more else None}
    paging |= {"per_page": world.size, "previous_page": None, "last_page": None}
    keys = [{"id": item, "name": str(item)} for item in page.items]
    meta = {"pagination": {**paging, "total_entries": page.total}}
    return {"ssh_keys": keys, "meta": meta}


def aws(request: Request, world: World) -> Any:
    page = by_cursor(world, request.query.get("Marker"))
    functions = [{"FunctionName": str(item)} for item in page.items]
    return {"Functions": functions} | ({"NextMarker": page.next} if page.more else {})


def slack(request: Request, world: World) -> Any:
    page = by_cursor(world, request.query.get("cursor") or request.body.get("cursor"))
    channels = [{"id": str(item)} for item in page.items]
    following = {"next_cursor": page.next or ""}
    return {"ok": True, "channels": channels, "response_metadata": following}
