"""
The price of a walk of 10,000 contexts: `python benchmarks/walk.py`.

This package walks with its defaults: plain pages by page, and the proof by offset.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gitlab
import openai
import pairs
import requests
import server
import stripe
import urllib3

import wacht

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = 100
CONTEXTS = PAGES * server.PER_PAGE
PATH = "/ai/execution-contexts"
OFFSET_PATH = "/offset"
HEADERS = {"Authorization": "Bearer key"}


def with_wacht(url: str) -> int:
    with wacht.Session("key", base_url=url, throttle=None) as session:
        return sum(1 for _ in session.iter_execution_contexts())


def with_wacht_by_offset(url: str) -> int:
    with wacht.Session("key", base_url=url, throttle=None, path=OFFSET_PATH) as session:
        return sum(1 for _ in session.iter_execution_contexts())


def with_requests(url: str) -> int:
    return _requests_loop(url + PATH, lambda n: {"page": n + 1, "per_page": 100})


def with_requests_by_offset(url: str) -> int:
    return _requests_loop(
        url + OFFSET_PATH, lambda n: {"offset": n * 100, "limit": 100}
    )


def _requests_loop(url: str, query: Callable[[int], dict[str, int]]) -> int:
    count, number, more = 0, 0, True
    with requests.Session() as session:
        while more:
            response = session.get(
                url, params=query(number), headers=HEADERS, timeout=30
            )
            document = response.json()
            count += len(document["data"])
            more = document["has_more"]
            number += 1
    return count


def with_urllib3(url: str) -> int:
    count, page, more = 0, 0, True
    with urllib3.PoolManager(headers=HEADERS) as pool:
        while more:
            page += 1
            fields = {"page": str(page), "per_page": str(server.PER_PAGE)}
            document = json.loads(pool.request("GET", url + PATH, fields=fields).data)
            count += len(document["data"])
            more = document["has_more"]
    return count


def with_openai(url: str) -> int:
    with openai.OpenAI(api_key="key", base_url=f"{url}/v1") as client:
        return sum(1 for _ in client.files.list(limit=100))


def with_stripe(url: str) -> int:
    client = stripe.StripeClient("key", base_addresses={"api": url})
    pages = client.v1.customers.list({"limit": 100})
    return sum(1 for _ in pages.auto_paging_iter())


def with_gitlab(url: str) -> int:
    with gitlab.Gitlab(url, private_token="key") as client:
        return sum(1 for _ in client.topics.list(iterator=True, per_page=100))


BARE = "requests and json, bare"
CLIENTS = {
    BARE: with_requests,
    "urllib3 and json, bare": with_urllib3,
    "openai": with_openai,
    "stripe": with_stripe,
    "python-gitlab": with_gitlab,
}


def main() -> None:
    names = ("requests", "urllib3", "openai", "stripe", "python-gitlab", "msgspec")
    with server.running(PAGES) as url:
        by_offset = (with_wacht_by_offset, with_requests_by_offset)
        for walk in (with_wacht, *by_offset, *CLIENTS.values()):
            assert walk(url) == CONTEXTS, walk
        others = {n: lambda walk=walk: walk(url) for n, walk in CLIENTS.items()}
        plain = {BARE: lambda: with_requests_by_offset(url)}
        bare = {BARE: others[BARE]}
        by_page = pairs.compare(lambda: with_wacht(url), others)
        proof = pairs.compare(lambda: with_wacht_by_offset(url), plain)
        with pairs.without_msgspec():
            without = {
                "by page": pairs.compare(lambda: with_wacht(url), bare),
                "by offset": pairs.compare(lambda: with_wacht_by_offset(url), plain),
            }
    tables = {
        "By page, plain pages": by_page,
        "By offset, with the proof": proof,
        **{f"Without msgspec, {name}": each for name, each in without.items()},
    }
    print(pairs.heading("Walk", *names), "\n")
    for title, each in tables.items():
        print(pairs.table(title, each))


if __name__ == "__main__":
    main()
