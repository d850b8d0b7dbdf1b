#!/usr/bin/env python3
"""literal_numpy.py - one charging run in the literal dense complex form, as the paper's authors would write it.

Every line is an equation: the qubit (Eq. 2), the unitary (Eq. 4), the joint state (Eq. 5), the collision (Eq. 6),
the ergotropy (Eq. 10) and the loss (Eq. 11), for a stream of identical qubits. Prints one JSON object: loss,
ergotropy, energy, seconds (the whole run) and seconds_per_collision (the loop of collisions alone).
"""
import argparse
import json
import time

import numpy as np
from scipy.linalg import expm


def qubit_state(c, q):
    """Eq. 2 in the order |g>, |e>."""
    x = c * np.sqrt(q * (1 - q))
    return np.array([[q, x], [x, 1 - q]], dtype=complex)


def unitary(levels, g):
    """Eq. 4 with the truncated a and a^dagger."""
    a = np.diag(np.sqrt(np.arange(1, levels)), 1)
    sigma_minus = np.array([[0, 1], [0, 0]])
    return expm(-1j * g * (np.kron(a, sigma_minus.T) + np.kron(a.T, sigma_minus)))


def collision(battery, qubit, U):
    """Eqs. 5 and 6: couple, evolve, trace the qubit out."""
    levels = len(battery)
    joint = U @ np.kron(battery, qubit) @ U.conj().T
    return np.trace(joint.reshape(levels, 2, levels, 2), axis1=1, axis2=3)


def ergotropy(battery, H):
    """Eq. 10."""
    r = np.linalg.eigvalsh(battery)[::-1]
    return np.trace(H @ battery).real - np.sum(r * np.diag(H))


def loss(W, c, q, energies, tail, lam):
    """Eq. 11."""
    charge = -W * (1 - c) * (1 - q) / (W + (1 - c) + (1 - q))
    return charge + lam * np.sum(np.abs(np.diff(energies[-tail - 1:])))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", type=int, default=120)
    parser.add_argument("--collisions", type=int, default=1000)
    parser.add_argument("--g", type=float, default=np.pi / np.sqrt(15.6))
    parser.add_argument("--c", type=float, default=0.31)
    parser.add_argument("--q", type=float, default=0.145)
    parser.add_argument("--lambda", type=float, default=1.0, dest="lam")
    parser.add_argument("--tail", type=int, default=200)
    arguments = parser.parse_args()

    start = time.perf_counter()
    H = np.diag(np.arange(arguments.levels))
    U = unitary(arguments.levels, arguments.g)
    qubit = qubit_state(arguments.c, arguments.q)
    battery = np.zeros((arguments.levels, arguments.levels), dtype=complex)
    battery[0, 0] = 1

    loop_start = time.perf_counter()
    energies = [0.0]
    for _ in range(arguments.collisions):
        battery = collision(battery, qubit, U)
        energies.append(np.trace(H @ battery).real)
    loop_end = time.perf_counter()

    W = ergotropy(battery, H)
    L = loss(W, arguments.c, arguments.q, energies, arguments.tail, arguments.lam)
    end = time.perf_counter()
    print(json.dumps({
        "loss": L,
        "ergotropy": W,
        "energy": energies[-1],
        "seconds": end - start,
        "seconds_per_collision": (loop_end - loop_start) / arguments.collisions,
    }))


if __name__ == "__main__":
    main()
