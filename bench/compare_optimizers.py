#!/usr/bin/env python3
"""compare_optimizers.py - our L-BFGS-B and SciPy's on the paper's three cases, from the same random starts.

usage: compare_optimizers.py STARTS [CASE LAMBDA]

All minimise the very same loss, evaluated by the cpu backend:

    micromaser              our optimiser as `micromaser search` uses it: in (c, phi), q = sin^2(phi), first trials of
                            its line searches no longer than 0.5, exact gradient, rough values at first
    micromaser, excited     the same from the excited starts of `search.excited_starts`, where several batches are free
    micromaser, all exact   the first without rough values
    micromaser, no limit    this in (c, theta), q = sin^2(theta/2), and with first trials as long as SciPy's
    SciPy, (c, theta)       the same function and gradient
    SciPy, (c, q)           exact gradient in (c, q), as far as it is finite: infinite slopes become +-1e100
    SciPy, differences      (c, q), numerical gradient by forward differences, as in the paper

The best loss is the lowest that any of them finds. Counted are, for each: the share of starts that come within 1e-8
of it, the evaluations until then (with gradient or without, rough or exact), all evaluations for each such start, the
share of starts that come within 1e-6 of the paper's own optimum, and failures: starts that end where no gradient
vanishes and which is no minimum at a kink either, because the loss is lower by more than 1e-6 at some point nearby.
Prints one JSON object.
"""
import configparser
import csv
import json
import os
import statistics
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
sys.path += [HERE, os.path.join(HERE, "peers")]
import library  # noqa: E402
import scipy_search  # noqa: E402
from problem import STEP_OF_DIFFERENCES, Problem  # noqa: E402

CASES = {"identical_stream": 10.0, "two_batches": 10.0, "improved_protocol": 10.0}
TRIAL_LENGTH = 0.5  # that of host/search/search.c
ROUGH_TOLERANCES = (0.0, 1e-7, 1e-5)  # by the rough phases left, as there
ROUGH_OPTIONS = {"rough": [(3 * tolerance, 1e3 * tolerance) for tolerance in (1e-5, 1e-7)]}
AT_ONCE = 64  # starts in flight
WITHIN, NEAR = 1e-8, 1e-6
LARGEST_SLOPE = 1e100
VANISHING = 1e-3  # largest projected gradient in (c, theta) of a point that counts as stationary
NEARBY, DIRECTIONS = (1e-4, 1e-3, 1e-2), 16  # where else a lower loss is looked for


def read_case(name):
    """Problem and coupling of a configuration of the paper."""
    config = configparser.ConfigParser(inline_comment_prefixes=";")
    config.read(os.path.join(DATA, name + ".ini"))
    batches = []
    while f"batch.{len(batches) + 1}" in config:
        batch = config[f"batch.{len(batches) + 1}"]
        batches.append((int(batch["qubits"]), batch.getfloat("c"), batch.getfloat("q")))
    coupling = config["coupling"]
    g = int(coupling["Q"]) * np.pi / np.sqrt(int(coupling["m"]) + float(coupling["epsilon"]))
    return Problem(int(config["cavity"]["levels"]), int(config["loss"]["tail"]), tuple(batches)), float(g)


class Functions:
    """The loss with its gradient in three forms, each for many points at once: list of x -> list of results."""

    def __init__(self, peer, g, lam):
        self.peer, self.g, self.lam = peer, g, lam

    def points(self, many):
        return [(self.g, self.lam, x) for x in many]

    def angle(self, many):
        return self.peer.gradients_angle(self.points(many))

    def angle_or_rough(self, many):
        """Of pairs (x, rough phases left)."""
        points = [(self.g, self.lam, x, ROUGH_TOLERANCES[left]) for x, left in many]
        return self.peer.gradients_angle(points)

    def population(self, many):
        evaluations, channels = self.peer.evaluate(self.points(many), True)
        function, results = self.peer.library.c.mm_gradient_population, []
        for x, evaluation, channel in zip(many, evaluations, channels):
            slopes = self.peer.slopes(function, x, evaluation, channel)
            results.append((evaluation.loss, np.clip(slopes, -LARGEST_SLOPE, LARGEST_SLOPE)))
        return results

    def differences(self, many):
        """All forward runs of all gradients in one call."""
        moved = [point for x in many for point in [x, *self.neighbours(x)]]
        losses = [evaluation.loss for evaluation in self.peer.evaluate(self.points(moved), False)[0]]
        results = []
        for x in many:
            neighbours, (value, *others) = self.neighbours(x), losses[: 1 + x.size]
            losses = losses[1 + x.size :]
            steps = [(moved - x).ravel()[i] for i, moved in enumerate(neighbours)]
            results.append((value, np.reshape([(other - value) / h for other, h in zip(others, steps)], x.shape)))
        return results

    @staticmethod
    def neighbours(x):
        step = np.where(x + STEP_OF_DIFFERENCES <= 1, STEP_OF_DIFFERENCES, -STEP_OF_DIFFERENCES)
        return [x + step * unit.reshape(x.shape) for unit in np.eye(x.size)]


def with_scipy(variables, start):
    def minimization(evaluate, trace):
        def function(x):
            result = evaluate(x.copy())
            trace.append(result[0])
            return result

        return scipy_search.minimize_one(variables, function, start)[1]

    return minimization


def with_ours(start, angles_per_variable, trial_length, rough_options):
    """Our optimiser in (c, theta / angles_per_variable). Rough values are counted, but do not reach anything."""
    scale = np.tile([1.0, angles_per_variable], len(start))

    def minimization(evaluate, trace):
        found = [np.inf, None]

        def function(variables, left):
            x = (variables * scale).reshape(-1, 2)
            value, gradient = evaluate((x, left))
            trace.append(np.inf if left > 0 else value)
            if trace[-1] < found[0]:
                found[:] = value, x
            return value, gradient.ravel() * scale

        first, upper = scipy_search.angles(start).ravel() / scale, np.tile([1, np.pi], len(start)) / scale
        library.minimize(function, first, upper, trial_length, {**scipy_search.OPTIONS, **rough_options})
        return scipy_search.populations(found[1]).tolist()

    return minimization


def run_method(evaluate_all, minimizations):
    """[(trace of losses, end)] of every start."""
    traces = [[] for _ in minimizations]
    work = [lambda evaluate, f=f, trace=trace: f(evaluate, trace) for f, trace in zip(minimizations, traces)]
    ends = scipy_search.in_lockstep(evaluate_all, work, AT_ONCE)
    return list(zip(traces, ends))


def projected_gradients(functions, ends):
    """Largest component of the projected gradient over (c, theta) at every end."""
    largest, upper = [], np.array([1, np.pi])
    angles = [scipy_search.angles(np.array(end)) for end in ends]
    for x, (_, gradient) in zip(angles, functions.angle(angles)):
        largest.append(np.abs(np.clip(x - gradient, 0, upper) - x).max())
    return largest


def is_no_minimum(functions, end):
    """Whether the loss is lower by more than 1e-6 at some point near an end."""
    x, random = scipy_search.angles(np.array(end)), np.random.default_rng(1)
    around = random.normal(size=(DIRECTIONS, *x.shape))
    around /= np.sqrt((around**2).sum(axis=(1, 2), keepdims=True))
    moved = [np.clip(x + radius * step, 0, [1, np.pi]) for radius in NEARBY for step in around]
    points = functions.points([scipy_search.populations(y) for y in [x, *moved]])
    here, *there = (evaluation.loss for evaluation in functions.peer.evaluate(points, False)[0])
    return min(there) < here - NEAR


def failures(functions, ends):
    slopes = projected_gradients(functions, ends)
    return sum(slope > VANISHING and is_no_minimum(functions, end) for slope, end in zip(slopes, ends))


def papers_loss(name, lam):
    """Loss at the paper's optimum, as verified, to some digits."""
    with open(os.path.join(DATA, "paper_optima.csv"), encoding="utf-8") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return next(float(row["verified_loss"]) for row in rows
                if row["configuration"] == name and float(row["lambda"]) == lam)  # fmt: skip


def summary(runs, best, paper, failed, forward_runs):
    """The figures of one method; evaluations are medians over the starts that come within 1e-8 of the best loss."""
    first = [next((k + 1 for k, value in enumerate(trace) if value <= best + WITHIN), None) for trace, _ in runs]
    reached = [k for k in first if k is not None]
    total = sum(len(trace) for trace, _ in runs)
    return {
        "reach_best": len(reached) / len(runs),
        "evaluations_to_best": statistics.median(reached) if reached else None,
        "evaluations_total": total,
        "evaluations_per_best": total / len(reached) if reached else None,
        "forward_runs_per_evaluation": forward_runs,
        "reach_paper": sum(abs(min(trace) - paper) <= NEAR for trace, _ in runs) / len(runs),
        "end_trivial": sum(min(trace) > -NEAR for trace, _ in runs) / len(runs),
        "failures": failed / len(runs),
    }


def excited(start):
    """The start with q = 0 in the first of two free batches."""
    start = start.copy()
    start[0, 1] = 0.0
    return start


def compare(name, lam, starts):
    problem, g = read_case(name)
    peer = library.Peer(problem, 0)
    functions, free = Functions(peer, g, lam), int(problem.free.sum())
    start = [peer.library.random_start(1, 0, 0, i, free) for i in range(starts)]
    ours = functions.angle_or_rough
    methods = {
        "micromaser": (ours, [with_ours(x, 2.0, TRIAL_LENGTH, ROUGH_OPTIONS) for x in start], None),
        "micromaser, excited": (ours, [with_ours(excited(x), 2.0, TRIAL_LENGTH, ROUGH_OPTIONS) for x in start], None),
        "micromaser, all exact": (ours, [with_ours(x, 2.0, TRIAL_LENGTH, {}) for x in start], None),
        "micromaser, no limit": (ours, [with_ours(x, 1.0, 0.0, {}) for x in start], None),
        "SciPy, (c, theta)": (functions.angle, [with_scipy("angle", x) for x in start], None),
        "SciPy, (c, q)": (functions.population, [with_scipy("population", x) for x in start], None),
        "SciPy, differences": (functions.differences, [with_scipy("population", x) for x in start], 1 + 2 * free),
    }
    if free < 2:
        del methods["micromaser, excited"]
    runs = {method: run_method(evaluate, work) for method, (evaluate, work, _) in methods.items()}
    best = min(min(trace) for method in runs.values() for trace, _ in method)
    paper = papers_loss(name, lam)
    paper = min((min(trace) for trace, _ in runs["micromaser"]), key=lambda loss: abs(loss - paper))
    return {"case": name, "lambda": lam, "starts": starts, "best": best, "paper": paper, "methods": {
        method: summary(told, best, paper, failures(functions, [end for _, end in told]), methods[method][2])
        for method, told in runs.items()}}  # fmt: skip


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit("usage: compare_optimizers.py STARTS [CASE LAMBDA]")
    cases = {sys.argv[2]: float(sys.argv[3])} if len(sys.argv) == 4 else CASES
    print(json.dumps([compare(name, lam, int(sys.argv[1])) for name, lam in cases.items()]))


if __name__ == "__main__":
    main()
