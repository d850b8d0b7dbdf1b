#!/usr/bin/env python3
"""run.py - every benchmark in one go: tables on standard output, JSON and a picture beside them.

usage: run.py [--quick] BUILD RESULTS      (`make bench` calls it with the interpreter of the peers)

BUILD holds the program, the library and bench/. Results go to RESULTS/<date>-<machine>.json and .svg; those of a
quick run, which measures less and repeats less, to BUILD/bench. Fails where a peer disagrees with us.
"""
import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

import compare_peers
import growth
import measure
import picture
from compare_stops import compare_stops
from compare_wigner import compare_wigner
from measure import number, print_table

VERSIONS = ("numpy", "scipy", "numba", "jax", "qutip")
STARTS = 200  # of the comparison of optimisers


def processor():
    """Name of the processor, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def machine():
    return {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version(),
            "versions": {name: importlib.metadata.version(name) for name in VERSIONS}}  # fmt: skip


def measure_cpu(bench_cpu, library):
    """The tables of bench_cpu, printed; their lines."""
    print("measuring: the cpu backend by itself", file=sys.stderr, flush=True)
    tables = subprocess.check_output([bench_cpu], env=measure.environment(library), text=True)
    print(tables, flush=True)
    return tables.splitlines()


def compare_optimizers(library, starts):
    """The figures of compare_optimizers.py, printed as a table."""
    print("measuring: optimisers", file=sys.stderr, flush=True)
    finished = subprocess.run([sys.executable, os.path.join(measure.HERE, "compare_optimizers.py"), str(starts)],
                              env=measure.environment(library), stdout=subprocess.PIPE, check=True)  # fmt: skip
    cases = json.loads(finished.stdout)
    print_table(["case", "optimiser", "starts that reach the best loss", "the paper's", "L >= 0",
                 "evaluations until within 1e-8", "all evaluations for one such start",
                 "all evaluations for one start at the paper's", "failures"],
                [optimizer_row(case, method, told) for case in cases for method, told in case["methods"].items()])  # fmt: skip
    return cases


def optimizer_row(case, method, told):
    runs = told["forward_runs_per_evaluation"]
    each = f" x {runs} runs" if runs else ""
    reached = told["reach_paper"] * case["starts"]
    per_paper = told["evaluations_total"] / reached if reached else None
    count = lambda value: "" if value is None else number(value) + each  # noqa: E731
    return [f"{case['case']}, lambda = {case['lambda']:g}, best {case['best']:.8f}", method,
            f"{100 * told['reach_best']:.1f} %", f"{100 * told['reach_paper']:.1f} %",
            f"{100 * told['end_trivial']:.1f} %", count(told["evaluations_to_best"]),
            count(told["evaluations_per_best"]), count(per_paper), f"{100 * told['failures']:.1f} %"]  # fmt: skip


def print_agreement(agreement):
    print_table(["agrees with micromaser to", "loss", "gradient"],
                [[told["peer"], f"{told['loss']:.1e}", f"{told['gradient']:.1e}"] for told in agreement])  # fmt: skip


def run_all(build, quick):
    """Measures and prints everything; returns what goes into the JSON file."""
    program, library = os.path.join(build, "micromaser"), os.path.join(build, "libmicromaser.so")
    told = machine()
    print(f"Processor: {told['processor']}, {told['cores']} cores. Python {told['python']}, "
          + ", ".join(f"{name} {version}" for name, version in told["versions"].items()) + ".\n", flush=True)  # fmt: skip
    told["agreement"] = compare_peers.check_agreement(library)
    print_agreement(told["agreement"])
    told["rows"] = compare_peers.all_rows(program, library, quick)
    compare_peers.print_rows(told["rows"])
    compare_peers.print_search_details(told["rows"])
    compare_peers.print_memory(told["rows"])
    told["growth"] = growth.measure_growth(library, quick)
    growth.print_growth(told["growth"])
    told["cpu"] = measure_cpu(os.path.join(build, "bench", "bench_cpu"), library)
    told["optimizers"] = compare_optimizers(library, 8 if quick else STARTS)
    told["stops"] = compare_stops(program, quick)
    with tempfile.TemporaryDirectory() as folder:
        told["wigner"] = compare_wigner(os.path.join(build, "bench", "bench_wigner"), library, folder, quick)
    return told


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--quick"]
    quick = len(arguments) < len(sys.argv) - 1
    if len(arguments) != 2:
        sys.exit("usage: run.py [--quick] BUILD RESULTS")
    build, results = (os.path.abspath(path) for path in arguments)
    now = datetime.datetime.now(datetime.timezone.utc)
    told = {"date": now.isoformat(timespec="seconds"), "quick": quick, **run_all(build, quick)}
    name = re.sub(r"[^a-z0-9]+", "-", f"{told['processor']} {told['cores']} cores".lower()).strip("-")
    path = os.path.join(os.path.join(build, "bench") if quick else results, f"{now:%Y-%m-%d}-{name}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".json", "w", encoding="utf-8") as out:
        json.dump(told, out, indent=1)
        out.write("\n")
    picture.draw(path + ".svg", told["rows"], told["growth"])
    print(f"wrote {os.path.relpath(path)}.json and .svg")


if __name__ == "__main__":
    main()
