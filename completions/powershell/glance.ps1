# PowerShell completion of glance, glance-api, glance-cache-cleaner, glance-cache-manage, glance-cache-prefetcher, glance-cache-pruner, glance-manage, glance-scrubber. The program itself answers: see "glance completion --help".

Register-ArgumentCompleter -Native -CommandName glance, glance-api, glance-cache-cleaner, glance-cache-manage, glance-cache-prefetcher, glance-cache-pruner, glance-manage, glance-scrubber -ScriptBlock {
    param($word, $line, $cursor)
    $program = $line.CommandElements[0].Extent.Text
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) { $program = 'glance' }
    $before = @($line.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor } |
        ForEach-Object { if ($_.Value -is [string]) { $_.Value } else { $_.Extent.Text } })
    # An empty last word would be dropped.
    $last = '=' + ([string]$word).Trim("'", '"')
    $answer = @(& $program __complete powershell (Split-Path -Leaf $program) @before $last 2>$null)
    # After "files" and "directories" there is nothing, and PowerShell offers paths.
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        $text = if ($value -match "[\s'```$(){};&|<>@#,]") { "'" + $value.Replace("'", "''") + "'" } else { $value }
        if (-not $about) { $about = $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $about)
    }
}
