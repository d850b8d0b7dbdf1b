#!/usr/bin/env python3
"""run.py - every benchmark in one go, as Markdown tables on standard output.

usage: run.py BENCH_CPU      (`make bench` calls it)

The literal NumPy form and the cpu backend compute the same forward run on one thread, in turn, so that a change of
the clock meets both. Most rounds give the literal form 200 collisions, which cost the same each, and one round all
1000; both losses of that round must agree to 1e-9. The tables of bench_cpu follow.
"""
import json
import os
import platform
import statistics
import subprocess
import sys

ROUNDS = 5
COLLISIONS = 1000
COLLISIONS_OF_A_ROUND = 200
LARGEST_DIFFERENCE = 1e-9
LITERAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "literal_numpy.py")
ONE_THREAD = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


def run_json(*command):
    """Runs a command on one thread and returns the JSON object it prints."""
    finished = subprocess.run(command, env=ONE_THREAD, stdout=subprocess.PIPE, check=True)
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


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: run.py BENCH_CPU")
    bench_cpu = os.path.abspath(sys.argv[1])
    compare_with_literal(bench_cpu)
    subprocess.run([bench_cpu], check=True)


if __name__ == "__main__":
    main()
