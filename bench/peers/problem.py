"""problem.py - the problem that all peers solve, and what is the same in every form of it.

A problem is a stream of batches: `levels` Fock levels, `batches` as (qubits, c, q) with c = q = None where they are
searched for, and the `tail` of the loss. A point is (g, lambda, parameters) with parameters [free batches, 2]: c, q.
"""
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    levels: int
    tail: int
    batches: tuple

    @classmethod
    def from_json(cls, told):
        return cls(told["levels"], told["tail"], tuple(tuple(batch) for batch in told["batches"]))

    @property
    def qubits(self):
        """Collisions of each batch."""
        return np.array([batch[0] for batch in self.batches])

    @property
    def free(self):
        """Which batches are searched for."""
        return np.array([batch[1] is None for batch in self.batches])

    @property
    def collisions(self):
        return int(self.qubits.sum())

    @property
    def shares(self):
        """Share of each free batch in the qubits of all free batches: the weights of the means of Eq. 11."""
        return self.qubits[self.free] / self.qubits[self.free].sum()

    def protocol(self, parameters):
        """(qubits, c, q) of every batch, the free ones taken from parameters."""
        free = iter(parameters)
        return [(qubits, *(next(free) if c is None else (c, q))) for qubits, c, q in self.batches]


def couplings(levels, g):
    """C_n and S_n for n = 0 .. levels, those of the truncated unitary: C_N = 1 and S_N = 0."""
    rabi = g * np.sqrt(np.arange(levels + 1))
    C, S = np.cos(rabi), np.sin(rabi)
    C[-1], S[-1] = 1, 0
    return C, S


def ergotropy(matrix):
    """Eq. 10 with H = diag(0, 1, ..)."""
    n = np.arange(len(matrix))
    return (matrix.diagonal().real @ n) - np.linalg.eigvalsh(matrix)[::-1] @ n


def loss(problem, W, energies, lam, parameters):
    """Eq. 11. energies: E before the first collision and after each one. 0 stands for 0 / 0 at W = 0, c = q = 1."""
    c, q = problem.shares @ parameters
    whole = W + (1 - c) + (1 - q)
    charge = -W * (1 - c) * (1 - q) / whole if whole > 0 else 0.0
    return charge + lam * np.abs(np.diff(energies[-problem.tail - 1:])).sum()


STEP_OF_DIFFERENCES = 1e-8  # SciPy's default for L-BFGS-B
STEP_OF_CENTRAL_DIFFERENCES = 2e-6  # balances rounding and curvature


def differences(function, x):
    """Value and forward differences of a function of x in [0, 1], backward where there is no room, as SciPy does."""
    value, gradient = function(x), np.empty_like(x)
    for i in np.ndindex(x.shape):
        moved = x.copy()
        moved[i] += STEP_OF_DIFFERENCES if x[i] + STEP_OF_DIFFERENCES <= 1 else -STEP_OF_DIFFERENCES
        gradient[i] = (function(moved) - value) / (moved[i] - x[i])
    return value, gradient


def central_differences(function, x):
    """Central differences of a function inside (0, 1): what forward differences approach, to check a peer's loss."""
    gradient = np.empty_like(x)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += STEP_OF_CENTRAL_DIFFERENCES
        below[i] -= STEP_OF_CENTRAL_DIFFERENCES
        gradient[i] = (function(above) - function(below)) / (above[i] - below[i])
    return gradient
