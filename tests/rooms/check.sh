#!/usr/bin/env bash
# check.sh - whether the sources keep the rules of the rooms: who may include whom, no file stands in a circle, and the
# pages about the rooms name nothing that is not there.
#
# usage: check.sh [PROGRAM] [TOP]
#   PROGRAM  a program that is built: circles are then looked for in what the objects beside it call, too
#   TOP      folder of the sources (default: the one that this script lies in)
#
# The rules are the table in host/README.md. Needs nothing but awk, grep, find and, for objects, nm. Closes with
# "N passed, N failed", one for each rule.
set -eu
export LC_ALL=C

program=${1:-}
top=${2:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
passed=0
failed=0

# Counts a rule, and shows its violations, one a line.
rule() {
    if [ -z "$1" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n' "$1"
    fi
}

cd "$top"
# shellcheck disable=SC2016 # the backticks are Markdown's
table=$(sed -nE 's/^\| `([a-z0-9_\/]+)\/` \| ([^|]*) \| (.*) \|$/\1;\2;\3/p' host/README.md | tr -d '`')
[ -n "$table" ] || {
    echo 'host/README.md: has no table of rooms' >&2
    exit 1
}

# FILE:LINE:TARGET of every quoted include of a header of our own; the public ones in include/ are open to all.
includes=$(grep -rnoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' host cuda |
    sed -E 's/:[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)"/:\1/' |
    grep -vE ':(micromaser|mm_status)\.h$' || true)

# Functions of awk: the rooms of files and of what they include.
rooms='
    function room_of(file) { # the longest one in the table
        sub(/\/[^\/]*$/, "", file)
        sub(/^host\//, "", file)
        while (file != "" && !(file in allowed) && file ~ /\//)
            sub(/\/[^\/]*$/, "", file)
        return file
    }
    function path_of(target) { return (target ~ /\.cuh$/ ? "cuda/" : "host/") target }
    function read_table(  i, n, lines, part, names, k) {
        n = split(table, lines, "\n")
        for (i = 1; i <= n; i++) {
            split(lines[i], part, ";")
            allowed[part[1]] = " " part[2] " "
            gsub(/[,\/] /, " ", allowed[part[1]])
            why[part[1]] = part[3]
        }
    }
    BEGIN { read_table() }
'

rule "$(echo "$includes" | awk -F: -v table="$table" "$rooms"'
    NF && $3 !~ /\// {
        print $1 ":" $2 ": \"" $3 "\": an include says the room, \"room/file.h\", so that the walls can be seen" }')"

rule "$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"\.\./' host cuda tests bench include |
    sed -E 's/^([^:]*:[0-9]+):.*/\1: an include does not go up with "..\/": it says the room, whoever includes it/')"

rule "$(find host cuda -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | sort | awk -v table="$table" "$rooms"'
    !(room_of($0) in allowed) {
        print $0 ": lies in no room of the table in host/README.md; every file has one that says what it is for" }')"

rule "$(echo "$includes" | awk -F: -v table="$table" "$rooms"'
    NF && $3 ~ /\// {
        from = room_of($1)
        to = room_of(path_of($3))
        if (from != to && index(allowed[from], " " to " ") == 0)
            print $1 ":" $2 ": " from "/ may not include " to "/ (only" (allowed[from] ~ /[a-z]/ ? allowed[from] : " itself") \
                "): " why[from]
    }' | sed 's/ )/)/')"

rule "$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<hdf5' host cuda | grep -v '^host/files/' |
    sed -E 's/^([^:]*:[0-9]+):.*/\1: HDF5 is included below host\/files\/ alone: nobody else knows how a file looks/')"

rule "$(grep -rnwE 'mm_backend_(cpu|cuda|reference)' host cuda |
    grep -vE 'const struct mm_backend mm_backend_[a-z]+ = \{' |
    sed -E 's/^([^:]*:[0-9]+):.*/\1: a backend is named by MM_BACKEND_LIST (solver\/backend.h) alone: all else goes through the table/')"

# Reports each circle of "FROM TO" lines once; a file and its header are one.
# shellcheck disable=SC2016 # the dollars are awk's
circles='
    { if ($1 != $2) { edge[$1] = edge[$1] " " $2; node[$1]; node[$2] } }
    function visit(v,  n, i, next_ones) {
        state[v] = 1
        stack[++depth] = v
        n = split(edge[v], next_ones, " ")
        for (i = 1; i <= n; i++) {
            if (!(next_ones[i] in state))
                visit(next_ones[i])
            else if (state[next_ones[i]] == 1) {
                text = next_ones[i]
                for (k = depth; stack[k] != next_ones[i]; k--)
                    text = stack[k] " -> " text
                print next_ones[i] " -> " text ": " what
            }
        }
        depth--
        state[v] = 2
    }
    END { for (v in node) if (!(v in state)) visit(v) }
'

rule "$(echo "$includes" | awk -F: 'NF && $3 ~ /\// {
        from = $1; to = ($3 ~ /\.cuh$/ ? "cuda/" : "host/") $3
        sub(/\.[a-z]+$/, "", from); sub(/\.[a-z]+$/, "", to)
        print from, to }' | sort -u |
    awk -v what='a circle of includes: no file can be read before the others' "$circles")"

rule "$(echo "$table" | awk -F';' '{ n = split($2, to, " "); for (i = 1; i <= n; i++) print $1, to[i] }' |
    awk -v what='a circle of rooms in the table of host/README.md: walls have two sides' "$circles")"

objects=$(dirname "$program")/host
if [ -n "$program" ] && [ -d "$objects" ]; then
    rule "$(find "$objects" -name '*.o' | sort | while read -r object; do
        source=host/${object#"$objects"/}
        [ -e "${source%.o}.c" ] || continue # its source is gone
        nm "$object" | awk -v file="${source%.o}" 'NF == 3 && $2 ~ /[TDBR]/ { print "D", file, $3 }
                                                   NF == 2 && $1 == "U" { print "U", file, $2 }'
    done | awk '$1 == "D" { where[$3] = $2 } $1 == "U" { from[++n] = $2; symbol[n] = $3 }
                END { for (i = 1; i <= n; i++) if (symbol[i] in where) print from[i], where[symbol[i]] }' | sort -u |
        awk -v what='a circle of calls: no file can be understood before the others' "$circles")"
fi

# A page about the rooms names files (`room/file.c`, from the top or from the page's folder), targets (`make all`) and
# commands (`micromaser show`); all that lies in a build folder is left out.
for page in host/README.md cuda/README.md tests/README.md; do
    # Words of code, one a line: LINE:WORD, and with `make` and `micromaser` LINE:make TARGET.
    # shellcheck disable=SC2016 # the dollars are awk's
    words=$(awk '
        function words_of(code,  n, i, word) {
            n = split(code, word, /[ ,;&"<>()]+/)
            for (i = 1; i <= n; i++)
                if (i > 1 && word[i - 1] ~ /(^|\/)(make|micromaser)$/ && word[i] ~ /^[a-z-]+$/ && word[i] !~ /^-/) {
                    sub(/.*\//, "", word[i - 1])
                    print NR ":" word[i - 1] " " word[i]
                } else {
                    print NR ":" word[i]
                }
        }
        /^```/ { fenced = !fenced; next }
        fenced || /^    / { words_of($0); next }
        { n = split($0, part, "`"); for (i = 2; i <= n; i += 2) words_of(part[i]) }' "$page")
    rule "$(while IFS=: read -r line word; do
        case $word in
        'make '*)
            grep -qE "(^| )${word#make }( [^:]*)?:" Makefile .ci/packages.mk ./*/*.mk && continue
            ;;
        'micromaser '*)
            [ -e "host/cli/${word#micromaser }.c" ] && continue
            ;;
        build/* | /* | *[!A-Za-z0-9_./*-]* | -*) continue ;;
        */* | *.c | *.h | *.cu | *.cuh | *.cpp | *.py | *.sh | *.mk)
            compgen -G "${word%/}" >/dev/null && continue
            compgen -G "${page%/*}/${word%/}" >/dev/null && continue
            [ -n "$(find host cuda tests -name "$word" -print -quit 2>/dev/null)" ] && continue
            ;;
        *) continue ;;
        esac
        printf '%s:%s: there is no %s: a page says what is there\n' "$page" "$line" "$word"
    done <<<"$words")"
done

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
