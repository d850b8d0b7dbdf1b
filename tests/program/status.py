"""status.py - status and merge, the commands that look at a search and join its parts; times and signals.

usage: status.py PROGRAM
"""
import json
import os
import signal
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "support"))

from program import PROGRAM, refuse, run, run_tests, start, succeed, wait_for, write  # noqa: E402
from result_checks import beside, compare, status  # noqa: E402

SMALL = """
[cavity]
levels = 12
[coupling]
g = 0.6,0.8
[batch.1]
qubits = 20
[loss]
lambda = 1,10
tail = 4
[search]
starts = 6
seed = 3
"""
CHAINS = 24
LONG = SMALL.replace("starts = 6", "starts = 20000").replace("levels = 12", "levels = 40").replace("= 20\n", "= 100\n")


def search(*arguments, code=0):
    result = run("search", *arguments, "-q")
    assert result.returncode == code, f"{arguments}: exit {result.returncode}: {result.stderr}"
    return result


def begin(*arguments):
    """Starts a long search and waits until it has committed something."""
    write("long.ini", LONG)
    process = start("search", "long.ini", "-o", "long.h5", "--threads", "1", "-q", *arguments)
    wait_for(lambda: process.poll() is not None or finished("long.h5") > 0, "commits")
    assert process.poll() is None, process.communicate()
    return process


def finished(path):
    return status(path)["chains"]["finished"] if run("status", path, "-q").returncode in (0, 75) else 0


def kill(process):
    process.kill()
    process.communicate()


def test_what_the_dead_left_beside_a_complete_result_is_removed():
    write("small.ini", SMALL)
    search("small.ini")
    for name in ("small.h5.lock", "small.h5.share.T3", ".small.h5.share.T3.unfinished.abcdef", ".small.h5.unfinished.abcdef"):
        write(name, "")
    search("small.ini")
    assert beside("small.h5") == [], beside("small.h5")


def test_complete():
    write("small.ini", SMALL)
    search("small.ini")
    told = status("small.h5")
    assert told["complete"] and told["tasks"] == [] and told["damage"] == [] and "command" not in told
    assert told["chains"] == {"finished": CHAINS, "missing": 0, "needed": CHAINS, "total": CHAINS}
    assert told["grid_points"] == {"total": 4, "incomplete": 0} and told["seconds_left"] == 0
    shown = json.loads(succeed("show", "small.h5", "best", "--json").stdout)["rows"]
    for best in told["best"]:
        of_lambda = [row for row in shown if row["lambda"] == best["lambda"]]
        lowest = min(of_lambda, key=lambda row: row["loss"])
        assert (best["loss"], best["g"], best["finished"]) == (lowest["loss"], lowest["g"], CHAINS / 2)
    text = succeed("status", "small.h5").stdout
    assert "24 of 24 chains finished (100.0 %); the grid is complete" in text and "gaps" not in text
    result = run("status", "small.h5", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_at_work():
    process = begin("--force")
    told = status("long.h5")
    (task,) = told["tasks"]
    assert task["alive"] and task["pid"] == process.pid and task["host"] == os.uname().nodename
    assert (task["task"], task["tasks"]) == (0, 1) and task["chains"] > 0
    assert told["alive"] == 1 and told["dead"] == 0 and not told["complete"]
    assert told["command"] == f"cd {os.getcwd()} && micromaser search long.ini -o long.h5 --threads 1 -q"
    assert told["chains_per_second"] > 0
    expected = told["chains"]["missing"] / told["chains_per_second"]
    assert abs(told["seconds_left"] - expected) <= 1e-9 * expected
    text = run("status", "long.h5")
    assert text.returncode == 75 and "1 task at work" in text.stdout and "left" in text.stdout, text.stdout
    assert f"{process.pid}" in text.stdout and "gaps: " in text.stdout
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 75 and status("long.h5")["tasks"] == []


def test_killed_and_its_command():
    """The command that status tells fills the gaps, wherever it is run."""
    os.mkdir("it's here")
    os.mkdir("bin")
    os.symlink(PROGRAM, "bin/micromaser")
    write("it's here/small grid.ini", SMALL.replace("starts = 6", "starts = 1500"))
    home = os.getcwd()
    os.chdir("it's here")
    process = start("search", "small grid.ini", "-o", "my result.h5", "--task", "1/3", "--threads", "1")
    wait_for(lambda: process.poll() is not None or finished("my result.h5") > 0 and status("my result.h5")["tasks"],
             "commits")  # fmt: skip
    process.send_signal(signal.SIGKILL)
    process.communicate()
    os.chdir(home)
    if process.returncode != -signal.SIGKILL:
        raise AssertionError(f"it ended before it was killed: {process.returncode}")
    told = status("it's here/my result.h5")
    (task,) = told["tasks"]
    assert not task["alive"] and task["task"] == 1 and task["tasks"] == 3 and told["dead"] == 1
    assert "--task" not in told["command"]
    result = subprocess.run(["sh", "-c", told["command"]], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "PATH": f"{home}/bin:{os.environ['PATH']}"}, text=True)  # fmt: skip
    assert result.returncode == 0, result.stderr
    search("it's here/small grid.ini", "-o", "undisturbed.h5")
    assert compare("it's here/my result.h5", "undisturbed.h5") == (0, 0, 0)
    assert beside("it's here/my result.h5") == []


def test_gaps_are_told():
    write("small.ini", SMALL)
    search("small.ini", "--task", "0/3", code=75)
    text = run("status", "small.h5")
    assert text.returncode == 75
    assert "8 of 24 chains finished (33.3 %); gaps: 16 chains at 4 of 4 grid points" in text.stdout, text.stdout
    assert "to fill the gaps:\n  micromaser search small.ini -q\n" in text.stdout, text.stdout


def test_share_of_a_task():
    write("small.ini", SMALL)
    search("small.ini", "--task", "1/3", code=75)
    for task, code, missing in (("0/3", 75, 8), ("1/3", 0, 0), ("2/3", 75, 8)):
        assert run("status", "small.h5", "--task", task, "-q").returncode == code
        share = json.loads(run("status", "small.h5", "--task", task, "--json").stdout)["share"]
        assert share == {"task": int(task[0]), "tasks": 3, "round": "T3", "begun": True, "missing": missing}
    # A round that has not begun: all that is missing.
    share = json.loads(run("status", "small.h5", "--task", "1/2", "--json").stdout)["share"]
    assert not share["begun"] and share["missing"] == 16
    assert "has not begun" in run("status", "small.h5", "--task", "1/2").stdout


def array(index):
    names = {"JOB_ID": 70 + index, "ARRAY_JOB_ID": 70, "ARRAY_TASK_ID": index, "ARRAY_TASK_COUNT": 3,
             "ARRAY_TASK_MIN": 0, "ARRAY_TASK_MAX": 2, "ARRAY_TASK_STEP": 1}  # fmt: skip
    return {**os.environ, **{f"SLURM_{name}": str(value) for name, value in names.items()}}


def test_share_of_an_array_job():
    write("small.ini", SMALL)
    for index in (1, 0):
        assert run("search", "small.ini", "-q", env=array(index)).returncode == 75
        assert run("status", "small.h5", "--mine", "-q", env=array(index)).returncode == 0
        assert run("status", "small.h5", "--mine", "-q", env=array(2)).returncode == 75
        assert run("status", "small.h5", "-q", env=array(index)).returncode == 75
    assert run("search", "small.ini", "-q", env=array(2)).returncode == 0
    assert beside("small.h5") == []


def test_damage_is_told():
    process = begin()
    kill(process)
    before = finished("long.h5")
    (journal,) = [name for name in beside("long.h5") if ".journal." in name]
    intact = open(journal, "rb").read()
    middle = len(intact) - 100  # in the last record
    write(journal, intact[:middle] + bytes([intact[middle] ^ 4]) + intact[middle + 1 :] + b"torn")
    told = status("long.h5")
    expected = {"file": os.path.abspath(journal), "header": False, "records": 1, "torn_bytes": 4}
    damage = [{**entry, "file": os.path.abspath(entry["file"])} for entry in told["damage"]]
    assert damage == [expected], told["damage"]
    assert told["chains"]["finished"] == before - 1
    text = run("status", "long.h5").stdout
    assert "1 record with a wrong checksum" in text and "4 bytes of a record" in text, text
    write(journal, bytes(len(intact)))
    told = status("long.h5")
    assert told["damage"][0]["header"] and told["tasks"] == [], told
    assert "its header cannot be read" in run("status", "long.h5").stdout


def test_status_refusals():
    write("small.ini", SMALL)
    write("text.h5", "no HDF5")
    search("small.ini")
    refuse(["status"], "a result file is needed")
    refuse(["status", "small.h5", "small.h5"], "one result file is enough")
    refuse(["status", "absent.h5"], "absent.h5")
    refuse(["status", "text.h5"], "text.h5")
    refuse(["status", "small.ini"], "small.ini")
    refuse(["status", "small.h5", "--task", "3/3"], "--task '3/3'", "I/T")
    refuse(["status", "small.h5", "--task", "0/3", "--mine"], "choose one")
    os.environ["OMPI_COMM_WORLD_RANK"] = "2"
    try:
        refuse(["status", "small.h5", "--mine"], "OMPI_COMM_WORLD_SIZE is not set")
        refuse(["search", "small.ini", "-o", "other.h5"], "OMPI_COMM_WORLD_SIZE is not set")
    finally:
        del os.environ["OMPI_COMM_WORLD_RANK"]
    succeed("evolve", "small.ini", "--params", "0.5,0.5", "--collisions", "9", "-o", "evolution.h5")
    refuse(["status", "evolution.h5"], "evolution.h5")


def test_merge_folds_journals():
    process = begin()
    kill(process)
    before = finished("long.h5")
    journals = [name for name in beside("long.h5") if ".journal." in name]
    assert len(journals) == 1 and before > 0
    told = succeed("merge", "long.h5").stdout
    assert told.startswith(f"wrote long.h5: {before} chain{'' if before == 1 else 's'}; "), told
    assert beside("long.h5") == [] and finished("long.h5") == before
    assert "micromaser search " in json.loads(run("status", "long.h5", "--json").stdout)["command"]
    assert len(json.loads(succeed("show", "long.h5", "chains", "--json").stdout)["rows"]) == before


def test_merge_while_at_work():
    process = begin()
    succeed("merge", "long.h5", "-q")
    rows = len(json.loads(succeed("show", "long.h5", "chains", "--json").stdout)["rows"])
    assert process.poll() is None and 0 < rows <= finished("long.h5")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 75 and finished("long.h5") >= rows


def test_merge_of_parts():
    write("small.ini", SMALL)
    search("small.ini", "-o", "undisturbed.h5")
    for index in range(3):
        search("small.ini", "-o", f"part{index}.h5", "--task", f"{index}/3", code=75)
    told = succeed("merge", "part0.h5", "part2.h5", "part0.h5", "-o", "some.h5").stdout
    assert told == "wrote some.h5: 16 chains of 3 parts, 8 duplicates left out; 8 are missing\n", told
    told = succeed("merge", "some.h5", "part1.h5", "part2.h5", "-o", "all.h5").stdout
    assert told == "wrote all.h5: 24 chains of 3 parts, 8 duplicates left out; the grid is complete\n", told
    assert compare("all.h5", "undisturbed.h5") == (0, 0, 0)
    succeed("merge", "part0.h5", "-o", "all.h5", "--force", "-q")
    assert finished("all.h5") == 8


def test_merge_refusals():
    write("small.ini", SMALL)
    write("text.h5", "no HDF5")
    search("small.ini")
    search("small.ini", "-o", "other.h5", "--set", "search.seed=4")
    search("small.ini", "-o", "same.h5")
    refuse(["merge"], "a result file is needed")
    refuse(["merge", "small.h5", "same.h5"], "-o")
    refuse(["merge", "small.h5", "--force"], "--force")
    refuse(["merge", "absent.h5"], "absent.h5")
    refuse(["merge", "absent.h5", "-o", "all.h5"], "absent.h5")
    refuse(["merge", "small.h5", "text.h5", "-o", "all.h5"], "text.h5")
    refuse(["merge", "small.h5", "other.h5", "-o", "all.h5"], "other.h5", "configuration")
    refuse(["merge", "small.h5", "-o", "same.h5"], "same.h5")
    refuse(["merge", "small.h5", "same.h5", "-o", "same.h5", "--force"], "same.h5", "one of the parts")
    refuse(["merge", "small.h5", "-o", "absent/all.h5"], "absent/all.h5")


def test_times():
    write("small.ini", SMALL)
    for text in ("600", "0.5", "1e3", "90:00", "10:30", "11:45:00", "0-00:10:00", "2-23:59:59"):
        search("small.ini", "-o", "out.h5", "--force", "--patience", text)
        os.remove("out.h5")
    for text in ("", ":", "1:", ":1", "1:60", "1:2:60", "1:60:00", "1:2:3:4", "1-2", "1-2:03", "1-24:00:00", "-1",
                 "-1:00", "1.5:00", "x", "10m", "1 0", "1e10", "nan", "inf", "99999999999999999999:00"):  # fmt: skip
        refuse(["search", "small.ini", f"--max-time={text}"], f"--max-time '{text}'", "[D-]HH:MM:SS")
    refuse(["search", "small.ini", "--patience=x"], "--patience 'x'", "[D-]HH:MM:SS")
    refuse(["search", "small.ini", "--fold-every=x"], "--fold-every 'x'", "[D-]HH:MM:SS")


def test_signals_that_come_twice():
    """Schedulers send SIGTERM to the process and through its parent; only a second Ctrl-C quits at once."""
    for numbers in ([signal.SIGUSR1], [signal.SIGTERM, signal.SIGTERM], [signal.SIGUSR1, signal.SIGTERM]):
        process = begin()
        for number in numbers:
            process.send_signal(number)
        _, told = process.communicate()
        assert process.returncode == 75 and "stopped after" in told, (numbers, process.returncode, told)
        assert beside("long.h5") == [] and finished("long.h5") > 0


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
