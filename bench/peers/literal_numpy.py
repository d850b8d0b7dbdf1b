"""literal_numpy.py - the literal dense complex form in NumPy, as one writes it from the paper.

Every line is an equation: the qubit (Eq. 2), the unitary (Eq. 4), the joint state (Eq. 5), the collision (Eq. 6).
Gradients are numerical differences.
"""
import numpy as np
from problem import differences, ergotropy, loss
from scipy.linalg import expm

NAME = "NumPy, literal"
GRADIENT = "differences"
VARIABLES = "population"
SEARCH = "processes"


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


class Peer:
    def __init__(self, problem, threads):
        self.problem = problem
        self.unitaries = {}

    def unitary(self, g):
        if g not in self.unitaries:
            self.unitaries[g] = unitary(self.problem.levels, g)
        return self.unitaries[g]

    def charge(self, g, protocol):
        """The battery after a protocol, and its energy before and after every collision."""
        U, H = self.unitary(g), np.arange(self.problem.levels)
        battery = np.zeros((self.problem.levels, self.problem.levels), dtype=complex)
        battery[0, 0] = 1
        energies = [0.0]
        for qubits, c, q in protocol:
            qubit = qubit_state(c, q)
            for _ in range(qubits):
                battery = collision(battery, qubit, U)
                energies.append(battery.diagonal().real @ H)
        return battery, np.array(energies)

    def loss(self, g, lam, parameters):
        battery, energies = self.charge(g, self.problem.protocol(parameters))
        return loss(self.problem, ergotropy(battery), energies, lam, parameters)

    def gradient(self, g, lam, parameters):
        return differences(lambda x: self.loss(g, lam, x), parameters)
