"""compare_peers.py - micromaser and its peers at the same work: runs, gradients, searches, evolutions, memory.

Before anything is timed, every peer has to give our loss to 1e-9 and our gradient to 1e-6 on a problem with a fixed
and two free batches; whichever does not ends the benchmark.
"""
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

import measure
from measure import Measurement, duration, number, print_table, spread

OURS = "library"
NAMES = {OURS: "micromaser", "numba_loops": "Numba", "jax_scan": "JAX", "stencil_numpy": "NumPy, stencil",
         "qutip_channel": "QuTiP", "literal_numpy": "NumPy, literal"}  # fmt: skip
EXACT = (OURS, "numba_loops", "jax_scan")  # peers with exact gradients
LARGEST_LOSS_DIFFERENCE, LARGEST_GRADIENT_DIFFERENCE, LARGEST_OPTIMUM_DIFFERENCE = 1e-9, 1e-6, 1e-6

COUPLING = math.pi / math.sqrt(15.6)
C, Q, LAMBDA = 0.31, 0.145, 1.0
LEVELS, COLLISIONS, TAIL = 120, 1000, 200
LITERAL_COLLISIONS = 50  # what the literal form is given of a run: all of them cost the same
EVOLUTION_LEVELS = 150
EVOLUTION_SHARES = {"stencil_numpy": 10, "qutip_channel": 100, "literal_numpy": 2000}  # of these, 1 / share is run


def problem(levels, collisions, batches=1, tail=None):
    """A stream split into free batches of the same size."""
    qubits = collisions // batches
    return {"levels": levels, "tail": min(tail or TAIL, qubits * batches), "batches": [[qubits, None, None]] * batches}


def point(batches=1):
    return [COUPLING, LAMBDA, [[C, Q]] * batches]


def forward_runs(batches):
    """Forward runs of a gradient by forward differences."""
    return 1 + 2 * batches


# ------------------------------------------------------------------------------------------------- agreement


def check_agreement(library):
    """Every peer against ours; returns the differences."""
    small = {"levels": 40, "tail": 20, "batches": [[30, 0.1, 0.05], [25, None, None], [25, None, None]]}
    points = [[COUPLING, 2.0, [[0.31, 0.145], [0.5, 0.2]]], [0.9, 10.0, [[0.7, 0.4], [0.2, 0.6]]]]
    answers = {}
    for peer in NAMES:
        process = measure.PeerProcess(peer, library)
        process.ask("open", problem=small)
        answers[peer] = process.ask("check", points=points)
        process.close()
    return [compare_answers(peer, answers[OURS], answers[peer]) for peer in NAMES if peer != OURS]


def compare_answers(peer, ours, theirs):
    flat = [[x for gradient in a["gradients"] for batch in gradient for x in batch] for a in (ours, theirs)]
    loss = max(abs(a - b) for a, b in zip(ours["losses"], theirs["losses"]))
    gradient = max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(*flat))
    if not (loss <= LARGEST_LOSS_DIFFERENCE and gradient <= LARGEST_GRADIENT_DIFFERENCE):
        sys.exit(f"run.py: {NAMES[peer]} does not agree with us: loss by {loss:.1e}, gradient by {gradient:.1e}")
    return {"peer": NAMES[peer], "loss": loss, "gradient": gradient}


# ------------------------------------------------------------------------------------------------------ plans


def literal_part(request, runs=1):
    """The literal form is given a few collisions of one forward run."""
    told = f"{LITERAL_COLLISIONS} of {COLLISIONS} collisions" + (f" of one of {runs} runs" if runs > 1 else "")
    return Measurement("literal_numpy", problem(LEVELS, LITERAL_COLLISIONS), request,
                       runs * COLLISIONS / LITERAL_COLLISIONS, told)  # fmt: skip


def forward_plan():
    request = {"do": "loss", "points": [point()]}
    return [literal_part(request) if peer == "literal_numpy" else Measurement(peer, problem(LEVELS, COLLISIONS), request)
            for peer in NAMES]  # fmt: skip


def gradient_plan(batches):
    """Numerical gradients of many batches are measured as one of their forward runs."""
    whole, runs = problem(LEVELS, COLLISIONS, batches), forward_runs(batches)
    gradient = {"do": "gradient", "points": [point(batches)]}
    loss = {"do": "loss", "points": [point(batches)]}
    plan = []
    for peer in NAMES:
        if peer == "literal_numpy":
            plan.append(literal_part({"do": "loss", "points": [point()]}, runs))
        elif peer in EXACT or batches <= 2:
            plan.append(Measurement(peer, whole, gradient))
        else:
            plan.append(Measurement(peer, whole, loss, runs, f"one of {runs} runs"))
    return plan


def many_plan(count):
    """So many gradients in one call, on all cores, at points spread as in a search."""
    points = [[COUPLING, LAMBDA, [[C + 0.3 * i / count, Q + 0.2 * i / count]]] for i in range(count)]
    return [Measurement(peer, problem(LEVELS, COLLISIONS), {"do": "many", "points": points}) for peer in EXACT]


def evolution_plan(collisions):
    plan = []
    for peer in NAMES:
        share = EVOLUTION_SHARES.get(peer, 1)
        request = {"do": "evolve", "g": COUPLING, "protocol": [[collisions // share, C, Q]]}
        note = f"{collisions // share} of {collisions} collisions" if share > 1 else ""
        plan.append(Measurement(peer, problem(EVOLUTION_LEVELS, COLLISIONS), request, share, note))
    return plan


# --------------------------------------------------------------------------------------------------- searches


class SearchComparison:
    """A multi-start search over a grid: `micromaser search` as a whole process with its file, SciPy for the others."""

    def __init__(self, program, library, g, lambdas, starts):
        self.program, self.library, self.g, self.lambdas, self.starts = program, library, g, lambdas, starts

    def ours(self, folder):
        """Runs the program; fills points and best losses, returns seconds, evaluations and megabytes."""
        config, file = os.path.join(folder, "search.ini"), os.path.join(folder, "search.h5")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"[cavity]\nlevels = {LEVELS}\n[coupling]\ng = {','.join(map(repr, self.g))}\n"
                      f"[batch.1]\nqubits = {COLLISIONS}\n[loss]\nlambda = {','.join(map(repr, self.lambdas))}\n"
                      f"tail = {TAIL}\n[search]\nstarts = {self.starts}\nseed = 1\n")  # fmt: skip
        command = [self.program, "search", config, "-o", file, "--force", "--quiet", "--backend", "cpu", "--threads",
                   str(measure.CORES)]  # fmt: skip
        with open(os.path.join(folder, "messages"), "w+", encoding="utf-8") as messages:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            messages.seek(0)
            if status != 0:
                sys.exit("run.py: micromaser search failed: " + messages.read())
        chains = measure.read_chains(self.program, file)
        self.points = [[self.g[int(chain["g_index"])], self.lambdas[int(chain["lambda_index"])],
                        [[float(chain["initial_c1"]), float(chain["initial_q1"])]]] for chain in chains]  # fmt: skip
        self.best = self.best_of_cells([float(chain["loss"]) for chain in chains])
        return seconds, sum(int(chain["evaluations"]) for chain in chains), usage.ru_maxrss * 1024 / 1e6

    def best_of_cells(self, losses):
        return [min(losses[i : i + self.starts]) for i in range(0, len(losses), self.starts)]

    def compare(self, plan):
        """plan: rounds of each peer. Interleaves; returns {peer: {seconds, evaluations, megabytes, difference}}."""
        results = {peer: {"seconds": []} for peer in plan}
        with tempfile.TemporaryDirectory() as folder:
            self.ours(folder)
            processes = {peer: self.prepared(peer) for peer in plan if peer != OURS}
            for turn in range(max(plan.values())):
                for peer in (peer for peer in plan if turn < plan[peer]):
                    self.take_turn(peer, processes.get(peer), folder, results[peer])
        for peer, process in processes.items():
            results[peer]["megabytes"] = process.ask("memory")["bytes"] / 1e6
            process.close()
        return results

    def prepared(self, peer):
        """The peer's process, its functions compiled."""
        process = measure.PeerProcess(peer, self.library)
        process.ask("open", problem=problem(LEVELS, COLLISIONS))
        process.ask("gradient", points=self.points[:1])
        if peer in EXACT:
            process.ask("many", points=self.points)
        return process

    def take_turn(self, peer, process, folder, result):
        if peer == OURS:
            # Its libraries are in memory, as those of the peers are, which have long been started.
            subprocess.run([self.program, "--version"], stdout=subprocess.DEVNULL, check=True)
            seconds, result["evaluations"], result["megabytes"] = self.ours(folder)
            result["difference"] = 0.0
        else:
            answer = process.ask("search", points=self.points)
            seconds, result["evaluations"] = answer["seconds"], sum(end[2] for end in answer["ends"])
            best = self.best_of_cells([end[0] for end in answer["ends"]])
            result["difference"] = max(abs(a - b) for a, b in zip(best, self.best))
        result["seconds"].append(seconds)

    @staticmethod
    def reckon(results, forward_seconds):
        """Peers too slow to be searched with: as many evaluations as the stencil's, on all cores at no loss."""
        for peer in ("qutip_channel", "literal_numpy"):
            evaluations = results["stencil_numpy"]["evaluations"]
            runs = evaluations * forward_runs(1) / measure.CORES
            results[peer] = {"seconds": [runs * seconds for seconds in forward_seconds[peer]],
                             "evaluations": evaluations, "note": "reckoned"}  # fmt: skip


# ------------------------------------------------------------------------------------------------------- rows


def row_of(name, measurements):
    return {"name": name, "unit": "s", "peers": {
        m.peer: {"seconds": m.seconds, "note": m.note, "megabytes": m.megabytes} for m in measurements}}  # fmt: skip


def check_losses(name, measurements):
    """All that did the whole work must have the same answer."""
    value = {m.peer: m.answer["losses"][0] if "losses" in m.answer else m.answer["ergotropy"]
             for m in measurements if m.factor == 1}  # fmt: skip
    for peer, got in value.items():
        if not abs(got - value[OURS]) <= LARGEST_LOSS_DIFFERENCE:
            sys.exit(f"run.py: {name}: {NAMES[peer]} has {got!r}, micromaser {value[OURS]!r}")


def measured_row(name, plan, library, rounds):
    print(f"measuring: {name}", file=sys.stderr, flush=True)
    measurements = measure.take_turns(plan, library, rounds)
    check_losses(name, measurements)
    return row_of(name, measurements)


def search_row(name, comparison, plan, forward, same_optimum):
    print(f"measuring: {name}", file=sys.stderr, flush=True)
    results = comparison.compare(plan)
    comparison.reckon(results, {peer: told["seconds"] for peer, told in forward["peers"].items()})
    for peer, told in results.items():
        if same_optimum and not told.get("difference", 0.0) <= LARGEST_OPTIMUM_DIFFERENCE:
            sys.exit(f"run.py: {name}: {NAMES[peer]} misses our optimum by {told['difference']:.1e}")
    return {"name": name, "unit": "s", "peers": {peer: results[peer] for peer in NAMES if peer in results}}


def all_rows(program, library, quick):
    """Every row of the comparison, in the order of the table."""
    rounds = 2 if quick else 5
    forward = measured_row("one forward run", forward_plan(), library, rounds)
    rows = [forward]
    for batches in (1, 100) if quick else (1, 2, 10, 100):
        name = f"loss and gradient, {batches} batch{'es' if batches > 1 else ''}"
        rows.append(measured_row(name, gradient_plan(batches), library, rounds))
    rows.append(measured_row("16 gradients in one call", many_plan(16), library, rounds))
    once = {OURS: 1, "numba_loops": 1, "jax_scan": 1, "stencil_numpy": 1}
    rounds_of_search = once if quick else {**once, OURS: 3, "numba_loops": 3}
    starts = 4 if quick else 16
    search = SearchComparison(program, library, [COUPLING], [1.0], starts)
    rows.append(search_row(f"search, {starts} starts", search, rounds_of_search, forward, True))
    g = [0.75, COUPLING] if quick else [0.75, COUPLING, 0.85]
    lambdas, starts = [1.0, 100.0], 2 if quick else 4
    grid = SearchComparison(program, library, g, lambdas, starts)
    name = f"grid of {len(g)} g x {len(lambdas)} lambda, {starts} starts each"
    rows.append(search_row(name, grid, once, forward, False))
    collisions = 10000 if quick else 100000
    rows.append(measured_row(f"evolution to {collisions} collisions, N = {EVOLUTION_LEVELS}",
                             evolution_plan(collisions), library, min(rounds, 3)))  # fmt: skip
    return rows


# ----------------------------------------------------------------------------------------------------- tables


def cell(told):
    if told is None:
        return ""
    return duration(statistics.median(told["seconds"])) + (" *" if told.get("note") else "")


def print_rows(rows):
    peers = list(NAMES)
    print_table(["two cores, medians", *NAMES.values()],
                [[row["name"], *(cell(row["peers"].get(peer)) for peer in peers)] for row in rows])  # fmt: skip
    print_table(["times as long as micromaser", *(NAMES[peer] for peer in peers[1:])],
                [[row["name"], *(ratio_cell(row, peer) for peer in peers[1:])] for row in rows])  # fmt: skip
    notes = [f"{row['name']}: {NAMES[peer]}, from {told['note']}" for row in rows
             for peer, told in row["peers"].items() if told.get("note") and told["note"] != "reckoned"]  # fmt: skip
    print("\\* Extrapolated: for searches and grids, as many evaluations as the NumPy stencil's, times the seconds of "
          "a forward run, both cores at no loss. Else from a part of the work:\n")
    print("\n".join(f"- {note}" for note in notes) + "\n")


def ratio_cell(row, peer):
    told = row["peers"].get(peer)
    if told is None:
        return ""
    return spread(measure.ratios(told["seconds"], row["peers"][OURS]["seconds"]), number)


def print_search_details(rows):
    searches = [row for row in rows if "evaluations" in row["peers"][OURS]]
    print_table(["search", "peer", "seconds", "gradients", "forward runs", "best loss differs by"], [
        [row["name"], NAMES[peer], spread(told["seconds"]), str(told["evaluations"]),
         "" if peer in EXACT else str(told["evaluations"] * forward_runs(1)),
         "" if "difference" not in told else f"{told['difference']:.1e}"]
        for row in searches for peer, told in row["peers"].items() if "note" not in told])  # fmt: skip


def print_memory(rows):
    named = {row["name"]: row for row in rows}
    gradient = named["loss and gradient, 100 batches"]
    search = next(row for row in rows if row["name"].startswith("search"))
    print_table(["peak memory, MB", *NAMES.values()], [
        [name, *(number(row["peers"][peer]["megabytes"]) if row["peers"].get(peer, {}).get("megabytes") else ""
                 for peer in NAMES)]
        for name, row in (("gradient of 100 batches, with Python and NumPy", gradient),
                          ("search, largest process", search))])  # fmt: skip
