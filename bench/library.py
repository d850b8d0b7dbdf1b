"""library.py - libmicromaser through ctypes, with the interface of a peer (peers/problem.py).

tests/program/library.py compares the structures here with those of the header.
"""
import ctypes
import os
from ctypes import POINTER, Structure, byref, c_bool, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t
from ctypes import c_void_p

import numpy as np

NAME = "micromaser"
GRADIENT = "adjoint"
VARIABLES = "angle"
BAND_TOLERANCE = 1e-16


class Error(Structure):
    _fields_ = [("status", c_int), ("message", c_char * 512)]


class Batch(Structure):
    _fields_ = [("qubits", c_int64), ("fixed", c_bool), ("c", c_double), ("q", c_double)]


class ProblemStructure(Structure):
    _fields_ = [("levels", c_int), ("batch_count", c_size_t), ("batches", POINTER(Batch)), ("tail", c_int64),
                ("band_tolerance", c_double)]  # fmt: skip


class Point(Structure):
    _fields_ = [("g", c_double), ("lam", c_double), ("parameters", POINTER(c_double)),
                ("gradient_limit", POINTER(c_double)), ("band_tolerance", c_double)]  # fmt: skip


class Evaluation(Structure):
    _fields_ = [(name, c_double) for name in (
        "loss", "ergotropy", "energy", "purity", "instability", "mean_c", "mean_q", "loss_by_mean_c",
        "loss_by_mean_q", "band_error", "truncation_population")] + [("levels", c_int), ("eigen_failures", c_int)]  # fmt: skip


class State(Structure):
    _fields_ = [("levels", c_int), ("density", POINTER(c_double)), ("collisions", c_int64), ("band_error", c_double),
                ("truncation_population", c_double)]  # fmt: skip


class SolverOptions(Structure):
    _fields_ = [("size", c_size_t), ("backend", c_char_p), ("threads", c_int), ("instructions", c_char_p),
                ("host_index", c_int), ("host_count", c_int), ("eigen_method", c_int),
                ("check_eigen", c_int)]  # fmt: skip


class PhaseEnd(Structure):
    _fields_ = [("ftol", c_double), ("gtol", c_double)]


class OptimizerOptions(Structure):
    _fields_ = [("size", c_size_t), ("ftol", c_double), ("gtol", c_double), ("iterations", c_int64), ("evaluations", c_int64),
                ("corrections", c_int), ("line_search_steps", c_int), ("trial_length", c_double),
                ("rough_phases", c_int), ("rough", PhaseEnd * 2)]  # fmt: skip


class Library:
    """The functions used here, with their types; a failure becomes an exception."""

    def __init__(self, path=None):
        self.c = ctypes.CDLL(path or os.environ["MICROMASER_LIBRARY"])
        self.c.mm_version.restype = c_char_p
        self.c.mm_optimizer_defaults.argtypes = [POINTER(OptimizerOptions), c_size_t]
        self.c.mm_optimizer_defaults.restype = None
        self.c.mm_optimizer_ask.restype = POINTER(c_double)
        self.c.mm_optimizer_ask.argtypes = self.c.mm_optimizer_free.argtypes = [c_void_p]
        self.c.mm_optimizer_gradient_limit.restype = c_double
        self.c.mm_optimizer_gradient_limit.argtypes = [c_void_p]
        self.c.mm_optimizer_rough_phases_left.argtypes = [c_void_p]
        self.c.mm_optimizer_tell.argtypes = [c_void_p, c_double, c_void_p]
        self.c.mm_solver_close.argtypes = [c_void_p]
        self.c.mm_random_start.argtypes = [ctypes.c_uint64, c_int32, c_int32, c_int32, c_size_t, c_void_p]
        self.c.mm_random_start.restype = None
        self.c.mm_gradient_population.restype = self.c.mm_gradient_angle.restype = None
        self.c.mm_solver_device.restype = c_char_p
        self.c.mm_solver_device.argtypes = [c_void_p]

    def call(self, name, *arguments):
        error = Error()
        if getattr(self.c, name)(*arguments, byref(error)) != 0:
            raise RuntimeError(f"{name}: {error.message.decode()}")

    def random_start(self, seed, g_index, lambda_index, start, free_batches):
        parameters = np.empty((free_batches, 2))
        self.c.mm_random_start(seed, g_index, lambda_index, start, free_batches, parameters.ctypes.data)
        return parameters


class Peer:
    def __init__(self, problem, threads):
        self.library, self.problem = Library(), problem
        batches = [Batch(qubits, c is not None, c or 0.0, q or 0.0) for qubits, c, q in problem.batches]
        self.batches = (Batch * len(batches))(*batches)
        self.structure = ProblemStructure(problem.levels, len(batches), self.batches, problem.tail, BAND_TOLERANCE)
        self.solver = c_void_p()
        self.library.call("mm_solver_open", byref(self.solver), byref(self.structure),
                          byref(SolverOptions(ctypes.sizeof(SolverOptions), b"cpu", threads)))  # fmt: skip

    def device(self):
        return self.library.c.mm_solver_device(self.solver).decode()

    def evaluate(self, points, gradient):
        """Evaluations and channel gradients at many points (g, lambda, parameters[, band tolerance])."""
        kept = [np.ascontiguousarray(parameters, dtype=float) for _, _, parameters, *_ in points]
        given = (Point * len(points))(*(
            Point(g, lam, array.ctypes.data_as(POINTER(c_double)), None, *coarser)
            for (g, lam, _, *coarser), array in zip(points, kept)))  # fmt: skip
        evaluations = (Evaluation * len(points))()
        channels = np.empty((len(points), int(self.problem.free.sum()), 2))
        self.library.call("mm_solver_evaluate", self.solver, c_size_t(len(points)), given, evaluations,
                          c_void_p(channels.ctypes.data) if gradient else None)  # fmt: skip
        return evaluations, channels

    def slopes(self, function, x, evaluation, channel):
        """mm_gradient_population or mm_gradient_angle at x."""
        x, gradient = np.ascontiguousarray(x, dtype=float), np.empty((len(channel), 2))
        function(byref(self.structure), c_void_p(x.ctypes.data), byref(evaluation), c_void_p(channel.ctypes.data),
                 c_void_p(gradient.ctypes.data))  # fmt: skip
        return gradient

    def loss(self, g, lam, parameters):
        return self.evaluate([(g, lam, parameters)], False)[0][0].loss

    def gradient(self, g, lam, parameters):
        evaluations, channels = self.evaluate([(g, lam, parameters)], True)
        gradient = self.slopes(self.library.c.mm_gradient_population, parameters, evaluations[0], channels[0])
        return evaluations[0].loss, gradient

    def gradient_angle(self, g, lam, angles):
        return self.gradients_angle([(g, lam, angles)])[0]

    def gradients_angle(self, points):
        """Values and gradients at many points (g, lambda, angles[, band tolerance])."""
        populations = [(g, lam, np.stack([x[:, 0], np.sin(x[:, 1] / 2) ** 2], axis=1), *coarser)
                       for g, lam, x, *coarser in points]  # fmt: skip
        evaluations, channels = self.evaluate(populations, True)
        function = self.library.c.mm_gradient_angle
        return [(evaluation.loss, self.slopes(function, x, evaluation, channel))
                for (_, _, x, *_), evaluation, channel in zip(points, evaluations, channels)]  # fmt: skip

    def charge(self, g, protocol):
        """R after a protocol of one batch, and its energy before and after every collision."""
        ((collisions, c, q),) = protocol
        energies, state, parameters = np.empty(collisions + 1), State(), (c_double * 2)(c, q)
        self.library.call("mm_solver_evolve", self.solver, byref(Point(g, 0.0, parameters, None)), c_int64(collisions),
                          c_void_p(energies.ctypes.data), byref(state))  # fmt: skip
        R = np.ctypeslib.as_array(state.density, (state.levels, state.levels)).copy()
        self.library.c.mm_state_free(byref(state))
        return R, energies

    def close(self):
        self.library.c.mm_solver_close(self.solver)


def minimize(function, start, upper, trial_length, options):
    """Our optimiser on a function of x in [0, upper], and of the rough phases left, that gives value and gradient."""
    library, n = Library(), len(start)
    given = OptimizerOptions()
    library.c.mm_optimizer_defaults(byref(given), ctypes.sizeof(given))
    given.ftol, given.gtol = options["ftol"], options["gtol"]
    given.iterations, given.evaluations = options["maxiter"], options["maxfun"]
    given.trial_length = trial_length
    for phase in options.get("rough", []):
        given.rough[given.rough_phases] = phase
        given.rough_phases += 1
    optimizer, lower = c_void_p(), np.zeros(n)
    library.call("mm_optimizer_create", byref(optimizer), c_size_t(n), *(
        c_void_p(array.ctypes.data) for array in (lower, upper, start)), byref(given))  # fmt: skip
    reason = 0
    while reason == 0:
        x = np.ctypeslib.as_array(library.c.mm_optimizer_ask(optimizer), (n,)).copy()
        value, gradient = function(x, library.c.mm_optimizer_rough_phases_left(optimizer))
        gradient = np.ascontiguousarray(gradient)
        wanted = value <= library.c.mm_optimizer_gradient_limit(optimizer)
        reason = library.c.mm_optimizer_tell(optimizer, value, gradient.ctypes.data if wanted else None)
    library.c.mm_optimizer_free(optimizer)
