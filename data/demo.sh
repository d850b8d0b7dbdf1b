#!/usr/bin/env bash
# demo.sh - searches the paper's three charging protocols from random starts and compares the optima found with
# the published and the verified ones.
#
# usage: demo.sh MICROMASER COMPARE_OPTIMA RESULT_FOLDER      (`make demo` calls it)
set -euo pipefail

micromaser=$1
compare_optima=$2
result_folder=$3
data_folder=$(dirname "$0")
configurations=(identical_stream two_batches improved_protocol)

mkdir -p "$result_folder"
start=$(date +%s%N)
results=()
for configuration in "${configurations[@]}"; do
    result=$result_folder/$configuration.h5
    command=("$micromaser" search "$data_folder/$configuration.ini" -o "$result" --force)
    printf '$ %s\n' "${command[*]}"
    "${command[@]}"
    echo
    results+=("$result")
done

code=0
"$compare_optima" "$data_folder/paper_optima.csv" "${results[@]}" || code=$?
end=$(date +%s%N)
printf '\ntotal time: %d.%d s\n' $(((end - start) / 1000000000)) $(((end - start) / 100000000 % 10))
exit "$code"
