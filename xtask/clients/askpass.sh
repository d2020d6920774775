#!/bin/sh
# What a guesser gives ssh instead of a terminal: always the same password.
echo admin
