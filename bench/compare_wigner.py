"""compare_wigner.py - Wigner functions by each method of QuTiP and by bench_wigner, on the same state and grid."""
import json
import os
import statistics
import subprocess
import sys

from measure import CORES, HERE, environment, print_table, spread

QUTIP = os.path.join(HERE, "peers", "qutip_wigner.py")
ROUNDS = 3
FAST = ("fft", "clenshaw")  # measured in every round
SLOW = {"iterative": 201, "laguerre": 11}  # measured once, with so many of the 201 values of p
LARGEST_DIFFERENCE = 1e-8


class WignerComparison:
    """One state and grid, by bench_wigner and by QuTiP."""

    def __init__(self, bench_wigner, library, folder):
        self.bench, self.library, self.folder = bench_wigner, library, folder
        self.ours(1)  # writes the state
        self.difference = 0.0

    def run(self, threads, blas_threads, *command):
        variables = environment(self.library, threads, blas_threads)
        return json.loads(subprocess.check_output(command, env=variables))

    def ours(self, threads):
        self.told = self.run(threads, 1, self.bench, self.folder)  # it multiplies no matrices
        return self.told

    def qutip(self, method, threads, rows=None):
        """Seconds of one method; the values are compared where it has them on the same points."""
        told = self.told
        more = [] if rows is None else [str(rows)]
        result = self.run(threads, threads, sys.executable, QUTIP, self.folder, str(told["levels"]), str(told["points"]),
                          repr(told["extent"]), method, *more)  # fmt: skip
        self.difference = max(self.difference, result["difference"] or 0.0)
        return result["seconds"]


def compare_wigner(bench_wigner, library, folder, quick):
    """Times all methods of QuTiP against ours, on one thread in turn and then on all; prints and returns the table."""
    comparison = WignerComparison(bench_wigner, library, folder)
    ours, peers = [], {method: [] for method in (*FAST, *SLOW)}
    for _ in range(1 if quick else ROUNDS):
        for method in FAST:
            peers[method].append(comparison.qutip(method, 1))
        ours.append(comparison.ours(1))
    for method, rows in SLOW.items():
        peers[method].append(comparison.qutip(method, 1, rows))
    all_peers = {method: comparison.qutip(method, CORES) for method in FAST}
    all_ours = comparison.ours(CORES)
    report(comparison, ours, peers, all_ours, all_peers)
    if not comparison.difference <= LARGEST_DIFFERENCE:
        sys.exit("run.py: the Wigner functions differ")
    return {"micromaser": [run["seconds_one"] for run in ours], **{f"QuTiP, {m}": s for m, s in peers.items()}}


def report(comparison, ours, peers, all_ours, all_peers):
    told, seconds = comparison.told, [run["seconds_one"] for run in ours]
    fastest = min(peers, key=lambda method: statistics.median(peers[method]))
    ratios = [peer / own for peer, own in zip(peers[fastest], seconds)]
    rows = [[f"QuTiP, {method}", f"{spread(values)} s", f"{all_peers[method]:.2f} s" if method in all_peers else ""]
            for method, values in peers.items()]  # fmt: skip
    rows += [
        ["mm_wigner", f"{spread([1e3 * value for value in seconds])} ms", f"{1e3 * all_ours['seconds_all']:.2f} ms"],
        ["mm_wigner is faster than QuTiP's fastest", f"{spread(ratios)} times",
         f"{min(all_peers.values()) / all_ours['seconds_all']:.0f} times"],
        ["multiply-adds of mm_wigner", f"{told['multiply_adds'] / 1e6:.0f} million "
         f"= {100 * ours[-1]['share_of_peak']:.0f} % of the limit in registers", ""],
        ["largest difference from QuTiP's values", f"{comparison.difference:.1e}", ""],
    ]  # fmt: skip
    print_table([f"Wigner function, N = {told['levels']}, {told['points']} x {told['points']} points", "one thread",
                 f"{CORES} threads"], rows)  # fmt: skip
