#!/usr/bin/env python3
"""readers_page.py - the Python examples of data/README.md do what they say.

usage: readers_page.py PROGRAM

Runs the commands of the page on a smaller problem, then its examples; the one with xarray where xarray and netCDF4 are
installed. Needs h5py and numpy. Closes with "N passed, N failed".
"""
import contextlib
import importlib.util
import io
import os
import re
import shlex
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from program import run_tests, succeed  # noqa: E402

DATA = os.path.join(TESTS, os.pardir, "data")
LINES = 10  # "in ten lines", blank ones and comments apart

with open(os.path.join(DATA, "README.md")) as page:
    PAGE = page.read()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def make_files():
    """Runs the commands of the page, made smaller."""
    smaller = {
        "search": ["--set", "batch.1.qubits=60", "--set", "loss.tail=12", "--set", "search.starts=2"],
        "evolve": [],
    }
    commands = re.findall(r"^    micromaser (.*)$", PAGE, re.M)
    assert len(commands) == 2, commands
    for command in commands:
        arguments = shlex.split(command.replace("identical_stream.ini", os.path.join(DATA, "identical_stream.ini")))
        arguments = ["2000" if argument == "100000" else argument for argument in arguments]
        succeed(*arguments, *smaller[arguments[0]])


def output_of(example):
    code = [line for line in example.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= LINES + 1, f"{len(code)} lines"  # the import is not counted
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(example, "data/README.md", "exec"), {})
    return printed.getvalue().splitlines()


def test_h5py_example():
    make_files()
    printed = output_of(EXAMPLES[0])
    with h5py.File("result.h5") as result, h5py.File("evolution.h5") as evolution:
        lambdas, final, loss = result["grid/lambda"][()], result["best/final"][0, :, 0], result["best/loss"][0]
        ergotropy = evolution["evolution/ergotropy"][:, -1]
    expected = [
        f"lambda = {lam:g}: c = {c:.5f}, q = {q:.5f}, loss {value:.6f}"
        for lam, (c, q), value in zip(lambdas, final, loss)
    ]
    expected += [f"lambda = {lam:g}: W = {W:.5f}, Tr rho = 1.000000" for lam, W in zip(lambdas, ergotropy)]
    assert printed == expected, printed


def test_xarray_example():
    if not all(importlib.util.find_spec(name) for name in ("xarray", "netCDF4")):
        print("left out: xarray or netCDF4 is not installed")
        return
    make_files()
    printed = output_of(EXAMPLES[1])
    with h5py.File("result.h5") as result, h5py.File("evolution.h5") as evolution:
        assert float(printed[0]) == result["best/ergotropy"][0, 1]
        nearest = abs(evolution["evolution/k"][()] - 1000).argmin()
        assert printed[1] == str(evolution["evolution/ergotropy"][:, nearest])
        beyond = evolution["evolution/population"][:, -1, 16:].sum(axis=1)
    np.testing.assert_allclose(np.array(printed[2].strip("[]").split(), float), beyond, rtol=1e-6, atol=1e-12)


def test_there_are_two_examples():
    assert len(EXAMPLES) == 2 and "h5py" in EXAMPLES[0] and "xarray" in EXAMPLES[1]


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
