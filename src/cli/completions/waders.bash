# Completion for bash. The program itself answers what the words before the cursor can be continued with.
_waders() {
    local line=${COMP_LINE:0:COMP_POINT} program=waders words=() breaks prefix value word rest i
    if [[ $1 == */* ]]; then program=${1/#\~/$HOME}; fi
    # bash splits words at the characters of COMP_WORDBREAKS, such as `:` and `=`. Parts without blanks between them are one word.
    line=${line#*"${COMP_WORDS[0]}"}
    for ((i = 1; i <= COMP_CWORD; i++)); do
        rest=${line#"${line%%[![:space:]]*}"}
        word=${COMP_WORDS[i]}
        if [[ $rest != "$word"* ]]; then word=$rest; fi
        if [[ ${#words[@]} -gt 0 && $rest == "$line" ]]; then words[-1]+=$word; else words+=("$word"); fi
        line=${rest#"$word"}
    done
    for i in "${!words[@]}"; do words[i]=${words[i]//[\\\"\']/}; done
    # Only what follows the last of these characters is replaced.
    word=${words[-1]}
    breaks=${COMP_WORDBREAKS//[[:space:]\"\']/}
    if [[ -n $breaks ]]; then prefix=${word%"${word##*[$breaks]}"}; fi
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        word=$value
        printf -v value %q "${value#"$prefix"}"
        COMPREPLY+=("$value")
    done < <("$program" complete -- "${words[@]}" 2>/dev/null)
    # A directory, a flag with a value and the name of a target are continued without a blank.
    if [[ ${#COMPREPLY[@]} -eq 1 && ( $word == *[/=] || $word == *[!:]: ) ]]; then compopt -o nospace; fi
}
complete -o bashdefault -o default -F _waders waders
