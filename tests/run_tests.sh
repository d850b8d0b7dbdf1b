#!/usr/bin/env bash
# run_tests.sh - runs every test, shows each one's closing line, and closes with "N passed, N failed".
#
# usage: [TEST_JOBS=N] run_tests.sh LOG_FOLDER PYTHON PROGRAM TEST..
#   TEST  a cmocka program; or a .py or .sh script, which gets PROGRAM as its argument and closes with a line
#         "N passed, N failed"
# N tests run side by side, as many as there are processors unless told; they are shown in the order given.
# A test that fails, crashes or runs nothing counts as a failure, and its whole output is shown.
set -uo pipefail

log_folder=$1
python=$2
program=$3
shift 3
mkdir -p "$log_folder"
jobs=${TEST_JOBS:-$(nproc)}
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} # threads that wait leave their processor to the test beside

# The command of a test, into the array command.
find_command() {
    case $1 in
    *.py) command=("$python" "$1" "$program") ;;
    *.sh) command=(bash "$1" "$program") ;;
    *) command=("$1") ;;
    esac
}

# Name of a test: its path below tests/, or below the folder that it was built in.
name_of() {
    printf '%s' "${1##*tests/}"
}

# Path of its log.
log_of() {
    local name
    name=$(name_of "$1")
    printf '%s' "$log_folder/${name//\//_}.log"
}

# Runs a test; its log and then its exit code are left in files.
run_test() {
    local log code
    log=$(log_of "$1")
    find_command "$1"
    SECONDS=0
    "${command[@]}" >"$log" 2>&1 </dev/null
    code=$?
    printf '%s %s\n' "$code" "$SECONDS" >"$log.code.new"
    mv "$log.code.new" "$log.code"
}

# Sum of the numbers in the lines of a log that match an extended regular expression whose group is the number.
sum() {
    sed -nE "s/$1/\1/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'
}

total_passed=0
total_failed=0

# Shows how a test that has ended went, and counts it.
report() {
    local name log code seconds passed failed
    name=$(name_of "$1")
    log=$(log_of "$1")
    read -r code seconds <"$log.code"
    case $1 in
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
        find_command "$1"
        printf -- '---- %s ended with code %s\n' "${command[*]}" "$code"
        cat "$log"
        printf -- '---- end of %s\n' "$name"
    fi
    printf '%s: %d passed, %d failed (%d s)\n' "$name" "$passed" "$failed" "$seconds"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
}

tests=("$@")
reported=0

# Shows the tests that have ended, as far as all before them have.
report_ended() {
    while [ "$reported" -lt "${#tests[@]}" ] && [ -e "$(log_of "${tests[reported]}").code" ]; do
        report "${tests[reported]}"
        reported=$((reported + 1))
    done
}

for test in "${tests[@]}"; do
    rm -f "$(log_of "$test").code"
done
running=0
for test in "${tests[@]}"; do
    if [ "$running" -ge "$jobs" ]; then
        wait -n
        running=$((running - 1))
        report_ended
    fi
    run_test "$test" &
    running=$((running + 1))
done
wait
report_ended

printf '\n%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
