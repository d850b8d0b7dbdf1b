#!/usr/bin/env python3
"""wigner.py - `micromaser wigner`: what it adds to an evolution file, and what it refuses.

usage: wigner.py PROGRAM

Needs h5py and numpy. Closes with "N passed, N failed".
"""
import json
import os
import resource
import shutil
import signal
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from program import interrupt, refuse, run, run_tests, succeed, write  # noqa: E402

LEVELS = 12
K = [0, 40, 1000]


def amplitudes(curve, state):
    """A normalised pure state, different everywhere, whose density matrix is real in the real gauge."""
    n = np.arange(LEVELS)
    r = np.cos(1.3 * n * (curve + 1) + state) * np.exp(-0.3 * n)
    return (-1j) ** n * r / np.linalg.norm(r)


def write_evolution(name, kind="evolution"):
    """An evolution file with three states of two curves, as another program would write one."""
    with h5py.File(name, "w") as file:
        file.attrs["program"] = "micromaser"
        file.attrs["kind"] = kind
        file["curve/label"] = np.array(["lambda = 1", "lambda = 10"], dtype=h5py.string_dtype())
        state = file.create_group("state")
        state.create_dataset("k", data=K, maxshape=(None,), chunks=(4,))
        state["k"].make_scale("k")
        psi = np.array([[amplitudes(c, s) for s in range(len(K))] for c in range(2)])
        rho = psi[..., :, None] * psi.conj()[..., None, :]
        state["density_matrix"] = rho
        state["density_matrix"].dims[1].attach_scale(state["k"])
        state["population"] = (abs(psi) ** 2).astype(float)


def hermite(levels, x):
    """Position wave functions of the Fock states, [level][x]."""
    psi = np.zeros((levels, len(x)))
    psi[0] = np.pi**-0.25 * np.exp(-x * x / 2)
    for n in range(levels - 1):
        psi[n + 1] = np.sqrt(2 / (n + 1)) * x * psi[n] - (np.sqrt(n / (n + 1)) * psi[n - 1] if n else 0)
    return psi


def read(name, path):
    with h5py.File(name, "r") as file:
        return file[path][()]


def content(name):
    with open(name, "rb") as file:
        return file.read()


def refuse_and_keep(name, *arguments_and_mentions):
    before = content(name)
    refuse(*arguments_and_mentions)
    assert content(name) == before


# ---------------------------------------------------------------------------------------- what is added


def test_all_states_by_default():
    write_evolution("e.h5")
    before = read("e.h5", "/state/density_matrix")
    succeed("wigner", "e.h5")
    assert os.listdir(".") == ["e.h5"]
    with h5py.File("e.h5", "r") as file:
        state = file["state"]
        wigner, x, p = state["wigner"], state["x"], state["p"]
        axis = x[()]
        assert wigner.shape == (2, 3, 201, 201) and np.isfinite(wigner[()]).all()
        assert (state["density_matrix"][()] == before).all()
        for dataset in (wigner, x, p):
            assert dataset.attrs["long_name"] and dataset.attrs["units"] == "1"
        assert x.attrs["CLASS"] == p.attrs["CLASS"] == b"DIMENSION_SCALE"
        assert [len(dimension) for dimension in wigner.dims] == [0, 1, 1, 1]
        for d, scale in ((1, state["k"]), (2, x), (3, p)):
            assert wigner.dims[d][0] == scale
        assert (axis == -axis[::-1]).all() and (axis == p[()]).all()


def test_values_are_those_of_the_wave_function():
    """W(x, p) = (1/pi) int dy psi(x+y) psi*(x-y) exp(-2ipy), by quadrature."""
    write_evolution("e.h5")
    succeed("wigner", "e.h5", "--grid", "9,7", "--extent", "3,2.5")
    x, p, wigner = (read("e.h5", f"/state/{name}") for name in ("x", "p", "wigner"))
    assert np.allclose(x, np.linspace(-3, 3, 9), atol=1e-15) and np.allclose(p, np.linspace(-2.5, 2.5, 7), atol=1e-15)
    y = np.linspace(-12, 12, 2001)
    kernel = np.exp(-2j * np.outer(p, y)) * (y[1] - y[0]) / np.pi
    for c in range(2):
        for s in range(len(K)):
            psi = amplitudes(c, s)
            for i, at in enumerate(x):
                product = (psi @ hermite(LEVELS, at + y)) * (psi @ hermite(LEVELS, at - y)).conj()
                assert np.allclose(wigner[c, s, i], (kernel @ product).real, atol=1e-10)


def test_one_state_at_a_time():
    write_evolution("all.h5")
    shutil.copy("all.h5", "some.h5")
    succeed("wigner", "all.h5", "--grid", "11")
    everything = read("all.h5", "/state/wigner")
    succeed("wigner", "some.h5", "--grid", "11", "--k", "40")
    some = read("some.h5", "/state/wigner")
    assert (some[:, 1] == everything[:, 1]).all() and np.isnan(some[:, [0, 2]]).all()
    succeed("wigner", "some.h5", "--grid", "11", "--state", "2")
    some = read("some.h5", "/state/wigner")
    assert (some[:, 1:] == everything[:, 1:]).all() and np.isnan(some[:, 0]).all()
    succeed("wigner", "some.h5", "--grid", "11")
    assert (read("some.h5", "/state/wigner") == everything).all()


def test_an_evolution_that_went_on():
    write_evolution("e.h5")
    succeed("wigner", "e.h5", "--grid", "5,6", "--extent", "4")
    before = read("e.h5", "/state/wigner")
    with h5py.File("e.h5", "r+") as file:
        rho = file["state/density_matrix"][()]
        del file["state/density_matrix"]
        file["state/density_matrix"] = np.concatenate((rho, rho[:, :2]), axis=1)
        file["state/k"].resize((5,))
        file["state/k"][3:] = [2000, 3000]
    succeed("wigner", "e.h5", "--grid", "5,6", "--extent", "4", "--k", "3000")
    after = read("e.h5", "/state/wigner")
    assert after.shape == (2, 5, 5, 6)
    assert (after[:, :3] == before).all() and np.isnan(after[:, 3]).all() and (after[:, 4] == before[:, 1]).all()


def test_another_grid_needs_force():
    write_evolution("e.h5")
    succeed("wigner", "e.h5", "--grid", "5")
    refuse_and_keep("e.h5", ["wigner", "e.h5", "--grid", "6"], "e.h5", "another grid")
    succeed("wigner", "e.h5", "--grid", "6,7", "--force")
    assert read("e.h5", "/state/wigner").shape == (2, 3, 6, 7)
    assert read("e.h5", "/state/p").shape == (7,)


def test_other_output():
    write_evolution("e.h5")
    before = content("e.h5")
    succeed("wigner", "e.h5", "-o", "out.h5", "--grid", "5")
    assert content("e.h5") == before
    assert read("out.h5", "/state/wigner").shape == (2, 3, 5, 5)
    refuse(["wigner", "e.h5", "-o", "out.h5"], "out.h5", "exists")
    refuse(["wigner", "e.h5", "-o", "missing/out.h5"], "missing")
    succeed("wigner", "e.h5", "-o", "out.h5", "--grid", "4", "--force")
    assert read("out.h5", "/state/wigner").shape == (2, 3, 4, 4)


def test_threads_do_not_matter():
    write_evolution("e.h5")
    succeed("wigner", "e.h5", "-o", "one.h5", "--threads", "1")
    succeed("wigner", "e.h5", "-o", "three.h5", "--threads", "3")
    assert (read("one.h5", "/state/wigner") == read("three.h5", "/state/wigner")).all()


def test_table_and_json():
    write_evolution("e.h5")
    result = succeed("wigner", "e.h5")
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + 6 and result.stderr == ""
    assert [int(line.split()[0]) for line in lines[1:]] == K + K
    assert all(abs(float(line.split()[1])) < 1e-7 for line in lines[1:])
    told = json.loads(succeed("wigner", "e.h5", "--json", "--k", "1000").stdout)
    assert told["file"] == "e.h5" and told["x_points"] == 201
    assert [(state["curve"], state["label"]) for state in told["states"]] == [(0, "lambda = 1"), (1, "lambda = 10")]
    for state in told["states"]:
        energy = np.arange(LEVELS) @ abs(amplitudes(state["curve"], 2)) ** 2
        assert abs(state["energy"] - energy) < 1e-12
        assert abs(state["integral"] - 1) < 1e-7
        assert abs(state["mean_square"] - (2 * energy + 1)) < 1e-5
        assert abs(state["purity"] - 1) < 1e-12 and abs(state["purity_from_wigner"] - 1) < 1e-7
        assert -1 / np.pi <= state["minimum"] < 0 < state["negative_volume"]


def test_a_poor_grid_is_warned_of():
    write_evolution("e.h5")
    for grid in (["--grid", "9"], ["--extent", "1.5"]):
        result = succeed("wigner", "e.h5", "--force", *grid)
        assert result.stderr.count("\n") == 1 and "warning: the grid" in result.stderr


def test_interrupted():
    """What is done when Ctrl-C comes is saved, the rest is made by the same command."""
    write_evolution("e.h5")
    grid = ["--grid", "801", "--extent", "6"]
    shutil.copy("e.h5", "whole.h5")
    code, told = interrupt(signal.SIGINT, "wigner", "e.h5", *grid)
    assert code == 75 and told.count("\n") == 1 and "stopped" in told, (code, told)
    assert sorted(os.listdir(".")) == ["e.h5", "whole.h5"]
    done = np.isfinite(read("e.h5", "/state/wigner")).all(axis=(2, 3))
    assert not done.all()
    succeed("wigner", "e.h5", *grid)
    succeed("wigner", "whole.h5", *grid)
    assert (read("e.h5", "/state/wigner") == read("whole.h5", "/state/wigner")).all()
    write_evolution("f.h5")
    code, told = interrupt(signal.SIGINT, "wigner", "f.h5", *grid, "-o", "copy.h5")
    assert code == 75 and told == "micromaser: copy.h5: stopped; what is done is saved\n", (code, told)
    assert os.path.exists("copy.h5")


# ------------------------------------------------------------------------------------- states of any k

CONFIG = """[cavity]
levels = 16
[coupling]
g = 0.7954
[batch.1]
qubits = 20
c = 0.3
q = 0.1
[batch.2]
qubits = 25
[loss]
lambda = 1
"""
CURVES = [(0.39, 0.168), (0.2, 0.05)]


def evolve(name, *options):
    """Two curves through 60 collisions: the first batch is fixed, the second one continues."""
    write("c.ini", CONFIG)
    params = [word for c, q in CURVES for word in ("--params", f"{c},{q}")]
    succeed("evolve", "c.ini", *params, "--collisions", "60", "-o", name, "-q", *options)


def literal_states(c, q, collisions, levels=16, g=0.7954):
    """rho after 0, 1, .. collisions by Eqs. 4 to 6, qubit in the order e, g."""
    a = np.diag(np.sqrt(np.arange(1, levels)), 1)
    raising = np.array([[0, 1], [0, 0]])
    h = g * (np.kron(a, raising) + np.kron(a.T, raising.T))
    values, vectors = np.linalg.eigh(h)
    u = (vectors * np.exp(-1j * values)) @ vectors.T
    rho = np.zeros((levels, levels), complex)
    rho[0, 0] = 1
    states = [rho]
    for k in range(collisions):
        cc, qq = (0.3, 0.1) if k < 20 else (c, q)
        x = cc * np.sqrt(qq * (1 - qq))
        whole = u @ np.kron(rho, np.array([[1 - qq, x], [x, qq]])) @ u.conj().T
        rho = whole.reshape(levels, 2, levels, 2).trace(axis1=1, axis2=3)
        states.append(rho)
    return states


def test_any_k():
    """States that are not stored are computed: from the vacuum, from the one before, in either batch."""
    evolve("e.h5", "--states", "10,40")
    succeed("wigner", "e.h5", "--grid", "41", "--extent", "11")
    before = read("e.h5", "/state/wigner")
    for k in (33, 7, 59, 0, 41):
        assert len(succeed("wigner", "e.h5", "--k", str(k)).stdout.splitlines()) == 3
    with h5py.File("e.h5", "r") as file:
        state = file["state"]
        assert list(state["k"]) == [0, 7, 10, 33, 40, 41, 59, 60]
        assert (state["wigner"][()][:, [2, 4, 7]] == before).all()
        for curve, (c, q) in enumerate(CURVES):
            states = literal_states(c, q, 60)
            for row, k in enumerate(state["k"]):
                assert abs(state["density_matrix"][curve, row] - states[k]).max() < 1e-12
                assert abs(state["population"][curve, row] - states[k].diagonal().real).max() < 1e-12
    evolve("all.h5", "--states", "0,7,10,33,40,41,59")
    succeed("wigner", "all.h5", "--grid", "41", "--extent", "11")
    for path in ("/state/wigner", "/state/density_matrix", "/state/population"):
        assert abs(read("e.h5", path) - read("all.h5", path)).max() < 1e-12
    shown = json.loads(succeed("show", "e.h5", "--json").stdout)
    assert shown


def test_any_k_without_wigner_functions_and_into_another_file():
    evolve("e.h5")
    before = content("e.h5")
    succeed("wigner", "e.h5", "--k", "30", "-o", "out.h5", "--grid", "21")
    assert content("e.h5") == before
    wigner = read("out.h5", "/state/wigner")
    assert list(read("out.h5", "/state/k")) == [30, 60] and wigner.shape == (2, 2, 21, 21)
    assert np.isfinite(wigner[:, 0]).all() and np.isnan(wigner[:, 1]).all()
    # the same state again is one that is stored
    succeed("wigner", "out.h5", "--k", "30")
    assert list(read("out.h5", "/state/k")) == [30, 60]


def test_any_k_while_the_space_grows():
    evolve("e.h5", "--levels", "auto", "--states", "30")
    evolve("all.h5", "--levels", "auto", "--states", "30,45")
    succeed("wigner", "e.h5", "--k", "45", "--grid", "21")
    assert abs(read("e.h5", "/state/density_matrix") - read("all.h5", "/state/density_matrix")).max() < 1e-12
    # a file whose states have fewer levels than the new one
    evolve("small.h5", "--levels", "auto")
    with h5py.File("small.h5", "r+") as file:
        for path in ("evolution/level", "state/level_column"):
            file[path].resize((8,))
        file["evolution/population"].resize(8, axis=2)
        file["state/population"].resize(8, axis=2)
        file["state/density_matrix"].resize((2, 1, 8, 8))
    succeed("wigner", "small.h5", "--k", "45", "--grid", "21")
    levels = len(read("small.h5", "/evolution/level"))
    assert levels > 8 and list(read("small.h5", "/state/level_column")) == list(range(levels))
    assert read("small.h5", "/evolution/population").shape[2] == levels
    assert read("small.h5", "/state/density_matrix").shape == (2, 2, levels, levels)
    made, expected = (read(name, "/state/density_matrix")[:, row] for name, row in (("small.h5", 0), ("all.h5", 1)))
    assert abs(made - expected[:, :levels, :levels]).max() < 1e-12


def test_the_grid_of_the_file_is_kept():
    evolve("e.h5", "--states", "30")
    succeed("wigner", "e.h5", "--grid", "31,21", "--extent", "11,12")
    succeed("wigner", "e.h5", "--k", "45")
    assert read("e.h5", "/state/wigner").shape == (2, 3, 31, 21)
    assert read("e.h5", "/state/x")[-1] == 11 and read("e.h5", "/state/p")[-1] == 12
    refuse_and_keep("e.h5", ["wigner", "e.h5", "--k", "45", "--grid", "31"], "another grid")
    # one that is too narrow for the states is not taken silently
    succeed("wigner", "e.h5", "--extent", "0.5", "--grid", "9", "--force")
    refuse_and_keep("e.h5", ["wigner", "e.h5", "--k", "46"], "another grid", "9 x 9 points", "x = 0.5")
    succeed("wigner", "e.h5", "--force")
    assert read("e.h5", "/state/wigner").shape == (2, 3, 201, 201)


# -------------------------------------------------------------------------------------------- bad input


def test_bad_usage():
    write_evolution("e.h5")
    refuse(["wigner"], "file is needed")
    refuse(["wigner", "e.h5", "e.h5"], "one file")
    refuse(["wigner", "e.h5", "--k", "1", "--state", "1"], "--k", "--state")
    for text in ("0", "1", "0,5", "5,1", "100000", "5,100000", "", ",", "5,", "5,5,5", "5x5", "-5", "5.5", "nan"):
        refuse_and_keep("e.h5", ["wigner", "e.h5", "--grid=" + text], "--grid", "4001")
    for text in ("0", "-1", "201", "3,0", "3,", "", "1,2,3", "nan", "inf", "1e999", "wide"):
        refuse_and_keep("e.h5", ["wigner", "e.h5", "--extent=" + text], "--extent", "200")
    for backend in ("", "reference", "abacus"):
        refuse_and_keep("e.h5", ["wigner", "e.h5", "--backend", backend], "backend", backend)
    for option in ("--k", "--state", "--threads"):
        for text in ("-1", "x", "1.5", "99999999999999999999"):
            refuse_and_keep("e.h5", ["wigner", "e.h5", f"{option}={text}"], option, text)


def test_states_that_there_are_not():
    write_evolution("e.h5")
    refuse_and_keep("e.h5", ["wigner", "e.h5", "--state", "3"], "e.h5", "3", "counted from 0")
    # without its protocols, a file has no other states than those stored
    refuse_and_keep("e.h5", ["wigner", "e.h5", "--k", "41"], "e.h5", "/evolution/k")
    evolve("own.h5", "--states", "3")
    refuse_and_keep("own.h5", ["wigner", "own.h5", "--k", "61"], "own.h5", "k = 61", "60 collisions")
    refuse_and_keep("own.h5", ["wigner", "own.h5", "--k", "1000000000000"], "own.h5", "60 collisions")
    for path in ("/curve/parameters", "/curve/g"):
        shutil.copy("own.h5", "damaged.h5")
        with h5py.File("damaged.h5", "r+") as file:
            replace(file, path, np.zeros((3, 2, 2)))
        refuse_and_keep("damaged.h5", ["wigner", "damaged.h5", "--k", "50"], "damaged.h5", path)
    shutil.copy("own.h5", "damaged.h5")
    with h5py.File("damaged.h5", "r+") as file:
        for name in set(file.attrs) - {"program", "kind"}:
            del file.attrs[name]
    refuse_and_keep("damaged.h5", ["wigner", "damaged.h5", "--k", "50"], "damaged.h5", "configuration")


def test_wrong_files():
    write("text.h5", "not HDF5")
    write("empty.h5", "")
    os.mkdir("folder.h5")
    with h5py.File("foreign.h5", "w") as file:
        file["data"] = [1, 2]
    with h5py.File("other.h5", "w") as file:
        file.attrs["program"] = "another program"
    write_evolution("search.h5", "search")
    write_evolution("unknown.h5", "holiday pictures")
    for name in ("missing.h5", "text.h5", "empty.h5", "folder.h5", "foreign.h5", "other.h5", "search.h5", "unknown.h5"):
        refuse(["wigner", name], name)


def test_truncated_files():
    write_evolution("e.h5")
    whole = content("e.h5")
    for size in (100, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        write("cut.h5", whole[:size])
        refuse_and_keep("cut.h5", ["wigner", "cut.h5"], "cut.h5")


def damaged(change, *mentions):
    write_evolution("e.h5")
    with h5py.File("e.h5", "r+") as file:
        change(file)
    refuse_and_keep("e.h5", ["wigner", "e.h5"], "e.h5", *mentions)


def replace(file, path, value):
    del file[path]
    if value is not None:
        file[path] = value


def test_damaged_files():
    rho = "/state/density_matrix"
    damaged(lambda file: replace(file, "/state", None), "/state/k")
    damaged(lambda file: replace(file, "/state/k", None), "/state/k")
    damaged(lambda file: replace(file, "/curve", None), "/curve/label")
    damaged(lambda file: replace(file, "/curve/label", [1.0, 2.0]), "/curve/label")
    damaged(lambda file: replace(file, rho, None), rho)
    damaged(lambda file: replace(file, rho, np.zeros((2, 3, 4, 5), complex)), rho)
    damaged(lambda file: replace(file, rho, np.zeros((2, 2, 4, 4), complex)), "wrong shape")
    damaged(lambda file: replace(file, rho, np.zeros((2, 3, 4), complex)), rho)
    damaged(lambda file: replace(file, rho, np.zeros((2, 0, 4, 4), complex)), "/state/k")
    damaged(lambda file: replace(file, rho, np.zeros((2, 3, 4, 4))), rho)
    damaged(lambda file: replace(file, rho, np.full((2, 3, 4, 4), np.nan, complex)), "real")
    damaged(lambda file: replace(file, rho, np.full((2, 3, 4, 4), 0.25, complex)), "real")
    damaged(lambda file: replace(file, "/state/k", [[1, 2, 3]]), "/state/k")
    damaged(lambda file: file.__delitem__("/state") or file.__setitem__("/state", [1.0]), "/state")


def test_nothing_stored():
    write_evolution("e.h5")
    with h5py.File("e.h5", "r+") as file:
        replace(file, "/state/density_matrix", np.zeros((2, 0, 4, 4), complex))
        replace(file, "/state/k", np.zeros(0))
    refuse_and_keep("e.h5", ["wigner", "e.h5"], "stores no state")


def test_full_disk():
    write_evolution("e.h5")
    before = content("e.h5")
    limit = len(before) + 20000
    # Python ignores SIGXFSZ, and so do the programs that it starts unless signals are restored
    result = run(
        "wigner", "e.h5", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        restore_signals=False,
    )  # fmt: skip
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "e.h5" in result.stderr, result
    assert content("e.h5") == before and os.listdir(".") == ["e.h5"]


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
