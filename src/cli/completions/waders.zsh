#compdef waders
# Completion for zsh. The program itself answers what the words before the cursor can be continued with.
_waders() {
    local -a lines open open_shown closed closed_shown
    local line value shown
    lines=("${(@f)$("${(Q)words[1]}" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for line in ${lines:#}; do
        value=${line%%$'\t'*}
        shown=$value
        if [[ $line == *$'\t'?* ]]; then shown="$value -- ${line#*$'\t'}"; fi
        # A directory, a flag with a value and the name of a target are continued without a blank.
        if [[ $value == *[/=] || $value == *[^:]: ]]; then
            open+=("$value")
            open_shown+=("$shown")
        else
            closed+=("$value")
            closed_shown+=("$shown")
        fi
    done
    if (( ${#open} + ${#closed} == 0 )); then
        compset -P '--*='
        _files
        return
    fi
    (( ${#open} == 0 )) || compadd -l -S '' -d open_shown -a -- open
    (( ${#closed} == 0 )) || compadd -l -d closed_shown -a -- closed
}
if [[ $funcstack[1] == _waders ]]; then _waders "$@"; else compdef _waders waders; fi
