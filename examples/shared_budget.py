"""
One budget for many processes, or many machines: pyrate-limiter as the throttle.

    python -m pip install wacht pyrate-limiter filelock redis

A throttle is whatever offers one method, `slot`. This one asks a bucket of
pyrate-limiter that lives in a file (for the processes of a machine) or in Redis (for
many machines). The lock makes reading the clock and taking a place one step.
"""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from filelock import FileLock
from pyrate_limiter import AbstractBucket, Rate, RateItem, RedisBucket, SQLiteBucket
from redis import Redis

import wacht

# Requests and milliseconds: the service's limits, the windows wider by what requests
# may be delayed on their way.
RATES = [Rate(20, 1_050), Rate(100, 60_500)]


class SharedBudget:
    """
    Pace a session together with all who use the same bucket.
    """

    def __init__(
        self, bucket: AbstractBucket, lock: AbstractContextManager[object]
    ) -> None:
        self._bucket = bucket
        self._lock = lock

    @contextmanager
    def slot(self, sleep: Callable[[float], None] = time.sleep) -> Generator[None]:
        """
        Wait for a place in the budget.
        """
        while seconds := self._take_or_tell():
            sleep(seconds)
        yield

    def _take_or_tell(self) -> float:
        with self._lock:
            item = RateItem("wacht", self._bucket.now())
            self._bucket.leak(item.timestamp)
            if self._bucket.put(item):
                return 0.0
            return max(self._bucket.waiting(item), 1) / 1000


def budget_in_file(path: Path) -> SharedBudget:
    """
    Share a budget among the processes of this machine.
    """
    bucket = SQLiteBucket.init_from_file(RATES, db_path=str(path))
    return SharedBudget(bucket, FileLock(f"{path}.lock"))


class RedisClockBucket(RedisBucket):
    """
    A bucket that goes by the clock of Redis, since those of machines differ.
    """

    def now(self) -> int:
        """
        Ask Redis for its time, in milliseconds.
        """
        seconds, microseconds = self.redis.time()
        return seconds * 1000 + microseconds // 1000


def budget_in_redis(redis: Redis, name: str) -> SharedBudget:
    """
    Share a budget among machines; give each API key a name of its own.
    """
    bucket = RedisClockBucket.init(RATES, redis, name)
    return SharedBudget(bucket, redis.lock(f"{name}:lock", timeout=5))


if __name__ == "__main__":
    with wacht.Session(throttle=budget_in_file(Path("wacht-budget.sqlite"))) as session:
        for context in session.iter_execution_contexts():
            print(context.id)
