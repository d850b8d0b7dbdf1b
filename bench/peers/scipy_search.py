"""scipy_search.py - the multi-start search of a peer: SciPy's L-BFGS-B from every start, on all cores.

Three ways, each the fastest for some peer: a process for each core ("processes"), a thread for each core where the
work is done outside of Python ("threads"), or all starts at once, whose evaluations are collected into one call
("together"). The variables are (c, q), or (c, theta) with q = sin^2(theta/2) where the gradient is exact: its slope
in q is infinite at the bounds.
"""
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.optimize import minimize

OPTIONS = {"ftol": 2.2e-9, "gtol": 1e-5, "maxiter": 15000, "maxfun": 15000, "maxcor": 10}


def angles(parameters):
    """(c, theta) of (c, q)."""
    return np.stack([parameters[:, 0], 2 * np.arcsin(np.sqrt(parameters[:, 1]))], axis=1)


def populations(angles):
    """(c, q) of (c, theta)."""
    return np.stack([angles[:, 0], np.sin(angles[:, 1] / 2) ** 2], axis=1)


def minimize_one(variables, function, start):
    """From one start [free batches, 2] of c, q. Returns loss, c and q at the end, and evaluations with gradient.

    function(x) gives value and gradient in the variables named."""
    x = np.array(start, dtype=float)
    bounds = [(0, 1), (0, np.pi if variables == "angle" else 1)] * len(x)
    if variables == "angle":
        x = angles(x)

    def flat(vector):
        value, gradient = function(vector.reshape(-1, 2))
        return value, gradient.ravel()

    found = minimize(flat, x.ravel(), jac=True, method="L-BFGS-B", bounds=bounds, options=OPTIONS)
    end = found.x.reshape(-1, 2)
    if variables == "angle":
        end = populations(end)
    return float(found.fun), end.tolist(), int(found.nfev)


def from_point(peer, variables, point):
    g, lam, start = point
    gradient = peer.gradient_angle if variables == "angle" else peer.gradient
    return minimize_one(variables, lambda x: gradient(g, lam, x), start)


def in_processes(peer, variables, points, cores):
    global task  # what a forked process finds without sending it
    task = lambda point: from_point(peer, variables, point)  # noqa: E731
    with multiprocessing.get_context("fork").Pool(cores) as pool:
        return pool.map(run_task, points, chunksize=1)


def run_task(point):
    return task(point)


def in_threads(peer, variables, points, cores):
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(lambda point: from_point(peer, variables, point), points))


class Rendezvous:
    """Collects one point from each of the searches that run, and calls evaluate_all with the list of them."""

    def __init__(self, evaluate_all):
        self.evaluate_all, self.running, self.waiting = evaluate_all, 0, []
        self.changed = threading.Condition()

    def evaluate(self, point):
        with self.changed:
            ticket = {"point": point}
            self.waiting.append(ticket)
            self.serve_when_complete()
            self.changed.wait_for(lambda: "result" in ticket)
        if isinstance(ticket["result"], Exception):
            raise ticket["result"]
        return ticket["result"]

    def enter(self, count):
        with self.changed:
            self.running += count

    def leave(self):
        with self.changed:
            self.running -= 1
            self.serve_when_complete()

    def serve_when_complete(self):
        if self.waiting and len(self.waiting) == self.running:
            tickets, self.waiting = self.waiting, []
            for ticket, result in zip(tickets, self.results_of(tickets)):
                ticket["result"] = result
            self.changed.notify_all()

    def results_of(self, tickets):
        """A failure is the result of all: no search may wait for ever."""
        try:
            return self.evaluate_all([ticket["point"] for ticket in tickets])
        except Exception as failure:
            return [failure] * len(tickets)


def in_lockstep(evaluate_all, minimizations, at_once):
    """Runs minimizations, each a function of an evaluate(point), with at most `at_once` in flight."""
    meeting, left, lock = Rendezvous(evaluate_all), list(enumerate(minimizations)), threading.Lock()
    results = [None] * len(left)

    def work():
        try:
            while True:
                with lock:
                    if not left:
                        return
                    index, minimization = left.pop(0)
                results[index] = minimization(meeting.evaluate)
        finally:
            meeting.leave()

    threads = [threading.Thread(target=work) for _ in range(min(at_once, len(left)))]
    meeting.enter(len(threads))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if None in results:
        raise RuntimeError("a search did not end")
    return results


def together(peer, variables, points, at_once):
    def minimization(g, lam, start):
        return lambda evaluate: minimize_one(variables, lambda x: evaluate((g, lam, x)), start)

    return in_lockstep(peer.gradients_angle, [minimization(*point) for point in points], at_once)


def search(module, peer, points, cores):
    """Ends of all searches, in the order of the points (g, lambda, start): see minimize_one."""
    if module.SEARCH == "together":
        return together(peer, module.VARIABLES, points, module.BATCH)
    way = {"processes": in_processes, "threads": in_threads}[module.SEARCH]
    return way(peer, module.VARIABLES, points, cores)
