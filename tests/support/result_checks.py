"""result_checks.py - what the long tests ask of results: every chain there, once, with the bits that it must have."""
import collections
import json
import os

import h5py

from program import run

AXES = {"batch", "parameter", "chain"}  # of /chains, no columns


def status(path):
    """What `micromaser status --json` tells; its exit code must tell the same."""
    result = run("status", path, "--json")
    assert result.returncode in (0, 75), f"status {path}: exit {result.returncode}: {result.stderr}"
    told = json.loads(result.stdout)
    assert told["complete"] == (result.returncode == 0), f"exit {result.returncode}: {result.stdout}"
    return told


def committed(path):
    """Chains that a result file and the journals beside it hold; 0 while there is neither."""
    return status(path)["chains"]["finished"] if run("status", path, "-q").returncode != 2 else 0


def datasets(path):
    """Bytes, shape and type of every dataset of a file."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item.dtype.str, item[()].tobytes())

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return found


def rows(path):
    """The rows of /chains as bytes, all columns one after another: a list for each (g, lambda, start)."""
    found = collections.defaultdict(list)
    with h5py.File(path, "r") as file:
        columns = {name: item[()] for name, item in sorted(file["chains"].items()) if name not in AXES}
    for row in range(len(columns["loss"])):
        key = tuple(int(columns[name][row]) for name in ("g_index", "lambda_index", "start"))
        found[key].append(b"".join(values[row].tobytes() for values in columns.values()))
    return found


def compare(path, undisturbed):
    """(lost, duplicated, wrong) chains of a result beside an undisturbed one. If there are none, every dataset must
    have the same bytes."""
    found, expected = rows(path), rows(undisturbed)
    lost = len(expected.keys() - found.keys())
    duplicated = sum(len(copies) - 1 for copies in found.values())
    wrong = sum(copies[0] != expected[key][0] if key in expected else 1 for key, copies in found.items())
    if lost == duplicated == wrong == 0:
        one, other = datasets(path), datasets(undisturbed)
        different = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        assert not different, f"{path}: other bytes in {different}"
    return lost, duplicated, wrong


def beside(path):
    """What lies beside a result that belongs to it."""
    folder, name = os.path.split(os.path.abspath(path))
    return sorted(entry for entry in os.listdir(folder) if name in entry and entry != name)


def print_row(fault, times, lost, unreadable, wrong, silent_failures):
    """A row of the table of faults survived: how often, committed chains lost, unreadable results, silently wrong
    values, failures with exit status 0; "-" for what was not looked at."""
    print(f"| {fault} | {times} | {lost} | {unreadable} | {wrong} | {silent_failures} |", flush=True)
