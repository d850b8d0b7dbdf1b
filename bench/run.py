#!/usr/bin/env python3
"""run.py - every benchmark in one go, as Markdown tables on standard output.

usage: run.py BENCH_CPU BENCH_WIGNER MICROMASER      (`make bench` calls it)

The literal NumPy form and the cpu backend compute the same forward run on one thread, in turn, so that a change of
the clock meets both. Most rounds give the literal form 200 collisions, which cost the same each, and one round all
1000; both losses of that round must agree to 1e-9. The tables of bench_cpu follow, then an evolution to 10^5
collisions, compared in the same way, and last the Wigner function of one state by each method of QuTiP, where that is installed, and by bench_wigner; the values must agree to 1e-8.
"""
import csv
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
COLLISIONS = 1000
COLLISIONS_OF_A_ROUND = 200
LARGEST_DIFFERENCE = 1e-9
EVOLUTION_COLLISIONS = 100000
EVOLUTION_LEVELS = 150
COLLISIONS_OF_AN_EVOLUTION_ROUND = 100
CONFIGURATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "identical_stream.ini")
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
LITERAL = os.path.join(PEERS, "literal_numpy.py")
QUTIP = os.path.join(PEERS, "qutip_wigner.py")
QUTIP_ROUNDS = 3
QUTIP_FAST = ("fft", "clenshaw")  # measured in every round
QUTIP_SLOW = {"iterative": 201, "laguerre": 11}  # measured once, with so many of the 201 values of p
LARGEST_WIGNER_DIFFERENCE = 1e-8
ONE_THREAD = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


def run_json(*command, environment=ONE_THREAD):
    """Runs a command, on one thread unless told otherwise, and returns the JSON object it prints."""
    finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(finished.stdout)


def processor():
    """Name of the processor, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def spread(values, digits):
    """Median, smallest and largest of some values as text."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def compare_with_literal(bench_cpu):
    """Times both forms in turn, checks that they give the same loss, prints the table."""
    literal, ours = [], []
    for _ in range(ROUNDS):
        shortened = run_json(sys.executable, LITERAL, "--collisions", str(COLLISIONS_OF_A_ROUND))
        literal.append(COLLISIONS * shortened["seconds_per_collision"])
        ours.append(run_json(bench_cpu, "forward"))
    full = run_json(sys.executable, LITERAL, "--collisions", str(COLLISIONS))
    forward = run_json(bench_cpu, "forward")
    difference = abs(full["loss"] - forward["loss"])

    seconds = [run["seconds"] for run in ours]
    ratios = [long / short for long, short in zip(literal, seconds)]
    print(f"Processor: {processor()}, {os.cpu_count()} cores\n")
    print("| forward run, N = 120, 1000 collisions, one thread | |\n|---|---|")
    print(f"| literal NumPy, from {COLLISIONS_OF_A_ROUND} collisions a round | {spread(literal, 2)} s |")
    print(f"| literal NumPy, one full run with unitary and eigenvalues | {full['seconds']:.2f} s |")
    print(f"| cpu backend | {spread([1e3 * value for value in seconds], 3)} ms |")
    print(f"| cpu backend is faster | {spread(ratios, 0)} times |")
    print(f"| difference of the two losses | {difference:.1e} |\n", flush=True)
    if not difference <= LARGEST_DIFFERENCE:
        sys.exit(f"run.py: the losses differ: literal {full['loss']!r}, cpu backend {forward['loss']!r}")


class WignerComparison:
    """One state and grid, by bench_wigner and by QuTiP."""

    def __init__(self, bench_wigner, folder):
        self.bench, self.folder = bench_wigner, folder
        self.ours(ONE_THREAD)  # writes the state
        self.difference = 0.0

    def ours(self, environment):
        self.told = run_json(self.bench, self.folder, environment=environment)
        return self.told

    def qutip(self, method, environment, rows=None):
        """Seconds of one method; the values are compared where it has them on the same points."""
        told = self.told
        more = [] if rows is None else [str(rows)]
        result = run_json(
            sys.executable, QUTIP, self.folder, str(told["levels"]), str(told["points"]), repr(told["extent"]),
            method, *more, environment=environment,
        )  # fmt: skip
        self.difference = max(self.difference, result["difference"] or 0.0)
        return result["seconds"]


def compare_with_qutip(bench_wigner, folder):
    """Times all methods of QuTiP against ours, on one thread in turn and then on all, and prints the table."""
    comparison = WignerComparison(bench_wigner, folder)
    ours, peers = [], {method: [] for method in (*QUTIP_FAST, *QUTIP_SLOW)}
    for _ in range(QUTIP_ROUNDS):
        for method in QUTIP_FAST:
            peers[method].append(comparison.qutip(method, ONE_THREAD))
        ours.append(comparison.ours(ONE_THREAD))
    for method, rows in QUTIP_SLOW.items():
        peers[method].append(comparison.qutip(method, ONE_THREAD, rows))
    all_peers = {method: comparison.qutip(method, os.environ) for method in QUTIP_FAST}
    all_ours = comparison.ours(os.environ)

    told = comparison.told
    seconds = [run["seconds_one"] for run in ours]
    fastest = min(peers, key=lambda method: statistics.median(peers[method]))
    print(f"\n| Wigner function, N = {told['levels']}, {told['points']} x {told['points']} points | one thread "
          f"| {told['threads']} threads |\n|---|---|---|")
    for method, values in peers.items():
        print(f"| QuTiP, {method} | {spread(values, 2)} s |"
              + (f" {all_peers[method]:.2f} s |" if method in all_peers else " |"))
    print(f"| mm_wigner | {spread([1e3 * value for value in seconds], 2)} ms | {1e3 * all_ours['seconds_all']:.2f} ms |")
    ratios = [peer / own for peer, own in zip(peers[fastest], seconds)]
    all_fastest = min(all_peers.values())
    print(f"| mm_wigner is faster than QuTiP's fastest | {spread(ratios, 0)} times "
          f"| {all_fastest / all_ours['seconds_all']:.0f} times |")
    print(f"| multiply-adds of mm_wigner | {told['multiply_adds'] / 1e6:.0f} million "
          f"= {100 * ours[-1]['share_of_peak']:.0f} % of the limit in registers | |")
    print(f"| largest difference from QuTiP's values | {comparison.difference:.1e} | |")
    if not comparison.difference <= LARGEST_WIGNER_DIFFERENCE:
        sys.exit("run.py: the Wigner functions differ")


def evolve(program, file, collisions):
    """Runs `micromaser evolve` as a whole process on one thread; returns its seconds and the last ergotropy."""
    start = time.perf_counter()
    subprocess.run(
        [program, "evolve", CONFIGURATION, "--set", f"cavity.levels={EVOLUTION_LEVELS}", "--set", "loss.lambda=1",
         "--params", "0.31,0.145", "--collisions", str(collisions), "--threads", "1", "--backend", "cpu", "--force",
         "-o", file],
        env=ONE_THREAD, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    table = subprocess.run([program, "show", file, "evolution", "--csv"], check=True, stdout=subprocess.PIPE, text=True)
    return seconds, float(list(csv.DictReader(table.stdout.splitlines()))[-1]["ergotropy"])


def compare_evolution(program, folder):
    """Times an evolution in turn with the literal form, which gets a few collisions, and prints the table."""
    file = os.path.join(folder, "evolution.h5")
    literal, ours = [], []
    for _ in range(ROUNDS):
        few = run_json(sys.executable, LITERAL, "--levels", str(EVOLUTION_LEVELS), "--collisions",
                       str(COLLISIONS_OF_AN_EVOLUTION_ROUND), "--tail", "1")  # fmt: skip
        literal.append(EVOLUTION_COLLISIONS * few["seconds_per_collision"])
        ours.append(evolve(program, file, EVOLUTION_COLLISIONS)[0])
    difference = abs(few["ergotropy"] - evolve(program, file, COLLISIONS_OF_AN_EVOLUTION_ROUND)[1])
    ratios = [long / short for long, short in zip(literal, ours)]
    print(f"\n| evolution to {EVOLUTION_COLLISIONS} collisions, N = {EVOLUTION_LEVELS}, one thread | |\n|---|---|")
    print(f"| literal NumPy, from {COLLISIONS_OF_AN_EVOLUTION_ROUND} collisions a round | {spread(literal, 0)} s |")
    print(f"| micromaser evolve, whole process with its file | {spread(ours, 3)} s |")
    print(f"| micromaser evolve is faster | {spread(ratios, 0)} times |")
    print(f"| difference of the two ergotropies after {COLLISIONS_OF_AN_EVOLUTION_ROUND} | {difference:.1e} |", flush=True)
    if not difference <= LARGEST_DIFFERENCE:
        sys.exit("run.py: the evolutions differ")


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: run.py BENCH_CPU BENCH_WIGNER MICROMASER")
    bench_cpu, bench_wigner, program = (os.path.abspath(path) for path in sys.argv[1:])
    compare_with_literal(bench_cpu)
    subprocess.run([bench_cpu], check=True)
    with tempfile.TemporaryDirectory() as folder:
        compare_evolution(program, folder)
        if importlib.util.find_spec("qutip") is None:
            print("\nThe Wigner function is not compared: QuTiP (python3-qutip) is not installed.")
        else:
            compare_with_qutip(bench_wigner, folder)


if __name__ == "__main__":
    main()
