#!/usr/bin/env bash
# planted.sh - the check of the rooms notices every kind of violation, and says which rule and why.
#
# usage: planted.sh PROGRAM
#   PROGRAM  is not looked at: the sources are copied, and something is planted in the copy
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
passed=0
failed=0

# Plants something with a command in a fresh copy; the check must fail with a line that matches.
planted() {
    local expected=$1 output
    shift
    rm -rf "${copy:?}"/* "$copy/.ci"
    cp -r "$top"/{.ci,Makefile,bench,cuda,data,host,include,tests} "$copy"
    (cd "$copy" && "$@")
    if output=$(bash "$top/tests/rooms/check.sh" "$copy/build/micromaser" "$copy" 2>&1); then
        printf 'not noticed: %s\n' "$*"
    elif grep -qE "$expected" <<<"$output" && grep -q ' passed, 1 failed$' <<<"$output"; then
        passed=$((passed + 1))
        return
    else
        printf 'wrong message for: %s\n%s\n' "$*" "$output"
    fi
    failed=$((failed + 1))
}

include() { # FILE HEADER: as the last include
    printf '#include "%s"\n' "$2" >>"$1"
}

# An object of a source file of ours that defines one function and calls another.
object() { # FILE DEFINED CALLED
    mkdir -p "build/$(dirname "$1")"
    printf 'void %s(void); void %s(void); void %s(void) { %s(); }' "$2" "$3" "$2" "$3" |
        gcc -x c -O0 -c -o "build/${1%.c}.o" -
}

calls_in_a_circle() {
    object host/model/loss.c one two
    object host/model/noise.c two three
    object host/model/problem.c three one
}

if bash "$top/tests/rooms/check.sh" '' "$top" >/dev/null 2>&1; then
    passed=$((passed + 1))
else
    echo 'the sources break the rules without anything planted'
    failed=$((failed + 1))
fi
planted '^host/model/noise.c:[0-9]+: model/ may not include evolve/ \(only base\): the physics' \
    include host/model/noise.c evolve/evolve.h
planted '^host/cli/info.c:[0-9]+: cli/ may not include cpu/ ' include host/cli/info.c cpu/run.h
planted '^host/files/hdf5/read.c:[0-9]+: files/ may not include search/ ' include host/files/hdf5/read.c search/plan.h
planted '^host/base/text.c:[0-9]+: base/ may not include model/ \(only itself\): ' include host/base/text.c model/loss.h
planted '^cuda/kernels/window.cuh:[0-9]+: cuda/kernels/ may not include cuda/backend/ ' \
    include cuda/kernels/window.cuh backend/worker.cuh
planted '^cuda/spectrum/eigen.cu:[0-9]+: cuda/spectrum/ may not include search/ ' \
    include cuda/spectrum/eigen.cu search/plan.h
planted '^host/store/scan.c:[0-9]+: "inside.h": an include says the room' include host/store/scan.c inside.h
planted '^tests/unit/model/loss.c:[0-9]+: an include does not go up' \
    include tests/unit/model/loss.c ../host/model/loss.h
planted '^host/odd.c: lies in no room' touch host/odd.c
planted '^host/attic/old.c: lies in no room' sh -c 'mkdir host/attic && touch host/attic/old.c'
planted '^host/store/fold.c:[0-9]+: HDF5 is included below host/files/ alone' \
    sh -c 'echo "#include <hdf5.h>" >>host/store/fold.c'
planted '^host/search/search.c:[0-9]+: a backend is named by MM_BACKEND_LIST' \
    sh -c 'echo "extern const struct mm_backend mm_backend_cpu;" >>host/search/search.c'
planted 'model/loss -> .*model/noise.*: a circle of includes' \
    sh -c 'echo "#include \"model/noise.h\"" >>host/model/loss.h; echo "#include \"model/loss.h\"" >>host/model/noise.h'
# shellcheck disable=SC2016 # the backticks are Markdown's
planted ': a circle of rooms' sed -i 's/^| `base\/` |  |/| `base\/` | model |/' host/README.md
planted 'host/model/loss -> host/model/noise -> .*: a circle of calls' calls_in_a_circle
# shellcheck disable=SC2016 # the backticks are Markdown's
{
    planted '^tests/README.md:[0-9]+: there is no tests/gone/: ' sh -c 'echo "See \`tests/gone/\`." >>tests/README.md'
    planted '^cuda/README.md:[0-9]+: there is no cuda/backend/drawn.cu: ' mv cuda/backend/drawn.cu cuda/backend/other.cu
    planted '^host/README.md:[0-9]+: there is no chain/gone.c: ' sh -c 'echo "See \`chain/gone.c\`." >>host/README.md'
    planted '^tests/README.md:[0-9]+: there is no make gone: ' sh -c 'echo "Say \`make gone\`." >>tests/README.md'
    planted '^cuda/README.md:[0-9]+: there is no micromaser gone: ' \
        sh -c 'echo "    build/micromaser gone" >>cuda/README.md'
}

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
