"""campaign.py - faults done to runs of the program.

Every function does one kind of fault to a number of runs and returns its Tally (runs.py).
"""
import contextlib
import ctypes
import os
import pickle
import random
import signal
import subprocess
import time

from disk_log import Disk, read_log
from program import PROGRAM, TIMEOUT, run, write
from records import journals_of, read_journal, read_result
from runs import COMMAND, LOCK, Tally

# -------------------------------------------------------------------------------------------- at the n-th call


def count_calls(bench):
    bench.clear()
    code, told, calls, committed = bench.disturbed()
    assert code == 0 and bench.same_as_reference(), f"undisturbed: exit {code}: {told}"
    # the last ones of a run go into its result file at once
    assert len(committed) > 0.8 * len(bench.reference), f"only {len(committed)} chains were ever committed"
    return calls


def at_every_call(bench, fault, numbers, action, forever=False):
    """The n-th call kills the process or fails, for every n of the given ones that a run has."""
    tally = Tally(fault)
    for number in numbers:
        bench.clear()
        if not at_call(bench, tally, number, action, forever):
            break
    return tally


def at_call(bench, tally, number, action, forever, committed=frozenset(), command=None):
    """One run with a fault, from the files that are there, which hold some chains; False if it had fewer calls."""
    what = f"{action} at call {number}{' and ever after' if forever else ''}"
    code, told, calls, more = bench.disturbed(command=command, at=number, action=action, forever=int(forever))
    if action in ("kill", "half"):
        if code != -signal.SIGKILL:
            return False
    elif len(calls) < number:
        return False
    elif command is None:
        bench.check_code(tally, what, code, told)
    else:
        check_merge(bench, tally, what, code, committed)
    bench.check(tally, what, committed | more, may_stay=(LOCK,) if action == "EIO" else ())
    return True


def check_merge(bench, tally, what, code, committed):
    """The exit status of a disturbed merge: 0 only if the result file holds every chain that was committed."""
    tally.codes[code] = tally.codes.get(code, 0) + 1
    if code == 0 and set(read_result(bench.result)[1].tolist()) != committed:
        tally.zero += 1
        tally.note(f"{what}: exit 0 without the chains of the journals")
    if code not in (0, 1, 2, 75):
        tally.note(f"{what}: ended with {code}")


def in_a_merge(bench, first=1, stride=1):
    """The n-th call of `micromaser merge` kills it or fails, for every n (or every so many), in every way."""
    tally = Tally("kill -9, ENOSPC or EIO at the n-th call of a merge, every n")
    whole = half_done(bench)
    committed = bench.found(tally, "before the merge")
    for action in ("kill", "half", "ENOSPC", "EIO"):
        for number in range(first, 1000000, stride):
            bench.clear(whole)
            if not at_call(bench, tally, number, action, False, committed, ("merge", "run.h5")):
                break
    return tally


def unreadable(bench, numbers, forever=False):
    """The n-th read of a run that goes on with a result file and a journal fails, or every one from it on."""
    tally = Tally("EIO at the n-th read of a run that resumes" + (", and at all after it" if forever else ""))
    whole = half_done(bench)
    committed = bench.found(tally, "before the run")
    for number in numbers:
        bench.clear(whole)
        code, told, calls, more = bench.disturbed(at=number, action="unreadable", forever=int(forever))
        if sum(call.kind == "D" for call in calls) < number:
            break
        what = f"EIO at read {number}{' and ever after' if forever else ''}"
        bench.check_code(tally, what, code, told)
        bench.check(tally, what, committed | more)
    return tally


# ------------------------------------------------------------------------------------------------- power loss


def power_loss(bench, states, seed=1):
    """At a random call the machine loses its power: pages and names that were not synced may be there or not.
    In every third run a sync of the journal fails shortly before, after which the system takes for clean what it did
    not write, so that only writing it again makes it safe."""
    tally = Tally("power loss: random subset of unsynced pages and names kept")
    chance = random.Random(seed)
    syncs = [call.number for call in count_calls(bench) if call.kind == "F" and "/run.h5.journal." in call.path]
    while tally.states < states:
        bench.clear()
        fails = chance.choice(syncs) if chance.random() < 1 / 3 else 0
        disk = Disk(bench.folder, bench.reference, chance)
        process = bench.start(*bench.frequent, at=fails, action="EIO")
        process.communicate(timeout=TIMEOUT)
        calls = read_log(bench.log)
        for position, files, committed in sample_losses(disk, calls, fails, chance)[: states - tally.states]:
            bench.clear({name: content for name, content in files.items() if name != "run.ini"})
            what = f"power loss after call {position} of {len(calls)}, failed sync {fails}"
            bench.check(tally, what, committed, may_stay=(LOCK,))
    return tally


def sample_losses(disk, calls, after, chance):
    """Some moments of a run, behind a call if it is not 0, with the files that a power loss would leave, and the
    chains committed by then. Most are near calls that order the writes."""
    rare = [place for place, call in enumerate(calls, 1) if call.kind != "W" or "/run.h5.journal." in call.path]
    near = [place for place in rare if place > after][:8] if after else rare
    moments = chance.choices(near, k=3) + ([] if after else [chance.randint(1, len(calls))])
    left = []
    for position, call in enumerate(calls, 1):
        disk.take(call)
        for _ in range(moments.count(position)):
            left.append((position, disk.after_power_loss(), set(disk.committed)))
    return left


# ----------------------------------------------------------------------------------------------------- signals


def random_kills(bench, kills, seed=2):
    """SIGKILL at random moments; a run may be killed again when it resumes."""
    tally = Tally("kill -9 at a random moment, also of a run that resumes")
    chance = random.Random(seed)
    bench.clear()
    committed = set()
    while tally.states < kills:
        disk = Disk(bench.folder, bench.reference, chance)
        process = bench.start(*bench.frequent)
        time.sleep(chance.random() * bench.seconds * 1.2)
        process.kill()
        process.communicate(timeout=TIMEOUT)
        for call in read_log(bench.log):
            disk.take(call)
        committed |= disk.committed
        tally.states += 1
        lost = committed - bench.found(tally, f"kill {tally.states}")
        tally.lost += len(lost)
        if process.returncode == 0 or chance.random() < 0.4 or tally.states == kills:
            bench.check_end(tally, f"after kill {tally.states}")
            bench.clear()
            committed = set()
    return tally


def stopped(bench, tries, seed=3):
    """SIGTERM, SIGINT, SIGUSR1 and --max-time at random moments: exit 75 in time, and all that ended is saved."""
    tally = Tally("SIGTERM, SIGINT, SIGUSR1, --max-time")
    chance = random.Random(seed)
    bench.clear()
    while tally.states < tries:
        way = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, "--max-time")[tally.states % 4]
        after = 0.1 + chance.random() * 0.6 * bench.seconds
        limit = () if isinstance(way, signal.Signals) else (way, f"{after:.2f}")
        process = bench.start(*limit, clock=0)
        if not limit:
            time.sleep(after)
            process.send_signal(way)
        began = time.monotonic()
        _, told = process.communicate(timeout=TIMEOUT)
        took = time.monotonic() - began
        what = f"{way} after {after:.2f} s"
        bench.check_code(tally, what, process.returncode, told if told else "micromaser: ")
        if not limit and process.returncode not in (0, 75, -way):
            tally.note(f"{what}: exit {process.returncode}")
        if took > 10 + (after if limit else 0):
            tally.note(f"{what}: took {took:.1f} s")
        chains = len(bench.found(tally, what))
        tally.states += 1
        if process.returncode == 0 or chance.random() < 0.5 or tally.states == tries:
            bench.check_end(tally, what)
            bench.clear()
        elif process.returncode == 75 and journals_of(bench.result):
            tally.note(f"{what}: {chains} chains, some of them in a journal only")
    return tally


# ------------------------------------------------------------------------------------------ an absent folder


def out_of_reach(bench, tries, seed=6):
    """While it runs, the folder of the output is moved away, for a moment or for longer than --patience, or its
    journal is removed."""
    tally = Tally("folder moved away, for a moment or for good; journal removed")
    chance = random.Random(seed)
    away = bench.folder + ".away"
    command = ("search", bench.folder + "/run.ini", "-o", bench.result, "--threads", "1", "--patience", "1")
    for number in range(tries):
        way = ("moment", "good", "journal")[number % 3]
        bench.clear()
        process = subprocess.Popen(
            [PROGRAM, *command], cwd=bench.home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(chance.random() * 0.8 * bench.seconds)
        if way == "journal":
            for path in journals_of(bench.result):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        else:
            os.rename(bench.folder, away)
            time.sleep(0.5 if way == "moment" else bench.seconds + 3)
            os.rename(away, bench.folder)
        _, told = process.communicate(timeout=TIMEOUT)
        what = f"out of reach: {way}, {told!r}"
        bench.check_code(tally, what, process.returncode, told)
        bench.check(tally, what, set())
    return tally


# ------------------------------------------------------------------------------------------------ two writers


def two_writers(bench, tries):
    """Processes started on one output at once: one works, the others are refused and name it."""
    tally = Tally("several processes on one output")
    for _ in range(tries):
        bench.clear()
        processes = [bench.start(clock=0) for _ in range(4)]
        ended = [(process.communicate(timeout=TIMEOUT)[1], process.returncode, process.pid) for process in processes]
        tally.states += 1
        pids = [f"{pid}" for _, code, pid in ended if code == 0]
        for told, code, pid in ended:
            tally.codes[code] = tally.codes.get(code, 0) + 1
            named = any(pid in told for pid in pids) and os.uname().nodename in told
            if code not in (0, 2) or (code == 2 and not named):
                tally.note(f"process {pid}: exit {code}: {told!r}, while {pids} worked")
        if not pids:
            tally.note("nobody worked")
        if not bench.same_as_reference():
            tally.wrong += 1
        bench.check_end(tally, "several processes")
    return tally


def several_tasks(bench, rounds, seed=7):
    """Three tasks on one output, that fold and clear their journals all the time, killed at random, started again."""
    tally = Tally("three tasks of one run, kill -9 at random moments")
    chance = random.Random(seed)
    bench.clear()
    committed = set()
    for number in range(rounds):
        options = ("--slots", "1000", "--fold-every", "5", "--patience", "1000000")
        logs = [f"{bench.log}{task}" for task in range(3)]
        disks = [Disk(bench.folder, bench.reference, chance) for _ in range(3)]
        tasks = [
            bench.start(*options, "--task", f"{task}/3", log=logs[task], clock=1e-4) for task in range(3)
        ]  # fmt: skip
        for _ in range(chance.randint(0, 3)):
            time.sleep(chance.random() * bench.seconds)
            chance.choice(tasks).kill()
        what = f"round {number}"
        for task, process in enumerate(tasks):
            _, told = process.communicate(timeout=TIMEOUT)
            for call in read_log(logs[task]):
                disks[task].take(call)
            committed |= disks[task].committed
            if process.returncode != -signal.SIGKILL:
                bench.check_code(tally, f"{what}, task {task}", process.returncode, told or "micromaser: ")
        tally.states += 1
        lost = committed - bench.found(tally, what)
        tally.lost += len(lost)
        if lost:
            tally.note(f"{what}: {len(lost)} of {len(committed)} committed chains lost")
        if bench.same_as_reference() or chance.random() < 0.3 or number == rounds - 1:
            bench.check_end(tally, what)
            bench.clear()
            committed = set()
    return tally


# ------------------------------------------------------------------------------------------------- full disks


def in_own_mounts(work):
    """Calls work() in a child that has file systems of its own; returns its value, or None if that is not allowed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        new_mounts = 0x20000
        value = None
        try:
            private = ctypes.CDLL(None).unshare(new_mounts) == 0
            if private and subprocess.run(["mount", "--make-rprivate", "/"], stderr=subprocess.DEVNULL).returncode == 0:
                value = work()
        finally:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(value, pipe)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        value = pickle.load(pipe)
    os.waitpid(child, 0)
    return value


def full_disk(bench, sizes):
    """A disk that fills up: the run waits for --patience and stops; with a larger disk it goes on."""

    def mount(*options):
        return subprocess.run(["mount", *options, bench.folder], stderr=subprocess.DEVNULL).returncode == 0

    def work():
        tally = Tally("a disk that fills (tmpfs)")
        for kilobytes in sizes:
            bench.clear()
            if not mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "none"):
                return None
            write(os.path.join(bench.folder, "run.ini"), bench.configuration)
            what = f"a disk of {kilobytes} kB"
            code, told, _, committed = bench.disturbed()
            bench.check_code(tally, what, code, told)
            mount("-o", "remount,size=256m")
            bench.check(tally, what, committed)
            subprocess.run(["umount", bench.folder], check=True)
        return tally

    return in_own_mounts(work)


# ------------------------------------------------------------------------------------------------ damaged files


def kill_after_commits(bench, commits):
    """Lets the command go on with what is in the folder, and kills it after some commits, before it folds."""
    rare = ("--fold-every", "10000000")
    before = bench.snapshot()
    _, told, calls, _ = bench.disturbed(*rare)
    synced = [call.number for call in calls if call.kind == "F" and "/run.h5.journal." in call.path]
    assert len(synced) > commits, told
    bench.clear(before)
    code, told, _, _ = bench.disturbed(*rare, at=synced[commits] + 1, action="kill")
    assert code == -signal.SIGKILL, f"exit {code}: {told}"


def half_done(bench):
    """Files of a run that died: a result file with a part of the chains and a journal with others."""
    bench.clear()
    kill_after_commits(bench, 4)
    merged = run("merge", "run.h5", cwd=bench.folder)
    assert merged.returncode == 0, merged.stderr
    rows = len(read_result(bench.result)[1])
    folded = bench.snapshot()
    records = 0
    commits = 0
    while records < 1000:  # the first commits may hold few chains
        commits += 1
        bench.clear(folded)
        kill_after_commits(bench, commits)
        records = sum(len(read_journal(path, bench.reference)[0]) for path in journals_of(bench.result))
    assert rows >= 1000 and records >= 1000, f"{rows} rows, {records} records"
    return bench.snapshot()


def damage(content, chance):
    """Flips a bit, or clears or overwrites a block, that was not so before; returns what it did."""
    while True:
        before = bytes(content)
        at = chance.randrange(len(content))
        way = chance.choice(("bit", "bit", "sector", "page"))
        if way == "bit":
            content[at] ^= 1 << chance.randrange(8)
        else:
            size = 512 if way == "sector" else 4096
            at = at // size * size
            piece = len(content[at : at + size])
            content[at : at + size] = bytes(piece)
        if content != before:
            return f"{way} at {at}"


def damaged_files(bench, tries, seed=4):
    """Random bit flips and zeroed blocks in result files and journals: detected (said, or refused), harmless (the
    run goes on to the same result and has nothing to say), or silently wrong."""
    tally = Tally("bit flips, zeroed blocks of 512 and 4096 bytes in result files and journals")
    chance = random.Random(seed)
    whole = half_done(bench)
    names = sorted(name for name in whole if not name.endswith(".lock") and len(whole[name]) > 0)
    tally.outcomes = {"detected": 0, "harmless": 0}
    for _ in range(tries):
        name = chance.choice(names)
        content = bytearray(whole[name])
        what = f"{name}: {damage(content, chance)}"
        bench.clear({**whole, name: content})
        viewed = run("status", "run.h5", "--json", cwd=bench.folder)
        done = run(*(word for word in COMMAND if word != "--quiet"), cwd=bench.folder)
        tally.states += 1
        noticed = "damaged" in done.stderr or "torn" in done.stderr or done.returncode != 0
        if done.returncode == 0 and not bench.same_as_reference():
            tally.wrong += 1
            tally.note(f"{what}: another result: {done.stderr.strip()}")
        elif done.returncode not in (0, 2) or viewed.returncode not in (0, 2, 75):
            tally.unreadable += 1
            tally.note(f"{what}: exit {done.returncode}, {viewed.returncode}: {done.stderr.strip()} {viewed.stderr}")
        else:
            tally.outcomes["detected" if noticed else "harmless"] += 1
        if viewed.returncode in (0, 75) and "chains" not in viewed.stdout:
            tally.note(f"{what}: status says {viewed.stdout!r} {viewed.stderr!r}")
    return tally
