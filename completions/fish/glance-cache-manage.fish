# fish completion of glance-cache-manage. Written by: cargo run --example generate

set -g __glance_cache_manage_commands 'clean' 'delete-all-cached-images' 'delete-all-queued-images' 'delete-cached-image' 'delete-queued-image' 'help' 'list-cached' 'list-queued' 'prefetch' 'prune' 'queue-image'
set -g __glance_cache_manage_valued -H --host -p --port --os-auth-token --os-username --os-password --os-region-name --os-project-id --os-project-name --os-user-domain-id --os-project-domain-id --os-domain-id --os-auth-url -S --os_auth_strategy --data-dir --format --metrics-file --config-file

# The words of the command on the line so far; $argv are the options whose value may stand apart.
function __glance_cache_manage_place
    set -l pending 0
    set -l place
    for word in (commandline -opc)[2..]
        if test $pending = 1
            set pending 0
        else if string match -q -- '-*' $word
            contains -- $word $__glance_cache_manage_valued; and set pending 1
        else
            set -a place $word
        end
    end
    string join ' ' -- $place
end

# Whether the line is at one of these places, or behind the whole command that one of them is.
function __glance_cache_manage_at
    set -l place (__glance_cache_manage_place)
    contains -- "$place" $argv
end

# Whether it is not in a command of the second grammar, which has output options of its own.
function __glance_cache_manage_first
    set -l place (__glance_cache_manage_place)
    not string match -qr '^(image|cached)( |$)' -- "$place"
end

function __glance_cache_manage_in
    set -l line (__glance_cache_manage_place)
    while test -n "$line"; and not contains -- "$line" $__glance_cache_manage_commands
        set line (string replace -r ' ?[^ ]*$' '' -- $line)
    end
    contains -- "$line" $argv
end

complete -c glance-cache-manage -f
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'clean' -d 'Remove invalid and stalled files from the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-all-cached-images' -d 'Remove all images from the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-all-queued-images' -d 'Remove all images from the queue'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-cached-image' -d 'Remove an image from the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-queued-image' -d 'Remove an image from the queue'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'help' -d 'Say how a command is called'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'list-cached' -d 'List cached images'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'list-queued' -d 'List images queued for caching'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'prefetch' -d 'Download the queued images into the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'prune' -d 'Remove images until the cache is within its maximum size'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'queue-image' -d 'Queue an image for caching'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l version -d 'Print the version'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s v -l verbose -d 'Enable verbose output'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s d -l debug -d 'Enable debug output'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s H -l host -x -d 'Address of the image service; default: 0.0.0.0'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s p -l port -x -d 'Port of the image service; default: 9292'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s k -l insecure -d 'Do not verify the certificate of the service'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s f -l force -d 'Do not ask for confirmation'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-auth-token -x -d 'Authentication token [env OS_AUTH_TOKEN]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-username -x -d 'Username [env OS_USERNAME]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-password -x -d 'Password [env OS_PASSWORD]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-region-name -x -d 'Region name [env OS_REGION_NAME]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-project-id -x -d 'Project ID [env OS_PROJECT_ID]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-project-name -x -d 'Project name [env OS_PROJECT_NAME]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-user-domain-id -x -d 'User\'s domain ID [env OS_USER_DOMAIN_ID]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-project-domain-id -x -d 'Project\'s domain ID [env OS_PROJECT_DOMAIN_ID]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-domain-id -x -d 'Domain ID; default: default [env OS_DOMAIN_ID]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-auth-url -x -d 'Keystone URL [env OS_AUTH_URL]'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s S -l os_auth_strategy -x -d 'Authentication strategy: keystone or noauth'
complete -c glance-cache-manage -l data-dir -x -a '(__fish_complete_directories)' -d 'Directory of the local deployment'
complete -c glance-cache-manage -l dry-run -d 'Show what would be removed or fetched without doing it'
complete -c glance-cache-manage -l format -x -a 'csv json shell table value yaml' -d 'Output format for programs: csv, json, shell, table, value or yaml'
complete -c glance-cache-manage -l metrics-file -r -F -d 'File to write Prometheus metrics to'
complete -c glance-cache-manage -l config-file -r -F -d 'Configuration file of the service whose cache to manage'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s h -l help -d 'Print help'
