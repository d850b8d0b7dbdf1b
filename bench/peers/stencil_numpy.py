"""stencil_numpy.py - a good NumPy version: the real seven-point stencil, vectorised over the whole matrix.

In the real gauge rho_nm = (-i)^(n-m) R_nm a collision is

    R'_nm =   [ w_e C_{n+1} C_{m+1} + w_g C_n C_m ] R_nm
            + w_e S_n S_m R_{n-1,m-1} + w_g S_{n+1} S_{m+1} R_{n+1,m+1}
            + x [ C_n S_m R_{n,m-1} + S_n C_m R_{n-1,m} - S_{n+1} C_{m+1} R_{n+1,m} - C_{n+1} S_{m+1} R_{n,m+1} ].

The matrix lies flat between margins of zeros, so that a neighbour is a contiguous view with an offset; coefficients
that would couple one end of a row to the next are zero. Nothing is allocated in the loop. Gradients are numerical
differences, which for one batch cost no more than an adjoint would.
"""
import numpy as np
from problem import couplings, differences, ergotropy, loss

NAME = "NumPy, stencil"
GRADIENT = "differences"
VARIABLES = "population"
SEARCH = "processes"


class Peer:
    def __init__(self, problem, threads):
        self.problem, N = problem, problem.levels
        margin = N + 1
        self.offsets = np.array([0, -N - 1, N + 1, -1, -N, N, 1])
        self.storage = np.zeros((2, N * N + 2 * margin))
        self.views = [[flat[margin + o : margin + o + N * N] for o in self.offsets] for flat in self.storage]
        self.term = np.empty(N * N)

    def coefficients(self, g, c, q):
        C, S = couplings(self.problem.levels, g)
        C0, C1, S0, S1 = C[:-1], C[1:], S[:-1], S[1:]
        e, x, outer = 1 - q, c * np.sqrt(q * (1 - q)), np.outer
        seven = (e * outer(C1, C1) + q * outer(C0, C0), e * outer(S0, S0), q * outer(S1, S1), x * outer(C0, S0),
                 x * outer(S0, C0), -x * outer(S1, C1), -x * outer(C1, S1))  # fmt: skip
        return [matrix.ravel() for matrix in seven]

    def charge(self, g, protocol):
        """R after a protocol, and its energy before and after every collision."""
        N, n = self.problem.levels, np.arange(self.problem.levels)
        (old, new), term = self.views, self.term
        self.storage[:] = 0
        old[0][0] = 1
        energies = [0.0]
        for qubits, c, q in protocol:
            coefficients = self.coefficients(g, c, q)
            for _ in range(qubits):
                result = new[0]
                np.multiply(coefficients[0], old[0], out=result)
                for coefficient, neighbour in zip(coefficients[1:], old[1:]):
                    np.multiply(coefficient, neighbour, out=term)
                    np.add(result, term, out=result)
                old, new = new, old
                energies.append(result[:: N + 1] @ n)
        return old[0].reshape(N, N), np.array(energies)

    def loss(self, g, lam, parameters):
        R, energies = self.charge(g, self.problem.protocol(parameters))
        return loss(self.problem, ergotropy(R), energies, lam, parameters)

    def gradient(self, g, lam, parameters):
        return differences(lambda x: self.loss(g, lam, x), parameters)
