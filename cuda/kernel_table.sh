#!/usr/bin/env bash
# kernel_table.sh - what every kernel takes, from the compiler's reports.
#
# usage: kernel_table.sh REPORT..
#   REPORT  what `nvcc -Xptxas -v` said
# A line a kernel and architecture: registers and stack of a thread, bytes that it spills (stores, loads), static
# shared memory of a block in bytes, architecture, name. Kernels of the libraries are left out.
set -euo pipefail

demangle() {
    if command -v c++filt >/dev/null; then c++filt -p; else cat; fi
}

printf '%9s %5s %12s %11s %6s %-6s %s\n' registers stack spill_stores spill_loads shared arch kernel
awk '
    /Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2]; arch = quoted[4]; wanted = 0 }
    /Function properties for/  { wanted = kernel != "" && $NF == kernel }
    /bytes stack frame/ && wanted { stack = $1; stores = $5; loads = $9 }
    /Used [0-9]+ registers/ && kernel != "" {
        registers = shared = 0
        for (i = 1; i < NF; i++) {
            if ($(i + 1) ~ /^registers/) registers = $i
            if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
        }
        if (kernel !~ /thrust|cub[0-9]|cccl/)
            printf "%9d %5d %12d %11d %6d %-6s %s\n", registers, stack, stores, loads, shared, arch, kernel
        kernel = ""
    }
' "$@" | sort -k7,7 -k6,6 | demangle
