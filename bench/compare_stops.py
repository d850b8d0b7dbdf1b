"""compare_stops.py - what ending starts early saves: `agree` and a race beside the whole search, on the paper's cases."""
import os
import subprocess
import sys
import tempfile

from measure import CORES, number, print_table, read_chains

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
CASES = ("identical_stream", "two_batches", "improved_protocol")
LAMBDA, STARTS = 10, 64
WAYS = {
    "every start to its end": (),
    "agree = 4": ("search.agree=4",),
    "race = 8, finalists = 16": ("search.race=8", "search.finalists=16"),
    "race = 12, finalists = 8": ("search.race=12", "search.finalists=8"),
}
WITHIN = 1e-6


def search(program, folder, case, starts, settings):
    """Losses and evaluations of all chains of a search."""
    file = os.path.join(folder, "search.h5")
    command = [program, "search", os.path.join(DATA, case + ".ini"), "-o", file, "--force", "--quiet",
               "--backend", "cpu", "--threads", f"{CORES}"]  # fmt: skip
    for setting in (f"loss.lambda={LAMBDA}", f"search.starts={starts}", *settings):
        command += ["--set", setting]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    chains = read_chains(program, file)
    return [float(chain["loss"]) for chain in chains], sum(int(chain["evaluations"]) for chain in chains)


def compare_stops(program, quick):
    """Rows of the table, printed."""
    print("measuring: starts that end early", file=sys.stderr, flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            for way, settings in WAYS.items():
                losses, evaluations = search(program, folder, case, 32 if quick else STARTS, settings)
                rows.append({"case": case, "way": way, "evaluations": evaluations, "best": min(losses),
                             "found": sum(loss <= min(losses) + WITHIN for loss in losses)})  # fmt: skip
    whole = {row["case"]: row["evaluations"] for row in rows if not WAYS[row["way"]]}
    print_table([f"lambda = {LAMBDA}, {32 if quick else STARTS} starts", "starts end early by", "evaluations", "saved",
                 "best loss", "starts that find it"],
                [[row["case"], row["way"], str(row["evaluations"]),
                  f"{number(100 * (1 - row['evaluations'] / whole[row['case']]))} %", f"{row['best']:.8f}",
                  str(row["found"])] for row in rows])  # fmt: skip
    return rows
