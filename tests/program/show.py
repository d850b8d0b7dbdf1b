#!/usr/bin/env python3
"""show.py - `micromaser show`: its tables against the files, its exports, and what it refuses.

usage: show.py PROGRAM

Needs h5py and numpy. Closes with "N passed, N failed".
"""
import csv
import io
import json
import os
import re
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from program import refuse, run, run_tests, succeed, write  # noqa: E402

CONFIGURATION = """\
[cavity]
levels = auto
[coupling]
g = 0.7,0.8
[batch.1]
qubits = 15
[batch.2]
qubits = 5
c = 0.25
q = 0.5
[loss]
lambda = 1,10
[search]
starts = 3
iterations = 10
"""


def read(name, path):
    with h5py.File(name, "r") as file:
        return file[path][()]


def table(*arguments):
    """The same table by CSV and by JSON, which must agree: {column: values}."""
    text = succeed("show", *arguments, "--csv").stdout
    rows = list(csv.reader(io.StringIO(text)))
    exported = json.loads(succeed("show", *arguments, "--json").stdout)
    assert exported["file"] == arguments[0]
    assert len(exported["rows"]) == len(rows) - 1 > 0
    columns = {}
    for place, name in enumerate(rows[0]):
        columns[name] = [row[place] for row in rows[1:]]
        for value, row in zip(columns[name], exported["rows"]):
            other = row[name]
            assert value == other if isinstance(other, str) else float(value or "nan") == (other or 0), (name, value)
        if not isinstance(exported["rows"][0][name], str):
            columns[name] = np.array([float(value or "nan") for value in columns[name]])
    return columns


def make_files():
    write("c.ini", CONFIGURATION)
    succeed("search", "c.ini", "-o", "s.h5")
    succeed("evolve", "s.h5", "--collisions", "100", "--states", "10", "--energies", "-o", "e.h5")


def test_search_tables():
    make_files()
    best = table("s.h5")
    assert list(best)[:6] == ["g", "lambda", "c1", "q1", "c2", "q2"]
    assert list(best["g"]) == [0.7, 0.7, 0.8, 0.8] and list(best["lambda"]) == [1, 10, 1, 10]
    final = read("s.h5", "best/final").reshape(4, 2, 2)
    for batch in range(2):
        for place, name in enumerate("cq"):
            np.testing.assert_array_equal(best[f"{name}{batch + 1}"], final[:, batch, place])
    for name in ("loss", "ergotropy", "energy", "purity", "agree", "finished", "levels"):
        np.testing.assert_array_equal(best[name], read("s.h5", "best/" + name).ravel())
    chains = table("s.h5", "chains")
    assert len(chains["chain"]) == 12
    np.testing.assert_array_equal(chains["initial_c1"], read("s.h5", "chains/initial")[:, 0, 0])
    np.testing.assert_array_equal(chains["q2"], read("s.h5", "chains/final")[:, 1, 1])
    names = {value: name for name, value in h5py.check_enum_dtype(h5py.File("s.h5", "r")["chains/status"].dtype).items()}
    assert chains["status"] == [names[value] for value in read("s.h5", "chains/status")]


def test_every_column_of_a_chain_is_shown():
    make_files()
    with h5py.File("s.h5", "r") as file:
        for group, arguments in (("best", ()), ("chains", ("chains",))):
            shown = table("s.h5", *arguments)
            for name, dataset in file[group].items():
                if "CLASS" in dataset.attrs or name in ("crc32", "chain", "initial", "final", "status"):  # axes; see above
                    continue
                np.testing.assert_array_equal(shown[name], dataset[()].ravel(), err_msg=f"{group}/{name}")


def test_evolution_tables():
    make_files()
    curves = table("e.h5")
    labels = [label.decode() for label in read("e.h5", "curve/label")]
    assert curves["label"] == labels and len(set(labels)) == 4
    ergotropy, k = read("e.h5", "evolution/ergotropy"), read("e.h5", "evolution/k")
    np.testing.assert_array_equal(curves["ergotropy"], ergotropy[:, -1])
    np.testing.assert_array_equal(curves["q1"], read("e.h5", "curve/parameters")[:, 0, 1])
    evolution = table("e.h5", "evolution")
    np.testing.assert_array_equal(evolution["ergotropy"], ergotropy.ravel())
    np.testing.assert_array_equal(evolution["k"], np.tile(k, 4))
    np.testing.assert_array_equal(evolution["curve"], np.repeat(np.arange(4), len(k)))
    population = read("e.h5", "state/population")
    populations = table("e.h5", "populations")
    np.testing.assert_array_equal(populations["population"], population.ravel())
    np.testing.assert_array_equal(populations["k"], np.tile(np.repeat([10, 100], population.shape[2]), 4))
    np.testing.assert_array_equal(populations["n"], np.tile(np.arange(population.shape[2]), 8))
    np.testing.assert_array_equal(table("e.h5", "energies")["energy"], read("e.h5", "evolution/energy_steps").ravel())


def test_terminal_view():
    make_files()
    lines = succeed("show", "e.h5").stdout.splitlines()
    sparks = [line for line in lines if "▁" in line]
    assert len(sparks) == 4
    heights = ["▁▂▃▄▅▆▇█".index(c) for c in sparks[0].split()[-1]]
    assert len(heights) == 60
    k, ergotropy = read("e.h5", "evolution/k"), read("e.h5", "evolution/ergotropy")
    for bar, height in enumerate(heights):
        last = np.flatnonzero(k <= 100 ** ((bar + 1) / 60) * (1 + 1e-9))[-1]
        assert height == min(7, int(8 * ergotropy[0, last] / ergotropy.max())), bar
    assert any("evolve s.h5" in line for line in lines)  # the command line
    text = succeed("show", "s.h5", "best").stdout.splitlines()
    assert text[0].split()[:4] == ["g", "lambda", "c1", "q1"] and len(text) == 5
    assert text[0].split().index("status") == [word[:4] in ("CONV", "STOP", "ABNO") for word in text[1].split()].index(True)


def test_other_kinds():
    make_files()
    succeed("landscape", "c.ini", "--grid", "3,4", "-o", "l.h5")
    np.testing.assert_array_equal(table("l.h5", "landscape")["loss"], read("l.h5", "landscape/loss").ravel())
    np.testing.assert_array_equal(table("l.h5")["lambda"], read("l.h5", "landscape/lambda"))
    refuse(["show", "l.h5", "end_points"], "/end_points")
    succeed("robustness", "s.h5", "--collisions", "20", "--realisations", "5", "--width-c", "0.1", "-o", "r.h5")
    rows = table("r.h5", "robustness")
    np.testing.assert_array_equal(rows["ergotropy_mean"], read("r.h5", "robustness/ergotropy_mean").ravel())
    quantile = read("r.h5", "robustness/purity_quantile")
    np.testing.assert_array_equal(rows["purity_quantile_0.95"], quantile[:, :, 4].ravel())
    assert "▁" in succeed("show", "r.h5").stdout
    for name in ("l.h5", "r.h5"):
        assert succeed("show", name).stderr == "" and succeed("plot", name, "--data", "d.txt", "--force").stderr == ""
        whole = succeed("show", name, "--csv").stdout
        with h5py.File(name, "r+") as file:
            file.attrs.modify("complete", 0)
        for told in (succeed("show", name, "--csv"), succeed("plot", name, "--data", "d.txt", "--force")):
            assert told.stdout in (whole, "") and told.stderr.count("\n") == 1, told
            assert told.stderr.startswith(f"micromaser: warning: {name} is not complete"), told


def test_help_names_the_tables_in_their_order():
    """The first is what is shown without a name."""
    make_files()
    succeed("landscape", "c.ini", "--grid", "3,4", "-o", "l.h5")
    succeed("robustness", "s.h5", "--collisions", "20", "--realisations", "5", "--width-c", "0.1", "-o", "r.h5")
    told = " ".join(succeed("show", "--help").stdout.split())
    for name, kind in (("s.h5", "search"), ("e.h5", "evolution"), ("r.h5", "robustness file"), ("l.h5", "landscape")):
        message = run("show", name, "none").stderr
        tables = message.strip().split("there are: ")[1].replace(" ", ", ")
        assert re.search(f"{kind}: {tables}[;.]", told), (told, tables)
    np.testing.assert_array_equal(table("r.h5")["energy_mean"], read("r.h5", "robustness/energy_mean")[:, -1])


def test_missing_values_and_odd_labels():
    make_files()
    with h5py.File("e.h5", "r+") as file:
        file["evolution/ergotropy"][0, -1] = np.nan
        file["curve/label"][1] = 'a "quoted", label'
        file["curve/label"][2] = "two\nlines"
    rows = list(csv.reader(io.StringIO(succeed("show", "e.h5", "--csv").stdout)))
    at = rows[0].index("ergotropy")
    assert rows[1][at] == "" and rows[2][1] == 'a "quoted", label' and rows[3][1] == "two\nlines"
    exported = json.loads(succeed("show", "e.h5", "--json").stdout)["rows"]
    assert exported[0]["ergotropy"] is None and exported[1]["label"] == 'a "quoted", label'
    assert "two?lines" in succeed("show", "e.h5").stdout


def test_refusals():
    make_files()
    refuse(["show"], "file")
    refuse(["show", "e.h5", "evolution", "more"], "more")
    refuse(["show", "e.h5", "--csv", "--json"], "choose one")
    refuse(["show", "e.h5", "best"], "best", "curves evolution")
    refuse(["show", "missing.h5"], "missing.h5")
    refuse(["show", "c.ini"], "c.ini")
    content = open("e.h5", "rb").read()
    write("half.h5", content[: len(content) // 2])
    refuse(["show", "half.h5"], "half.h5")
    with h5py.File("other.h5", "w") as file:
        file.attrs["program"] = "another"
    refuse(["show", "other.h5"], "not a file of micromaser")
    with h5py.File("e.h5", "r+") as file:
        del file["evolution/purity"]
    refuse(["show", "e.h5"], "/evolution/purity")


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
