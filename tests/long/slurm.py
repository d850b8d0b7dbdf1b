"""slurm.py - a storm on a real Slurm: array and srun jobs, both data/slurm's own, lose processes, are cancelled,
requeued, warned, stopped and continued at random, and are submitted again until their grids are complete.

usage: slurm.py PROGRAM [FAULTS]
Without Slurm it says so and passes.
"""
import os
import random
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

from program import PROGRAM, run_tests, succeed, write
from result_checks import beside, committed, compare, print_row, status
from slurm_cluster import Cluster, lacks

FAULTS = int(sys.argv[2]) if len(sys.argv) > 2 else 72  # of the storm
SEED = 20240607
LONGEST = 900  # seconds until a storm must be over
KINDS = {"array": ["--array=0-2"], "srun": ["--ntasks=2"]}
SEARCH = ["--threads", "1", "--fold-every", "3"]

CONFIG = """
[cavity]
levels = 40
[coupling]
g = 0.55:0.95:5
[batch.1]
qubits = 50
[loss]
lambda = 1,10,100
tail = 10
[search]
starts = 500
seed = 11
"""


class Job:
    """A batch script that is submitted again whenever it is over and its grid is not complete."""

    def __init__(self, cluster, kind, name):
        self.cluster = cluster
        self.name = name
        self.result = f"{name}.h5"
        self.arguments = [*KINDS[kind], f"--job-name={name}", "--cpus-per-task=1", "--time=01:00:00",
                          f"{ROOT}/data/slurm/{kind}.sbatch", "grid.ini", self.result]  # fmt: skip
        self.submitted = 0
        self.most = 0  # chains that were committed once

    def jobs(self):
        lines = self.cluster.ask("squeue", "-h", "-r", "-n", self.name, "-o", "%i %T %r").splitlines()
        return [line.split(None, 2) for line in lines]

    def running(self):
        return [number for number, state, _ in self.jobs() if state == "RUNNING"]

    def processes(self):
        """Those of the program that work on this result and take signals already."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    command = file.read().split(b"\0")
                if os.readlink(f"/proc/{entry}/cwd") == os.getcwd() and command[0] == PROGRAM.encode() and \
                        b"search" in command and self.result.encode() in command:  # fmt: skip
                    found.append(int(entry))
            except OSError:
                pass  # it ended meanwhile
        return found

    def submit(self):
        self.cluster.submit(*self.arguments, MICROMASER=os.path.abspath("micromaser"), RESTARTS_MAX="1000")
        self.submitted += 1

    def hurry(self):
        """Looks for chains that were lost, and hurries what was requeued: Slurm lets it wait for two minutes."""
        now = committed(self.result)
        assert now >= self.most, f"{self.result}: {self.most} chains were committed, {now} are there"
        self.most = now
        for number, _, reason in self.jobs():
            if reason == "BeginTime":
                self.cluster.ask("scontrol", "update", f"JobId={number}", "StartTime=now", check=False)

    def keep_going(self):
        """The same, and submits again what is over and not complete."""
        self.hurry()
        if not self.jobs() and not self.complete():
            self.submit()

    def complete(self):
        return os.path.exists(self.result) and status(self.result)["complete"]

    def is_over(self):
        return self.submitted > 0 and self.complete() and not self.jobs()


# Each returns whether it hit something.


def signal_one(job, number):
    processes = job.processes()
    if not processes:
        return False
    try:
        os.kill(random.choice(processes), number)
    except ProcessLookupError:
        return False
    return True


def kill(job):
    return signal_one(job, signal.SIGKILL)


def terminate(job):
    return signal_one(job, signal.SIGTERM)


def freeze(job):
    processes = job.processes()
    if not processes:
        return False
    process = random.choice(processes)
    try:
        os.kill(process, signal.SIGSTOP)
        time.sleep(random.uniform(0.1, 1.5))
        os.kill(process, signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True


def with_job(job, *command):
    running = job.running()
    if not running or not job.processes():
        return False
    job.cluster.ask(*command, random.choice(running), check=False)
    return True


def cancel(job):
    return with_job(job, "scancel")


def requeue(job):
    return with_job(job, "scontrol", "requeue")


def warn(job):
    return with_job(job, "scancel", "--signal=USR1")


def slay_job(job):
    return with_job(job, "scancel", "--signal=KILL", "--full")


STORM = [kill, kill, kill, freeze, freeze, cancel, requeue, requeue, warn, terminate, slay_job]


def prepare():
    write("grid.ini", CONFIG)
    write("micromaser", f"""#!/bin/sh
command=$1
shift
echo ${{SLURM_RESTART_COUNT:-0}} >>restarts.$SLURM_JOB_NAME
[ $command != search ] || set -- "$@" {' '.join(SEARCH)}
exec {PROGRAM} $command "$@"
""")
    os.chmod("micromaser", 0o755)
    succeed("search", "grid.ini", "-o", "undisturbed.h5", "-q")


def read_logs(name):
    logs = sorted(log for log in os.listdir(".") if log.startswith(f"{name}-") and log.endswith(".log"))
    return "".join(open(log, errors="replace").read() for log in logs)


def restarts(job):
    """How often Slurm started the most restless job of a name again."""
    with open(f"restarts.{job.name}") as file:
        return max(int(line) for line in file)


def show_logs():
    for folder in (".", "cluster", "cluster/log"):
        for name in sorted(os.listdir(folder)):
            if name.endswith((".log", ".out")) and not name.startswith("munged"):
                with open(os.path.join(folder, name), errors="replace") as file:
                    print(f"---- {name}\n{file.read()[-3000:]}")


def storm(cluster):
    """An array job and an srun job side by side; the next ones follow when a grid is complete. Returns all of them."""
    random.seed(SEED)
    faults = dict.fromkeys((fault.__name__ for fault in STORM), 0)
    jobs, over = {}, []
    deadline = time.monotonic() + LONGEST
    while sum(faults.values()) < FAULTS or jobs:
        assert time.monotonic() < deadline, f"not over after {LONGEST} s: {faults}"
        for kind in KINDS:
            if kind not in jobs and sum(faults.values()) < FAULTS:
                jobs[kind] = Job(cluster, kind, f"{kind}{len(over)}")
            elif kind in jobs and jobs[kind].is_over():
                over.append(jobs.pop(kind))
            elif kind in jobs:
                jobs[kind].keep_going()
        if jobs and sum(faults.values()) < FAULTS:
            fault = random.choice(STORM)
            faults[fault.__name__] += fault(random.choice(list(jobs.values())))
        time.sleep(random.uniform(0.0, 0.4))
    return over, faults


def on_a_cluster(work):
    prepare()
    with Cluster("cluster") as cluster:
        try:
            return work(cluster)
        except BaseException:
            show_logs()
            raise


def stop_once(cluster):
    """Jobs that are warned start themselves again until their grid is complete; a cancelled job does not."""
    for kind in KINDS:
        job = Job(cluster, kind, kind)
        job.submit()
        cluster.wait_until(lambda: committed(job.result) > 0 and job.running(), "commits")
        warned = job.running()[0]
        cluster.ask("scancel", "--signal=USR1", warned)
        while job.jobs():
            job.hurry()
            time.sleep(0.2)
        assert compare(job.result, "undisturbed.h5") == (0, 0, 0)
        assert "stopped after" in read_logs(kind) and restarts(job) == 1
    job = Job(cluster, "srun", "cancelled")
    job.submit()
    cluster.wait_until(lambda: committed(job.result) > 0 and job.running(), "commits")
    cluster.ask("scancel", "--name", job.name)
    cluster.wait_until(lambda: not job.jobs(), "the end of the job")
    told = read_logs(job.name)
    assert told.count("micromaser: stopped after") == 2 and restarts(job) == 0, told
    assert 0 < committed(job.result) < status(job.result)["chains"]["total"]


def test_restart():
    on_a_cluster(stop_once)


def test_storm():
    jobs, faults = on_a_cluster(storm)
    hit = sum(faults.values())
    told = ", ".join(f"{count} {name}" for name, count in faults.items())
    print(f"{hit} faults ({told}) in {len(jobs)} grids, submitted {sum(job.submitted for job in jobs)} times")
    counts = [compare(job.result, "undisturbed.h5") for job in jobs]
    lost, duplicated, wrong = (sum(column) for column in zip(*counts))
    print_row("Slurm storm on array and srun jobs: kill, cancel, requeue, stop, warn", hit, lost, 0, wrong, "-")
    assert lost == duplicated == wrong == 0, f"{lost} lost, {duplicated} duplicated, {wrong} wrong"
    assert all(beside(job.result) == [] for job in jobs), [beside(job.result) for job in jobs]


if __name__ == "__main__":
    reason = lacks()
    if reason:
        print(f"Left out: the storm on Slurm: {reason}.\n1 passed, 0 failed")
        sys.exit(0)
    sys.exit(run_tests(globals()))
