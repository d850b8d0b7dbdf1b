"""qutip_channel.py - QuTiP: the collision as a sparse superoperator, applied to the vectorised state.

With A_ks = <k| U |s>, s and k the levels of the qubit, a qubit sum_st p_st |s><t| gives the channel
sum_st p_st sum_k A_ks rho A_kt^dagger. It is linear in the p_st, so that its parts are made once for each g. QuTiP
applies their sum six times as fast as Kraus operators one by one. Gradients are numerical differences.
"""
import warnings

import numpy as np
from problem import differences, ergotropy, loss

with warnings.catch_warnings():  # it warns that there is no matplotlib
    warnings.simplefilter("ignore")
    import qutip

NAME = "QuTiP"
GRADIENT = "differences"
VARIABLES = "population"
SEARCH = "processes"
SMALLEST_ELEMENT = 1e-15  # the unitary is sparse up to rounding


class Peer:
    def __init__(self, problem, threads):
        self.problem = problem
        self.parts = {}

    def unitary(self, g):
        """Eq. 4, the qubit in the order |g>, |e>."""
        a, sigma_minus = qutip.destroy(self.problem.levels), qutip.basis(2, 0) * qutip.basis(2, 1).dag()
        H = g * (qutip.tensor(a, sigma_minus.dag()) + qutip.tensor(a.dag(), sigma_minus))
        return (-1j * H).expm()

    def channel_parts(self, g):
        """The superoperators of |g><g|, |e><e| and |g><e| + |e><g|."""
        if g in self.parts:
            return self.parts[g]
        N, U, level = self.problem.levels, self.unitary(g), [qutip.basis(2, 0), qutip.basis(2, 1)]
        identity = qutip.qeye(N)

        def element(k, s):
            A = qutip.tensor(identity, level[k].dag()) * U * qutip.tensor(identity, level[s])
            return qutip.Qobj(A.data, dims=[[N], [N]]).tidyup(SMALLEST_ELEMENT).to("CSR")

        A = [[element(k, s) for s in range(2)] for k in range(2)]
        part = [[sum(qutip.sprepost(A[k][s], A[k][t].dag()) for k in range(2)) for t in range(2)] for s in range(2)]
        self.parts[g] = part[0][0], part[1][1], part[0][1] + part[1][0]
        return self.parts[g]

    def superoperator(self, g, c, q):
        ground, excited, coherence = self.channel_parts(g)
        return (q * ground + (1 - q) * excited + c * np.sqrt(q * (1 - q)) * coherence).to("CSR")

    def charge(self, g, protocol):
        """The state after a protocol, and its energy before and after every collision."""
        N = self.problem.levels
        state = qutip.operator_to_vector(qutip.fock_dm(N, 0).to("Dense"))
        energies, n = [0.0], np.arange(N)
        for qubits, c, q in protocol:
            channel = self.superoperator(g, c, q)
            for _ in range(qubits):
                state = channel * state
                energies.append(state.data.as_ndarray()[:: N + 1, 0].real @ n)
        return qutip.vector_to_operator(state).full(), np.array(energies)

    def loss(self, g, lam, parameters):
        state, energies = self.charge(g, self.problem.protocol(parameters))
        return loss(self.problem, ergotropy(state), energies, lam, parameters)

    def gradient(self, g, lam, parameters):
        return differences(lambda x: self.loss(g, lam, x), parameters)
