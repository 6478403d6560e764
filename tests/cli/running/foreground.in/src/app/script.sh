#!/bin/bash
echo "script: $*"
exit "${EXIT:-0}"
