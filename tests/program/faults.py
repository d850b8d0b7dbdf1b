"""faults.py - faults done to runs of the program: nothing that was committed is lost.

    python3 tests/program/faults.py PROGRAM

The part that takes less than a minute; tests/long/faults.py does every fault at every place.
"""
import os
import random
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "faults")]

import campaign  # noqa: E402
import runs  # noqa: E402
from program import run_tests  # noqa: E402
from records import wrong_checksums  # noqa: E402

BENCH = runs.Bench(runs.search(2000))
CALLS = len(campaign.count_calls(BENCH))
CHANCE = random.Random(5)


def survive(tally):
    tally.print()
    assert tally.good(), "\n".join(tally.notes)


def some_calls(count):
    """Some calls of a run."""
    return sorted(CHANCE.sample(range(1, CALLS + 1), count))


def test_checksums_are_those_of_the_format():
    BENCH.clear()
    assert BENCH.finish_command().returncode == 0
    assert wrong_checksums(BENCH.result) == 0


def test_killed_at_a_call():
    survive(campaign.at_every_call(BENCH, "kill -9 before a call", some_calls(6), "kill"))
    survive(campaign.at_every_call(BENCH, "kill -9 in the middle of a call", some_calls(6), "half"))


def test_a_call_fails():
    for action in ("ENOSPC", "EIO"):
        survive(campaign.at_every_call(BENCH, f"{action} once", some_calls(4), action))
        survive(campaign.at_every_call(BENCH, f"{action} for ever", some_calls(4), action, forever=True))
    survive(campaign.at_every_call(BENCH, "short write", some_calls(3), "short"))


def test_a_disk_fails_from_the_beginning():
    """A disk that fails before the search has begun is waited for, too, and named."""
    for action in ("ENOSPC", "EIO"):
        tally = campaign.at_every_call(BENCH, f"{action} from the first calls on", (1, 4, 9), action, forever=True)
        survive(tally)
        assert tally.codes == {75: 3}, tally.codes
        tally = campaign.at_every_call(BENCH, f"{action} at one of the first calls", (1, 4, 9), action)
        survive(tally)
        assert tally.codes == {0: 3}, tally.codes


def test_a_read_fails():
    tally = campaign.unreadable(BENCH, sorted(CHANCE.sample(range(1, 40), 4)))
    survive(tally)
    assert set(tally.codes) == {0}, tally.codes
    tally = campaign.unreadable(BENCH, (12, 300), forever=True)  # the latter while journals are looked at
    survive(tally)
    assert set(tally.codes) == {75}, tally.codes


def test_a_merge_is_disturbed():
    survive(campaign.in_a_merge(BENCH, 7, 60))


def test_power_loss():
    survive(campaign.power_loss(BENCH, 8))


def test_killed_at_random():
    survive(campaign.random_kills(BENCH, 6))


def test_stopped():
    bench = runs.Bench(runs.slow_search())
    survive(campaign.stopped(bench, 4))
    survive(campaign.out_of_reach(bench, 1))
    bench.close()


def test_several_processes():
    survive(campaign.two_writers(BENCH, 1))
    survive(campaign.several_tasks(BENCH, 3))


def test_full_disk():
    tally = campaign.full_disk(BENCH, [100, 700])
    if tally is None:
        print("not tried: this user may not mount a tmpfs")
    else:
        survive(tally)


def test_damaged_files():
    survive(campaign.damaged_files(BENCH, 12))


CODE = run_tests(globals())
BENCH.close()
sys.exit(CODE)
