#!/usr/bin/env bash
# figures.sh - reproduces Fig. 3 and Fig. 4 of the paper: searches the protocols, takes them through 10^5 collisions,
# computes Wigner functions and draws.
#
# The two-batch protocols are those of paper_optima.csv, not the result of a search: at small lambda the loss has a
# lower minimum than the paper's (README.md).
#
# usage: figures.sh MICROMASER FIGURE_FOLDER [FORMAT..]      (`make figures` calls it; the formats are svg, pdf, png)
set -euo pipefail

micromaser=$1
folder=$2
shift 2
formats=("${@:-svg}")
data=$(dirname "$0")
collisions=100000

# Shows a command and runs it.
run() {
    printf '$ %s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_.,:=\/-]*\)'/\1/g"
    "$@"
}

draw() {
    local name=$1
    shift
    for format in "${formats[@]}"; do
        run "$micromaser" plot "$@" -o "$folder/$name.$format" --data "$folder/$name.txt" --force
    done
}

# Prints, for each lambda of the two-batch protocols, one line: lambda c1,q1,c2,q2.
two_batch_optima() {
    awk -F, '$2 == "two_batches" { p[$3] = p[$3] "," $8 "," $9 } END { for (l in p) print l, substr(p[l], 2) }' \
        "$data/paper_optima.csv" | sort -g
}

mkdir -p "$folder"
begin=$SECONDS

# Fig. 3a: one stream of identical qubits, and the fine-tuned coupling beside it.
run "$micromaser" search "$data/identical_stream.ini" -o "$folder/identical.h5" --force
run "$micromaser" evolve "$folder/identical.h5" --best --levels auto --collisions $collisions --per-decade 30 \
    -o "$folder/identical_evolution.h5" --force
run "$micromaser" evolve "$data/fine_tuned.ini" --set loss.lambda=1 --params 0,0 --collisions $collisions --per-decade 30 \
    -o "$folder/fine_tuned_evolution.h5" --force
draw fig3a "$folder/identical_evolution.h5" "$folder/fine_tuned_evolution.h5"

# Fig. 3b: two batches, and the improved protocol.
protocols=()
while read -r lambda parameters; do
    protocols+=(--params "$parameters" --label "lambda = $lambda")
done < <(two_batch_optima)
run "$micromaser" evolve "$data/two_batches.ini" --set loss.lambda=1 "${protocols[@]}" --levels auto \
    --collisions $collisions --per-decade 30 -o "$folder/two_batches_evolution.h5" --force
run "$micromaser" search "$data/improved_protocol.ini" -o "$folder/improved.h5" --force
run "$micromaser" evolve "$folder/improved.h5" --best --levels auto --collisions $collisions --per-decade 30 \
    -o "$folder/improved_evolution.h5" --force
draw fig3b "$folder/two_batches_evolution.h5" "$folder/improved_evolution.h5" \
    --label 'lambda = 1' --label 'lambda = 10' --label 'lambda = 100' --label 'improved, lambda = 10'

# Fig. 4: populations and Wigner functions after the last collision.
for name in identical two_batches improved; do
    run "$micromaser" wigner "$folder/${name}_evolution.h5" --grid 401,401
done
draw fig4a "$folder/identical_evolution.h5" --what state --select 1,2
draw fig4b "$folder/two_batches_evolution.h5" "$folder/improved_evolution.h5" --what state --select 1,3 \
    --label 'two batches, lambda = 10' --label 'improved, lambda = 10'

printf '\nfigures in %s; total time: %d s\n' "$folder" $((SECONDS - begin))
