"""runs.py - runs the program with faults, and checks what became of its chains.

After a fault, the chains that were committed are looked for in the files; then the same command is run again without
faults, and all that its result file holds is compared with that of an undisturbed run, bit by bit.
"""
import atexit
import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import time

from disk_log import Disk, read_log
from program import PROGRAM, TIMEOUT, run, write
from records import compare_result, datasets, journals_of, read_journal, read_result
from result_checks import print_row


def search(starts, levels=4, qubits=2):
    """A search of 4 * starts chains of little work each."""
    return (
        f"[cavity]\nlevels = {levels}\n[coupling]\ng = 0.7,0.8\n[batch.1]\nqubits = {qubits}\n"
        f"[loss]\nlambda = 1,10\n[search]\nstarts = {starts}\niterations = 3\n"
    )


def slow_search():
    """A search that takes some seconds, to be disturbed from outside."""
    return search(500, levels=12, qubits=400)


COMMAND = ("search", "run.ini", "-o", "run.h5", "--threads", "1", "--quiet")
LOCK = "run.h5.lock"  # stays behind a whole result if its removal failed; it does not hinder anybody
CLOCK = 1e-4  # seconds that every look at a clock takes in a disturbed run; an evaluation looks some six times


class Tally:
    """A row of the table of faults survived."""

    def __init__(self, fault):
        self.fault = fault
        self.states = self.lost = self.unreadable = self.wrong = self.zero = 0
        self.codes = {}  # exit codes of the disturbed runs
        self.outcomes = {}  # of damage: detected, harmless
        self.notes = []

    def note(self, text):
        if len(self.notes) < 20:
            self.notes.append(text)

    def print(self):
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        fault = self.fault + (f" ({outcomes})" if outcomes else "")
        print_row(fault, self.states, self.lost, self.unreadable, self.wrong, self.zero)

    def good(self):
        return self.states > 0 and not (self.lost or self.unreadable or self.wrong or self.zero or self.notes)

    def add(self, other):
        for name in ("states", "lost", "unreadable", "wrong", "zero"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, others in ((self.codes, other.codes), (self.outcomes, other.outcomes)):
            for name, count in others.items():
                mine[name] = mine.get(name, 0) + count
        self.notes += other.notes


def build_injector(folder):
    library = os.path.join(folder, "fault_injector.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault_injector.c")
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source]
        + ["-o", library, "-lpthread"],
        check=True,
    )
    return library


class Bench:
    """A configuration, its undisturbed result, and folders in memory to run it in."""

    def __init__(self, configuration, slots=4000, fold_every=6):
        """In disturbed runs some 500 chains end between two commits, and there is a fold or two between them."""
        # In memory syncing costs nothing, and what a crash of the machine would leave is worked out from the log.
        home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.home = os.path.realpath(tempfile.mkdtemp(prefix="micromaser_faults.", dir=home))
        atexit.register(self.close)  # also if a test fails
        self.injector = build_injector(self.home)
        self.configuration = configuration
        self.frequent = ("--slots", f"{slots}", "--fold-every", f"{fold_every}", "--patience", "1")
        self.folder = os.path.join(self.home, "run")
        self.result = os.path.join(self.folder, "run.h5")
        self.log = os.path.join(self.home, "log")
        self.clear()
        began = time.monotonic()
        done = self.finish_command()
        self.seconds = time.monotonic() - began
        assert sorted(os.listdir(self.folder)) == ["run.h5", "run.ini"]
        assert done.returncode == 0, done.stderr
        self.reference, numbers = read_result(self.result)
        assert (numbers == range(len(numbers))).all()
        self.reference_datasets = datasets(self.result)
        assert self.reference_datasets["complete"] == 1

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def clear(self, files=None):
        """An empty folder but for the configuration, or one with given files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        write(os.path.join(self.folder, "run.ini"), self.configuration)
        for name, content in (files or {}).items():
            write(os.path.join(self.folder, name), bytes(content))

    def snapshot(self):
        """{name: content} of the folder, but for the configuration."""
        files = {}
        for entry in os.scandir(self.folder):
            if entry.name != "run.ini":
                with open(entry.path, "rb") as file:
                    files[entry.name] = file.read()
        return files

    def environment(self, **faults):
        settings = {"folder": self.folder, "log": self.log, "clock": CLOCK, **faults}
        with contextlib.suppress(FileNotFoundError):
            os.unlink(settings["log"])
        return {
            **os.environ, "LD_PRELOAD": self.injector, "OMP_WAIT_POLICY": "passive",
            **{"MM_FAULT_" + name.upper(): str(value) for name, value in settings.items()},
        }  # fmt: skip

    def start(self, *options, command=COMMAND, **faults):
        return subprocess.Popen(
            [PROGRAM, *command, *options], cwd=self.folder, env=self.environment(**faults), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, errors="replace",
        )  # fmt: skip

    def disturbed(self, *options, command=None, **faults):
        """Runs a command with a fault, the search unless another is given; returns its exit code (negative: signal),
        standard error, calls, and the chains that were committed in it."""
        disk = Disk(self.folder, self.reference, random.Random(0))
        arguments = COMMAND + self.frequent if command is None else command
        process = self.start(*options, command=arguments, **faults)
        _, told = process.communicate(timeout=TIMEOUT)
        calls = read_log(self.log)
        for call in calls:
            disk.take(call)
        return process.returncode, told, calls, disk.committed

    def finish_command(self):
        return run(*COMMAND, cwd=self.folder)

    # ------------------------------------------------------------------------------------------------ checks

    def found(self, tally, what):
        """Numbers of the chains in the files of the folder; those that differ from the undisturbed run are wrong."""
        chains = set()
        for path in [self.result, *journals_of(self.result)]:
            if not os.path.exists(path):
                continue
            try:
                read = compare_result if path == self.result else read_journal
                numbers, wrong = read(path, self.reference)
            except Exception as error:  # whatever h5py says: a user would see the same
                tally.unreadable += 1
                tally.note(f"{what}: {error}")
                continue
            chains.update(numbers.tolist())
            tally.wrong += wrong
            if wrong:
                tally.note(f"{what}: {wrong} wrong values in {path}")
        return chains

    def same_as_reference(self):
        with contextlib.suppress(OSError, KeyError):
            return datasets(self.result) == self.reference_datasets
        return False

    def check(self, tally, what, committed, may_stay=()):
        """After a fault: nothing that was committed is lost, and running again gives the undisturbed result, with no
        other file beside it but those that may stay."""
        tally.states += 1
        lost = committed - self.found(tally, what)
        if lost:
            tally.lost += len(lost)
            tally.note(f"{what}: {len(lost)} of {len(committed)} committed chains lost")
        self.check_end(tally, what, may_stay)

    def check_end(self, tally, what, may_stay=()):
        done = self.finish_command()
        if done.returncode != 0:
            tally.unreadable += 1
            tally.note(f"{what}: running again: exit {done.returncode}: {done.stderr.strip()}")
        elif not self.same_as_reference():
            tally.wrong += 1
            tally.note(f"{what}: running again gives another result")
        left = sorted(set(os.listdir(self.folder)) - {"run.ini", "run.h5", *may_stay})
        if left:
            tally.note(f"{what}: left behind: {left}")

    def check_code(self, tally, what, code, told):
        """The exit status of a disturbed run: 0 only with the whole result on the disk."""
        tally.codes[code] = tally.codes.get(code, 0) + 1
        if code == 0 and not self.same_as_reference():
            tally.zero += 1
            tally.note(f"{what}: exit 0 without the whole result")
        if code not in (0, 1, 2, 75):
            tally.note(f"{what}: ended with {code}")
        if code != 0 and not told.startswith("micromaser: "):
            tally.note(f"{what}: exit {code} and said {told!r}")


