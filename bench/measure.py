"""measure.py - what all comparisons share: peers in processes of their own, rounds taken in turn, spreads, tables.

Whatever is compared is measured one after the other in every round, so that a change of the clock meets all alike;
a ratio is the median of the ratios of the rounds. Slow peers are given a part of the work and their seconds are
multiplied by a factor, which is part of the measurement and told in every table.
"""
import csv
import json
import math
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
CORES = 2  # of every peer, and ours
DENSE = ("literal_numpy",)  # peers whose time goes into products of matrices


def environment(library, threads=CORES, blas_threads=1):
    """Variables that give a process so many threads. Where the work itself is divided among threads or processes,
    a BLAS with threads of its own would only get in their way."""
    counts = {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": blas_threads,
              "MKL_NUM_THREADS": blas_threads}  # fmt: skip
    return {**os.environ, "MICROMASER_LIBRARY": library, "PYTHONWARNINGS": "ignore",
            **{name: str(count) for name, count in counts.items()}}  # fmt: skip


class PeerProcess:
    """serve.py with one peer."""

    def __init__(self, module, library):
        self.module = module
        blas_threads = CORES if module in DENSE else 1
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "peers", "serve.py"), module, str(CORES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(library, CORES, blas_threads))  # fmt: skip

    def ask(self, do, **request):
        self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"run.py: the process of {self.module} ended")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Measurement:
    """A request to one peer; factor: how many times its seconds stand for the whole work, and why."""

    peer: str
    problem: dict
    request: dict
    factor: float = 1.0
    note: str = ""
    seconds: list = field(default_factory=list)
    answer: dict = None
    megabytes: float = None


def take_turns(measurements, library, rounds):
    """Measures all, one after the other in every round, after one call each to compile and warm up."""
    processes = []
    for m in measurements:
        processes.append(PeerProcess(m.peer, library))
        processes[-1].ask("open", problem=m.problem)
        processes[-1].ask(**m.request)
    for _ in range(rounds):
        for m, process in zip(measurements, processes):
            m.answer = process.ask(**m.request)
            m.seconds.append(m.factor * m.answer["seconds"])
    for m, process in zip(measurements, processes):
        m.megabytes = process.ask("memory")["bytes"] / 1e6
        process.close()
    return measurements


def read_chains(program, file):
    """The chains of a result file, as dictionaries of texts."""
    shown = subprocess.check_output([program, "show", file, "chains", "--csv"], text=True)
    return list(csv.DictReader(shown.splitlines()))


# ---------------------------------------------------------------------------------------------------- numbers


def ratios(over, under):
    """Ratio of two peers' seconds in each round; where one has fewer rounds, to the other's median."""
    if len(over) == len(under):
        return [a / b for a, b in zip(over, under)]
    middle = statistics.median(under)
    return [a / middle for a in over]


def fitted_exponent(sizes, seconds):
    """Slope of log seconds over log sizes by least squares over the upper half of the sizes."""
    half = len(sizes) // 2
    x, y = ([math.log(value) for value in values[half:]] for values in (sizes, seconds))
    mean_x, mean_y = statistics.mean(x), statistics.mean(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


# ----------------------------------------------------------------------------------------------------- tables


def number(value):
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{float(f'{value:.3g}'):.0f}"


def duration(seconds):
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{number(seconds / scale)} {unit}"
    return f"{number(seconds / 1e-6)} us"


def spread(values, write=number):
    """Median, smallest and largest of some values as text; the value alone where there is one."""
    if len(values) == 1:
        return write(values[0])
    return f"{write(statistics.median(values))} ({write(min(values))} to {write(max(values))})"


def print_table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)
