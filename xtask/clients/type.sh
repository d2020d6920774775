#!/bin/bash
# Runs a program with somebody at its keyboard, who types a line every two seconds and then waits:
#     type.sh LINE... -- PROGRAM ARGUMENT...
# In a line, \x20 is a space and \r a carriage return.
lines=()
while [ "$1" != -- ]; do
    lines+=("$1")
    shift
done
shift
# The program takes this shell's place, so that its end is what is waited for.
exec "$@" < <(
    for line in "${lines[@]}"; do
        sleep 2
        printf '%b\n' "$line"
    done
    exec sleep 1000
)
