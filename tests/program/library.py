#!/usr/bin/env python3
"""library.py - the structures of bench/library.py against those of the header, member by member.

usage: library.py PROGRAM

Needs numpy and the compiler that CC names, or gcc. Closes with "N passed, N failed".
"""
import ctypes
import importlib.util
import os
import shlex
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(TESTS)
sys.path.insert(0, os.path.join(TESTS, "support"))

from program import run_tests, write  # noqa: E402

STRUCTURES = {
    "Error": "mm_error", "Batch": "mm_batch", "ProblemStructure": "mm_problem", "Point": "mm_point",
    "Evaluation": "mm_evaluation", "State": "mm_state", "SolverOptions": "mm_solver_options",
    "PhaseEnd": "mm_phase_end", "OptimizerOptions": "mm_optimizer_options",
}  # fmt: skip
MEMBERS = {"lam": "lambda"}  # names that Python keeps for itself


def load():
    spec = importlib.util.spec_from_file_location("bench_library", os.path.join(TOP, "bench", "library.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of_python(library):
    """Size of every structure, and place and size of its members, by the names that C has for them."""
    found = {}
    for name, structure in STRUCTURES.items():
        kind = getattr(library, name)
        found[structure] = [ctypes.sizeof(kind)]
        for member, *_ in kind._fields_:
            field = getattr(kind, member)
            found[f"{structure}.{MEMBERS.get(member, member)}"] = [field.offset, field.size]
    return found


def of_header(names):
    lines = []
    for name in names:
        structure, _, member = name.partition(".")
        numbers = (f"offsetof(struct {structure}, {member}), sizeof((struct {structure} *)0)->{member}" if member
                   else f"sizeof(struct {structure}), (size_t)0")  # fmt: skip
        lines.append(f'    printf("{name} %zu %zu\\n", {numbers});')
    write("sizes.c", "\n".join(["#include <micromaser.h>", "#include <stdio.h>", "int main(void)", "{", *lines,
                                "    return 0;", "}", ""]))  # fmt: skip
    subprocess.run([*shlex.split(os.environ.get("CC", "gcc")), "-I", os.path.join(TOP, "include"), "sizes.c", "-o",
                    "sizes"], check=True)  # fmt: skip
    told = subprocess.run(["./sizes"], check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = [line.split() for line in told.splitlines()]
    return {name: [int(a), int(b)] if "." in name else [int(a)] for name, a, b in rows}


def test_structures():
    found = of_python(load())
    expected = of_header(found)
    wrong = [f"{name}: {found[name]}, in the header {expected[name]}" for name in found
             if found[name] != expected[name]]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_all_structures_are_compared():
    library = load()
    there = {name for name, kind in vars(library).items()
             if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and kind is not ctypes.Structure}  # fmt: skip
    assert there == set(STRUCTURES), there ^ set(STRUCTURES)


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
