"""faults.py - every fault at every place: the table of faults survived.

    python3 tests/long/faults.py PROGRAM [STRIDE]

Takes about 50 minutes of processor time, shared among the processors. With a STRIDE the faults that are done at every
call of a run are done at every so many-th call. Closes with "N passed, N failed", a row being a test.
"""
import multiprocessing
import os
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "faults")]

import campaign  # noqa: E402
import runs  # noqa: E402

STRIDE = int(sys.argv[2]) if len(sys.argv) > 2 else 1
READ_STRIDE = 25  # a run that resumes reads some thousand times, most of them rows one after the other
WORKERS = len(os.sched_getaffinity(0))
BENCHES = {"quick": lambda: runs.Bench(runs.search(2000)), "slow": lambda: runs.Bench(runs.slow_search())}


def share(count, part):
    """The part of so many tries that a worker does."""
    return (part + 1) * count // WORKERS - part * count // WORKERS


def table_rows():
    """Every row of the table: its bench, its function, and the arguments of each worker."""
    parts = range(WORKERS)
    calls = [range(1 + part * STRIDE, 1000000, WORKERS * STRIDE) for part in parts]
    sizes = [*range(20, 400, 20), *range(400, 3200, 100)]
    ways = [
        ("kill -9 before the n-th call, every n", "kill", False),
        ("kill -9 in the middle of the n-th write, every n", "half", False),
        ("ENOSPC at the n-th call, every n", "ENOSPC", False),
        ("ENOSPC from the n-th call on, every n", "ENOSPC", True),
        ("EIO at the n-th call, every n", "EIO", False),
        ("EIO from the n-th call on, every n", "EIO", True),
        ("the n-th write does half, every n", "short", False),
    ]
    yield "quick", campaign.power_loss, [(share(200, part), part) for part in parts]
    yield "quick", campaign.random_kills, [(share(200, part), part) for part in parts]
    yield "quick", campaign.damaged_files, [(share(1000, part), part) for part in parts]
    yield "slow", campaign.stopped, [(share(40, part), part) for part in parts]
    yield "slow", campaign.out_of_reach, [(share(16, part), part) for part in parts]
    yield "quick", campaign.several_tasks, [(share(60, part), part) for part in parts]
    yield "quick", campaign.two_writers, [(share(30, part),) for part in parts]
    yield "quick", campaign.full_disk, [(sizes[part::WORKERS],) for part in parts]
    yield "quick", campaign.in_a_merge, [(part * STRIDE + 1, WORKERS * STRIDE) for part in parts]
    reads = [range(1 + part * STRIDE * READ_STRIDE, 1000000, WORKERS * STRIDE * READ_STRIDE) for part in parts]
    for forever in (False, True):
        yield "quick", campaign.unreadable, [(numbers, forever) for numbers in reads]
    for fault, action, forever in ways:
        yield "quick", campaign.at_every_call, [(fault, numbers, action, forever) for numbers in calls]


def work(job):
    """One worker's part of a row."""
    kind, function, arguments = job
    bench = BENCHES[kind]()
    try:
        return function(bench, *arguments)
    finally:
        bench.close()


def finish(parts, seconds):
    """Puts the parts of a row together and prints it."""
    tally = parts[0]
    for part in parts[1:]:
        if tally is not None:
            tally.add(part)
    if tally is None:
        print("not tried: a full disk, because this user may not mount a tmpfs", flush=True)
        return None
    tally.print()
    print(f"after {seconds:.0f} s; exit codes {dict(sorted(tally.codes.items()))}", flush=True)
    for note in tally.notes:
        print(f"    {note}", flush=True)
    return tally


def main():
    began = time.monotonic()
    with multiprocessing.Pool(WORKERS) as pool:
        running = [pool.map_async(work, [(kind, function, each) for each in arguments], chunksize=1)
                   for kind, function, arguments in table_rows()]  # fmt: skip
        tallies = [finish(parts.get(), time.monotonic() - began) for parts in running]
    tallies = [tally for tally in tallies if tally is not None]
    failed = sum(not tally.good() for tally in tallies)
    print(f"{len(tallies) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
