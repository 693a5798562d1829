"""The cores of a process: its own threads on one, what it starts on all."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone knows of it")

# In a process of its own, as nothing takes a thread's cores back.
PROGRAM = """
import json, os, subprocess, sys, threading
from lib.processes.child import ChildProcess
from lib.processes.affinity import keep_to_one_core, usable_cores

def mine(into):
    into.append(sorted(os.sched_getaffinity(0)))

def forbidden(*_):
    raise PermissionError

def childs():
    asks = "import os, sys; os.write(1, str(sorted(os.sched_getaffinity(0))).encode())"
    reading, writing = os.pipe()
    child = ChildProcess([sys.executable, "-c", asks], subprocess.DEVNULL, writing)
    os.close(writing)
    with os.fdopen(reading) as said:
        cores = json.loads(said.read())
    child.end()
    return cores

found = {"before": [sorted(os.sched_getaffinity(0)), childs(), usable_cores()]}
allowed, os.sched_setaffinity = os.sched_setaffinity, forbidden
keep_to_one_core()
found |= {"forbidden": [sorted(os.sched_getaffinity(0)), childs(), usable_cores()]}
os.sched_setaffinity = allowed
keep_to_one_core()
threads = []
thread = threading.Thread(target=mine, args=[threads])
thread.start()
thread.join()
mine(threads)
found |= {"threads": threads, "child": childs(), "usable": usable_cores()}
mine(threads)
try:
    ChildProcess(["/no/such/program"], subprocess.DEVNULL, subprocess.DEVNULL)
except OSError:
    mine(threads)
keep_to_one_core()
found |= {"again": childs()}
print(json.dumps(found))
"""


def _told(cores: set[int]) -> dict[str, list[object]]:
    """What the program says that may use these cores."""
    limited = f"import os; os.sched_setaffinity(0, {cores})\n{PROGRAM}"
    run = subprocess.run(
        [sys.executable, "-c", limited], capture_output=True, text=True, check=True, timeout=60
    )
    told: dict[str, list[object]] = json.loads(run.stdout)
    return told


def test_its_threads_keep_to_one_core_and_its_children_have_all() -> None:
    every = sorted(os.sched_getaffinity(0))
    told = _told(set(every))
    assert told["before"] == told["forbidden"] == [every, every, len(every)]
    first, *others = told["threads"]
    assert first in [[core] for core in every]
    assert others == [first, first, first]
    assert (told["child"], told["again"], told["usable"]) == (every, every, len(every))


def test_where_there_is_one_core_nothing_is_different() -> None:
    one = min(os.sched_getaffinity(0))
    told = _told({one})
    assert told == {
        "before": [[one], [one], 1],
        "forbidden": [[one], [one], 1],
        "threads": [[one]] * 4,
        "child": [one],
        "usable": 1,
        "again": [one],
    }
