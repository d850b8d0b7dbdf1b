#!/usr/bin/env python3
"""serve.py - one peer in a process of its own: a request a line in, an answer a line out, both JSON objects.

usage: serve.py MODULE CORES

    {"do": "open", "problem": {"levels", "tail", "batches"}}      -> {"gradient"}, how the peer gets it
    {"do": "loss" | "gradient" | "check", "points": [point]}      -> {"seconds", "losses", "gradients"}
    {"do": "many", "points": [..]}                                -> the same, of all points on all cores
    {"do": "search", "points": [..]}                              -> {"seconds", "ends": [[loss, parameters, evaluations]]}
    {"do": "evolve", "g", "protocol": [[qubits, c, q]]}           -> {"seconds", "ergotropy", "energy"}
    {"do": "memory"}                                              -> {"bytes"}: peak of the largest process so far

A point is [g, lambda, [[c, q], ..]]. "check" gives the gradient to be compared with that of others: for peers with
numerical gradients, the central differences of their loss. Only the work itself is timed.
"""
import importlib
import json
import os
import resource
import sys
import time

import numpy as np
import scipy_search
from problem import Problem, central_differences, ergotropy

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


SECONDS_PER_MEASUREMENT = 0.04  # shorter work is repeated to fill it


class Server:
    def __init__(self, module, cores):
        self.module, self.cores, self.peer = importlib.import_module(module), cores, None

    def open(self, request):
        self.peer = self.module.Peer(Problem.from_json(request["problem"]), self.cores)
        return {"gradient": self.module.GRADIENT}

    @staticmethod
    def points(request):
        return [(g, lam, np.array(parameters)) for g, lam, parameters in request["points"]]

    def loss(self, request):
        points = self.points(request)
        return lambda: {"losses": [self.peer.loss(*point) for point in points]}

    def gradient(self, request):
        points = self.points(request)
        if self.module.VARIABLES == "angle":
            points = [(g, lam, scipy_search.angles(x)) for g, lam, x in points]
            return lambda: answer([self.peer.gradient_angle(*point) for point in points])
        return lambda: answer([self.peer.gradient(*point) for point in points])

    def check(self, request):
        points = self.points(request)
        if self.module.GRADIENT == "differences":
            return lambda: answer([(self.peer.loss(g, lam, x),
                                    central_differences(lambda y: self.peer.loss(g, lam, y), x))
                                   for g, lam, x in points])  # fmt: skip
        return lambda: answer([self.peer.gradient(*point) for point in points])

    def many(self, request):
        points = [(g, lam, scipy_search.angles(x)) for g, lam, x in self.points(request)]
        return lambda: answer(self.peer.gradients_angle(points))

    def search(self, request):
        points = self.points(request)
        return lambda: {"ends": scipy_search.search(self.module, self.peer, points, self.cores)}

    def evolve(self, request):
        def work():
            matrix, energies = self.peer.charge(request["g"], request["protocol"])
            return {"ergotropy": float(ergotropy(matrix)), "energy": float(energies[-1])}

        return work

    def memory(self, request):
        kibibytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return {"bytes": 1024 * kibibytes}

    def handle(self, request):
        work = getattr(self, request["do"])(request)
        if not callable(work):
            return work
        calls, start = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < SECONDS_PER_MEASUREMENT:
            result = work()
            calls += 1
        return {"seconds": (time.perf_counter() - start) / calls, **result}


def answer(values_and_gradients):
    return {"losses": [float(value) for value, _ in values_and_gradients],
            "gradients": [np.asarray(gradient).tolist() for _, gradient in values_and_gradients]}  # fmt: skip


def main():
    server = Server(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(server.handle(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
