"""The price of a walk of 10,000 contexts: `python benchmarks/walk.py`."""

from __future__ import annotations

import json

import gitlab
import openai
import pairs
import requests
import server
import stripe
import urllib3

import wacht

PAGES = 100
CONTEXTS = PAGES * server.PER_PAGE
PATH = "/ai/execution-contexts"
HEADERS = {"Authorization": "Bearer key"}


def with_wacht(url: str) -> int:
    with wacht.Session("key", base_url=url, throttle=None) as session:
        return sum(1 for _ in session.iter_execution_contexts())


def with_requests(url: str) -> int:
    count, page, more = 0, 0, True
    with requests.Session() as session:
        while more:
            page += 1
            params = {"page": page, "per_page": server.PER_PAGE}
            response = session.get(
                url + PATH, params=params, headers=HEADERS, timeout=30
            )
            document = response.json()
            count += len(document["data"])
            more = document["has_more"]
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
        return sum(1 for _ in client.projects.list(iterator=True, per_page=100))


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
        for walk in (with_wacht, *CLIENTS.values()):
            assert walk(url) == CONTEXTS, walk
        others = {n: lambda walk=walk: walk(url) for n, walk in CLIENTS.items()}
        ratios = pairs.compare(lambda: with_wacht(url), others)
        with pairs.without_msgspec():
            bare = {"requests and json, bare; ours without msgspec": others[BARE]}
            ratios |= pairs.compare(lambda: with_wacht(url), bare)
    print(pairs.table(pairs.heading("Walk", *names), ratios))


if __name__ == "__main__":
    main()
