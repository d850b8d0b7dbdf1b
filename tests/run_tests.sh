#!/usr/bin/env bash
# run_tests.sh - runs every test, shows each one's closing line, and closes with "N passed, N failed".
#
# usage: run_tests.sh LOG_FOLDER PYTHON PROGRAM TEST..
#   TEST  a cmocka program; or a .py or .sh script, which gets PROGRAM as its argument and closes with a line
#         "N passed, N failed"
# A test that fails, crashes or runs nothing counts as a failure, and its whole output is shown.
set -uo pipefail

log_folder=$1
python=$2
program=$3
shift 3
mkdir -p "$log_folder"

# Sum of the numbers in the lines of a log that match an extended regular expression whose group is the number.
sum() {
    sed -nE "s/$1/\1/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'
}

total_passed=0
total_failed=0
for test in "$@"; do
    name=$(basename "$test")
    log=$log_folder/$name.log
    case $test in
    *.py) command=("$python" "$test" "$program") ;;
    *.sh) command=(bash "$test" "$program") ;;
    *) command=("$test") ;;
    esac
    "${command[@]}" >"$log" 2>&1 </dev/null
    code=$?

    case $test in
    *.py | *.sh)
        passed=$(sum '^.*\b([0-9]+) passed, [0-9]+ failed.*$' "$log")
        failed=$(sum '^.*[0-9]+ passed, ([0-9]+) failed.*$' "$log")
        ;;
    *)
        passed=$(sum '^\[ +PASSED +\] ([0-9]+) test.*$' "$log")
        failed=$(sum '^\[ +FAILED +\] ([0-9]+) test.*$' "$log")
        ;;
    esac
    if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ] || [ "$((passed + failed))" -eq 0 ]; then
        failed=$((failed + 1))
    fi

    if [ "$failed" -ne 0 ]; then
        printf -- '---- %s ended with code %s\n' "${command[*]}" "$code"
        cat "$log"
        printf -- '---- end of %s\n' "$name"
    fi
    printf '%s: %d passed, %d failed\n' "$name" "$passed" "$failed"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
done

printf '\n%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
