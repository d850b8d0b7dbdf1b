"""mpirun.py - searches under mpirun: 1, 2 and 4 processes, one of them killed, all of them warned.

usage: mpirun.py PROGRAM
Without mpirun it says so and passes.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from program import PROGRAM, TIMEOUT, run_tests, succeed, wait_for, write
from result_checks import beside, committed, compare, print_row, status

COUNTS = (1, 2, 4)

CONFIG = """
[cavity]
levels = 40
[coupling]
g = 0.55:0.95:3
[batch.1]
qubits = 50
[loss]
lambda = 1,10
tail = 10
[search]
starts = 600
seed = 5
"""


def lacks():
    if shutil.which("mpirun") is None:
        return "no mpirun here (Debian: openmpi-bin)"
    version = subprocess.check_output(["mpirun", "--version"], text=True)
    return "" if "Open MPI" in version else f"mpirun is not OpenMPI's: {version.splitlines()[0]}"


def start(count, result):
    names = ("SLURM_", "OMPI_", "PMI")  # of a launcher around this test
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return subprocess.Popen(
        ["mpirun", "--oversubscribe", "--mca", "odls_base_sigkill_timeout", "10", "-n", str(count), PROGRAM, "search",
         "grid.ini", "-o", result, "--threads", "1", "--fold-every", "1"],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def end(process):
    told, _ = process.communicate(timeout=TIMEOUT)
    return process.returncode, told


def at_work(count, result):
    """Starts and waits until every process has committed something or ended; the processes by their rank."""
    process = start(count, result)
    wait_for(lambda: process.poll() is not None or committed(result) > 0 and len(tasks(result)) == count, "commits")
    return process


def tasks(result):
    return {task["task"]: task["pid"] for task in status(result)["tasks"] if task["alive"]}


def finish(count, result):
    code, told = end(start(count, result))
    assert code == 0, f"{count} processes: exit {code}: {told}"
    assert status(result)["complete"]
    assert beside(result) == [], beside(result)
    lost, duplicated, wrong = compare(result, "undisturbed.h5")
    assert lost == duplicated == wrong == 0, f"{lost} lost, {duplicated} duplicated, {wrong} wrong"


def disturb(count, result, what):
    """Runs, disturbs, and runs again to the end. Asserts that nothing is lost."""
    process = at_work(count, result)
    alive = tasks(result)
    before = committed(result)
    if what == "kill":
        os.kill(alive[count - 1], signal.SIGKILL)
    else:
        process.send_signal(signal.SIGUSR1)
    code, told = end(process)
    after = committed(result)
    assert code != 0, f"{count} processes, {what}: exit 0: {told}"
    assert after >= before, f"{count} processes, {what}: {before} chains were committed, {after} are there: {told}"
    assert after < status(result)["chains"]["total"], f"{count} processes, {what}: it was too late: {told}"
    if what == "warn":
        assert code == 75, f"{count} processes, {what}: exit {code}: {told}"
        assert told.count("stopped after") >= 1, told
    finish(count, result)


def prepare():
    write("grid.ini", CONFIG)
    succeed("search", "grid.ini", "-o", "undisturbed.h5", "-q", "--threads", "1")


def test_all_processes():
    prepare()
    for count in COUNTS:
        began = time.monotonic()
        finish(count, f"plain{count}.h5")
        print(f"{count} processes: {time.monotonic() - began:.1f} s")


def test_one_killed():
    prepare()
    for count in COUNTS:
        disturb(count, f"kill{count}.h5", "kill")
    print_row("mpirun, 1, 2, 4 processes: one killed", len(COUNTS), 0, 0, 0, 0)


def test_all_warned():
    prepare()
    for count in COUNTS:
        disturb(count, f"warn{count}.h5", "warn")
    print_row("mpirun, 1, 2, 4 processes: SIGUSR1 to mpirun", len(COUNTS), 0, 0, 0, 0)


if __name__ == "__main__":
    reason = lacks()
    if reason:
        print(f"Left out: mpirun: {reason}.\n1 passed, 0 failed")
        sys.exit(0)
    sys.exit(run_tests(globals()))
