#!/usr/bin/env python3
"""qutip_wigner.py - QuTiP's Wigner function by each of its methods.

usage: qutip_wigner.py FOLDER LEVELS POINTS EXTENT METHOD [ROWS]

Reads FOLDER/density (R_nm as raw doubles, rho_nm = (-i)^(n-m) R_nm) and prints one JSON object: seconds, and
difference, the largest from FOLDER/wigner ([x][p]); null for the method `fft`, which chooses its own points of p.
With ROWS only that many values of p are computed, evenly spread, and the seconds are multiplied up.
"""
import json
import pathlib
import sys
import time

import numpy as np
import qutip


def main():
    folder, method = pathlib.Path(sys.argv[1]), sys.argv[5]
    levels, points, extent = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    rows = int(sys.argv[6]) if len(sys.argv) > 6 else points
    R = np.fromfile(folder / "density").reshape(levels, levels)
    expected = np.fromfile(folder / "wigner").reshape(points, points)
    n = np.arange(levels)
    rho = qutip.Qobj(R * (-1j) ** ((n[:, None] - n) % 4))
    axis = np.linspace(-extent, extent, points)
    chosen = np.linspace(0, points - 1, rows).round().astype(int)

    start = time.perf_counter()
    W = qutip.wigner(rho, axis, axis[chosen], method=method)
    seconds = (time.perf_counter() - start) * points / rows
    difference = None if method == "fft" else np.abs(W.T - expected[:, chosen]).max()
    print(json.dumps({"seconds": seconds, "difference": difference}))


if __name__ == "__main__":
    main()
