# Completion for fish. The program itself answers what the words before the cursor can be continued with.
function __waders_complete
    set -l words (commandline -opc)
    set -e words[1]
    waders complete -- $words (commandline -ct) 2>/dev/null
end
complete -c waders -a '(__waders_complete)'
