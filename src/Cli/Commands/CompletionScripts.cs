namespace Cli.Commands;

/// <summary>
/// Scripts for shells. Each hands the words typed so far to <c>__complete</c> (or <c>__completeNoDesc</c>) of the program and shows the
/// answer, so a script never has to change when the commands do.
/// </summary>
internal static class CompletionScripts
{
    public static string Bash(bool withDescriptions) => """
        # Completion of ttn-lw-migrate for bash.
        _ttn_lw_migrate() {
            # bash cuts words at "=" and ":"; put them together again.
            local -a typed=()
            local i join=
            for ((i = 1; i <= COMP_CWORD; i++)); do
                if [[ ${#typed[@]} -gt 0 && ${COMP_WORDS[i]} == [=:]* ]]; then
                    typed[${#typed[@]}-1]+=${COMP_WORDS[i]}
                    join=1
                elif [[ $join ]]; then
                    typed[${#typed[@]}-1]+=${COMP_WORDS[i]}
                    join=
                else
                    typed+=("${COMP_WORDS[i]}")
                fi
            done

            local answer line word
            answer=$("${COMP_WORDS[0]/#\~/$HOME}" PROTOCOL "${typed[@]}" 2>/dev/null) || return
            local -a words=() described=()
            local files=1
            while IFS= read -r line; do
                case $line in
                    :0) ;;
                    :*) files= ;;
                    *)
                        word=${line%%$'\t'*}
                        words+=("$word")
                        if [[ $line == *$'\t'* ]]; then
                            described+=("$(printf '%-28s (%s)' "$word" "${line#*$'\t'}")")
                        else
                            described+=("$word")
                        fi
                        ;;
                esac
            done <<< "$answer"

            # Only a list of choices (second TAB) shows descriptions; a word that is inserted has none.
            if [[ ${#words[@]} -gt 1 && $COMP_TYPE == 63 ]]; then
                COMPREPLY=("${described[@]}")
            else
                COMPREPLY=("${words[@]}")
            fi
            [[ $files ]] || compopt +o default 2>/dev/null
            return 0
        }
        complete -o default -F _ttn_lw_migrate ttn-lw-migrate

        """.Replace("PROTOCOL", Protocol(withDescriptions), StringComparison.Ordinal);

    public static string Zsh(bool withDescriptions) => """
        #compdef ttn-lw-migrate
        # Completion of ttn-lw-migrate for zsh.
        _ttn-lw-migrate() {
            local -a answer choices
            local line word files=1
            answer=("${(@f)$(${words[1]} PROTOCOL "${(@)words[2,CURRENT]}" 2>/dev/null)}")
            for line in $answer; do
                case $line in
                    :0) ;;
                    :*) files= ;;
                    *)
                        word=${line%%$'\t'*}
                        if [[ $line == *$'\t'* ]]; then
                            choices+=("${word//:/\\:}:${line#*$'\t'}")
                        else
                            choices+=("${word//:/\\:}")
                        fi
                        ;;
                esac
            done
            # The value of --flag=value is completed without the flag.
            [[ $PREFIX == -*=* ]] && compset -P '*='
            if (( $#choices )); then
                _describe -t choices 'ttn-lw-migrate' choices
            elif [[ -n $files ]]; then
                _files
            fi
        }
        # Loaded from $fpath the file is the function's body; sourced, it registers the function.
        if [[ $funcstack[1] == _ttn-lw-migrate ]]; then
            _ttn-lw-migrate "$@"
        else
            compdef _ttn-lw-migrate ttn-lw-migrate
        fi

        """.Replace("PROTOCOL", Protocol(withDescriptions), StringComparison.Ordinal);

    public static string Fish(bool withDescriptions) => """
        # Completion of ttn-lw-migrate for fish.
        function __ttn_lw_migrate_complete
            set -l before (commandline -opc)
            set -l typed (commandline -ct)
            # The value of --flag=value is answered without the flag, fish wants the whole word.
            set -l start (string match -r -- '^-[^=]*=' $typed)
            set -l files 1
            for line in ($before[1] PROTOCOL $before[2..-1] "$typed" 2>/dev/null)
                switch $line
                    case ':0'
                    case ':*'
                        set files 0
                    case '*'
                        set files 0
                        echo "$start$line"
                end
            end
            if test $files = 1
                __fish_complete_path $typed
            end
        end
        complete -c ttn-lw-migrate -f -a '(__ttn_lw_migrate_complete)'

        """.Replace("PROTOCOL", Protocol(withDescriptions), StringComparison.Ordinal);

    public static string PowerShell(bool withDescriptions) => """
        # Completion of ttn-lw-migrate for PowerShell 5.1 and newer.
        Register-ArgumentCompleter -Native -CommandName 'ttn-lw-migrate', 'ttn-lw-migrate.exe' -ScriptBlock {
            param($typed, $tree, $cursor)
            $program = $tree.CommandElements[0].Extent.Text
            $before = @($tree.CommandElements | Select-Object -Skip 1 |
                Where-Object { $_.Extent.EndOffset -lt $cursor } |
                ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
            # Older versions drop an empty argument on its way to a program unless it is written as quotes.
            $last = $typed
            if ($last -eq '' -and ($PSVersionTable.PSVersion -lt [version]'7.3' -or $PSNativeCommandArgumentPassing -eq 'Legacy')) { $last = '""' }
            $start = if ($typed -match '^(-[^=]*=)') { $Matches[1] } else { '' }
            & $program PROTOCOL @before $last 2>$null | Where-Object { $_ -notmatch '^:\d+$' } | ForEach-Object {
                $word, $description = $_ -split "`t", 2
                if (-not $description) { $description = $word }
                [System.Management.Automation.CompletionResult]::new($start + $word, $word, 'ParameterValue', $description)
            }
        }

        """.Replace("PROTOCOL", Protocol(withDescriptions), StringComparison.Ordinal);

    private static string Protocol(bool withDescriptions) => withDescriptions ? "__complete" : "__completeNoDesc";
}
