#!/usr/bin/env python3
"""cli.py - the program as its users meet it: commands, files, exit codes, complaints, Ctrl-C.

usage: cli.py PROGRAM

Needs h5py and numpy. Closes with "N passed, N failed".
"""
import fcntl
import json
import os
import pty
import shutil
import signal
import stat
import struct
import subprocess
import sys
import termios
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from program import PROGRAM, TIMEOUT, catches, interrupt, refuse, run, run_tests, start, succeed, wait_for, write  # noqa: E402
from result_checks import datasets  # noqa: E402

SMALL = """\
[cavity]
levels = 30
[coupling]
g = 0.7,0.8
[batch.1]
qubits = 12
[batch.2]
qubits = 5
c = 0.25
q = 0.5
[batch.3]
qubits = 8
[loss]
lambda = log:1:10:2
tail = 6
[search]
starts = 3
iterations = 20
"""

# Many short rounds: long enough to be interrupted, short enough to be finished.
LONGER = """\
[cavity]
levels = auto
[coupling]
g = 0.8
[batch.1]
qubits = 60
[loss]
lambda = 1,10
[search]
starts = 100
"""

# One evaluation takes far longer than any test waits (with the reference backend).
ENDLESS = """\
[cavity]
levels = 100
[coupling]
g = 0.8
[batch.1]
qubits = 10000000
[loss]
lambda = 1
"""

SINGLE = ["--set", "coupling.g=0.8", "--set", "loss.lambda=10"]

COLUMNS = {
    "g_index", "lambda_index", "start", "initial", "final", "loss", "ergotropy", "energy", "purity", "instability",
    "mean_c", "mean_q", "loss_by_mean_c", "loss_by_mean_q", "gradient_norm", "iterations", "evaluations", "status",
    "band_error", "truncation_population", "levels", "eigen_failures",
}  # fmt: skip
AXES = {"g", "lambda", "batch", "parameter", "chain"}


def read_columns(path):
    with h5py.File(path, "r") as file:
        return {name: file["chains"][name][()] for name in file["chains"]}


def assert_same_chains(one, other):
    one, other = read_columns(one), read_columns(other)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].tobytes() == other[name].tobytes(), name


# ---------------------------------------------------------------------------------------------- search


def test_search_writes_table_and_file():
    write("small.ini", SMALL)
    result = succeed("search", "small.ini")
    assert sorted(os.listdir(".")) == ["small.h5", "small.ini"]
    lines = result.stdout.splitlines()
    assert lines[0].split() == (
        ["g", "lambda", "c1", "q1", "c2", "q2", "c3", "q3", "loss", "W", "purity", "instability", "agree"]
    )
    assert len(lines) == 1 + 4 + 1 and lines[-1] == "wrote small.h5"
    with h5py.File("small.h5", "r") as file:
        best = file["best"]
        for cell, line in enumerate(lines[1:-1]):
            g, l = divmod(cell, 2)
            fields = line.split()
            values = [float(field) for field in fields[:-1]]
            assert values[:2] == [file["grid/g"][g], file["grid/lambda"][l]]
            assert np.allclose(values[2:8], best["final"][g, l].ravel(), atol=5.1e-6)
            assert abs(values[8] - best["loss"][g, l]) < 1e-8
            assert abs(values[9] - best["ergotropy"][g, l]) < 1e-5
            assert fields[-1] == f"{best['agree'][g, l]}/3"
    assert "backend cpu" in result.stderr or "backend cuda" in result.stderr
    assert "\r" not in result.stderr  # no progress: not a terminal
    assert run("search", "small.ini", "--force", "--quiet").stderr == ""


def test_search_json():
    write("small.ini", SMALL)
    found = json.loads(succeed("search", "small.ini", "--json", "-o", "a.h5", "--backend", "cpu").stdout)
    assert found["file"] == "a.h5" and found["backend"] == "cpu" and found["starts"] == 3
    assert len(found["grid"]) == 4
    with h5py.File("a.h5", "r") as file:
        for cell, point in enumerate(found["grid"]):
            at = divmod(cell, 2)
            assert point["g"] == file["grid/g"][at[0]] and point["lambda"] == file["grid/lambda"][at[1]]
            assert point["c"] == list(file["best/final"][at][:, 0])
            assert point["q"] == list(file["best/final"][at][:, 1])
            for name in ("loss", "ergotropy", "energy", "purity", "instability", "agree", "finished", "levels"):
                assert point[name] == file["best"][name][at], name


def test_many_batches_are_abbreviated():
    batches = "".join(f"[batch.{b}]\nqubits = 2\n" for b in range(1, 8))
    write("many.ini", "[cavity]\nlevels=8\n[coupling]\ng=0.8\n[loss]\nlambda=1\n[search]\nstarts=1\n" + batches)
    heading, row, _ = succeed("search", "many.ini").stdout.splitlines()
    assert heading.split()[2:7] == ["c1", "q1", "...", "c7", "q7"]
    assert len(row.split()) == len(heading.split())


def test_threads_and_slots_do_not_matter():
    write("small.ini", SMALL)
    succeed("search", "small.ini", "-o", "a.h5", "--threads", "1", "--slots", "1")
    succeed("search", "small.ini", "-o", "b.h5", "--threads", "2", "--slots", "5")
    assert_same_chains("a.h5", "b.h5")


def test_one_thread_is_one_thread():
    """Those of the BLAS library are dismissed: they would spin beside the search."""
    write("endless.ini", ENDLESS)
    process = start("search", "endless.ini", "--backend", "reference", "--threads", "1")
    wait_for(lambda: [name for name in os.listdir(".") if ".journal." in name], "the journal")
    time.sleep(0.2)
    threads = os.listdir(f"/proc/{process.pid}/task")
    process.kill()
    process.communicate(timeout=TIMEOUT)
    assert len(threads) == 1, threads


def test_reference_backend_searches_too():
    write("small.ini", SMALL)
    succeed("search", "small.ini", *SINGLE, "--backend", "reference")
    with h5py.File("small.h5", "r") as file:
        assert file.attrs["backend"] == "reference"
        found = evaluate(file["best/final"][0, 0, [0, 2]].ravel(), "--backend", "cpu")
        for key in ("loss", "ergotropy", "energy", "purity", "instability"):
            assert abs(found[key] - file["best"][key][0, 0]) < 1e-10, key


# ----------------------------------------------------------------------------------------- result file


def test_result_file_schema():
    write("small.ini", SMALL)
    succeed("search", "small.ini", "--set", "search.seed=18446744073709551615")
    with h5py.File("small.h5", "r") as file:
        attributes = dict(file.attrs)
        assert attributes["program"] == "micromaser" and attributes["version"] == "0.1.0"
        assert attributes["command_line"] == (
            "micromaser search small.ini --set search.seed=18446744073709551615"
        )
        assert "qubits = 12" in attributes["configuration"] and attributes["seed"] == 2**64 - 1
        assert attributes["complete"] == 1 and attributes["seconds"] > 0
        for name in ("git_commit", "backend", "device", "host", "start_time", "end_time"):
            assert isinstance(attributes[name], str) and attributes[name], name
        time.strptime(attributes["start_time"], "%Y-%m-%dT%H:%M:%SZ")
        time.strptime(attributes["end_time"], "%Y-%m-%dT%H:%M:%SZ")

        seen = []

        def check(name, item):
            if not isinstance(item, h5py.Dataset):
                return
            seen.append(name)
            assert isinstance(item.attrs["long_name"], str) and item.attrs["long_name"], name
            assert item.attrs["units"] in ("1", "hbar omega"), name
            if os.path.basename(name) not in AXES or name == "best/chain":
                for dimension in item.dims:
                    assert len(dimension) == 1, name  # one axis is attached
                    assert len(dimension[0]) == item.shape[list(item.dims).index(dimension)], name
            else:
                assert h5py.h5ds.is_scale(item.id), name

        file.visititems(check)
        assert set(file) == {"grid", "protocol", "chains", "best"}
        assert set(file["grid"]) == {"g", "lambda", "batch", "parameter"}
        assert set(file["protocol"]) == {"qubits", "fixed", "batch"}
        assert set(file["chains"]) == COLUMNS | {"chain", "batch", "parameter", "crc32"}
        assert set(file["best"]) == COLUMNS - {"g_index", "lambda_index"} | AXES | {"agree", "finished"}
        assert list(file["grid/parameter"].asstr()) == ["c", "q"]
        assert list(file["grid/batch"]) == [1, 2, 3]
        assert list(file["protocol/qubits"]) == [12, 5, 8] and list(file["protocol/fixed"]) == [0, 1, 0]
        assert [d[0].name.split("/")[-1] for d in file["best/final"].dims] == ["g", "lambda", "batch", "parameter"]
        assert [d[0].name.split("/")[-1] for d in file["chains/final"].dims] == ["chain", "batch", "parameter"]
        assert file["best/ergotropy"].attrs["units"] == "hbar omega"


def test_result_file_values():
    write("small.ini", SMALL)
    succeed("search", "small.ini")
    with h5py.File("small.h5", "r") as file:
        chains, best = file["chains"], file["best"]
        assert chains["loss"].shape == (12,) and chains["final"].shape == (12, 3, 2)
        order = list(zip(chains["g_index"], chains["lambda_index"], chains["start"]))
        assert order == sorted(order) and len(set(order)) == 12
        assert np.all(chains["final"][:, 1] == [0.25, 0.5]) and np.all(chains["initial"][:, 1] == [0.25, 0.5])
        names = h5py.check_enum_dtype(chains["status"].dtype)
        assert names["NO_FINISHED_CHAIN"] == -1 and names["CONVERGED_FTOL"] == 1
        assert set(chains["status"]) <= set(names.values()) - {names["RUNNING"], -1}
        for name in COLUMNS - {"gradient_norm"}:
            assert np.all(np.isfinite(chains[name])), name
        for g in range(2):
            for l in range(2):
                row = best["chain"][g, l]
                here = (chains["g_index"][()] == g) & (chains["lambda_index"][()] == l)
                assert chains["loss"][row] == chains["loss"][here].min() and here[row]
                close = chains["loss"][here] - chains["loss"][row] <= 1e-6
                assert best["agree"][g, l] == close.sum() and best["finished"][g, l] == 3
                for name in COLUMNS - {"g_index", "lambda_index"}:
                    assert np.array_equal(best[name][g, l], chains[name][row]), name


def test_h5dump_reads_it():
    if shutil.which("h5dump") is None:
        return
    write("small.ini", SMALL)
    succeed("search", "small.ini")
    dump = subprocess.run(["h5dump", "small.h5"], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert "CONVERGED_" in dump or "STOPPED_ITERATIONS" in dump


def test_existing_output_is_kept():
    write("small.ini", SMALL)
    write("out.h5", "precious")
    refuse(["search", "small.ini", "-o", "out.h5"], "out.h5", "--force replaces it")
    with open("out.h5") as file:
        assert file.read() == "precious"
    succeed("search", "small.ini", "-o", "out.h5", "--force")
    assert h5py.is_hdf5("out.h5")


def test_bad_outputs():
    write("small.ini", SMALL)
    os.mkdir("folder")
    os.mkfifo("pipe")
    for output in ("folder", "missing/out.h5", "small.ini/out.h5", "/proc/out.h5", "pipe", "folder/", ""):
        for option in ([], ["--force"], ["--resume"]):
            if option == ["--resume"] and output not in ("folder", "pipe"):
                continue
            refuse(["search", "small.ini", "-o", output, *option], output)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    refuse(["search", "small.ini", "-o", "./small.ini", "--force"], "small.ini", "is both input and output")


def test_standard_output_that_cannot_be_written():
    write("small.ini", SMALL)
    with open("/dev/full", "w") as full:
        result = subprocess.run([PROGRAM, "info"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert result.returncode == 1 and result.stderr.count("\n") == 1


def test_truncation_is_warned_of():
    write("low.ini", SMALL)
    result = succeed("search", "low.ini", "--set", "cavity.levels=4")
    assert "warning" in result.stderr and "cavity.levels" in result.stderr
    result = succeed("search", "low.ini", "--set", "cavity.levels=auto", "--force")
    assert "warning" not in result.stderr


# ------------------------------------------------------------------------------- stopping and going on


def test_interrupted_search_goes_on():
    write("longer.ini", LONGER)
    succeed("search", "longer.ini", "-o", "whole.h5")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        code, told = interrupt(number, "search", "longer.ini", "-o", "part.h5", "--slots", "2")
        assert code == 75, (code, told)
        assert "part.h5" in told and "run the same command again" in told
        assert os.listdir(".").count("part.h5") == 1 and not [n for n in os.listdir(".") if "journal" in n]
        with h5py.File("part.h5", "r") as file:
            done = file["chains/loss"].shape[0]
            assert file.attrs["complete"] == 0 and done < 200
        code, told = interrupt(number, "search", "longer.ini", "-o", "part.h5", "--slots", "2")
        assert "resuming" in told
        assert code == 75, (code, told)
        with h5py.File("part.h5", "r") as file:
            assert file["chains/loss"].shape[0] >= done
            best = file["best"]
            empty = best["chain"][()] == -1
            assert np.all(np.isnan(best["loss"][()]) == empty) and np.all((best["finished"][()] == 0) == empty)
            assert np.all((best["status"][()] == -1) == empty) and np.all(np.isnan(best["final"][()][empty]))
        succeed("search", "longer.ini", "-o", "part.h5", "--resume")
        assert_same_chains("whole.h5", "part.h5")
        again = succeed("search", "longer.ini", "-o", "part.h5", "--resume")
        assert "wrote" not in again.stdout and len(again.stdout.splitlines()) == 3
        os.remove("part.h5")


def test_resume_without_a_file_begins():
    write("small.ini", SMALL)
    result = succeed("search", "small.ini", "--resume")
    assert "nothing to resume" in result.stderr and h5py.is_hdf5("small.h5")


def test_resume_refuses_other_files():
    write("small.ini", SMALL)
    succeed("search", "small.ini")
    refuse(["search", "small.ini", "--resume", "--set", "search.seed=2"], "small.h5", "seed = 1", "seed = 2")
    refuse(["search", "small.ini", "--resume", "--force"], "--resume", "--force")
    with h5py.File("foreign.h5", "w") as file:
        file.attrs["program"] = "another"
        file.attrs["configuration"] = "text"
    refuse(["search", "small.ini", "--resume", "-o", "foreign.h5"], "foreign.h5", "not a file of micromaser")
    write("garbage.h5", os.urandom(5000))
    refuse(["search", "small.ini", "--resume", "-o", "garbage.h5"], "garbage.h5")


def test_one_file_one_backend():
    write("small.ini", SMALL)
    succeed("search", "small.ini", "--backend", "cpu")
    with h5py.File("small.h5", "r+") as file:  # as if the last chain were missing
        for name in COLUMNS | {"chain", "crc32"}:
            values, kind = file["chains"][name][:-1], file["chains"][name].dtype
            del file["chains"][name]
            file["chains"].create_dataset(name, data=values, dtype=kind)
    refuse(["search", "small.ini", "--resume", "--backend", "reference"], "'cpu'", "'reference'")
    assert "12 of 12 chains" in succeed("search", "small.ini", "--resume").stderr
    succeed("search", "small.ini", "-o", "whole.h5", "--backend", "cpu")
    assert_same_chains("whole.h5", "small.h5")


def places_beside_the_chains(path):
    """(what, place of a byte) of the object headers and the data of what follows from the chains."""
    with h5py.File(path, "r") as file:
        names = [f"{group}/{name}" for group in ("best", "grid", "protocol") for name in file[group]]
        for name in names + ["chains/chain"]:
            dataset = file[name]
            yield f"header of {name}", h5py.h5o.get_info(dataset.id).addr + 20
            if dataset.chunks is not None:  # texts have no checksum
                chunk = dataset.id.get_chunk_info(0)
                yield f"data of {name}", chunk.byte_offset + chunk.size // 2
        for group in ("best", "grid"):
            yield f"header of {group}", h5py.h5o.get_info(file[group].id).addr + 20


def damage(path, place):
    with open(path, "r+b") as file:
        file.seek(place)
        old = file.read(1)
        file.seek(place)
        file.write(bytes([old[0] ^ 16]))


def assert_mended(what, *command):
    """Runs a command on damaged.h5, which must become small.h5 again."""
    result = succeed(*command)
    warnings = [line for line in result.stderr.splitlines() if "written again" in line]
    assert len(warnings) == 1 and "damaged.h5: " in warnings[0], f"{what}: {result.stderr}"
    assert datasets("damaged.h5") == datasets("small.h5"), what
    succeed("show", "damaged.h5")
    return result.stdout


def test_damage_beside_the_chains_is_mended():
    write("small.ini", SMALL)
    succeed("search", "small.ini")
    for what, place in places_beside_the_chains("small.h5"):
        for command in (["search", "small.ini", "-o", "damaged.h5"], ["merge", "damaged.h5"]):
            shutil.copy("small.h5", "damaged.h5")
            damage("damaged.h5", place)
            told = assert_mended(what, *command)
            assert command[0] != "merge" or told == "wrote damaged.h5: 12 chains; the grid is complete\n", told
            result = succeed("merge", "damaged.h5")
            assert result.stdout == "damaged.h5 is up to date already: 12 chains; the grid is complete\n"
            assert result.stderr == "", f"{what}: {result.stderr}"


def test_wrong_values_beside_the_chains_are_mended():
    def mend(path, change):
        shutil.copy("small.h5", "damaged.h5")
        with h5py.File("damaged.h5", "r+") as file:
            change(file)
        assert_mended(path, "search", "small.ini", "-o", "damaged.h5")

    write("small.ini", SMALL)
    succeed("search", "small.ini")
    mend("best/loss", lambda file: file["best/loss"].__setitem__((1, 0), -9))
    mend("best/agree", lambda file: file["best/agree"].__setitem__((0, 0), 7))
    mend("grid/g", lambda file: file["grid/g"].__setitem__(0, 0.9))
    mend("protocol/fixed", lambda file: file["protocol/fixed"].__setitem__(0, 1))
    mend("best/energy", lambda file: file.__delitem__("best/energy"))


def test_second_interrupt_quits_at_once():
    write("endless.ini", ENDLESS)
    process = start("search", "endless.ini", "--backend", "reference", "--threads", "1")
    wait_for(lambda: [name for name in os.listdir(".") if ".journal." in name], "the journal")
    time.sleep(0.5)  # and for the evaluation to begin
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "the first Ctrl-C must wait for the evaluation in flight"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGINT
    left = {name for name in os.listdir(".") if ".journal." not in name}
    assert left == {"endless.h5", "endless.ini"}, left
    with h5py.File("endless.h5", "r") as file:
        assert file.attrs["complete"] == 0 and file["chains/loss"].shape == (0,)


def on_terminal(columns, *arguments):
    """Runs a command whose stderr is a terminal; returns its exit code and what the terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=theirs, stdin=subprocess.DEVNULL
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(timeout=TIMEOUT), shown.decode()


def test_progress_on_a_terminal():
    write("longer.ini", LONGER)
    for columns in (30, 120):
        code, shown = on_terminal(columns, "search", "longer.ini", "--force")
        assert code == 0
        line, *notes = shown.split("\r\n")
        drawings = line.split("\r")
        assert max(len(drawing) for drawing in drawings[:-1]) < columns
        assert "/200 chains" in drawings[1]
        if columns > 100:
            assert any("evaluations/s" in d and " left" in d for d in drawings)
            assert any("best  lambda 1: -0." in d for d in drawings)
        assert drawings[-2].strip() == "" and drawings[-1].startswith("micromaser: ")  # wiped before the notes
    code, shown = on_terminal(80, "search", "longer.ini", "--force", "--quiet")
    assert code == 0 and shown == ""


# -------------------------------------------------------------------------------------------- evaluate

KEYS = [
    "loss", "ergotropy", "energy", "purity", "instability", "mean_c", "mean_q", "gradient", "band_error",
    "truncation_population", "backend", "levels",
]  # fmt: skip


def evaluate(params, *more):
    arguments = ["--params", ",".join(repr(float(p)) for p in params), "--json", *SINGLE, *more]
    return json.loads(succeed("evaluate", "small.ini", *arguments).stdout)


def test_evaluate_json():
    write("small.ini", SMALL)
    params = [0.3, 0.4, 0.6, 0.2]
    found = evaluate(params, "--gradient")
    assert list(found) == KEYS
    assert list(evaluate(params)) == [key for key in KEYS if key != "gradient"]
    assert found["levels"] == 30 and found["backend"] in ("cpu", "cuda")
    assert abs(found["mean_c"] - (12 * 0.3 + 8 * 0.6) / 20) < 1e-15
    assert abs(found["mean_q"] - (12 * 0.4 + 8 * 0.2) / 20) < 1e-15
    reference = evaluate(params, "--gradient", "--backend", "reference")
    assert reference["backend"] == "reference"
    for key in ("loss", "ergotropy", "energy", "purity", "instability"):
        assert abs(found[key] - reference[key]) < 1e-11, key
    for i, derivative in enumerate(found["gradient"]):
        step = np.zeros(4)
        step[i] = 1e-5
        difference = (evaluate(params + step)["loss"] - evaluate(params - step)["loss"]) / 2e-5
        assert abs(difference - derivative) < 1e-6 * max(1, abs(derivative)), (i, difference, derivative)


def test_evaluate_gradient_where_coherence_vanishes():
    # With one batch the loss depends on x^2 = c^2 q (1-q), and has a slope where that of x is infinite.
    write("small.ini", SMALL.replace("[batch.2]\nqubits = 5\nc = 0.25\nq = 0.5\n[batch.3]\nqubits = 8\n", ""))
    base, step = evaluate([0.5, 0])["loss"], 1e-6
    slope = (4 * evaluate([0.5, step])["loss"] - evaluate([0.5, 2 * step])["loss"] - 3 * base) / (2 * step)
    for backend in ("cpu", "reference"):
        for q in (0, 1e-300, 1e-40, 1e-30, 1e-20):
            found = evaluate([0.5, q], "--gradient", "--backend", backend)
            assert abs(found["gradient"][1] - slope) < 1e-6 * max(1, abs(slope)), (backend, q, found, slope)
            assert found["loss"] == evaluate([0.5, q], "--backend", backend)["loss"]


def test_evaluate_infinite_gradient_is_null():
    write("small.ini", SMALL)
    gradient = evaluate([0.5, 0, 0.5, 0.5], "--gradient")["gradient"]
    assert gradient[1] is None and all(isinstance(gradient[i], float) for i in (0, 2, 3))


def test_evaluate_agrees_with_search():
    write("small.ini", SMALL)
    succeed("search", "small.ini", *SINGLE)
    with h5py.File("small.h5", "r") as file:
        found = evaluate(file["best/final"][0, 0, [0, 2]].ravel(), "--gradient")
        for key in ("loss", "ergotropy", "energy", "purity", "instability", "levels"):
            assert found[key] == file["best"][key][0, 0], key


def test_evaluate_text():
    write("small.ini", SMALL)
    text = succeed("evaluate", "small.ini", "--params", "0.3,0.4,0.6,0.2", "--gradient", *SINGLE).stdout
    for word in ("loss", "ergotropy", "hbar omega", "purity", "levels", "backend", "d loss"):
        assert word in text, word


def test_evaluate_bad_params():
    write("small.ini", SMALL)

    def bad(params, *mentions):
        refuse(["evaluate", "small.ini", "--params", params, *SINGLE], "--params", *mentions)

    bad("0.1,0.2", "4 values needed", "2 given")
    bad("0.1,0.2,0.3,0.4,0.5", "4 values needed", "5 given")
    bad("", "4 values needed", "1 given")
    for value in ("nan", "inf", "-0.1", "1.0000001", "x", "", " 0.1", "0.1 ", "0x1", "1e999", "0.1\n", "\x1b[31m"):
        shown = value if value.isprintable() else "?"
        bad(f"0.1,0.2,{value},0.4", "value 3", "c of free batch 2", shown, "from 0 to 1")
    refuse(["evaluate", "small.ini", *SINGLE], "--params")
    twice = ["--params", "0,0,0,0", "--params", "0,0,1,1"]
    refuse(["evaluate", "small.ini", *SINGLE, *twice], "--params is given twice", "'0,0,0,0' and '0,0,1,1'")
    refuse(["landscape", "small.ini", "--batch", "1", *twice], "--params is given twice")
    refuse(["evaluate", "small.ini", "--params", "0,0,0,0"], "2 values of g", "2 of lambda", "--set")


def test_evaluate_backends():
    write("small.ini", SMALL)
    arguments = ["evaluate", "small.ini", "--params", "0,0,0,0", *SINGLE, "--backend"]
    refuse([*arguments, "abacus"], "abacus", "cpu", "reference")
    backends = json.loads(succeed("info", "--json").stdout)["backends"]
    if not next(backend for backend in backends if backend["name"] == "cuda")["available"]:
        refuse([*arguments, "cuda"], "cuda", "not available")


# ------------------------------------------------------------------------------------ info and usage


def test_info():
    text = succeed("info").stdout
    found = json.loads(succeed("info", "--json").stdout)
    for key in ("version", "git_commit", "compiler", "instruction_set", "hdf5", "blas"):
        assert isinstance(found[key], str) and found[key] and found[key] in text, key
    assert found["threads"] >= 1
    available = {backend["name"]: backend["available"] for backend in found["backends"]}
    assert available["cpu"] and available["reference"] and "cuda" in available


def test_help_and_version():
    assert succeed("--version").stdout == "micromaser 0.1.0\n"
    text = succeed("--help").stdout
    for command in ("search", "evaluate", "info"):
        assert command in text
        assert succeed(command, "--help").stdout.startswith(f"Usage: micromaser {command} ")
        assert succeed(command, "--usage").stdout.startswith(f"Usage: micromaser {command} ")
        assert succeed(command, "--version").stdout == "micromaser 0.1.0\n"


def test_bad_usage():
    write("small.ini", SMALL)
    refuse([], "command")
    refuse(["serch"], "serch", "search", "evaluate", "info")
    refuse(["search"], "configuration")
    refuse(["search", "small.ini", "more.ini"], "more.ini")
    refuse(["info", "small.ini"], "small.ini")
    for option in ("--threads", "--slots"):
        for value in ("0", "-1", "x", "1.5", "", "99999999999999999999"):
            refuse(["search", "small.ini", f"{option}={value}"], option, f"'{value}'", "whole number from 1")
    refuse(["search", "small.ini", "--backend", "gpu"], "--backend", "'gpu'", "auto, cpu, cuda or reference")
    refuse(["search", "small.ini", "--max-time", "0"], "--max-time", "'0'", "more than 0")
    refuse(["search", "small.ini", "--eigen-solver", "qr"], "--eigen-solver", "'qr'", "cusolver", "tridiagonal")
    for arguments in (["--bogus"], ["search", "--bogus"], ["search", "small.ini", "-o"], ["evaluate", "--json=1"]):
        result = run(*arguments)  # argp's own complaints
        assert result.returncode == 2 and result.stdout == "" and result.stderr.startswith("micromaser"), arguments
    assert os.listdir(".") == ["small.ini"]


# ------------------------------------------------------------------------------------- bad configurations


def test_bad_values():
    def bad(old, new, *mentions):
        assert old in SMALL
        write("bad.ini", SMALL.replace(old, new, 1))
        refuse(["search", "bad.ini"], "bad.ini", *mentions)
        refuse(["evaluate", "bad.ini", "--params", "0,0,0,0"], "bad.ini", *mentions)

    bad("q = 0.5", "q = 1.5", "batch.2.q", "1.5")
    bad("c = 0.25", "c = -0.1", "batch.2.c", "-0.1")
    bad("c = 0.25", "c = nan", "batch.2.c", "nan")
    bad("qubits = 12", "qubits = 0", "batch.1.qubits", "0")
    bad("qubits = 12", "qubits = -3", "batch.1.qubits", "-3")
    bad("levels = 30", "levels = 1", "cavity.levels", "1", "4096")
    bad("levels = 30", "levels = 4097", "cavity.levels", "4097")
    bad("tail = 6", "tail = 26", "tail", "26", "25")
    bad("starts = 3", "stars = 3", "stars", "starts")
    bad("[loss]", "[los]", "los")
    bad("g = 0.7,0.8", "g = 0.7,,0.8", "coupling.g")
    bad("g = 0.7,0.8", "g = 0.7:0.8", "coupling.g", "0.7:0.8")
    bad("log:1:10:2", "log:0:10:2", "loss.lambda")
    bad("starts = 3", "starts = 3\nstarts = 4", "starts")
    bad("starts = 3", "starts =", "starts")
    bad("starts = 3", "starts", "starts")


def test_bad_files():
    def bad(content, *mentions):
        write("bad.ini", content)
        refuse(["search", "bad.ini"], "bad.ini", *mentions)

    os.mkdir("folder.ini")
    refuse(["search", "missing.ini"], "missing.ini")
    refuse(["search", "folder.ini"], "folder.ini")
    refuse(["search", "bad\nname.ini"], "name.ini")
    bad("")
    bad(b"\0\1\2\3" * 100)
    with open(PROGRAM, "rb") as program:
        bad(program.read(100000))
    bad(os.urandom(1 << 20) * 100)
    bad("x" * 100_000_000)


def test_bad_overrides():
    write("small.ini", SMALL)
    for override in ("seed", "search.seed", "search.sed=1", "serch.seed=1", "search.seed=x", "batch.1.qubits=0", "="):
        refuse(["search", "small.ini", "--set", override], "--set", override.split("=")[0])


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
