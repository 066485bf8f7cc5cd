"""
One rate limit for several processes or machines, with pyrate-limiter as the throttle.

    python -m pip install pyrate-limiter filelock redis

A throttle is any object with a method `slot`. This one keeps its places in a bucket of
pyrate-limiter: in a file for the processes of one machine, or in Redis for several
machines. Each request reserves the next free place, so the workers take turns. The lock
makes reading the clock and reserving a place one step.
"""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock
from pyrate_limiter import AbstractBucket, Rate, RateItem, RedisBucket, SQLiteBucket
from redis import Redis

import wacht

# Requests and milliseconds: 18 a second, evenly spaced so that no worker takes them all
# at once, and 100 a minute. Both leave a little room, since the network may delay one
# request more than the next.
RATES = [Rate(1, 53), Rate(100, 60_500)]
LOCK_TIMEOUT = 5  # seconds; after that, something is wrong with the file or with Redis


class SharedBudget:
    """
    Pace a session together with everyone who uses the same bucket.
    """

    def __init__(
        self, bucket: AbstractBucket, lock: AbstractContextManager[object]
    ) -> None:
        self._bucket = bucket
        self._lock = lock

    @contextmanager
    def slot(self, sleep: Callable[[float], None] = time.sleep) -> Generator[None]:
        """
        Reserve the next free place, and wait for it.
        """
        if seconds := self._reserve():
            sleep(seconds)
        yield

    def _reserve(self) -> float:
        with self._lock:
            now = self._bucket.now()
            self._bucket.leak(now)
            item = RateItem("wacht", now)
            while not self._bucket.put(item):
                wait = max(self._bucket.waiting(item), 1)
                item = RateItem("wacht", item.timestamp + wait)
        return (item.timestamp - now) / 1000


def budget_in_file(path: Path) -> SharedBudget:
    """
    Share a budget among the processes of this machine.
    """
    bucket = SQLiteBucket.init_from_file(RATES, db_path=str(path))
    return SharedBudget(bucket, FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT))


class RedisClockBucket(RedisBucket):
    """
    A bucket that uses the clock of Redis, because the clocks of machines differ.
    """

    def now(self) -> int:
        """
        Ask Redis for its time, in milliseconds.
        """
        seconds, microseconds = self.redis.time()
        return seconds * 1000 + microseconds // 1000


def budget_in_redis(redis: Redis, name: str) -> SharedBudget:
    """
    Share a budget among machines; use another name for each API key.
    """
    bucket = RedisClockBucket.init(RATES, redis, name)
    lock = redis.lock(
        f"{name}:lock", timeout=LOCK_TIMEOUT, blocking_timeout=LOCK_TIMEOUT, sleep=0.01
    )
    return SharedBudget(bucket, lock)


if __name__ == "__main__":
    with wacht.Session(throttle=budget_in_file(Path("wacht-budget.sqlite"))) as session:
        for context in session.iter_execution_contexts():
            print(context.id)
