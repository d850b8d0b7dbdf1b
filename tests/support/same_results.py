#!/usr/bin/env python3
"""same_results.py - whether two builds of the program give the same results to the last bit, and say the same.

usage: same_results.py OLD NEW [CASE..]
  OLD, NEW  programs; where both have an emulated device beside them (emulation/micromaser), that is compared too

Runs both through twenty configurations and every command, and compares exit codes, what is printed, and every dataset
and attribute of every file, but for times, the commit, and the machine. Meant for changes that only move or rename.
Needs h5py and numpy. Closes with "N passed, N failed".
"""
import csv
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "data")

# A name, sections, and the parameters of one point of it.
BASE = {"cavity": {"levels": "auto"}, "coupling": {"g": "0.8"}, "loss": {"lambda": "1,10"},
        "search": {"starts": "3", "seed": "5"}}  # fmt: skip


def configuration(**sections):
    merged = {name: dict(keys) for name, keys in BASE.items()}
    for name, keys in sections.items():
        name = name.replace("batch", "batch.")
        merged[name] = {**merged.get(name, {}), **keys}
    return "".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
                   for name, keys in merged.items())  # fmt: skip


ONE = {"batch1": {"qubits": "200"}}
TWO = {"batch1": {"qubits": "80"}, "batch2": {"qubits": "120"}}
CASES = {
    "one_batch": (configuration(**ONE), "0.3,0.15"),
    "fixed_levels": (configuration(cavity={"levels": "24"}, **ONE), "0.3,0.15"),
    "few_levels": (configuration(cavity={"levels": "7"}, **ONE), "0.6,0.1"),
    "two_batches": (configuration(**TWO), "0.2,0.1,0.4,0.2"),
    "three_batches": (configuration(batch3={"qubits": "33"}, **TWO), "0.2,0.1,0.4,0.2,0,0.5"),
    "fixed_first": (configuration(batch1={"qubits": "60", "c": "0", "q": "0"}, batch2={"qubits": "90"}), "0.4,0.2"),
    "fixed_between": (configuration(batch3={"qubits": "33"}, batch1={"qubits": "60"},
                                    batch2={"qubits": "9", "c": "0.3", "q": "0.4"}), "0,0,0.4,0.2"),
    "no_coherence": (configuration(**ONE), "0,0.3"),
    "edge": (configuration(**ONE), "0.7,0"),
    "tail_of_one": (configuration(loss={"tail": "1"}, **ONE), "0.3,0.15"),
    "tail_of_all": (configuration(loss={"tail_fraction": "1"}, **TWO), "0.2,0.1,0.4,0.2"),
    "fine_tuned": (configuration(coupling={"g": "0.7853981633974483"}, **ONE), "0,0"),
    "chambers": ("[coupling]\nQ = 1\nm = 16\nepsilon = -0.4,0.1\n[batch.1]\nqubits = 300\n[loss]\nlambda = log:1:100:3\n"
                 "[search]\nstarts = 2\n", "0.31,0.145"),
    "coarse_band": (configuration(numerics={"band_tolerance": "1e-9"}, **TWO), "0.2,0.1,0.4,0.2"),
    "no_rough": (configuration(numerics={"rough_tolerance": "0"}, **TWO), "0.2,0.1,0.4,0.2"),
    "neighbours": (configuration(coupling={"g": "0.7:0.8:3"}, search={"starts": "5", "neighbour_starts": "2"}, **ONE),
                   "0.3,0.15"),
    "excited": (configuration(search={"starts": "6", "excited_starts": "4"}, **TWO), "0,0,0.2,0.5"),
    "agree": (configuration(search={"starts": "12", "agree": "2"}, **ONE), "0.3,0.15"),
    "race": (configuration(search={"starts": "8", "race": "6", "finalists": "2"}, **ONE), "0.3,0.15"),
    "long_batch": (configuration(batch1={"qubits": "3000"}), "0.3,0.15"),
    "paper": (open(os.path.join(DATA, "two_batches.ini")).read(), "0.2,0.1,0.4,0.2"),
}  # fmt: skip

TIMES = {"start_time", "end_time", "git_commit", "host", "description", "description_crc32", "seconds"}
EMULATED = {"one_batch", "two_batches", "fixed_between", "few_levels"}  # an emulated device is slow
FREE = {"fixed_first": "2", "fixed_between": "1", "three_batches": "3"}  # the batch that a landscape is drawn of
LONG = {"paper", "long_batch"}
VERBOSE = bool(os.environ.get("VERBOSE"))  # every command with its exit code


def commands(name, parameters, backend):
    """The command lines of one case, in their order."""
    at = ["--params", parameters]
    on = ["--backend", backend]
    starts = ["--set", "search.starts=1"] if backend == "cuda" else []
    yield ["search", "c.ini", "-o", "s.h5", "--threads", "2", *on, *starts]
    yield ["evaluate", "c.ini", "--set", "loss.lambda=2", *at, "--gradient", *on]
    yield ["evaluate", "c.ini", "--set", "loss.lambda=2", *at, "--gradient", "--json", *on]
    yield ["show", "s.h5", "best", "--csv"]
    if name in LONG:
        return
    yield ["show", "s.h5", "chains", "--csv"]
    yield ["status", "s.h5"]
    yield ["evolve", "c.ini", "--set", "loss.lambda=2", *at, "--collisions", "700", "--states", "0,150,700",
           "--energies", "-o", "e.h5", *on]  # fmt: skip
    yield ["wigner", "e.h5", "--grid", "31,21", "--backend", "cuda" if backend == "cuda" else "cpu"]
    yield ["show", "e.h5"]
    yield ["show", "e.h5", "--json"]
    yield ["steady", "e.h5"]
    yield ["steady", "e.h5", "--json"]
    yield ["robustness", "c.ini", "--set", "loss.lambda=2", *at, "--collisions", "60", "--realisations", "4",
           "--width-c", "0.05", "--width-q", "0.05", "--width-g", "0.01", "-o", "r.h5", *on]  # fmt: skip
    yield ["show", "r.h5"]
    if backend == "cuda":
        return
    yield ["evaluate", "c.ini", "--set", "loss.lambda=2", *at, "--gradient", "--json", "--backend", "reference",
           "--set", "cavity.levels=9"]  # fmt: skip
    yield ["evolve", "s.h5", "--best", "--collisions", "3000", "-o", "b.h5", "--threads", "1"]
    for weight in ("2", "1"):  # the search has chains at one of them
        yield ["landscape", "c.ini", "--grid", "5,4", *at, "-o", "l.h5", "--batch", FREE.get(name, "1"), "--set",
               f"loss.lambda={weight}", "--set", "coupling.g=0.8", "--chains", "s.h5"]  # fmt: skip
    yield ["show", "l.h5"]
    for file in "sebrl":
        yield ["plot", f"{file}.h5", "-o", f"{file}.svg", "--data", f"{file}.txt"]
    yield ["plot", "e.h5", "--what", "state", "-o", "state.svg", "--data", "state.txt"]
    yield ["merge", "s.h5"]
    yield ["search", "c.ini", "-o", "s.h5"]
    yield ["search", "c.ini", "-o", "s.h5", "--set", "search.seed=9"]
    yield ["evaluate", "c.ini", "--params", "2,0.1"]


def scrubbed(text):
    """What was printed, without times."""
    text = re.sub(r"\b\d+(\.\d+)? ?(s|ms|min|h)\b|\b\d+:\d\d:\d\d\b", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:]+Z?", "TIME", text)
    return re.sub(r"\r.*?(\r|$)", "", text)


def same_columns(one, other):
    """Whether two CSV tables agree in the columns that both have: a later build may know more of them."""
    one, other = (list(zip(*csv.reader(io.StringIO(text)))) for text in (one, other))
    one, other = ({column[0]: column[1:] for column in table} for table in (one, other))
    return bool(one) and all(one[name] == other[name] for name in one if name in other)


def contents(path):
    """Everything in an HDF5 file but times, by its name."""
    found = {}

    def take(name, item):
        for key, value in item.attrs.items():
            if key not in TIMES and key not in ("REFERENCE_LIST", "DIMENSION_LIST"):
                found[f"{name}@{key}"] = np.asarray(value).tobytes() if not isinstance(value, str) else value.encode()
        if isinstance(item, h5py.Dataset):
            values = item[()]
            layout = (item.dtype.str, item.shape, item.chunks, item.fletcher32, item.compression)
            found[name] = layout + (repr(values.tolist()) if values.dtype == object else values.tobytes(),)

    with h5py.File(path) as file:
        take("", file)
        file.visititems(take)
    return found


def run(program, arguments, folder):
    finished = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=600,
                              stdin=subprocess.DEVNULL, errors="replace")  # fmt: skip
    return finished.returncode, scrubbed(finished.stdout), scrubbed(finished.stderr)


def compare_files(folders, differences):
    names = [sorted(os.listdir(folder)) for folder in folders]
    if names[0] != names[1]:
        differences.append(f"files: {names[0]} and {names[1]}")
    for name in sorted(set(names[0]) & set(names[1])):
        one, other = (os.path.join(folder, name) for folder in folders)
        if name.endswith(".h5"):
            one, other = contents(one), contents(other)
            for key in sorted(one.keys() | other.keys()):
                if one.get(key) != other.get(key):
                    differences.append(f"{name}: {key} differs")
        elif open(one, "rb").read() != open(other, "rb").read():
            differences.append(f"{name} differs")


def compare(programs, name, text, parameters, backend, top):
    """Differences of two programs in one case."""
    differences = []
    # Both work in a folder of one name, which is in what they print and store.
    folders = [os.path.join(top, f"{name}_{backend}", which, "work") for which in ("old", "new")]
    for folder in folders:
        os.makedirs(folder)
        with open(os.path.join(folder, "c.ini"), "w") as file:
            file.write(text)
    for arguments in commands(name, parameters, backend):
        old, new = (run(program, arguments, folder) for program, folder in zip(programs, folders))
        if VERBOSE:
            print(old[0], " ".join(arguments), old[2][-200:].strip())
        if old != new and not ("--csv" in arguments and old[0] == new[0] and same_columns(old[1], new[1])):
            differences.append(f"micromaser {' '.join(arguments)}: {old} and {new}")
    compare_files(folders, differences)
    return differences


def main():
    if len(sys.argv) < 3 or "" in sys.argv:  # `make same-results` without OLD=PROGRAM
        sys.exit(__doc__)
    programs = [os.path.abspath(program) for program in sys.argv[1:3]]
    emulated = [os.path.join(os.path.dirname(program), "emulation", "micromaser") for program in programs]
    wanted = sys.argv[3:] or list(CASES)
    runs = [(name, "cpu", programs) for name in wanted]
    if all(map(os.path.exists, emulated)):
        runs += [(name, "cuda", emulated) for name in wanted if name in EMULATED]
    failed = 0
    top = tempfile.mkdtemp(prefix="same_results.")
    for name, backend, pair in runs:
        differences = compare(pair, name, *CASES[name], backend, top)
        failed += bool(differences)
        print(f"{name} on {backend}: {'the same' if not differences else 'DIFFERS'}", flush=True)
        for difference in differences[:20]:
            print("    " + difference)
    if not failed:
        shutil.rmtree(top)
    else:
        print(f"kept: {top}")
    print(f"{len(runs) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
