import type { CommandModel, OptionModel, Value } from './completion-model.ts'

/** For bash from 3.2 on, which is what macOS has. */
export function bashCompletion(commands: readonly CommandModel[]): string {
  return `# Completion of zapp for bash. In ~/.bashrc:  eval "$(zapp completion bash)"

_zapp_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }

# Folders, and files whose names match the pattern; with spaces in them as well.
_zapp_paths() {
  local path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do
    if [[ -d \${path/#\\~/$HOME} || $path =~ $1 ]]; then COMPREPLY+=("$path"); fi
  done < <(compgen -f -- "$cur")
}

_zapp() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # What follows is a command line of the app's.
    if [[ $word == -- ]]; then _zapp_paths ''; return; fi
    if [[ -z $command && $word != -* ]]; then command=$word; fi
  done
  case $command in
    '')
      _zapp_words '${commands.map(({ name }) => name).join(' ')} --help --version' ;;
${commands.map(commandCase).join('\n')}
  esac
}
complete -F _zapp zapp
`
}

function commandCase({ name, options, operands }: CommandModel): string {
  const values = options.flatMap((option) => valueCase(option))
  const flags = options.flatMap((option) => option.flags).join(' ')
  return [
    `    ${name})`,
    ...(values.length > 0 ? ['      case $prev in', ...values, '      esac'] : []),
    `      if [[ $cur == -* ]]; then _zapp_words '${flags}'; return; fi`,
    `      ${action(operands[0])} ;;`,
  ].join('\n')
}

function valueCase({ flags, value }: OptionModel): string[] {
  return value ? [`        ${flags.join(' | ')}) ${action(value)}; return ;;`] : []
}

function action(value: Value = { kind: 'free' }): string {
  switch (value.kind) {
    case 'path':
      return `_zapp_paths '${value.endings.length > 0 ? `\\.(${value.endings.map((e) => e.slice(1)).join('|')})$` : ''}'`
    case 'folder':
      // No name that compgen gives ends so.
      return `_zapp_paths '/$'`
    case 'word':
      return `_zapp_words '${value.words.join(' ')}'`
    case 'free':
      return ':'
  }
}
