#!/usr/bin/env bash
# spills.sh - no kernel of the forward run, of the adjoint or of our eigenvalue solver spills a register to
# memory.
#
# usage: spills.sh PROGRAM
#   PROGRAM  lies beside the folder cuda with the table of its kernels
set -uo pipefail

table=$(dirname "$1")/cuda/kernels.txt
passed=0
failed=0
while read -r registers stack stores loads shared arch kernel; do
    case $kernel in
    *propagate* | *adjoint* | *householder* | *bisect* | *twist*) ;;
    *) continue ;;
    esac
    if [ "$stores" -eq 0 ] && [ "$loads" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s for %s spills: %s bytes stored, %s loaded; %s registers, %s bytes of stack, %s shared\n' \
            "$kernel" "$arch" "$stores" "$loads" "$registers" "$stack" "$shared"
    fi
done < <(tail -n +2 "$table")
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
