"""picture.py - the comparison with the peers and the growth curves as one SVG, drawn by gnuplot."""
import statistics
import subprocess

import measure
from compare_peers import NAMES, OURS
from growth import LABELS

COLOURS = {OURS: "#c1272d", "numba_loops": "#0072b2", "jax_scan": "#009e73", "stencil_numpy": "#e69f00",
           "qutip_channel": "#7b5ea7", "literal_numpy": "#666666"}  # fmt: skip
STYLE = {peer: f"lc rgb '{colour}' pt 7 ps 0.6 lw 1.5" for peer, colour in COLOURS.items()}


def block(name, rows):
    """A named table of gnuplot."""
    return "\n".join([f"${name} << END", *(" ".join(map(str, row)) for row in rows), "END"])


def ratio_panel(rows):
    """How many times as long as ours each peer takes, a line of dots for each row."""
    data, plots = [], []
    for peer in list(NAMES)[1:]:
        dots = [(statistics.median(measure.ratios(row["peers"][peer]["seconds"], row["peers"][OURS]["seconds"])), -i)
                for i, row in enumerate(rows) if peer in row["peers"]]  # fmt: skip
        data.append(block(f"ratio_{peer}", dots))
        plots.append(f"$ratio_{peer} using 1:2 with points {STYLE[peer]} title '{NAMES[peer]}'")
    tics = ", ".join(f"'{row['name']}' {-i}" for i, row in enumerate(rows))
    return data, [f"set title 'times as long as {NAMES[OURS]}'", "set logscale x", "unset logscale y",
                  f"set ytics ({tics})", f"set yrange [{-len(rows) + 0.5}:0.5]", "set format x '10^{%T}'",
                  "set xlabel ''", "set ylabel ''", "set key below", "plot " + ", ".join(plots)]  # fmt: skip


def growth_panel(curve, peers):
    data, plots = [], []
    for peer, told in peers.items():
        data.append(block(f"{curve}_{peer}", zip(told["sizes"], told["seconds"])))
        plots.append(f"${curve}_{peer} using 1:2 with linespoints {STYLE[peer]} title '{NAMES[peer]} {told['exponent']:.2f}'")
    return data, [f"set title 'loss and gradient: growth with {curve}'",
                  f"set xlabel '{LABELS[curve]}'",
                  "set ylabel 'seconds'", "set logscale xy", "set format x '%g'", "set format y '10^{%T}'",
                  "set xtics autofreq", "set ytics autofreq", "set autoscale y", "set key outside right top Left reverse title 'exponent'",
                  "plot " + ", ".join(plots)]  # fmt: skip


def draw(path, rows, curves):
    """Writes the picture; a failure of gnuplot is an exception."""
    panels = [ratio_panel(rows), *(growth_panel(curve, peers) for curve, peers in curves.items())]
    script = ["set terminal svg size 1800,900 font 'Helvetica,12' background 'white'", f"set output '{path}'",
              "set grid lc rgb '#dddddd'", "set key samplen 1 spacing 1.1"]  # fmt: skip
    script += [line for data, _ in panels for line in data]
    script += ["set multiplot", "set origin 0, 0", "set size 0.4, 1", "set lmargin 36", *panels[0][1],
               "set size 0.3, 0.5", "set lmargin 10"]  # fmt: skip
    for i, (_, commands) in enumerate(panels[1:]):
        script += [f"set origin {0.4 + 0.3 * (i % 2)}, {0.5 * (1 - i // 2)}", *commands]
    subprocess.run(["gnuplot"], input="\n".join([*script, "unset multiplot"]), text=True, check=True)
