"""growth.py - how the time of a gradient grows with collisions, levels, starts and batches, here and with the peers.

Each curve is fitted by a power over the upper half of its sizes. Peers with numerical gradients are given one of the
forward runs that a gradient takes, and the literal form a few collisions of it.
"""
import sys

import measure
from compare_peers import EXACT, LITERAL_COLLISIONS, NAMES, forward_runs, many_plan, point, problem

COLLISIONS, LEVELS = 1000, 120
SIZES = {
    "collisions": [125, 250, 500, 1000, 2000, 4000],
    "levels": [30, 60, 120, 240, 480],
    "starts": [1, 2, 4, 8, 16, 32, 64],
    "batches": [1, 2, 4, 8, 16, 32, 64, 128],
}
LABELS = {"collisions": "collisions n", "levels": "Fock levels N", "starts": "starts in one call",
          "batches": "free batches"}  # fmt: skip
LARGEST = {("levels", "qutip_channel"): 240, ("levels", "literal_numpy"): 240}


def work(peer, curve, size):
    """(problem, request, factor) of one point of a curve."""
    if curve == "starts":
        return problem(LEVELS, COLLISIONS), many_plan(size)[0].request, 1
    collisions = size if curve == "collisions" else 1024 if curve == "batches" else COLLISIONS
    levels = size if curve == "levels" else LEVELS
    batches = size if curve == "batches" else 1
    if peer in EXACT:
        return problem(levels, collisions, batches), {"do": "gradient", "points": [point(batches)]}, 1
    runs = forward_runs(batches)
    if peer == "literal_numpy":
        part = problem(levels, LITERAL_COLLISIONS)
        return part, {"do": "loss", "points": [point()]}, runs * collisions / LITERAL_COLLISIONS
    return problem(levels, collisions, batches), {"do": "loss", "points": [point(batches)]}, runs


def sizes_of(curve, peer, quick):
    if curve == "starts" and peer not in EXACT:
        return []
    sizes = [size for size in SIZES[curve] if size <= LARGEST.get((curve, peer), size)]
    return sizes[:4] if quick else sizes


def measure_growth(library, quick):
    """{curve: {peer: {sizes, seconds, exponent}}}; seconds are the smaller of two calls after one to warm up."""
    processes = {peer: measure.PeerProcess(peer, library) for peer in NAMES}
    curves = {}
    for curve in SIZES:
        print(f"measuring: growth with {curve}", file=sys.stderr, flush=True)
        curves[curve] = {peer: measure_curve(process, curve, peer, quick) for peer, process in processes.items()
                         if sizes_of(curve, peer, quick)}  # fmt: skip
    for process in processes.values():
        process.close()
    return curves


def measure_curve(process, curve, peer, quick):
    sizes, seconds = sizes_of(curve, peer, quick), []
    for size in sizes:
        told, request, factor = work(peer, curve, size)
        process.ask("open", problem=told)
        process.ask(**request)
        seconds.append(factor * min(process.ask(**request)["seconds"] for _ in range(2)))
    return {"sizes": sizes, "seconds": seconds, "exponent": measure.fitted_exponent(sizes, seconds)}


def print_growth(curves):
    measure.print_table(["gradient, time grows with the power of", *NAMES.values()], [
        [f"{LABELS[curve]}, {min(SIZES[curve])} to {max(SIZES[curve])}",
         *(f"{peers[peer]['exponent']:.2f}" if peer in peers else "" for peer in NAMES)]
        for curve, peers in curves.items()])  # fmt: skip
