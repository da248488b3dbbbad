# Completion of snapmount for bash 3.2 and later. It needs nothing else, and runs nothing that is on the line.

_snapmount() {
    local program=$1 how='' line
    [[ $program == '~/'* ]] && program=$HOME/${program:2}
    type -P -- "$program" >/dev/null || program=snapmount
    COMPREPLY=()
    {
        read -r how
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done
    } < <(command "$program" __complete-line "${COMP_LINE:0:COMP_POINT}" "$2" "${COMP_TYPE:-9}" 2>/dev/null </dev/null)
    type compopt >/dev/null 2>&1 || return 0
    [[ $how == *space* ]] && compopt +o nospace
    [[ $how == *nofiles* ]] && compopt +o default
    compopt -o nosort 2>/dev/null
    return 0
}

complete -o default -o nospace -F _snapmount snapmount
