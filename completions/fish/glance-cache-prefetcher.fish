# fish completion of glance-cache-prefetcher. Written by: cargo run --example generate

set -g __glance_cache_prefetcher_commands 
set -g __glance_cache_prefetcher_valued --config-file --config-dir --log-config-append --log-config --log_config --log-date-format --log-dir --logdir --log-file --logfile --shell_completion --syslog-log-facility --data-dir --format --metrics-file

# The words of the command on the line so far; $argv are the options whose value may stand apart.
function __glance_cache_prefetcher_place
    set -l pending 0
    set -l place
    for word in (commandline -opc)[2..]
        if test $pending = 1
            set pending 0
        else if string match -q -- '-*' $word
            contains -- $word $__glance_cache_prefetcher_valued; and set pending 1
        else
            set -a place $word
        end
    end
    string join ' ' -- $place
end

# Whether the line is at one of these places, or behind the whole command that one of them is.
function __glance_cache_prefetcher_at
    set -l place (__glance_cache_prefetcher_place)
    contains -- "$place" $argv
end

# Whether it is not in a command of the second grammar, which has output options of its own.
function __glance_cache_prefetcher_first
    set -l place (__glance_cache_prefetcher_place)
    not string match -qr '^(image|cached)( |$)' -- "$place"
end

function __glance_cache_prefetcher_in
    set -l line (__glance_cache_prefetcher_place)
    while test -n "$line"; and not contains -- "$line" $__glance_cache_prefetcher_commands
        set line (string replace -r ' ?[^ ]*$' '' -- $line)
    end
    contains -- "$line" $argv
end

complete -c glance-cache-prefetcher -f
complete -c glance-cache-prefetcher -l version -d 'Print the version'
complete -c glance-cache-prefetcher -l config-file -r -F -d 'Configuration file; may be repeated, later files take precedence'
complete -c glance-cache-prefetcher -l config-dir -x -a '(__fish_complete_directories)' -d 'Directory of configuration files; may be repeated'
complete -c glance-cache-prefetcher -s d -l debug -d 'Log at level DEBUG'
complete -c glance-cache-prefetcher -l nodebug -d 'The opposite of --debug'
complete -c glance-cache-prefetcher -l log-config-append -l log-config -l log_config -r -F -d 'Logging configuration file (not supported)'
complete -c glance-cache-prefetcher -l log-date-format -x -d 'Date format of log lines'
complete -c glance-cache-prefetcher -l log-dir -l logdir -x -a '(__fish_complete_directories)' -d 'Directory for log files'
complete -c glance-cache-prefetcher -l log-file -l logfile -r -F -d 'File to log to instead of standard error'
complete -c glance-cache-prefetcher -l shell_completion -x -a 'bash zsh' -d 'Print a completion script'
complete -c glance-cache-prefetcher -l syslog-log-facility -x -d 'Syslog facility'
complete -c glance-cache-prefetcher -l use-journal -d 'Log to the systemd journal'
complete -c glance-cache-prefetcher -l nouse-journal -d 'The opposite of --use-journal'
complete -c glance-cache-prefetcher -l use-json -d 'Log in JSON'
complete -c glance-cache-prefetcher -l nouse-json -d 'The opposite of --use-json'
complete -c glance-cache-prefetcher -l use-syslog -d 'Log to syslog'
complete -c glance-cache-prefetcher -l nouse-syslog -d 'The opposite of --use-syslog'
complete -c glance-cache-prefetcher -l data-dir -x -a '(__fish_complete_directories)' -d 'Directory of the local deployment'
complete -c glance-cache-prefetcher -l dry-run -d 'Show what would be removed or fetched without doing it'
complete -c glance-cache-prefetcher -l format -x -a 'csv json shell table value yaml' -d 'Output format for programs: csv, json, shell, table, value or yaml'
complete -c glance-cache-prefetcher -l metrics-file -r -F -d 'File to write Prometheus metrics to'
complete -c glance-cache-prefetcher -s h -l help -d 'Print help'
