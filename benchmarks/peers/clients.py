"""
How each client reads a whole list: `python clients.py NAME URL`.

Prints the ids that it gave, and the error that ended the list, as JSON.
"""

# ruff: noqa: PLC0415 - each client is installed in an environment of its own

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

KEY = os.environ["KEY"]
ENOUGH = 100_000  # items, where a list has 500
PROJECT = "00000000-0000-4000-8000-000000000000"


def wacht(url: str) -> Iterator[str]:
    import wacht

    with wacht.Session(KEY, base_url=url, pagination="offset") as session:
        for context in session.iter_execution_contexts():
            yield str(context.id)


def wacht_page(url: str, *, exhaustive: bool | None = None) -> Iterator[str]:
    import wacht

    with wacht.Session(KEY, base_url=url, pagination="page") as session:
        for context in session.iter_execution_contexts(exhaustive=exhaustive):
            yield str(context.id)


def wacht_exhaustive(url: str) -> Iterator[str]:
    return wacht_page(url, exhaustive=True)


def langsmith(url: str) -> Iterator[str]:
    from langsmith import Client

    runs = Client(url, api_key=KEY).runs.query(project_ids=[PROJECT], page_size=100)
    each = aiter(runs)
    with asyncio.Runner() as runner, contextlib.suppress(StopAsyncIteration):
        while True:
            yield runner.run(_next(each)).id


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items)


def langsmith_list_runs(url: str) -> Iterator[str]:
    from langsmith import Client

    return (
        str(run.id) for run in Client(url, api_key=KEY).list_runs(project_id=PROJECT)
    )


def langfuse(url: str) -> Iterator[str]:
    from langfuse import Langfuse

    client = Langfuse(public_key="pk", secret_key=KEY, host=url, tracing_enabled=False)
    dataset = client.get_dataset("d", fetch_items_page_size=100)
    return (item.id for item in dataset.items)


def mlflow(url: str) -> Iterator[str]:
    import mlflow

    os.environ["MLFLOW_TRACKING_TOKEN"] = KEY
    mlflow.set_tracking_uri(url)
    traces = mlflow.search_traces(
        locations=["1"], return_type="list", include_spans=False
    )
    return (trace.info.trace_id for trace in traces)


def wandb(url: str) -> Iterator[str]:
    import wandb

    os.environ |= {"WANDB_BASE_URL": url, "WANDB_API_KEY": KEY}
    runs = wandb.Api(overrides={"base_url": url}).runs("e/p", per_page=100)
    return (run.id for run in runs)


def opik(url: str) -> Iterator[str]:
    from opik import Opik

    client = Opik(host=f"{url}/api", api_key=KEY, project_name="p", workspace="w")
    traces = client.search_traces(max_results=ENOUGH, max_batch_size=100)
    return (str(trace.id) for trace in traces)


def phoenix(url: str) -> Iterator[str]:
    from phoenix.client import Client

    client = Client(base_url=url, api_key=KEY)
    spans = client.spans.get_spans(project_identifier="p", limit=ENOUGH)
    return (str(span["id"]) for span in spans)


def openai(url: str) -> Iterator[str]:
    from openai import OpenAI

    client = OpenAI(api_key=KEY, base_url=f"{url}/v1")
    return (item.id for item in client.files.list(limit=100))


def anthropic(url: str) -> Iterator[str]:
    from anthropic import Anthropic

    client = Anthropic(api_key=KEY, base_url=url)
    return (item.id for item in client.messages.batches.list(limit=100))


def stripe(url: str) -> Iterator[str]:
    from stripe import StripeClient

    client = StripeClient(KEY, base_addresses={"api": url})
    customers = client.v1.customers.list({"limit": 100})
    return (item.id for item in customers.auto_paging_iter())


def gitlab(url: str) -> Iterator[str]:
    from gitlab import Gitlab

    client = Gitlab(url, private_token=KEY)
    return (str(p.id) for p in client.projects.list(iterator=True, per_page=100))


def github(url: str) -> Iterator[str]:
    from github import Auth, Github

    client = Github(auth=Auth.Token(KEY), base_url=url, per_page=100)
    return (str(repo.id) for repo in client.get_user().get_repos())


def airtable(url: str) -> Iterator[str]:
    from pyairtable import Api

    table = Api(KEY, endpoint_url=url).table("appBase", "table")
    return (record["id"] for page in table.iterate(page_size=100) for record in page)


def notion(url: str) -> Iterator[str]:
    from notion_client import Client
    from notion_client.helpers import iterate_paginated_api

    client = Client(auth=KEY, base_url=url)
    return (user["id"] for user in iterate_paginated_api(client.users.list))


def twilio(url: str) -> Iterator[str]:
    from twilio.rest import Client

    client = Client("AC" + "0" * 32, KEY)
    client.api.base_url = url
    return (message.sid for message in client.messages.stream(page_size=100))


def hcloud(url: str) -> Iterator[str]:
    from hcloud import Client

    client = Client(KEY, api_endpoint=url)
    return (str(key.id) for key in client.ssh_keys.get_all())


def aws(url: str) -> Iterator[str]:
    import boto3

    account = {"aws_access_key_id": "id", "aws_secret_access_key": KEY}
    client = boto3.client("lambda", "eu-west-1", endpoint_url=url, **account)
    pages = client.get_paginator("list_functions").paginate()
    return (each["FunctionName"] for page in pages for each in page["Functions"])


def slack(url: str) -> Iterator[str]:
    from slack_sdk import WebClient

    pages = WebClient(KEY, base_url=f"{url}/").conversations_list(limit=100)
    return (channel["id"] for page in pages for channel in page["channels"])


def hub(url: str) -> Iterator[str]:
    from huggingface_hub import HfApi

    return (model.id for model in HfApi(url, token=KEY).list_models(limit=None))


def main(name: str, url: str) -> None:
    """List with a client, and print what came of it."""
    walk: Callable[[str], Iterator[str]] = globals()[name]
    ids: list[str] = []
    error = None
    try:
        for item in itertools.islice(walk(url), ENOUGH):
            ids.append(item)  # noqa: PERF402 - what came before an error counts, too
    except Exception as exception:  # noqa: BLE001 - what it raises is the result
        error = f"{type(exception).__name__}: {exception}"
        if KEY.strip() in "".join(traceback.format_exception(exception)):
            error += f" (the traceback shows {KEY.strip()})"
    print("RESULT", json.dumps({"ids": ids, "error": error}), flush=True)
    os._exit(0)  # not later: some clients wait for their background threads


if __name__ == "__main__":
    main(*sys.argv[1:])
