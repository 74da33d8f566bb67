# fish completion of openstack for the commands of images. The program "glance" answers; other completions of openstack
# stay as they are.

function _glance_openstack_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (glance __complete fish openstack $words[2..] "$current" 2>/dev/null)
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

complete -c openstack -a '(_glance_openstack_complete)'
