"""program.py - runs the program for the test scripts, checks its refusals, and runs their tests one by one.

A script that imports it is called as `python3 SCRIPT PROGRAM` and closes with "N passed, N failed".
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PROGRAM = os.path.abspath(sys.argv[1])
TIMEOUT = 300  # seconds; far more than any command takes

# Whoever started the tests in the background may have told them to ignore it; the program would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def write(name, content):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def run(*arguments, **options):
    return subprocess.run(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        timeout=TIMEOUT, text=True, errors="replace", **options,
    )  # fmt: skip


def succeed(*arguments):
    result = run(*arguments)
    assert result.returncode == 0, f"{arguments}: exit {result.returncode}: {result.stderr}"
    return result


def refuse(arguments, *mentions, code=2):
    """The command must end with `code`, one line on stderr that holds `mentions`, and leave no file behind."""
    before = sorted(os.listdir("."))
    result = run(*arguments)
    told = f"{arguments}: exit {result.returncode}: {result.stderr!r} {result.stdout!r}"
    assert result.returncode == code, told
    assert result.stdout == "", told
    assert result.stderr.startswith("micromaser: ") and result.stderr.endswith("\n"), told
    assert result.stderr.count("\n") == 1, told
    for mention in mentions:
        assert mention in result.stderr, f"{told}: does not mention {mention!r}"
    assert sorted(os.listdir(".")) == before, f"{told}: left {os.listdir('.')}"


def wait_for(condition, what):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def catches(process, number):
    """True once the process has a handler for a signal."""
    with open(f"/proc/{process.pid}/status") as file:
        caught = next(line for line in file if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


def start(*arguments):
    return subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def interrupt(number, *arguments):
    """Runs a command and sends it a signal as soon as it would survive it."""
    process = start(*arguments)
    wait_for(lambda: catches(process, number), "the signal handler")
    process.send_signal(number)
    _, told = process.communicate(timeout=TIMEOUT)
    return process.returncode, told


def run_tests(names):
    """Runs every test_* of a script's globals(), each in an empty folder; returns the script's exit code."""
    tests = [(name, test) for name, test in names.items() if name.startswith("test_")]
    failed = 0
    for name, test in tests:
        home = os.getcwd()
        folder = tempfile.mkdtemp(prefix="micromaser_test.")
        os.chdir(folder)
        began = time.monotonic()
        try:
            test()
            print(f"ok     {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # a failed test must not hide the others
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED {name}", flush=True)
        finally:
            os.chdir(home)
            shutil.rmtree(folder)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0
