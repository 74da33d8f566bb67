# fish completion of glance-cache-manage. Written by: cargo run --example generate

set -g __glance_cache_manage_commands 'clean' 'delete-all-cached-images' 'delete-all-queued-images' 'delete-cached-image' 'delete-queued-image' 'help' 'list-cached' 'list-queued' 'prefetch' 'prune' 'queue-image'
set -g __glance_cache_manage_valued -H --host -p --port --os-auth-token --os-username --os-password --os-region-name --os-project-id --os-project-name --os-user-domain-id --os-project-domain-id --os-domain-id --os-auth-url -S --os_auth_strategy --data-dir --metrics-file --config-file

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
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-all-cached-images' -d 'Drop all images from the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-all-queued-images' -d 'Drop all images from the queue'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-cached-image' -d 'Drop an image from the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'delete-queued-image' -d 'Drop an image from the queue'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'help' -d 'Say how a command is called'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'list-cached' -d 'List the images in the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'list-queued' -d 'List the images queued to be cached'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'prefetch' -d 'Fetch the queued images into the cache'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'prune' -d 'Shrink the cache to its permitted size'
complete -c glance-cache-manage -n '__glance_cache_manage_at ""' -a 'queue-image' -d 'Queue an image to be cached'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l version -d 'Print the version'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s v -l verbose -d 'Say more'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s d -l debug -d 'Say everything'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s H -l host -x -d 'Address of the image service; 0.0.0.0 if not given'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s p -l port -x -d 'Port of the image service; 9292 if not given'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s k -l insecure -d 'Do not check the certificate of the service'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s f -l force -d 'Do not ask before doing it'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-auth-token -x -d 'Token; else OS_AUTH_TOKEN'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-username -x -d 'User; else OS_USERNAME'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-password -x -d 'Password; else OS_PASSWORD'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-region-name -x -d 'Region; else OS_REGION_NAME'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-project-id -x -d 'ID of the project; else OS_PROJECT_ID'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-project-name -x -d 'Project; else OS_PROJECT_NAME'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-user-domain-id -x -d 'ID of the user\'s domain; else OS_USER_DOMAIN_ID'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-project-domain-id -x -d 'ID of the project\'s domain; else OS_PROJECT_DOMAIN_ID'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-domain-id -x -d 'ID of the domain; else OS_DOMAIN_ID, else default'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -l os-auth-url -x -d 'Address of Keystone; else OS_AUTH_URL'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s S -l os_auth_strategy -x -d 'How to prove who asks: keystone or noauth'
complete -c glance-cache-manage -l data-dir -x -a '(__fish_complete_directories)' -d 'Directory of the local deployment'
complete -c glance-cache-manage -l dry-run -d 'Only say what would be removed or fetched'
complete -c glance-cache-manage -l metrics-file -r -F -d 'Write metrics for Prometheus to this file'
complete -c glance-cache-manage -l config-file -r -F -d 'Configuration of the service whose cache is meant'
complete -c glance-cache-manage -n '__glance_cache_manage_in ""' -s h -l help -d 'Print help'
