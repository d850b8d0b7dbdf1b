#!/usr/bin/env bash
# faults_table.sh - gathers the rows that the fault tests print into the table of faults survived.
#
# usage: faults_table.sh LOG..
set -euo pipefail

echo '| fault | states tried | committed chains lost | unreadable results | silently wrong values | exit status 0 on failure |'
echo '|---|---|---|---|---|---|'
grep -h '^| ' "$@"
