# fish completion of glance-api. The program itself answers: see "glance completion --help".

function _glance_api_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    type -q -- $program; or set program glance-api
    set -l answer ($program __complete fish glance-api $words[2..] "$current" 2>/dev/null)
    # What stands before the path in --name=path.
    set -l before (string match -r -- '^--[^=]+=' $current)
    set -l path (string replace -r -- '^--[^=]+=' '' "$current")
    switch "$answer[1]"
        case files
            __fish_complete_path "$path" | string replace -r -- '^' "$before"
        case directories
            __fish_complete_directories "$path" '' | string replace -r -- '^' "$before"
        case '*'
            test -n "$answer[2]"; and printf '%s\n' $answer[2..]
    end
end

for name in glance-api
    complete -c $name -f -a '(_glance_api_complete)'
end
