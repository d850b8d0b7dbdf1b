#!/usr/bin/env python3
"""evolve.py - evolve, robustness and steady as their users meet them.

usage: evolve.py PROGRAM

Needs h5py and numpy. Closes with "N passed, N failed".
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from program import interrupt, refuse, run, run_tests, start, succeed, wait_for, write  # noqa: E402
from cli import on_terminal  # noqa: E402

SMALL = """\
[cavity]
levels = 14
[coupling]
g = 0.8
[batch.1]
qubits = 12
[batch.2]
qubits = 5
c = 0.25
q = 0.5
[batch.3]
qubits = 8
[loss]
lambda = 1,10
tail = 6
[search]
starts = 2
iterations = 15
"""
PARAMS = ["--params", "0.3,0.1,0.6,0.2"]
CPU = ["--backend", "cpu"]

# Slow enough to be interrupted: every collision is recorded.
LONG = SMALL.replace("levels = 14", "levels = 60")
LONG_RUN = ["--collisions", "8000", "--every", "2", *CPU]


def literal(levels, g, qubits, collisions):
    """Density matrices after 0, 1, .. collisions, from Eqs. 2 and 4 to 6 as they stand."""
    lower = np.kron(np.diag(np.sqrt(np.arange(1, levels)), 1), np.array([[0, 0], [1, 0]]))
    values, vectors = np.linalg.eigh(lower + lower.T)
    unitary = vectors @ np.diag(np.exp(-1j * g * values)) @ vectors.T
    rho = np.zeros((levels, levels), complex)
    rho[0, 0] = 1
    states = [rho]
    for k in range(collisions):
        c, q = qubits(k)
        x = c * np.sqrt(q * (1 - q))
        joint = unitary @ np.kron(rho, [[q, x], [x, 1 - q]]) @ unitary.conj().T
        rho = joint.reshape(levels, 2, levels, 2).trace(axis1=1, axis2=3)
        states.append(rho)
    return states


def small_qubits(k):
    return (0.3, 0.1) if k < 12 else (0.25, 0.5) if k < 17 else (0.6, 0.2)


def ergotropy(rho):
    levels = np.arange(len(rho))
    return levels @ rho.diagonal().real - levels @ np.sort(np.linalg.eigvalsh(rho))[::-1]


def datasets(path):
    """Every dataset of a file, but for what tells about the run."""
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def assert_same_datasets(one, other):
    one, other = datasets(one), datasets(other)
    assert one.keys() == other.keys(), one.keys() ^ other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype and one[name].shape == other[name].shape, name
        if one[name].dtype != object:
            assert one[name].tobytes() == other[name].tobytes(), name


# ---------------------------------------------------------------------------------------------- evolve


def test_evolution_against_the_literal_form():
    write("small.ini", SMALL)
    for backend in ("cpu", "reference"):
        succeed("evolve", "small.ini", *PARAMS, "--collisions", "40", "--every", "7", "--states", "0,12,30",
                "--energies", "-o", "e.h5", "--force", "--backend", backend)  # fmt: skip
        states = literal(14, 0.8, small_qubits, 40)
        with h5py.File("e.h5", "r") as file:
            k = list(file["evolution/k"])
            assert k == [0, 7, 14, 21, 28, 35, 40]
            for i in range(len(k)):
                rho = states[k[i]]
                energy = np.arange(14) @ rho.diagonal().real
                assert abs(file["evolution/energy"][0, i] - energy) < 1e-12
                assert abs(file["evolution/ergotropy"][0, i] - ergotropy(rho)) < 1e-11
                assert abs(file["evolution/purity"][0, i] - np.trace(rho @ rho).real) < 1e-12
                assert np.allclose(file["evolution/population"][0, i], rho.diagonal().real, atol=1e-13)
            tops = [state[13, 13].real for state in states]
            assert abs(file["evolution/truncation_population"][0, -1] - max(tops)) < 1e-13
            assert list(file["evolution/energy_k"]) == list(range(41))
            energies = [np.arange(14) @ rho.diagonal().real for rho in states]
            assert np.allclose(file["evolution/energy_steps"][0], energies, atol=1e-12)
            assert list(file["state/k"]) == [0, 12, 30, 40]
            for i, number in enumerate([0, 12, 30, 40]):
                assert file["state/density_matrix"].dtype == complex
                assert np.abs(file["state/density_matrix"][0, i] - states[number]).max() < 1e-12
                assert np.allclose(file["state/population"][0, i], states[number].diagonal().real, atol=1e-13)


def test_evolution_file_schema():
    write("small.ini", SMALL)
    succeed("evolve", "small.ini", *PARAMS, "--params", "0,0,0,0", "--label", "one", "--label", "zwei ü",
            "--collisions", "1000", "--energies=100", "-o", "e.h5", *CPU)  # fmt: skip
    with h5py.File("e.h5", "r") as file:
        attributes = dict(file.attrs)
        assert attributes["program"] == "micromaser" and attributes["kind"] == "evolution"
        assert attributes["complete"] == 1 and attributes["backend"] == "cpu" and attributes["seconds"] > 0
        assert attributes["command_line"].startswith("micromaser evolve small.ini --params 0.3,0.1,0.6,0.2")
        assert "collisions = 1000" in attributes["plan"] and "qubits = 12" in attributes["configuration"]
        assert set(file) == {"protocol", "curve", "evolution", "state"}
        assert set(file["curve"]) == {"curve", "batch", "parameter", "g", "lambda", "label", "method", "parameters"}
        assert list(file["curve/label"].asstr()) == ["one", "zwei ü"]
        assert np.array_equal(file["curve/parameters"][0], [[0.3, 0.1], [0.25, 0.5], [0.6, 0.2]])
        assert np.all(np.isnan(file["curve/lambda"])) and list(file["curve/g"]) == [0.8, 0.8]
        assert list(file["protocol/qubits"]) == [12, 5, 8] and list(file["protocol/fixed"]) == [0, 1, 0]
        k = file["evolution/k"][()]
        assert k[0] == 0 and k[-1] == 1000 and np.all(np.diff(k) > 0)
        grid = {round(10 ** (i / 50)) for i in range(151)} | {0}
        assert set(k) == grid
        assert list(file["evolution/energy_k"]) == list(range(0, 1001, 100))

        def check(name, item):
            if not isinstance(item, h5py.Dataset):
                return
            assert item.attrs["long_name"] and item.attrs["units"] in ("1", "hbar omega"), name
            if h5py.h5ds.is_scale(item.id):
                return
            for dimension in item.dims:
                assert len(dimension) == 1 and len(dimension[0]) == item.shape[list(item.dims).index(dimension)], name

        file.visititems(check)
        axes = [dimension[0].name.split("/")[-1] for dimension in file["state/density_matrix"].dims]
        assert axes == ["curve", "k", "level", "level_column"]
        axes = [dimension[0].name.split("/")[-1] for dimension in file["evolution/population"].dims]
        assert axes == ["curve", "k", "level"]


def test_space_grows_with_the_state():
    write("auto.ini", SMALL.replace("levels = 14", "levels = auto"))
    succeed("evolve", "auto.ini", *PARAMS, "--collisions", "3000", "--states", "10", "-o", "auto.h5", *CPU)
    succeed("evolve", "auto.ini", *PARAMS, "--collisions", "3000", "--states", "10", "-o", "fixed.h5", "--levels", "200",
            *CPU)  # fmt: skip
    with h5py.File("auto.h5", "r") as auto, h5py.File("fixed.h5", "r") as fixed:
        levels = auto["evolution/level"].shape[0]
        assert 14 < levels < 200 and auto["state/density_matrix"].shape == (1, 2, levels, levels)
        assert np.allclose(auto["evolution/energy"], fixed["evolution/energy"], atol=1e-10)
        assert np.allclose(auto["evolution/population"], fixed["evolution/population"][:, :, :levels], atol=1e-12)
        assert abs(auto["state/density_matrix"][()] - fixed["state/density_matrix"][:, :, :levels, :levels]).max() < 1e-12
        assert list(auto["evolution/level"]) == list(range(levels))


def test_curves_of_a_result_file():
    write("small.ini", SMALL)
    succeed("search", "small.ini", "-o", "r.h5", *CPU)
    succeed("evolve", "r.h5", "--collisions", "25", "-o", "best.h5", *CPU)
    succeed("evolve", "r.h5", "--chain", "3", "--collisions", "25", "-o", "chain.h5", *CPU)
    with h5py.File("r.h5", "r") as result, h5py.File("best.h5", "r") as best, h5py.File("chain.h5", "r") as chain:
        assert list(best["curve/label"].asstr()) == ["lambda = 1", "lambda = 10"]
        assert list(best["curve/lambda"]) == [1, 10]
        assert np.array_equal(best["curve/parameters"][()], result["best/final"][0])
        assert np.array_equal(chain["curve/parameters"][0], result["chains/final"][3])
        assert np.allclose(best["evolution/ergotropy"][:, -1], result["best/ergotropy"][0], atol=1e-10)
        assert np.allclose(best["evolution/purity"][:, -1], result["best/purity"][0], atol=1e-11)
    result = succeed("evolve", "r.h5", "--best", "--collisions", "25", "-o", "more.h5", "--levels", "40", "--json", *CPU)
    found = json.loads(result.stdout)
    assert [curve["levels"] for curve in found["curves"]] == [40, 40] and found["collisions"] == 25
    refuse(["evolve", "r.h5", "--chain", "4", "--collisions", "25", "-o", "x.h5"], "--chain 4", "4 chains")
    refuse(["evolve", "r.h5", "--set", "loss.lambda=3", "--collisions", "25", "-o", "x.h5"], "r.h5", "lambda")
    refuse(["evolve", "best.h5", "--collisions", "25", "-o", "x.h5"], "best.h5", "search")


def test_methods_agree():
    write("tiny.ini", SMALL.replace("levels = 14", "levels = 7"))
    fast = ["--collisions", "300000", "-o", "fast.h5", *CPU]
    succeed("evolve", "tiny.ini", *PARAMS, *fast)
    succeed("evolve", "tiny.ini", *PARAMS, "--energies=300000", *fast[:2], "-o", "slow.h5", *CPU)
    with h5py.File("fast.h5", "r") as fast, h5py.File("slow.h5", "r") as slow:
        assert list(fast["curve/method"].asstr()) == ["stencil, powers"]
        assert list(slow["curve/method"].asstr()) == ["stencil"]
        for name in ("energy", "ergotropy", "purity", "population"):
            assert np.allclose(fast["evolution"][name], slow["evolution"][name], atol=1e-10, rtol=0), name


def test_powers_on_the_live_block():
    """At a fine-tuned g the border at m = 16 is closed: of 150 levels, or of any number, 16 are live."""
    write("tuned.ini", "[cavity]\nlevels=150\n[coupling]\nQ=1\nm=16\nepsilon=0\n[batch.1]\nqubits=100\n[loss]\nlambda=1\n")
    given = ["evolve", "tuned.ini", "--params", "0.3,0.2", "--collisions", "600000", *CPU, "-o"]
    succeed(*given, "fast.h5")
    succeed(*given, "auto.h5", "--levels", "auto")
    succeed(*given, "slow.h5", "--energies=600000")
    with h5py.File("fast.h5", "r") as fast, h5py.File("auto.h5", "r") as auto, h5py.File("slow.h5", "r") as slow:
        assert [file["curve/method"].asstr()[0] for file in (fast, auto, slow)] == ["powers", "powers", "stencil"]
        assert auto["state/density_matrix"].shape[-1] == 16
        for name in ("energy", "ergotropy", "purity"):
            assert np.allclose(fast["evolution"][name], slow["evolution"][name], atol=1e-10, rtol=0), name
            assert np.allclose(auto["evolution"][name], slow["evolution"][name], atol=1e-10, rtol=0), name
        assert abs(fast["state/density_matrix"][()] - slow["state/density_matrix"][()]).max() < 1e-10
        assert 0 < fast["evolution/band_error"][0, -1] < 1e-9


def test_truncation_is_warned_of():
    write("small.ini", SMALL)
    result = succeed("evolve", "small.ini", *PARAMS, "--collisions", "500", "--levels", "6")
    assert "warning" in result.stderr and "cavity.levels" in result.stderr
    assert os.path.exists("small.evolution.h5")
    assert run("evolve", "small.ini", *PARAMS, "--collisions", "5", "--force", "-q", "--levels", "auto").stderr == ""


# ------------------------------------------------------------------------------- stopping and going on


def test_interrupted_evolution_goes_on_bit_for_bit():
    write("long.ini", LONG)
    arguments = ["evolve", "long.ini", *PARAMS, "--params", "0.1,0.2,0.3,0.4", *LONG_RUN, "--states", "1000,7000"]
    code, told = interrupt(signal.SIGINT, *arguments, "-o", "part.h5")
    assert code == 75, told
    assert "--resume" in told and "part.h5" in told and os.listdir(".").count("part.h5") == 1
    with h5py.File("part.h5", "r") as file:
        assert file.attrs["complete"] == 0
        reached = file["evolution/k"][-1]
        assert reached < 8000 and file["evolution/energy"].shape[1] == len(file["evolution/k"])
    code, told = interrupt(signal.SIGTERM, *arguments, "-o", "part.h5", "--resume")
    assert code == 75, told
    succeed(*arguments, "-o", "part.h5", "--resume", "--threads", "1")
    with h5py.File("part.h5", "r") as file:
        assert file.attrs["complete"] == 1 and "resume" not in file and file["evolution/k"][-1] == 8000
    succeed(*arguments, "-o", "whole.h5", "--threads", "2")
    assert_same_datasets("part.h5", "whole.h5")
    assert sorted(os.listdir(".")) == ["long.ini", "part.h5", "whole.h5"]
    assert "complete already" in succeed(*arguments, "-o", "part.h5", "--resume").stderr


def test_input_that_is_not_complete_is_told():
    """The end of a stopped evolution is not that of the protocol, nor the best of a stopped search its optimum."""
    write("long.ini", LONG)
    succeed("evolve", "long.ini", *PARAMS, "--collisions", "40", "-o", "e.h5", *CPU)
    succeed("search", "long.ini", "-o", "s.h5", "--quiet", *CPU)
    for arguments in (
        ["steady", "e.h5"],
        ["steady", "s.h5", "--collisions", "20", *CPU],
        ["evolve", "s.h5", "--collisions", "20", "-o", "f.h5", "--force", *CPU],
        ["robustness", "s.h5", "--collisions", "20", "--width-c", "0.1", "-o", "r.h5", "--force", *CPU],
    ):
        for complete in (1, 0):
            with h5py.File(arguments[1], "r+") as file:
                file.attrs["complete"] = np.int8(complete)
            told = f"warning: {arguments[1]} is not complete" in succeed(*arguments).stderr
            assert told == (complete == 0), (arguments, complete)


def test_another_evolution_is_not_continued():
    write("long.ini", LONG)
    arguments = ["evolve", "long.ini", *PARAMS, *LONG_RUN, "-o", "part.h5", "--resume"]
    assert interrupt(signal.SIGINT, *arguments)[0] == 75
    before = datasets("part.h5")

    def other(*changes, mentions):
        changed = list(arguments)
        for old, new in changes:
            changed[changed.index(old)] = new
        refuse(changed, "part.h5", *mentions)

    other(("8000", "9000"), mentions=["collisions = 8000", "collisions = 9000"])
    other(("2", "3"), mentions=["every = 2", "every = 3"])
    other(("0.3,0.1,0.6,0.2", "0.3,0.1,0.6,0.3"), mentions=["other protocols"])
    other(("cpu", "reference"), mentions=["cpu", "reference"])
    refuse([*arguments, "--levels", "61"], "part.h5", "levels = 60", "levels = 61")
    refuse([*arguments[:-1]], "part.h5", "exists already", "--resume")
    after = datasets("part.h5")
    assert all(before[name].tobytes() == after[name].tobytes() for name in before if before[name].dtype != object)


def test_bad_files_to_continue():
    write("small.ini", SMALL)
    arguments = ["evolve", "small.ini", *PARAMS, "--collisions", "20", "--resume", *CPU, "-o"]
    write("garbage.h5", os.urandom(3000))
    refuse([*arguments, "garbage.h5"], "garbage.h5")
    with h5py.File("foreign.h5", "w") as file:
        file.attrs["program"] = "other"
    refuse([*arguments, "foreign.h5"], "foreign.h5", "not a file of micromaser")
    succeed("evolve", "small.ini", *PARAMS, "--collisions", "20", "-o", "whole.h5", *CPU)
    with open("whole.h5", "rb") as file:
        write("cut.h5", file.read(4000))
    refuse([*arguments, "cut.h5"], "cut.h5")
    with h5py.File("whole.h5", "r+") as file:
        file.attrs["complete"] = np.int8(0)
    refuse([*arguments, "whole.h5"], "whole.h5", "resume")


def kill_after(saves, command):
    """Kills a run once it has saved so many times; how far its file has come, None if the kill came too late."""
    process = start(*command)
    for _ in range(saves):
        before = os.stat("part.h5").st_ino if os.path.exists("part.h5") else None
        wait_for(lambda: os.path.exists("part.h5") and os.stat("part.h5").st_ino != before, "a save")
    process.kill()
    process.communicate()
    with h5py.File("part.h5", "r") as file:
        if file.attrs["complete"] == 1 or file["resume"].attrs["collisions"] == 8000:
            return None
        assert process.returncode == -signal.SIGKILL and file.attrs["complete"] == 0
        return int(file["resume"].attrs["collisions"])


def kill_in_the_middle(saves, command):
    """The same, again from the same file until the kill comes in time; on a busy machine it may not."""
    before = os.listdir(".")
    kept = open("part.h5", "rb").read() if "part.h5" in before else None
    for _ in range(50):
        collisions = kill_after(saves, command)
        if collisions is not None:
            return collisions
        for name in set(os.listdir(".")) - set(before):
            os.remove(name)
        if kept is not None:
            with open("part.h5", "wb") as file:
                file.write(kept)
    raise AssertionError("no kill came in the middle of the run")


def test_killed_evolution_goes_on_bit_for_bit():
    write("long.ini", LONG)
    arguments = ["evolve", "long.ini", *PARAMS, "--params", "0.1,0.2,0.3,0.4", *LONG_RUN, "--states", "1000,7000"]
    arguments += ["--energies=7", "--save-every", "0", "-o"]
    first = kill_in_the_middle(1, [*arguments, "part.h5"])
    second = kill_in_the_middle(3, [*arguments, "part.h5", "--resume"])
    assert 0 <= first < second < 8000, (first, second)
    left = [name for name in os.listdir(".") if name not in ("long.ini", "part.h5")]
    assert len(left) <= 2, left  # only where the kill came in the middle of a save
    succeed(*arguments, "part.h5", "--resume", "--threads", "1")
    succeed(*arguments, "whole.h5", "--threads", "2")
    assert_same_datasets("part.h5", "whole.h5")


def test_a_run_is_saved_by_one_rename():
    """Whoever looks at the file while it is written sees whole files only, each longer than the one before."""
    write("long.ini", LONG)
    process = start("evolve", "long.ini", *PARAMS, *LONG_RUN, "--save-every", "0", "-o", "e.h5")
    wait_for(lambda: os.path.exists("e.h5"), "a save")
    seen = []
    while process.poll() is None:
        with open("e.h5", "rb") as file, h5py.File(file, "r") as found:
            seen.append(int(found["evolution/k"][-1]))
            assert found["evolution/energy"].shape == (1, len(found["evolution/k"]))
            assert ("resume" in found) == (found.attrs["complete"] == 0)
    process.communicate()
    assert process.returncode == 0 and seen == sorted(seen) and len(set(seen)) > 1, seen


def fill_disk(limit, *arguments):
    """Runs a command that may write no file longer than `limit` bytes."""
    result = run(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert result.stderr.count("\n") == 1 and "e.h5" in result.stderr, result
    return result


def test_full_disk_leaves_nothing_half_written():
    write("long.ini", LONG)
    given = ["evolve", "long.ini", *PARAMS, "--collisions", "2000", "--every", "1", *CPU, "-o", "e.h5"]
    for limit in (100, 3000, 100_000):
        assert fill_disk(limit, *given).returncode == 1
        assert os.listdir(".") == ["long.ini"]
    write("e.h5", "an older file")
    assert fill_disk(100_000, *given, "--force").returncode == 1
    assert open("e.h5").read() == "an older file"
    for limit in range(150_000, 400_000, 50_000):
        result = fill_disk(limit, *given, "--force", "--save-every", "0")
        assert result.returncode == 75 and "--resume instead of --force" in result.stderr, result
        assert sorted(os.listdir(".")) == ["e.h5", "long.ini"]
    saved = open("e.h5", "rb").read()
    result = fill_disk(limit, *given, "--resume")
    assert result.returncode == 75 and "--resume goes on" in result.stderr, result
    assert open("e.h5", "rb").read() == saved
    succeed(*given, "--resume")
    succeed(*given[:-1], "whole.h5")
    assert_same_datasets("e.h5", "whole.h5")


def test_full_file_system():
    write("long.ini", LONG)
    os.mkdir("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", "disk"], stderr=subprocess.PIPE)
    if mounted.returncode != 0:
        print(f"left out: {mounted.stderr.decode().strip()}")
        return
    try:
        given = ["evolve", "long.ini", *PARAMS, "--collisions", "4000", "--every", "1", *CPU, "-o", "disk/e.h5"]
        refuse(given, "disk/e.h5", "No space left", code=1)
        assert os.listdir("disk") == []
        refuse([*given, "--save-every", "0"], "disk/e.h5", "No space left", "--resume", code=75)
        assert os.listdir("disk") == ["e.h5"]
        shutil.copy("disk/e.h5", "e.h5")
    finally:
        subprocess.run(["umount", "disk"], check=True)
    succeed(*given[:-1], "e.h5", "--resume")
    succeed(*given[:-1], "whole.h5")
    assert_same_datasets("e.h5", "whole.h5")


def test_progress_on_a_terminal():
    write("long.ini", LONG)
    code, shown = on_terminal(100, "evolve", "long.ini", *PARAMS, "--collisions", "20000", "--every", "5", *CPU, "-o", "e.h5")
    assert code == 0 and "/20000 collisions" in shown and " left" in shown
    code, shown = on_terminal(100, "robustness", "long.ini", *PARAMS, "--collisions", "200", "--width-c", "0.1", "-o", "r.h5")
    assert code == 0 and "/100 realisations" in shown


# -------------------------------------------------------------------------------------------- bad usage


def test_bad_usage_of_evolve():
    write("small.ini", SMALL)
    given = ["evolve", "small.ini", "-o", "e.h5"]
    refuse([*given, *PARAMS], "--collisions")
    refuse([*given, "--collisions", "10"], "--params")
    refuse([*given, *PARAMS, "--collisions", "10", "--save-every", "soon"], "--save-every", "soon", "86400")
    refuse([*given, "--collisions", "10", "--best"], "--best")
    refuse([*given, *PARAMS, "--collisions", "10", "--chain", "1"], "choose one")
    for number in ("0", "-1", "1000000001", "1e5", "x", ""):
        refuse([*given, *PARAMS, "--collisions", number], "--collisions")
    refuse([*given, "--collisions", "10", "--params", "0.3,0.1"], "4 values needed", "2 given")
    refuse([*given, "--collisions", "10", "--params", "0.3,0.1,0.6,1.2"], "value 4", "1.2")
    refuse([*given, *PARAMS, "--collisions", "10", "--states", "5,11"], "--states: 11 is", "0 .. 10")
    refuse([*given, *PARAMS, "--collisions", "2000", "--states", "0:1000:1001"], "1001 values; allowed are 1000")
    refuse([*given, *PARAMS, "--collisions", "10", "--states", "x"], "--states")
    refuse([*given, *PARAMS, "--collisions", "10", "--states", "1,2", "--states", "5"], "--states is given twice")
    refuse([*given, *PARAMS, "--collisions", "10", "--per-decade", "0"], "--per-decade")
    refuse([*given, *PARAMS, "--collisions", "10", "--per-decade", "5", "--every", "2"], "choose one")
    refuse([*given, *PARAMS, "--collisions", "10", "--label", "a", "--label", "b"], "--label")
    refuse([*given, *PARAMS, "--collisions", "10", "--levels", "1"], "cavity.levels")
    refuse([*given, *PARAMS, "--collisions", "10", "--resume", "--force"], "choose one")
    for protocol in (PARAMS, ["--best"], []):
        refuse(["evolve", "missing.h5", *protocol, "--collisions", "10"], "missing.h5: cannot be read: No such file")
    refuse(["evolve", "small.ini", *PARAMS, "--collisions", "10", "-o", "small.ini", "--force"], "small.ini", "both input")
    refuse(["evolve", "small.ini", *PARAMS, "--collisions", "10", "-o", "no/e.h5"], "no/e.h5")
    with h5py.File("foreign.h5", "w") as file:
        file.attrs["program"] = "other"
    told = succeed("search", "small.ini", "--set", "search.starts=1", "--set", "loss.lambda=1", "-o", "one.h5").stderr
    assert "1 of 1 chain finished" in told, told
    refuse(["evolve", "one.h5", "--chain", "1", "--collisions", "10"], "--chain 1: there is 1 chain, numbered from 0")
    refuse(["evolve", "foreign.h5", "--collisions", "10", "-o", "e.h5"], "foreign.h5", "not a file of micromaser")
    write("cut.h5", b"\211HDF\r\n\032\n" + b"\0" * 100)
    refuse(["evolve", "cut.h5", "--collisions", "10", "-o", "e.h5"], "cut.h5")


# ------------------------------------------------------------------------------------------- robustness

NOISE = ["--width-c", "0.05", "--width-q", "0.1", "--width-g", "0.02"]


def test_robustness_file():
    write("small.ini", SMALL)
    arguments = ["robustness", "small.ini", *PARAMS, "--params", "0,0,1,1", *NOISE, "--collisions", "30", "--every", "10",
                 "--realisations", "40", "--seed", "5"]  # fmt: skip
    found = json.loads(succeed(*arguments, "--json", "-o", "a.h5", "--threads", "1").stdout)
    succeed(*arguments, "-o", "b.h5", "--threads", "2")
    assert_same_datasets("a.h5", "b.h5")
    with h5py.File("a.h5", "r") as file:
        group = file["robustness"]
        assert file.attrs["kind"] == "robustness" and file.attrs["complete"] == 1
        assert list(group["k"]) == [0, 10, 20, 30]
        assert list(group["quantile"]) == [0.05, 0.25, 0.5, 0.75, 0.95]
        assert group.attrs["noise"] == "gaussian" and group.attrs["realisations"] == 40
        assert group.attrs["c_width"] == 0.05 and group.attrs["noise_seed"] == 5
        assert list(group["drawn"]) == [1200, 1200] and group.attrs["drawn"] == 2400
        assert group["clipped_c"][1] > 300 and group["clipped_c"][0] < group["clipped_c"][1]
        for name in ("energy", "ergotropy", "purity"):
            mean, deviation = group[name + "_mean"][()], group[name + "_standard_deviation"][()]
            quantile = group[name + "_quantile"][()]
            assert mean.shape == (2, 4) and quantile.shape == (2, 4, 5)
            assert np.all(np.diff(quantile, axis=2) >= 0) and np.all(deviation[:, 0] == 0)
            assert np.all(deviation[:, 1:] > 0)
            assert found["curves"][0][name]["mean"] == mean[0, -1]
            assert len(group[name + "_quantile"].dims[2]) == 1
    succeed(*arguments[:-1], "6", "-o", "c.h5")
    with h5py.File("a.h5", "r") as one, h5py.File("c.h5", "r") as other:
        assert one["robustness/energy_mean"][0, -1] != other["robustness/energy_mean"][0, -1]
    succeed(*arguments, "-o", "reference.h5", "--backend", "reference")
    with h5py.File("a.h5", "r") as one, h5py.File("reference.h5", "r") as other:
        for name in ("energy_mean", "ergotropy_quantile", "purity_standard_deviation"):
            assert np.allclose(one["robustness"][name], other["robustness"][name], atol=1e-10)


def test_draws_once_a_batch_are_counted_once():
    write("small.ini", SMALL)
    for collisions, batches in (("30", 3), ("13", 2)):
        result = succeed("robustness", "small.ini", "--params", "0,0,1,1", "--width-c", "0.1", "--width-q", "0.1",
                         "--per-batch", "--collisions", collisions, "--realisations", "200", "-o", "r.h5", "--force")  # fmt: skip
        with h5py.File("r.h5", "r") as file:
            group = file["robustness"]
            drawn, c, q = (group[name][0] for name in ("drawn", "clipped_c", "clipped_q"))
        at_bound = 200 * (batches - 1)  # all but those of the second batch; clipped half of the time
        assert drawn == 200 * batches and all(0.35 < count / at_bound < 0.65 for count in (c, q)), (drawn, c, q)
        assert f"of {drawn} drawn pairs, {c} values of c and {q} of q left" in result.stderr, result


def test_interrupted_robustness_keeps_what_is_done():
    write("long.ini", LONG)
    code, told = interrupt(signal.SIGHUP, "robustness", "long.ini", *PARAMS, *NOISE, "--collisions", "20000",
                           "--realisations", "100000", "-o", "r.h5", "--threads", "2")  # fmt: skip
    assert code in (1, 75), told  # 1: no realisation was done yet, and nothing is saved
    assert os.path.exists("r.h5") == (code == 75)
    if code == 75:
        with h5py.File("r.h5", "r") as file:
            assert file.attrs["complete"] == 0 and file["robustness"].attrs["realisations"] > 0


def test_bad_usage_of_robustness():
    write("small.ini", SMALL)
    given = ["robustness", "small.ini", *PARAMS, "-o", "r.h5"]
    refuse([*given, "--collisions", "10"], "--width-c")
    refuse([*given, *NOISE], "--collisions")
    refuse(["robustness", "missing.h5", *NOISE, "--collisions", "10"], "missing.h5: cannot be read: No such file")
    refuse([*given, *NOISE, "--collisions", "10", "--noise", "pink"], "pink", "gaussian")
    refuse([*given, "--collisions", "10", "--width-c", "-0.1"], "--width-c")
    refuse([*given, "--collisions", "10", "--width-c", "nan"], "--width-c")
    refuse([*given, *NOISE, "--collisions", "10", "--realisations", "0"], "--realisations")
    refuse([*given, *NOISE, "--collisions", "10", "--seed", "-1"], "--seed")
    refuse([*given, "--width-g", "0.1", "--collisions", "10", "--per-batch"], "--per-batch", "--width-q")
    write("r.h5", "precious")
    refuse([*given, *NOISE, "--collisions", "10"], "r.h5", "--force")


# ----------------------------------------------------------------------------------------------- steady


def test_chambers_of_a_configuration():
    write("fine.ini", SMALL.replace("g = 0.8", "Q = 1\nm = 16").replace("levels = 14", "levels = 120"))
    found = json.loads(succeed("steady", "fine.ini", "--json", "--q", "0.2").stdout)
    assert len(found) == 1 and [b["m"] for b in found[0]["borders"]] == [16, 64]
    assert found[0]["chamber_of_level"] == [1] * 16 + [2] * 48 + [3] * 56
    n = np.arange(1, 16)
    steady = np.cumprod(np.append(1.0, 4.0 / np.tan(np.pi * np.sqrt(n) / 8) ** 2))
    assert np.allclose(found[0]["steady_population"], steady / steady.sum(), rtol=1e-12)
    text = succeed("steady", "fine.ini", "--q", "0.2").stdout
    assert "fine-tuned" in text and "16 .. 63" in text
    found = json.loads(succeed("steady", "fine.ini", "--json", "--set", "coupling.g=0.7,0.9").stdout)
    assert [coupling["g"] for coupling in found] == [0.7, 0.9]


def test_levels_of_steady():
    """--levels counts for the chambers of a configuration too, and a steady state that there is not is told."""
    write("small.ini", SMALL)
    few = succeed("steady", "small.ini", "--levels", "5", "--q", "0.2").stdout
    assert few == succeed("steady", "small.ini", "--set", "cavity.levels=5", "--q", "0.2").stdout
    assert "no steady state" in few and "5 levels" in few
    many = json.loads(succeed("steady", "small.ini", "--levels", "100", "--json").stdout)
    assert len(many[0]["chamber_of_level"]) == 100


def test_headings_of_steady():
    """Each names its coupling once."""

    def headings(*arguments):
        return [line for line in succeed("steady", *arguments).stdout.splitlines() if "g = " in line]

    write("small.ini", SMALL.replace("g = 0.8", "g = 0.7,0.123456789"))
    assert headings("small.ini", "--q", "0.2") == ["g = 0.7", "g = 0.123456789"]
    given = ["small.ini", *PARAMS, "--collisions", "20", *CPU]
    assert headings(*given) == [f"g = {g}, c = 0.3, q = 0.1; c = 0.6, q = 0.2" for g in ("0.7", "0.123457")]
    assert headings(*given, "--label", "g = mine") == ["g = mine, g = 0.7", "g = mine, g = 0.123456789"]
    assert headings(*given, "--set", "coupling.g=0.7") == ["c = 0.3, q = 0.1; c = 0.6, q = 0.2, g = 0.7"]


def test_lifetime_and_chamber_populations():
    write("stream.ini", "[cavity]\nlevels=120\n[coupling]\nQ=1\nm=16\nepsilon=-0.4\n[batch.1]\nqubits=1000\n[loss]\nlambda=1\n")
    params = ["--params", "0.310,0.145", "--params", "0.553,0.190"]
    succeed("evolve", "stream.ini", *params, "--collisions", "20000", "-o", "e.h5", *CPU)
    of_file = json.loads(succeed("steady", "e.h5", "--json").stdout)
    computed = json.loads(succeed("steady", "stream.ini", *params, "--collisions", "20000", "--json", *CPU).stdout)
    assert of_file == computed
    with h5py.File("e.h5", "r") as file:
        population, energy = file["evolution/population"][()], file["evolution/energy"][()]
        assert of_file[0]["k"] == list(file["evolution/k"])
    sums = np.array(of_file[0]["chamber_population"])
    assert np.allclose(sums[:, 0], population[0, :, :16].sum(axis=1), atol=1e-14)
    assert np.allclose(sums[:, 1], population[0, :, 16:62].sum(axis=1), atol=1e-14)
    assert np.allclose(sums.sum(axis=1), 1, atol=1e-11)
    lifetime = of_file[0]["lifetime"]
    assert lifetime["found"] and lifetime["plateau"] >= 1000
    at = of_file[0]["k"].index(lifetime["plateau"])
    assert lifetime["energy"] == energy[0, at] and abs(lifetime["band"] - 0.01 * energy[0, at]) < 1e-12
    assert 1000 < lifetime["leaves"] < 3000  # lambda = 1 does not stay
    stable = of_file[1]["lifetime"]
    assert stable["leaves"] is None and stable["rate"] < 1e-5  # lambda = 1000 does


def test_bad_usage_of_steady():
    write("small.ini", SMALL)
    refuse(["steady", "small.ini", *PARAMS], "--collisions")
    refuse(["steady", "small.ini", "--q", "1.5"], "--q")
    refuse(["steady", "small.ini", "--band", "0"], "--band")
    refuse(["steady", "missing.ini"], "missing.ini")
    refuse(["steady", "small.ini", "--per-decade", "9"], "--collisions")
    for option, value in (("--from", "9"), ("--band", "0.1")):
        refuse(["steady", "small.ini", option, value], option, "--collisions")
    succeed("evolve", "small.ini", *PARAMS, "--collisions", "20", "-o", "e.h5", *CPU)
    refuse(["steady", "e.h5", "--per-decade", "9"], "--collisions")
    for option, value in (("--levels", "50"), ("--set", "coupling.g=0.5")):
        refuse(["steady", "e.h5", option, value], "e.h5", option, "already")
    with h5py.File("e.h5", "r+") as file:
        del file["evolution/population"]
    refuse(["steady", "e.h5"], "e.h5", "population")
    with h5py.File("foreign.h5", "w") as file:
        file.attrs["kind"] = "evolution"
    refuse(["steady", "foreign.h5"], "foreign.h5", "not a file of micromaser")


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
