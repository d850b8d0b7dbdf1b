"""jax_scan.py - JAX in float64: jit, scan over collisions, vmap over starts, reverse-mode gradients.

The stencil (stencil_numpy.py) is a sum of three linear maps with scalar weights, R' = w_e Phi_e R + w_g Phi_g R +
x Phi_x R. Its transpose is written out for reverse mode, which makes gradients two to three times as fast as those
of jax.grad through the rolls. Segments of the scan are checkpointed: the states of a whole run do not fit a cache,
and storing them all was slower. Parameters are (c, theta), q = sin^2(theta/2), whose slopes are finite everywhere.
"""
import functools
import os
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

NAME = "JAX"
GRADIENT = "reverse mode"
VARIABLES = "angle"
SEARCH = "together"
SEGMENT = 40
BATCH = 16  # points of one vmap: fewer are faster as single evaluations on two threads


def couplings(levels, g):
    rabi = g * jnp.sqrt(jnp.arange(levels + 1.0))
    return jnp.cos(rabi).at[-1].set(1.0), jnp.sin(rabi).at[-1].set(0.0)


def stencil(levels, g):
    """The constant matrices of Phi_e (two), Phi_g (two) and Phi_x (four)."""
    C, S = couplings(levels, g)
    C0, C1, S0, S1, outer = C[:-1], C[1:], S[:-1], S[1:], jnp.outer
    return (outer(C1, C1), outer(S0, S0), outer(C0, C0), outer(S1, S1),
            outer(C0, S0), outer(S0, C0), outer(S1, C1), outer(C1, S1))  # fmt: skip


def moved(matrix, down, right):
    """What wraps around meets a coefficient of zero."""
    return jnp.roll(matrix, (down, right), (0, 1))


@jax.custom_vjp
def collide(M, weights, R):
    e, g, x = weights
    return ((e * M[0] + g * M[2]) * R + e * M[1] * moved(R, 1, 1) + g * M[3] * moved(R, -1, -1)
            + x * (M[4] * moved(R, 0, 1) + M[5] * moved(R, 1, 0) - M[6] * moved(R, -1, 0) - M[7] * moved(R, 0, -1)))


def collide_forward(M, weights, R):
    return collide(M, weights, R), (M, weights, R)


def collide_backward(kept, A):
    M, (e, g, x), R = kept
    by_e = M[0] * A + moved(M[1] * A, -1, -1)
    by_g = M[2] * A + moved(M[3] * A, 1, 1)
    by_x = moved(M[4] * A, 0, -1) + moved(M[5] * A, -1, 0) - moved(M[6] * A, 1, 0) - moved(M[7] * A, 0, 1)
    slopes = [jnp.sum(by_e * R), jnp.sum(by_g * R), jnp.sum(by_x * R)]
    return None, slopes, e * by_e + g * by_g + x * by_x


collide.defvjp(collide_forward, collide_backward)


def evolve(M, weights):
    """R after all collisions, weights = (w_e, w_g, x) of each, and the energies before and after every one."""
    levels, collisions = len(M[0]), len(weights[0])
    n = jnp.arange(levels, dtype=float)

    def step(R, w):
        R = collide(M, w, R)
        return R, jnp.diagonal(R) @ n

    @jax.checkpoint
    def segment(R, w):
        return jax.lax.scan(step, R, w)

    R = jnp.zeros((levels, levels)).at[0, 0].set(1.0)
    whole = collisions - collisions % SEGMENT
    R, energies = jax.lax.scan(segment, R, [w[:whole].reshape(-1, SEGMENT) for w in weights])
    R, last = segment(R, [w[whole:] for w in weights])
    return R, jnp.concatenate([jnp.zeros(1), energies.ravel(), last])


def loss(problem, angles, g, lam):
    """Eq. 11 as a function of (c, theta) of the free batches."""
    M = jax.lax.stop_gradient(stencil(problem.levels, g))
    fixed = np.array([[c or 0.0, 2 * np.arcsin(np.sqrt(q or 0.0))] for _, c, q in problem.batches])
    protocol = jnp.asarray(fixed).at[np.flatnonzero(problem.free)].set(angles)
    c, theta = jnp.repeat(protocol, problem.qubits, axis=0, total_repeat_length=problem.collisions).T
    R, energies = evolve(M, [jnp.cos(theta / 2) ** 2, jnp.sin(theta / 2) ** 2, c / 2 * jnp.sin(theta)])
    n = jnp.arange(problem.levels)
    W = energies[-1] - jnp.linalg.eigvalsh(R)[::-1] @ n
    c, q = problem.shares @ jnp.stack([angles[:, 0], jnp.sin(angles[:, 1] / 2) ** 2], axis=1)
    whole = W + (1 - c) + (1 - q)  # 0 at W = 0, c = q = 1
    charge = jnp.where(whole > 0, -W * (1 - c) * (1 - q) / jnp.where(whole > 0, whole, 1.0), 0.0)
    return charge + lam * jnp.abs(jnp.diff(energies[-problem.tail - 1 :])).sum()


@functools.partial(jax.jit, static_argnums=1)
def charge_alike(protocol, collisions, g, M):
    c, q = protocol
    return evolve(M, [jnp.full(collisions, 1 - q), jnp.full(collisions, q),
                      jnp.full(collisions, c * jnp.sqrt(q * (1 - q)))])  # fmt: skip


class Peer:
    def __init__(self, problem, threads):
        self.problem, function = problem, functools.partial(loss, problem)
        self.value = jax.jit(function)
        self.value_and_gradient = jax.jit(jax.value_and_grad(function))
        self.batch = jax.jit(jax.vmap(jax.value_and_grad(function)))
        self.threads = ThreadPoolExecutor(threads)

    @staticmethod
    def angles(parameters):
        return np.stack([parameters[:, 0], 2 * np.arcsin(np.sqrt(parameters[:, 1]))], axis=1)

    def charge(self, g, protocol):
        """R after a protocol of one batch, and its energy before and after every collision."""
        ((collisions, c, q),) = protocol
        R, energies = charge_alike((c, q), collisions, g, stencil(self.problem.levels, g))
        return np.asarray(R), np.asarray(energies)

    def loss(self, g, lam, parameters):
        return float(self.value(self.angles(parameters), g, lam))

    def gradient(self, g, lam, parameters):
        angles = self.angles(parameters)
        value, gradient = self.gradient_angle(g, lam, angles)
        return value, gradient / np.stack([np.ones(len(angles)), np.sin(angles[:, 1]) / 2], axis=1)

    def gradient_angle(self, g, lam, angles):
        value, gradient = self.value_and_gradient(angles, g, lam)
        return float(value), np.asarray(gradient)

    def gradients_angle(self, points):
        """Values and gradients at many points (g, lambda, angles)."""
        results = []
        for first in range(0, len(points), BATCH):
            part = points[first : first + BATCH]
            if len(part) < BATCH // 2:
                results += self.threads.map(lambda point: self.gradient_angle(point[0], point[1], point[2]), part)
                continue
            padded = part + [part[-1]] * (BATCH - len(part))
            g, lam, angles = (np.array(column) for column in zip(*padded))
            values, gradients = self.batch(angles, g, lam)
            results += list(zip(np.asarray(values), np.asarray(gradients)))[: len(part)]
        return results
