#!/usr/bin/env python3
"""emulated.py - the program on the emulated device: a device that is lost in the middle of a run, streams
that are late, both eigenvalue solvers.

usage: emulated.py PROGRAM     (the one on the emulated device lies in emulation/ beside it)

Needs h5py and numpy. Closes with "N passed, N failed".
"""
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "faults")]

import h5py  # noqa: E402

import program  # noqa: E402
from program import run, run_tests, write  # noqa: E402
from records import datasets  # noqa: E402

program.PROGRAM = os.path.join(os.path.dirname(program.PROGRAM), "emulation", "micromaser")

CONFIGURATION = """\
[cavity]
levels = 10
[coupling]
g = 0.8
[batch.1]
qubits = 12
[loss]
lambda = 1,10
[search]
starts = 5
iterations = 8
"""
SEARCH = ("search", "run.ini", "-o", "run.h5", "--backend", "cuda", "--slots", "4", "--quiet")


def run_and_lose(call, *arguments):
    """The device is lost at the call-th call of the CUDA runtime or its libraries, from the start of the program."""
    return run(*arguments, env={**os.environ, "MM_EMULATION_LOSE_DEVICE_AT": f"{call}"})


def rows(path):
    if not os.path.exists(path):
        return 0
    with h5py.File(path) as file:
        return len(file["chains/loss"])


def test_a_search_that_loses_its_device_is_saved_and_gone_on_with():
    write("run.ini", CONFIGURATION)
    assert run(*SEARCH).returncode == 0
    whole = datasets("run.h5")
    chains = rows("run.h5")
    saved = set()
    call = 1
    while True:
        os.unlink("run.h5")
        lost = run_and_lose(call, *SEARCH)
        if lost.returncode == 0:
            break
        told = f"lost at call {call}: exit {lost.returncode}: {lost.stderr}"
        assert lost.stderr.startswith("micromaser: "), told
        saved.add(rows("run.h5"))
        if "is not available" in lost.stderr:  # it was lost before it was taken: as if there were none
            assert lost.returncode == 2 and rows("run.h5") == 0, told
        else:  # the first calls ask for no certain device
            assert lost.returncode == 75 and ("CUDA device 0: " in lost.stderr or call < 5), told
        if rows("run.h5") > 0:
            assert "emulated device" in lost.stderr, told
            assert "run the same command again" in lost.stderr, told
        again = run(*SEARCH)
        assert again.returncode == 0, f"{told}; again: exit {again.returncode}: {again.stderr}"
        assert datasets("run.h5") == whole, f"{told}; the result differs from an undisturbed one"
        assert sorted(os.listdir(".")) == ["run.h5", "run.ini"], os.listdir(".")
        call += 1 + call * 2 // 3
    assert len(saved) > 2 and 0 < sorted(saved)[1] < chains, f"chains saved: {saved} of {chains}"


def test_an_evolution_that_loses_its_device_is_gone_on_with():
    write("run.ini", CONFIGURATION.replace("lambda = 1,10", "lambda = 1"))
    command = ("evolve", "run.ini", "--params", "0.3,0.1", "--collisions", "3000", "--backend", "cuda", "-q")
    whole = run(*command, "-o", "whole.h5")
    assert whole.returncode == 0, whole.stderr
    lost = run_and_lose(800, *command, "-o", "run.h5")
    assert lost.returncode == 75 and "CUDA device 0: cudaErrorLaunchFailure" in lost.stderr, lost
    again = run(*command, "-o", "run.h5", "--resume")
    assert again.returncode == 0, again.stderr
    with h5py.File("run.h5") as file, h5py.File("whole.h5") as other:
        for name in ("k", "energy", "ergotropy", "purity"):
            assert (file["evolution"][name][...] == other["evolution"][name][...]).all(), name


def test_checked_solutions_give_the_same_results():
    batches = "[batch.1]\nqubits = 30\n[batch.2]\nqubits = 20\nc = 0.3\nq = 0.4\n[batch.3]\nqubits = 25\n"
    narrow = CONFIGURATION.replace("levels = 10", "levels = auto").replace("starts = 5\niterations = 8", "starts = 1\niterations = 1")
    for configuration in (CONFIGURATION, narrow.replace("[batch.1]\nqubits = 12\n", batches)):
        write("run.ini", configuration)
        for solver in ("cusolver", "tridiagonal"):
            assert run(*SEARCH, "--eigen-solver", solver, "--force").returncode == 0
            plain = datasets("run.h5")
            checked = run(*SEARCH, "--eigen-solver", solver, "--check-eigen", "--force")
            assert checked.returncode == 0, checked.stderr
            assert datasets("run.h5") == plain, solver
            with h5py.File("run.h5") as file:
                assert file["chains"]["eigen_failures"][...].sum() == 0, solver


def test_a_search_is_the_same_whenever_streams_do_their_work():
    write("run.ini", CONFIGURATION)
    for solver in ("cusolver", "tridiagonal"):
        results = []
        for schedule in (0, 1, 2, 3):
            environment = {**os.environ, "MM_EMULATION_STREAMS": f"{schedule}"}
            done = run(*SEARCH, "--eigen-solver", solver, "--force", env=environment)
            assert done.returncode == 0, done.stderr
            results.append(datasets("run.h5"))
        assert all(result == results[0] for result in results), solver


def test_every_backend_ends_at_the_same_optima():
    stream = CONFIGURATION.replace("levels = 10", "levels = 60").replace("qubits = 12", "qubits = 300")
    stream = stream.replace("lambda = 1,10", "lambda = 10").replace("starts = 5\niterations = 8", "starts = 2")
    write("run.ini", stream)
    losses = {}
    for backend, solver in (("cpu", "cusolver"), ("cuda", "cusolver"), ("cuda", "tridiagonal")):
        done = run(*SEARCH, "--backend", backend, "--eigen-solver", solver, "--force")
        assert done.returncode == 0, done.stderr
        with h5py.File("run.h5") as file:
            assert ("tridiagonal" in file.attrs["device"]) == (solver == "tridiagonal"), file.attrs["device"]
            losses[backend, solver] = file["chains"]["loss"][...]
    for found in losses.values():
        assert abs(found - losses["cpu", "cusolver"]).max() < 1e-6, losses


def test_info_tells_of_the_device():
    told = run("info")
    assert told.returncode == 0 and "available: emulated device, 1 device" in told.stdout, told.stdout


sys.exit(run_tests(globals()))
