# Elvish completion of glance glance-api glance-cache-cleaner glance-cache-manage glance-cache-prefetcher glance-cache-pruner glance-manage glance-scrubber. The program itself answers: see "glance completion --help".

use path
use str

for name [glance glance-api glance-cache-cleaner glance-cache-manage glance-cache-prefetcher glance-cache-pruner glance-manage glance-scrubber] {
    set edit:completion:arg-completer[$name] = {|@words|
        var first = ''
        try {
            (external $words[0]) __complete elvish (path:base $words[0]) (all $words[1..]) 2>/dev/null | from-lines | each {|line|
                if (eq $first '') {
                    set first = $line
                    if (has-value [files directories] $line) {
                        edit:complete-filename $words[-1]
                    }
                } else {
                    var value @about = (str:split &max=2 "\t" $line)
                    var space = ' '
                    if (eq $first nospace) { set space = '' }
                    if (eq $about []) {
                        edit:complex-candidate $value &code-suffix=$space
                    } else {
                        edit:complex-candidate $value &code-suffix=$space &display=$value'  ('$about[0]')'
                    }
                }
            }
        } catch { }
    }
}
