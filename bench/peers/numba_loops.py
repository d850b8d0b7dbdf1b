"""numba_loops.py - Numba: the stencil as compiled loops over the lower half of the matrix, gradients by an adjoint.

R is symmetric: only m <= n is computed, and one diagonal above is copied for the neighbours, all within a margin of
zeros. The adjoint recomputes segments of the run from states kept at their starts. A = dL/dR is symmetric as well,
and obeys A_k = Phi^T A_{k+1} plus the slope of the instability; <A, Phi_j R> gives the slopes of the three weights
w_e, w_g, x (stencil_numpy.py). Parameters are (c, theta), q = sin^2(theta/2).
"""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from problem import couplings

NAME = "Numba"
GRADIENT = "adjoint by hand"
VARIABLES = "angle"
SEARCH = "threads"
SEGMENT = 32
SMALLEST_DENOMINATOR = 1e-300  # all three terms are 0 at W = 0, c = q = 1


@njit(nogil=True, fastmath=True)
def mirror(R):
    """Copies the first diagonal below to that above."""
    for n in range(1, R.shape[0] - 2):
        R[n, n + 1] = R[n + 1, n]


@njit(nogil=True, fastmath=True)
def collide(C, S, w_e, w_g, x, R, out):
    for n in range(C.size - 1):
        above, here, below, result = R[n], R[n + 1], R[n + 2], out[n + 1]
        e_C, g_C, e_S, g_S = w_e * C[n + 1], w_g * C[n], w_e * S[n], w_g * S[n + 1]
        x_C, x_S, x_C1, x_S1 = x * C[n], x * S[n], x * C[n + 1], x * S[n + 1]
        for m in range(n + 1):
            result[m + 1] = (
                (e_C * C[m + 1] + g_C * C[m]) * here[m + 1] + e_S * S[m] * above[m] + g_S * S[m + 1] * below[m + 2]
                + x_C * S[m] * here[m] + x_S * C[m] * above[m + 1]
                - x_S1 * C[m + 1] * below[m + 1] - x_C1 * S[m + 1] * here[m + 2]
            )  # fmt: skip
    mirror(out)


@njit(nogil=True, fastmath=True)
def collide_back(C, S, w_e, w_g, x, A, R, out, slopes):
    """out = Phi^T A, and adds <Phi_j^T A, R> to slopes."""
    by_e, by_g, by_x = 0.0, 0.0, 0.0
    for n in range(C.size - 1):
        above, here, below, result, state = A[n], A[n + 1], A[n + 2], out[n + 1], R[n + 1]
        row_e, row_g, row_x = 0.0, 0.0, 0.0
        for m in range(n + 1):
            e = C[n + 1] * C[m + 1] * here[m + 1] + S[n + 1] * S[m + 1] * below[m + 2]
            g = C[n] * C[m] * here[m + 1] + S[n] * S[m] * above[m]
            s = (C[n] * S[m + 1] * here[m + 2] + S[n + 1] * C[m] * below[m + 1]
                 - S[n] * C[m + 1] * above[m + 1] - C[n + 1] * S[m] * here[m])
            result[m + 1] = w_e * e + w_g * g + x * s
            row_e += e * state[m + 1]
            row_g += g * state[m + 1]
            row_x += s * state[m + 1]
        on_diagonal = state[n + 1]
        by_e += 2 * row_e - e * on_diagonal
        by_g += 2 * row_g - g * on_diagonal
        by_x += 2 * row_x - s * on_diagonal
    mirror(out)
    slopes[0] += by_e
    slopes[1] += by_g
    slopes[2] += by_x


@njit(nogil=True, fastmath=True)
def energy(R):
    total = 0.0
    for n in range(R.shape[0] - 2):
        total += n * R[n + 1, n + 1]
    return total


@njit(nogil=True)
def charge(C, S, weights, batch_of, energies, kept):
    """The state after all collisions; the energies, and where `kept` has room the states at the segments' starts."""
    R = np.zeros((C.size + 1, C.size + 1))
    R[1, 1] = 1
    new = np.zeros_like(R)
    for k in range(batch_of.size):
        if kept.shape[0] > 0 and k % SEGMENT == 0:
            kept[k // SEGMENT] = R
        w = weights[batch_of[k]]
        collide(C, S, w[0], w[1], w[2], R, new)
        R, new = new, R
        energies[k + 1] = energy(R)
    return R


@njit(nogil=True)
def adjoint(C, S, weights, batch_of, signs, kept, A, slopes):
    """Slopes of the loss in the weights of every batch. A: dL/dR after the last collision, without the instability;
    signs[k]: lambda sign(E_k - E_{k-1}) in the tail, 0 outside, with one 0 more at the end."""
    states = np.zeros((SEGMENT + 1, A.shape[0], A.shape[0]))
    new = np.zeros_like(A)
    for segment in range(kept.shape[0] - 1, -1, -1):
        first, last = segment * SEGMENT, min((segment + 1) * SEGMENT, batch_of.size)
        states[0] = kept[segment]
        for k in range(first, last - 1):
            w = weights[batch_of[k]]
            collide(C, S, w[0], w[1], w[2], states[k - first], states[k - first + 1])
        for k in range(last - 1, first - 1, -1):
            step = signs[k + 1] - signs[k + 2]
            if step != 0:
                for n in range(A.shape[0] - 2):
                    A[n + 1, n + 1] += step * n
            w = weights[batch_of[k]]
            collide_back(C, S, w[0], w[1], w[2], A, states[k - first], new, slopes[batch_of[k]])
            A, new = new, A


def framed(matrix):
    """A symmetric matrix in the loops' layout."""
    result = np.zeros((len(matrix) + 2, len(matrix) + 2))
    result[1:-1, 1:-1] = np.tril(matrix, 1)
    return result


class Peer:
    def __init__(self, problem, threads):
        self.problem = problem
        self.batch_of = np.repeat(np.arange(len(problem.batches)), problem.qubits)
        self.threads = ThreadPoolExecutor(threads)

    def run(self, g, protocol, keep):
        """Couplings, weights, final matrix, energies and the states kept."""
        C, S = couplings(self.problem.levels, g)
        qubits = [int(batch[0]) for batch in protocol]
        weights = np.array([[1 - q, q, c * np.sqrt(q * (1 - q))] for _, c, q in protocol])
        batch_of = np.repeat(np.arange(len(protocol)), qubits)
        segments = -(-len(batch_of) // SEGMENT) if keep else 0
        energies, kept = np.zeros(len(batch_of) + 1), np.zeros((segments, len(C) + 1, len(C) + 1))
        R = np.tril(charge(C, S, weights, batch_of, energies, kept)[1:-1, 1:-1])
        return C, S, weights, R + np.tril(R, -1).T, energies, kept

    def charge(self, g, protocol):
        return self.run(g, protocol, False)[3:5]

    def parts(self, W, energies, lam, parameters):
        """Eq. 11 and its slopes in W and in the means of c and q."""
        c, q = self.problem.shares @ parameters
        u, v = 1 - c, 1 - q
        whole = max(W + u + v, SMALLEST_DENOMINATOR)
        value = -W * u * v / whole + lam * np.abs(np.diff(energies[-self.problem.tail - 1 :])).sum()
        return value, -u * v * (u + v) / whole**2, W * v * (W + v) / whole**2, W * u * (W + u) / whole**2

    def loss(self, g, lam, parameters):
        R, energies = self.charge(g, self.problem.protocol(parameters))
        n = np.arange(len(R))
        return self.parts(energies[-1] - np.linalg.eigvalsh(R)[::-1] @ n, energies, lam, parameters)[0]

    def slopes(self, g, lam, parameters):
        """Loss, its slopes in (w_e, w_g, x) of each free batch, and in c and q through the means."""
        problem, n = self.problem, np.arange(self.problem.levels)
        C, S, weights, R, energies, kept = self.run(g, problem.protocol(parameters), True)
        r, vectors = np.linalg.eigh(R)
        value, by_W, by_c, by_q = self.parts(energies[-1] - r[::-1] @ n, energies, lam, parameters)
        A = by_W * (np.diag(n) - (vectors * n[::-1]) @ vectors.T)
        signs = np.zeros(len(energies) + 1)
        signs[-problem.tail - 1 : -1] = lam * np.sign(np.diff(energies[-problem.tail - 1 :]))
        slopes = np.zeros((len(weights), 3))
        adjoint(C, S, weights, self.batch_of, signs, kept, framed(A), slopes)
        return value, slopes[problem.free], problem.shares * by_c, problem.shares * by_q

    def gradient(self, g, lam, parameters):
        value, slopes, by_c, by_q = self.slopes(g, lam, parameters)
        c, q = parameters.T
        root = np.sqrt(q * (1 - q))
        return value, np.stack([slopes[:, 2] * root + by_c, slopes[:, 1] - slopes[:, 0] + by_q
                                + slopes[:, 2] * c * (1 - 2 * q) / (2 * root)], axis=1)  # fmt: skip

    def gradient_angle(self, g, lam, angles):
        c, theta = angles.T
        parameters = np.stack([c, np.sin(theta / 2) ** 2], axis=1)
        value, slopes, by_c, by_q = self.slopes(g, lam, parameters)
        return value, np.stack([slopes[:, 2] * np.sin(theta) / 2 + by_c,
                                (slopes[:, 1] - slopes[:, 0] + by_q) * np.sin(theta) / 2
                                + slopes[:, 2] * c * np.cos(theta) / 2], axis=1)  # fmt: skip

    def gradients_angle(self, points):
        """Values and gradients at many points (g, lambda, angles)."""
        return list(self.threads.map(lambda point: self.gradient_angle(*point), points))
