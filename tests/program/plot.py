#!/usr/bin/env python3
"""plot.py - `micromaser plot` and `landscape`: the plotted numbers against the files, and what is refused.

usage: plot.py PROGRAM

Pictures are compared by their data, not their bytes. Needs gnuplot, h5py and numpy. Closes with "N passed, N failed".
"""
import json
import os
import resource
import signal
import sys
import time
import xml.etree.ElementTree

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from program import interrupt, refuse, run, run_tests, succeed, write  # noqa: E402

G = np.pi / np.sqrt(15.6)
K = np.array([0, 1, 3, 10, 30, 100, 300, 1000])
LEVELS = 80
TEXT = h5py.string_dtype()


def trajectory(curve):
    """Any smooth curves, different everywhere."""
    return (curve + 2) * (1 - np.exp(-K / 40)), 1 / (1 + 0.1 * (curve + 1) * np.log1p(K))


def write_evolution(name, couplings=(G, G), labels=("lambda = 1", "lambda = 10"), wigner=True, kind="evolution"):
    count = len(couplings)
    n = np.arange(LEVELS)
    with h5py.File(name, "w") as file:
        file.attrs["program"] = "micromaser"
        file.attrs["kind"] = kind
        file["curve/g"] = couplings
        file["curve/lambda"] = [10.0**i for i in range(count)]
        file["curve/label"] = np.array(labels, dtype=TEXT)
        file["curve/parameters"] = np.full((count, 1, 2), 0.25)
        file["evolution/k"] = K
        for place, quantity in enumerate(("ergotropy", "purity")):
            file["evolution/" + quantity] = np.array([trajectory(c)[place] for c in range(count)])
        population = np.array([[np.exp(-((n - 10 * s - c) ** 2) / 9) for s in (1, 6)] for c in range(count)])
        file["state/k"] = [100, 1000]
        file["state/population"] = population / population.sum(axis=-1, keepdims=True)
        if wigner:
            x, p = np.linspace(-6, 6, 25), np.linspace(-8, 8, 33)
            shift = np.arange(2 * count).reshape(count, 2, 1, 1)
            file["state/x"], file["state/p"] = x, p
            file["state/wigner"] = np.exp(-(x[:, None] ** 2) - (p + 3 + 0.2 * shift) ** 2) * np.cos(x[:, None])


def write_robustness(name):
    with h5py.File(name, "w") as file:
        file.attrs["program"] = "micromaser"
        file.attrs["kind"] = "robustness"
        file["curve/g"] = [G, G]
        file["curve/label"] = np.array(["one", "two"], dtype=TEXT)
        file["robustness/k"] = K
        file["robustness/quantile"] = [0.05, 0.25, 0.5, 0.75, 0.95]
        for place, quantity in enumerate(("ergotropy", "purity")):
            spread = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
            middle = np.array([trajectory(c)[place] for c in range(2)])
            file[f"robustness/{quantity}_quantile"] = middle[:, :, None] * spread


def plot(*arguments):
    """Plots and returns the data: {(panel number, title, series): (column names, rows)}."""
    succeed("plot", *arguments, "--data", "data.txt", "--force")
    blocks = {}
    with open("data.txt") as file:
        for block in file.read().split("\n\n\n"):
            title, names, *rows = block.splitlines()
            panel, series = title[len("# panel ") :].split("; series: ")
            number, _, heading = panel.partition(": ")
            values = np.array([[float(value) for value in row.split()] for row in rows])
            blocks[int(number), heading, series] = (names[2:].split(", "), values)
    return blocks


def read(name, path):
    with h5py.File(name, "r") as file:
        return file[path][()]


def assert_columns(block, *columns):
    for place, column in enumerate(columns):
        np.testing.assert_array_equal(block[1][:, place], column)


# ------------------------------------------------------------------------------------------ evolutions


def test_evolution():
    write_evolution("e.h5")
    data = plot("e.h5")
    assert set(data) == {(1, "", "lambda = 1"), (1, "", "lambda = 10"), (2, "", "lambda = 1"), (2, "", "lambda = 10")}
    for curve, label in enumerate(("lambda = 1", "lambda = 10")):
        ergotropy, purity = trajectory(curve)
        assert data[1, "", label][0] == ["k [1]", "ergotropy [hbar omega]"]
        assert_columns(data[1, "", label], K, ergotropy)
        assert_columns(data[2, "", label], K, purity)


def test_reference_from_a_second_file():
    write_evolution("e.h5")
    write_evolution("f.h5", [np.pi / 4], ["lambda = 1"])
    data = plot("e.h5", "f.h5")
    assert {series for _, _, series in data} == {"lambda = 1", "lambda = 10", "fine-tuned g"}
    assert_columns(data[1, "", "fine-tuned g"], K, trajectory(0)[0])
    data = plot("e.h5", "f.h5", "--select", "1,2", "--label", "mine, with 'quotes' {and} \\braces_^")
    assert {series for _, _, series in data} == {"mine, with 'quotes' {and} \\braces_^", "fine-tuned g"}
    succeed("plot", "e.h5", "f.h5", "-o", "f.svg", "--label", "mine, with 'quotes' {and} \\braces_^ `date` $(date)")


def test_populations_and_borders():
    write_evolution("e.h5", [G, np.pi / 4], ["off", "tuned"])
    data = plot("e.h5", "--what", "populations")
    for curve, (label, borders) in enumerate((("off", [15.5, 61.5]), ("fine-tuned g", [15.5, 63.5]))):
        names, rows = data[curve + 1, label, label]
        population = read("e.h5", "state/population")[curve, 1]
        assert np.array_equal(rows[:, 0], np.arange(len(rows))) and np.array_equal(rows[:, 1], population[: len(rows)])
        assert population[len(rows) :].max() <= 2e-3 * population.max()
        drawn = data[curve + 1, label, "chamber border"][1].ravel()
        assert list(drawn) == borders and len(rows) > 64
    first = plot("e.h5", "--what", "populations", "--state", "0", "--select", "0")[1, "off", "off"][1]
    assert np.array_equal(first[:, 1], read("e.h5", "state/population")[0, 0, : len(first)])


def test_wigner():
    write_evolution("e.h5")
    x, p, wigner = (read("e.h5", "state/" + name) for name in ("x", "p", "wigner"))
    data = plot("e.h5", "--what", "wigner")
    for curve, label in enumerate(("lambda = 1", "lambda = 10")):
        rows = data[curve + 1, label, label][1]
        i, j = np.searchsorted(x, rows[:, 0]), np.searchsorted(p, rows[:, 1])
        np.testing.assert_array_equal(rows[:, 2], wigner[curve, 1][i, j])
        shown = np.zeros(wigner[curve, 1].shape, bool)
        shown[i, j] = True
        largest = abs(wigner[curve, 1]).max()
        assert abs(wigner[curve, 1][~shown]).max() < 1e-2 * largest  # nothing that can be seen is cut off
        assert shown.sum() == len(np.unique(i)) * len(np.unique(j)) == len(rows)  # a rectangle
    both = plot("e.h5", "--what", "state")
    assert np.array_equal(both[3, "", "lambda = 1"][1], data[1, "lambda = 1", "lambda = 1"][1])


def blank(name, *places, length=None):
    """Blanks Wigner functions (curve, state) of a file, and cuts the table to `length` states."""
    with h5py.File(name, "r+") as file:
        wigner = file["state/wigner"][()]
        for place in places:
            wigner[place] = np.nan
        del file["state/wigner"]
        file["state/wigner"] = wigner[:, :length]


def test_wigner_functions_that_are_not_there():
    """What there is is drawn: of the last state that has some; the other panels stay away, or blank."""
    for length, places, expected in (
        (1, (), {"lambda = 1": 0, "lambda = 10": 0}),
        (2, [(0, 1), (1, 1)], {"lambda = 1": 0, "lambda = 10": 0}),
        (2, [(0, 1)], {"lambda = 1": 0, "lambda = 10": 0}),  # rather an earlier state that all curves have
        (2, [(0, 1), (0, 0)], {"lambda = 10": 1}),
        (2, [(0, 0), (1, 1)], {"lambda = 1": 1}),
    ):
        write_evolution("e.h5")
        whole = read("e.h5", "state/wigner")
        blank("e.h5", *places, length=length)
        x, p = read("e.h5", "state/x"), read("e.h5", "state/p")
        data = plot("e.h5", "--what", "wigner")
        shown = {label: values for (_, _, label), (_, values) in data.items()}
        for label, state in expected.items():
            rows = shown.pop(label)
            curve = ["lambda = 1", "lambda = 10"].index(label)
            i, j = np.searchsorted(x, rows[:, 0]), np.searchsorted(p, rows[:, 1])
            np.testing.assert_array_equal(rows[:, 2], whole[curve, state][i, j])
        assert not shown
        for ending in ("svg", "png", "pdf"):
            succeed("plot", "e.h5", "--what", "wigner", "-o", "f." + ending, "--force")
            succeed("plot", "e.h5", "--what", "state", "-o", "f." + ending, "--force")
    write_evolution("e.h5")
    blank("e.h5", (0, 1))
    both = plot("e.h5", "--what", "state", "--state", "1")
    assert (3, "", "lambda = 1") not in both and (4, "", "lambda = 10") in both
    assert (1, "lambda = 1", "lambda = 1") in both  # its populations are there
    population = read("e.h5", "state/population")[0, 1]
    rows = both[1, "lambda = 1", "lambda = 1"][1]
    assert np.array_equal(rows[:, 1], population[: len(rows)])
    for state in ("--state=1", "--k=1000"):
        for what in ("wigner", "state"):
            refuse(["plot", "e.h5", "--what", what, "--select", "0", state, "-o", "f2.svg"], "micromaser wigner", "1000")
    for length, places in ((2, [(0, 0), (0, 1), (1, 0), (1, 1)]), (0, [])):
        write_evolution("e.h5")
        blank("e.h5", *places, length=length)
        refuse(["plot", "e.h5", "--what", "wigner", "-o", "f2.svg"], "e.h5", "no Wigner function")
    blank("e.h5")
    with h5py.File("e.h5", "r+") as file:
        del file["state/wigner"]
        file["state/wigner"] = np.zeros((2, 3, 25, 33))
    refuse(["plot", "e.h5", "--what", "wigner", "-o", "f2.svg"], "e.h5", "/state/wigner", "/state/k")


def test_state_after_k():
    write_evolution("e.h5")
    first = plot("e.h5", "--what", "state", "--state", "0")
    for key, (names, rows) in plot("e.h5", "--what", "state", "--k", "100").items():
        np.testing.assert_array_equal(rows, first[key][1])
    refuse(["plot", "e.h5", "--what", "state", "--k", "101", "-o", "f.svg"], "e.h5", "101", "micromaser wigner --k")
    refuse(["plot", "e.h5", "--what", "state", "--k", "100", "--state", "0", "-o", "f.svg"], "--k", "--state")
    # several files: their states are matched by k
    write_evolution("f.h5", [np.pi / 4], ["lambda = 1"])
    with h5py.File("f.h5", "r+") as file:
        file["state/k"][:] = [10, 100]
    refuse(["plot", "e.h5", "f.h5", "--what", "populations", "-o", "f.svg"], "f.h5", "100", "1000", "--k")
    data = plot("e.h5", "f.h5", "--what", "populations", "--k", "100")
    for number, label, name, state in ((1, "lambda = 1", "e.h5", 0), (3, "fine-tuned g", "f.h5", 1)):
        rows = data[number, label, label][1]
        assert np.array_equal(rows[:, 1], read(name, "state/population")[0, state, : len(rows)])


def test_robustness():
    write_robustness("r.h5")
    data = plot("r.h5")
    quantiles = read("r.h5", "robustness/ergotropy_quantile")
    title = "median; bands: 25 to 75 %, 5 to 95 %"
    assert_columns(data[1, title, "two"], K, quantiles[1, :, 2])
    assert_columns(data[1, title, "two, 5 to 95 %"], K, quantiles[1, :, 0], quantiles[1, :, 4])
    assert_columns(data[1, title, "two, 25 to 75 %"], K, quantiles[1, :, 1], quantiles[1, :, 3])
    assert_columns(data[2, "", "one"], K, read("r.h5", "robustness/purity_quantile")[0, :, 2])


# -------------------------------------------------------------------------------------------- searches

SEARCH = """\
[cavity]
levels = 24
[coupling]
g = 0.7,0.8
[batch.1]
qubits = 12
[batch.2]
qubits = 8
c = 0.25
q = 0.5
[batch.3]
qubits = 10
[loss]
lambda = 1,10,100
tail = 6
[search]
starts = 4
iterations = 20
"""


def test_search_figures():
    write("s.ini", SEARCH)
    succeed("search", "s.ini")
    final, loss, ergotropy = (read("s.h5", "best/" + name) for name in ("final", "loss", "ergotropy"))
    lambdas, couplings = read("s.h5", "grid/lambda"), read("s.h5", "grid/g")

    data = plot("s.h5", "--g-index", "1")
    assert {series for _, _, series in data} == (
        {"c, batch 1", "q, batch 1", "c, batch 3", "q, batch 3", "ergotropy", "purity"}
    )
    assert_columns(data[1, "", "c, batch 1"], lambdas, final[1, :, 0, 0])
    assert_columns(data[1, "", "q, batch 3"], lambdas, final[1, :, 2, 1])
    assert_columns(data[2, "", "ergotropy"], lambdas, ergotropy[1])
    data = plot("s.h5", "--lambda-index", "2")
    assert_columns(data[1, "", "q, batch 1"], couplings, final[:, 2, 0, 1])
    refuse(["plot", "s.h5", "-o", "f.svg"], "--g-index", "--lambda-index", "--what map")
    refuse(["plot", "s.h5", "-o", "f.svg", "--g-index", "2"], "--g-index 2", "2")

    rows = plot("s.h5", "--what", "map")[1, "", "loss [1]"][1]
    np.testing.assert_array_equal(rows[:, 2], loss[rows[:, 1].astype(int), rows[:, 0].astype(int)])
    assert len(rows) == 6

    data = plot("s.h5", "--what", "convergence", "--select", "4")
    chains = read("s.h5", "chains/loss")[4 * 4 : 5 * 4]
    agree = read("s.h5", "best/agree")[1, 1]
    assert_columns(data[1, "", f"g = 0.8, lambda = 10: {agree} of 4 agree"], [1, 2, 3, 4], np.sort(chains))
    for what in ("map", "convergence"):
        succeed("plot", "s.h5", "--what", what, "-o", what + ".svg")


# ------------------------------------------------------------------------------------------ landscapes


def test_landscape():
    write("s.ini", SEARCH)
    succeed("search", "s.ini")
    arguments = ["--params", "0.1,0.2,0.3,0.4", "--batch", "3", "--grid", "5,4"]
    made = succeed("landscape", "s.ini", *arguments, "--lambda-index", "1", "--chains", "s.h5", "--json")
    made = json.loads(made.stdout)
    assert made["file"] == "s.landscape.h5" and len(made["lowest"]) == 2
    with h5py.File("s.landscape.h5", "r") as file:
        landscape, ends = file["landscape"], file["end_points"]
        assert file.attrs["kind"] == "landscape" and landscape.attrs["batch"] == 3
        assert landscape["loss"].shape == (2, 5, 4)
        assert list(landscape["g"]) == [0.7, 0.8] and list(landscape["lambda"]) == [10, 10]
        for cell, i, j in ((0, 0, 0), (0, 2, 1), (1, 4, 3), (1, 1, 2)):
            params = f"0.1,0.2,{landscape['c'][i]!r},{landscape['q'][j]!r}"
            point = ["--set", f"coupling.g={landscape['g'][cell]!r}", "--set", "loss.lambda=10", "--params", params]
            found = json.loads(succeed("evaluate", "s.ini", *point, "--json").stdout)
            for name in ("loss", "ergotropy", "instability"):
                assert landscape[name][cell, i, j] == found[name], name
        lowest = np.unravel_index(landscape["loss"][1].argmin(), (5, 4))
        assert made["lowest"][1]["c"] == landscape["c"][lowest[0]]
        assert made["lowest"][1]["q"] == landscape["q"][lowest[1]]
        final = read("s.h5", "chains/final")[:, 2]
        rows = np.flatnonzero(read("s.h5", "chains/lambda_index") == 1)
        np.testing.assert_array_equal(np.stack([ends["c"], ends["q"]], axis=1), final[rows])
        np.testing.assert_array_equal(ends["cell"][()], read("s.h5", "chains/g_index")[rows])
        for dataset in (*landscape.values(), *ends.values()):
            assert dataset.attrs["long_name"] and dataset.attrs["units"]
        loss = landscape["loss"][1]
    data = plot("s.landscape.h5", "--select", "1")
    title = "lambda = 10, g = 0.8"
    np.testing.assert_array_equal(data[1, title, "loss"][1][:, 2], loss.ravel())
    np.testing.assert_array_equal(data[1, title, "end points of the chains"][1], final[rows[4:]])
    succeed("plot", "s.landscape.h5", "--quantity", "ergotropy", "-o", "l.png")


def test_landscape_goes_on_after_an_interruption():
    write("s.ini", SEARCH)
    succeed("search", "s.ini")
    arguments = ["landscape", "s.ini", "--params", "0.1,0.2,0.3,0.4", "--batch", "1", "--grid", "141,140", "--lambda-index", "2", "-o", "l.h5"]
    code, told = interrupt(signal.SIGINT, *arguments, "--chains", "s.h5")
    assert code == 75 and told.count("\n") == 2 and "--resume" in told, (code, told)
    assert sorted(os.listdir(".")) == ["l.h5", "s.h5", "s.ini"]
    with h5py.File("l.h5", "r") as file:
        landscape = {name: dataset[()] for name, dataset in file["landscape"].items()}
        assert file.attrs["complete"] == 0 and len(file["end_points/c"]) == 8
    done = np.isfinite(landscape["loss"])
    assert landscape["loss"].shape == (2, 141, 140)
    assert 0 < done.sum() < done.size and (np.isfinite(landscape["ergotropy"]) == done).all()
    # what there is can be drawn, shown, and is found again
    succeed("plot", "l.h5", "-o", "l.svg", "--select", "0")
    assert "instability" in succeed("show", "l.h5", "landscape").stdout
    parameters = landscape["parameters"]
    assert np.isnan(parameters[0]).all() and (parameters[1:] == [[0.25, 0.5], [0.3, 0.4]]).all()
    assert os.path.getsize("l.h5") > 1000
    refuse(arguments, "l.h5", "--resume")
    refuse([*arguments, "--resume", "--force"], "--resume", "--force")
    elsewhere = [text.replace("0.1,0.2,0.3,0.4", "0.1,0.2,0.3,0.5") for text in arguments]
    for changed in (elsewhere, [*arguments, "--grid", "141,141"], [*arguments, "--batch", "3"],
                    [*arguments, "--lambda-index", "0"], [*arguments, "--set", "loss.tail=5"],
                    [*arguments, "--backend", "reference"]):  # fmt: skip
        before = open("l.h5", "rb").read()
        refuse([*changed, "--resume"], "l.h5")
        assert open("l.h5", "rb").read() == before
    refuse(["landscape", "s.ini", "--batch", "1", "--params", "0,0,0,0", "-o", "s.h5", "--resume"], "s.h5", "landscape")
    result = succeed(*arguments, "--resume")
    assert result.stderr == ""
    succeed(*arguments[:-1], "whole.h5")
    with h5py.File("l.h5", "r") as file, h5py.File("whole.h5", "r") as whole:
        assert file.attrs["complete"] == 1 and len(file["end_points/c"]) == 8
        for name in ("loss", "ergotropy", "instability"):
            np.testing.assert_array_equal(file["landscape"][name][done], landscape[name][done])
            np.testing.assert_array_equal(file["landscape"][name][()], whole["landscape"][name][()])
    assert "complete already" in succeed(*arguments, "--resume").stderr


def test_landscape_refusals():
    write("s.ini", SEARCH)
    succeed("search", "s.ini", "--set", "loss.lambda=1")
    good = ["landscape", "s.ini", "--params", "0,0,0,0", "--batch", "1"]
    refuse(["landscape", "s.ini"], "--batch")
    refuse(["landscape", "s.ini", "--batch", "1"], "--params")
    refuse(["landscape", "s.ini", "--batch", "2", "--params", "0,0,0,0"], "--batch 2")
    for grid in ("0,5", "5,0", "5", "1,5", "5,100000", "5,5,5", "x", ""):
        refuse([*good, "--grid", grid], "--grid")
    refuse([*good, "--g-index", "2"], "--g-index 2")
    refuse([*good, "--lambda-index", "1", "--chains", "s.h5", "--grid", "2,2"], "s.h5", "no chain")
    refuse([*good, "--chains", "s.ini"], "s.ini")
    refuse([*good, "-o", "s.ini", "--force"], "s.ini")
    refuse([*good, "-o", "s.h5"], "s.h5", "exists")
    refuse([*good, "-o", "nowhere/l.h5"], "nowhere")


# -------------------------------------------------------------------------------------------- pictures


def test_pictures_are_whole_and_always_the_same():
    write_evolution("e.h5")
    write_evolution("f.h5", [np.pi / 4], ["lambda = 1"])
    for arguments in (["e.h5", "f.h5"], ["e.h5", "--what", "state"]):
        for ending, begin in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
            pictures = []
            for turn in range(2):
                succeed("plot", *arguments, "-o", f"{turn}.{ending}", "--force")
                with open(f"{turn}.{ending}", "rb") as file:
                    pictures.append(file.read())
                time.sleep(1.1 if ending == "pdf" and turn == 0 else 0)  # a date would differ
            assert pictures[0].startswith(begin) and pictures[0] == pictures[1], ending
        text = "".join(xml.etree.ElementTree.fromstring(open("0.svg").read()).itertext())
        assert "λ" in text and "10" in text
        assert str(time.gmtime().tm_year) not in text


def test_no_gnuplot():
    write_evolution("e.h5")
    for path in ("/nonexistent", os.getcwd()):
        result = run("plot", "e.h5", "-o", "f.svg", "--data", "d.txt", env={"PATH": path})
        assert result.returncode == 1 and result.stderr.count("\n") == 1 and "gnuplot-nox" in result.stderr, result
        assert os.listdir(".") == ["e.h5"]
    assert run("plot", "e.h5", "--data", "d.txt", env={"PATH": "/nonexistent"}).returncode == 0


def test_broken_gnuplot():
    write_evolution("e.h5")
    write("gnuplot", "#!/bin/sh\necho 'it is broken' >&2\nexit 3\n")
    os.chmod("gnuplot", 0o755)
    result = run("plot", "e.h5", "-o", "f.svg", env={"PATH": os.getcwd()})
    assert result.returncode == 1 and "it is broken" in result.stderr and result.stderr.count("\n") == 1, result
    assert sorted(os.listdir(".")) == ["e.h5", "gnuplot"]


def test_picture_that_cannot_be_written_completely():
    write_evolution("e.h5")
    for ending in ("svg", "pdf", "png"):
        name = "f." + ending
        succeed("plot", "e.h5", "-o", name)
        whole = os.path.getsize(name)
        os.remove(name)
        for limit in (whole // 2, whole - 10):
            before = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
            result = run("plot", "e.h5", "-o", name, **before)
            assert result.returncode == 1 and result.stderr.count("\n") == 1, (ending, limit, result)
            assert result.stderr.startswith("micromaser: gnuplot: ") and result.stdout == "", (ending, limit, result)
            assert os.listdir(".") == ["e.h5"], (ending, limit)


def test_gnuplot_that_stops_in_the_middle():
    """gnuplot calls it a success when its writes fail."""
    write_evolution("e.h5")
    succeed("plot", "e.h5", "-o", "whole.svg")
    text = open("whole.svg").read().rstrip()
    os.mkdir("bin")
    write("bin/gnuplot", "#!/bin/sh\ncat picture\n")
    os.chmod("bin/gnuplot", 0o755)
    path = {**os.environ, "PATH": os.path.abspath("bin") + ":" + os.environ["PATH"]}
    for length in (1, 1000, len(text) - 1):
        write("picture", text[:length])
        result = run("plot", "e.h5", "-o", "f.svg", env=path)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result
        assert "could not be written completely" in result.stderr and not os.path.exists("f.svg"), result
    write("picture", text + "\n\n")
    assert run("plot", "e.h5", "-o", "f.svg", env=path).returncode == 0


# -------------------------------------------------------------------------------------------- refusals


def test_bad_usage():
    write_evolution("e.h5", wigner=False)
    refuse(["plot"], "file")
    refuse(["plot", "e.h5"], "-o")
    for name in ("f", "f.jpg", "f.svg.gz", "svg"):
        refuse(["plot", "e.h5", "-o", name], name, ".svg")
    refuse(["plot", "e.h5", "-o", "f.svg", "--what", "optima"], "optima", "evolution populations wigner state")
    refuse(["plot", "e.h5", "-o", "f.svg", "--what", "wigner"], "micromaser wigner")
    refuse(["plot", "e.h5", "-o", "f.svg", "--select", "2"], "--select 2", "2 curves")
    for selection in ("", "a", "-1", "0,", "0;1"):
        refuse(["plot", "e.h5", "-o", "f.svg", "--select", selection], "--select")
    refuse(["plot", "e.h5", "-o", "f.svg", "--select", "0", "--select", "1"], "--select is given twice")
    refuse(["plot", "e.h5", "-o", "f.svg", "--what", "populations", "--state", "2"], "--state 2", "are 2 stored states")
    with h5py.File("one.h5", "w") as file, h5py.File("e.h5", "r") as whole:
        for name in ("program", "kind"):
            file.attrs[name] = whole.attrs[name]
        for name in ("curve", "evolution"):
            whole.copy(name, file)
        file["state/k"], file["state/population"] = [1000], whole["state/population"][:, 1:]
    refuse(["plot", "one.h5", "-o", "f.svg", "--what", "populations", "--state", "1"], "there is 1 stored state,")
    refuse(["plot", "e.h5", "-o", "nowhere/f.svg"], "nowhere")
    refuse(["plot", "e.h5", "--data", "e.h5", "--force"], "e.h5")
    os.mkdir("folder")
    for data in ("f.svg", "./f.svg", os.path.abspath("f.svg"), "folder/../f.svg"):
        for force in ([], ["--force"]):
            refuse(["plot", "e.h5", "-o", "f.svg", "--data", data, *force], f"{data}: picture and --data are the same")
    succeed("plot", "e.h5", "-o", "f.svg", "--data", "folder/f.svg")
    os.remove("f.svg")
    write("f.svg", "mine")
    refuse(["plot", "e.h5", "-o", "f.svg"], "f.svg", "exists")
    refuse(["plot", "e.h5", "-o", "g.svg", "--data", "f.svg"], "f.svg", "exists")
    assert open("f.svg").read() == "mine"
    write_robustness("r.h5")
    refuse(["plot", "e.h5", "r.h5", "-o", "g.svg"], "share")


def test_options_of_other_figures():
    """An option that the figure does not heed is refused, and so is a label without a curve."""
    write_evolution("e.h5")
    write_robustness("r.h5")
    write("s.ini", SEARCH)
    succeed("search", "s.ini")
    succeed("landscape", "s.ini", "--batch", "1", "--params", "0,0,0,0", "--grid", "3,3", "-o", "l.h5")
    curve, state, line = ["--select", "--label"], ["--state", "--k"], ["--g-index", "--lambda-index"]
    options = dict.fromkeys(curve + state + line, "0") | {"--k": "1000", "--quantity": "loss"}
    for path, what, taken in (
        ("e.h5", "evolution", curve),
        ("e.h5", "populations", curve + state),
        ("e.h5", "wigner", curve + state),
        ("e.h5", "state", curve + state),
        ("s.h5", "optima", line),
        ("s.h5", "map", []),
        ("s.h5", "convergence", ["--select"]),
        ("r.h5", "robustness", curve),
        ("l.h5", "landscape", ["--select", "--quantity"]),
    ):
        for option, value in options.items():
            arguments = ["plot", path, "--what", what, "--data", "d.txt", option, value]
            if option in taken:
                succeed(*arguments, "--force")
                os.remove("d.txt")
            else:
                refuse(arguments, path, f"{option} does not apply to the figure '{what}'")
    refuse(["plot", "e.h5", "--data", "d.txt", *["--label", "a"] * 3], "3 --label for 2 curves")
    refuse(["plot", "e.h5", "--data", "d.txt", "--select", "1", *["--label", "a"] * 2], "2 --label for 1 curve")


def test_too_many_curves():
    write_evolution("e.h5", [G] * 15, [f"curve {i}" for i in range(15)], wigner=False)
    refuse(["plot", "e.h5", "-o", "f.svg"], "15 curves", "--select")
    succeed("plot", "e.h5", "-o", "f.svg", "--select", ",".join(str(i) for i in range(14)))


def test_bad_files():
    def damaged(change, *mentions):
        write_evolution("e.h5")
        with h5py.File("e.h5", "r+") as file:
            change(file)
        refuse(["plot", "e.h5", "-o", "f.svg", "--what", "state"], "e.h5", *mentions)

    def replace(path, value):
        def change(file):
            del file[path]
            if value is not None:
                file[path] = value

        return change

    refuse(["plot", "missing.h5", "-o", "f.svg"], "missing.h5")
    refuse(["plot", ".", "-o", "f.svg"], "regular")
    write("e.h5", "not HDF5")
    refuse(["plot", "e.h5", "-o", "f.svg"], "e.h5")
    write("e.h5", "")
    refuse(["plot", "e.h5", "-o", "f.svg"], "e.h5")
    write_evolution("whole.h5")
    content = open("whole.h5", "rb").read()
    write("e.h5", content[: len(content) // 2])
    refuse(["plot", "e.h5", "-o", "f.svg"], "e.h5")
    damaged(lambda file: file.attrs.__delitem__("program"), "not a file of micromaser")
    damaged(lambda file: file.attrs.__setitem__("program", "another"), "not a file of micromaser")
    damaged(lambda file: file.attrs.__setitem__("kind", "dream"), "kind")
    damaged(replace("/state", None), "/state/population")
    damaged(replace("/curve/g", None), "/curve/g")
    damaged(replace("/curve/g", [G, -1]), "/curve/g")
    damaged(replace("/curve/g", [G]), "/curve/label")
    damaged(replace("/curve/label", [1.0, 2.0]), "/curve/label")
    damaged(replace("/state/population", np.zeros((2, 2))), "/state/population")
    damaged(replace("/state/population", np.zeros((3, 2, 5))), "/state/population")
    damaged(replace("/state/population", np.array(["a"], dtype=TEXT)), "/state/population")
    damaged(replace("/state/x", np.zeros(1)), "/state/")
    damaged(replace("/state/wigner", np.zeros((2, 2, 3, 4))), "/state/wigner")
    write_evolution("e.h5")
    with h5py.File("e.h5", "r+") as file:
        replace("/evolution/purity", np.zeros((2, 3)))(file)
    refuse(["plot", "e.h5", "-o", "f.svg"], "/evolution/purity")


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
