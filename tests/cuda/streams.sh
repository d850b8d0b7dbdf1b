#!/usr/bin/env bash
# streams.sh - the tests of the CUDA backend once more, with streams that do their work later than it is given to
# them: when somebody waits for it, and at random times.
#
# usage: streams.sh PROGRAM
#   PROGRAM  lies beside the folder emulation with the tests on the emulated device
set -uo pipefail

folder=$(dirname "$1")/emulation/tests/cuda
passed=0
failed=0
for schedule in 1 2 3; do
    for name in backend eigen evolution failures work_queue robustness wigner; do
        if output=$(MM_EMULATION_STREAMS=$schedule "$folder/$name" 2>&1); then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            printf 'cuda/%s with MM_EMULATION_STREAMS=%s failed:\n%s\n' "$name" "$schedule" "$output"
        fi
    done
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
