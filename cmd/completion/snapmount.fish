# Completion of snapmount for fish. It runs nothing that is on the line.

function __snapmount_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l program $before[1]
    set -e before[1]
    type -q -- $program; or set program snapmount
    set -l plain (string unescape -- $word 2>/dev/null)
    or set plain (string unescape -- $word'"' 2>/dev/null)
    or set plain (string unescape -- $word"'" 2>/dev/null)
    or set plain $word
    test (count $plain) -gt 0; or set plain ''
    string match -q '~/*' -- $plain; and set plain $HOME(string sub -s 2 -- $plain)
    set -l lines (command $program __complete $before $plain 2>/dev/null </dev/null)
    set -l how (string replace : '' -- $lines[-1])
    set -e lines[-1]
    if test (count $lines) -gt 0
        printf '%s\n' $lines
    else if test "$how" = 0
        __fish_complete_path $plain
    end
end

complete -c snapmount -f -a '(__snapmount_complete)'
