# fish completion of glance-manage. Written by: cargo run --example generate

set -g __glance_manage_commands 'db check' 'db contract' 'db expand' 'db export_metadefs' 'db load_metadefs' 'db migrate' 'db purge' 'db purge_images_table' 'db sync' 'db unload_metadefs' 'db upgrade' 'db version' 'db version_control' 'db_check' 'db_contract' 'db_expand' 'db_export_metadefs' 'db_load_metadefs' 'db_migrate' 'db_purge' 'db_purge_images_table' 'db_sync' 'db_unload_metadefs' 'db_upgrade' 'db_version' 'db_version_control'
set -g __glance_manage_valued --config-file --config-dir --log-config-append --log-config --log_config --log-date-format --log-dir --logdir --log-file --logfile --shell_completion --syslog-log-facility --data-dir --format

# The words of the command on the line so far; $argv are the options whose value may stand apart.
function __glance_manage_place
    set -l pending 0
    set -l place
    for word in (commandline -opc)[2..]
        if test $pending = 1
            set pending 0
        else if string match -q -- '-*' $word
            contains -- $word $__glance_manage_valued; and set pending 1
        else
            set -a place $word
        end
    end
    string join ' ' -- $place
end

# Whether the line is at one of these places, or behind the whole command that one of them is.
function __glance_manage_at
    set -l place (__glance_manage_place)
    contains -- "$place" $argv
end

# Whether it is not in a command of the second grammar, which has output options of its own.
function __glance_manage_first
    set -l place (__glance_manage_place)
    not string match -qr '^(image|cached)( |$)' -- "$place"
end

function __glance_manage_in
    set -l line (__glance_manage_place)
    while test -n "$line"; and not contains -- "$line" $__glance_manage_commands
        set line (string replace -r ' ?[^ ]*$' '' -- $line)
    end
    contains -- "$line" $argv
end

complete -c glance-manage -f
complete -c glance-manage -n '__glance_manage_at ""' -a 'db' -d 'Commands that begin with db'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_check' -d 'Report which upgrade step is due'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_contract' -d 'Remove what the newest schema no longer has (upgrade step 3)'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_expand' -d 'Add what is new in the newest schema (upgrade step 1)'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_export_metadefs' -d 'Export metadata definitions to files'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_load_metadefs' -d 'Load metadata definitions from files'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_migrate' -d 'Migrate rows to the newest schema (upgrade step 2)'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_purge' -d 'Purge deleted rows from all tables except images'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_purge_images_table' -d 'Purge deleted rows from the images table'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_sync' -d 'Create the schema, or upgrade it in one step'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_unload_metadefs' -d 'Remove all metadata definitions'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_upgrade' -d 'Upgrade the schema to a revision'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_version' -d 'Show the current schema revision'
complete -c glance-manage -n '__glance_manage_at ""' -a 'db_version_control' -d 'Place a database under migration control'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'check' -d 'Report which upgrade step is due'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'contract' -d 'Remove what the newest schema no longer has (upgrade step 3)'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'expand' -d 'Add what is new in the newest schema (upgrade step 1)'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'export_metadefs' -d 'Export metadata definitions to files'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'load_metadefs' -d 'Load metadata definitions from files'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'migrate' -d 'Migrate rows to the newest schema (upgrade step 2)'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'purge' -d 'Purge deleted rows from all tables except images'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'purge_images_table' -d 'Purge deleted rows from the images table'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'sync' -d 'Create the schema, or upgrade it in one step'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'unload_metadefs' -d 'Remove all metadata definitions'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'upgrade' -d 'Upgrade the schema to a revision'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'version' -d 'Show the current schema revision'
complete -c glance-manage -n '__glance_manage_at "db"' -a 'version_control' -d 'Place a database under migration control'
complete -c glance-manage -n '__glance_manage_in ""' -l version -d 'Print the version'
complete -c glance-manage -n '__glance_manage_in ""' -l config-file -r -F -d 'Configuration file; may be repeated, later files take precedence'
complete -c glance-manage -n '__glance_manage_in ""' -l config-dir -x -a '(__fish_complete_directories)' -d 'Directory of configuration files; may be repeated'
complete -c glance-manage -n '__glance_manage_in ""' -s d -l debug -d 'Log at level DEBUG'
complete -c glance-manage -n '__glance_manage_in ""' -l nodebug -d 'The opposite of --debug'
complete -c glance-manage -n '__glance_manage_in ""' -l log-config-append -l log-config -l log_config -r -F -d 'Logging configuration file (not supported)'
complete -c glance-manage -n '__glance_manage_in ""' -l log-date-format -x -d 'Date format of log lines'
complete -c glance-manage -n '__glance_manage_in ""' -l log-dir -l logdir -x -a '(__fish_complete_directories)' -d 'Directory for log files'
complete -c glance-manage -n '__glance_manage_in ""' -l log-file -l logfile -r -F -d 'File to log to instead of standard error'
complete -c glance-manage -n '__glance_manage_in ""' -l shell_completion -x -a 'bash zsh' -d 'Print a completion script'
complete -c glance-manage -n '__glance_manage_in ""' -l syslog-log-facility -x -d 'Syslog facility'
complete -c glance-manage -n '__glance_manage_in ""' -l use-journal -d 'Log to the systemd journal'
complete -c glance-manage -n '__glance_manage_in ""' -l nouse-journal -d 'The opposite of --use-journal'
complete -c glance-manage -n '__glance_manage_in ""' -l use-json -d 'Log in JSON'
complete -c glance-manage -n '__glance_manage_in ""' -l nouse-json -d 'The opposite of --use-json'
complete -c glance-manage -n '__glance_manage_in ""' -l use-syslog -d 'Log to syslog'
complete -c glance-manage -n '__glance_manage_in ""' -l nouse-syslog -d 'The opposite of --use-syslog'
complete -c glance-manage -l data-dir -x -a '(__fish_complete_directories)' -d 'Directory of the local deployment'
complete -c glance-manage -l format -x -a 'csv json shell table value yaml' -d 'Output format for programs: csv, json, shell, table, value or yaml'
complete -c glance-manage -n '__glance_manage_in ""' -s h -l help -d 'Print help'
complete -c glance-manage -n '__glance_manage_in "db_export_metadefs" "db_load_metadefs"' -F
complete -c glance-manage -n '__glance_manage_in "db purge_images_table" "db_purge_images_table"' -l age_in_days -x -d 'Purge rows deleted more than this many days ago; default: 180'
complete -c glance-manage -n '__glance_manage_in "db purge" "db_purge"' -l age_in_days -x -d 'Purge rows deleted more than this many days ago; default: 30'
complete -c glance-manage -n '__glance_manage_in "db purge" "db purge_images_table" "db_purge" "db_purge_images_table"' -l max_rows -x -d 'Maximum number of rows to purge per table, oldest first; default: 100; -1 purges all'
complete -c glance-manage -n '__glance_manage_in "db load_metadefs"' -l merge -d 'Merge into existing definitions, keeping existing values'
complete -c glance-manage -n '__glance_manage_in "db load_metadefs"' -l overwrite -d 'When merging, replace existing definitions with those from the files'
complete -c glance-manage -n '__glance_manage_in "db export_metadefs"' -l path -r -F -d 'Directory to write the files to'
complete -c glance-manage -n '__glance_manage_in "db load_metadefs"' -l path -r -F -d 'File, or directory of files, to load'
complete -c glance-manage -n '__glance_manage_in "db load_metadefs"' -l prefer_new -d 'When merging, prefer values from the files'
complete -c glance-manage -n '__glance_manage_in "db sync" "db upgrade" "db version_control"' -l version -x -d 'Schema revision'
