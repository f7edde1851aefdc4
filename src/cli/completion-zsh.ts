import type { CommandModel, OptionModel, Value } from './completion-model.ts'

export function zshCompletion(commands: readonly CommandModel[]): string {
  return `#compdef zapp
# Completion of zapp for zsh. In ~/.zshrc, behind compinit:  eval "$(zapp completion zsh)"

_zapp() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n')}
  )
  _arguments -C \\
    '(- *)'{-h,--help}'[show help]' \\
    '(- *)'{-V,--version}'[print the version]' \\
    '1:command:->command' \\
    '*::argument:->argument' && return
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${commands.map(commandCase).join('\n')}
      esac ;;
  esac
}
compdef _zapp zapp
`
}

function commandCase({ name, options, operands }: CommandModel): string {
  const specs = [
    ...options.map(optionSpec),
    ...operands.map((value, i) => quote(`${i === operands.length - 1 ? '*' : i + 1}:argument:${action(value)}`)),
  ]
  return `        ${name})\n          _arguments ${specs.map((spec) => `\\\n            ${spec}`).join(' ')} ;;`
}

function optionSpec({ flags, summary, value }: OptionModel): string {
  const names = flags.length > 1 ? `'(${flags.join(' ')})'{${flags.join(',')}}` : flags[0]
  const rest = `[${summary.replace(/[[\]\\]/g, '\\$&')}]${value ? `:value:${action(value)}` : ''}`
  return `${names}${quote(rest)}`
}

function action(value: Value): string {
  switch (value.kind) {
    case 'path': {
      const [first, ...others] = value.endings
      if (first === undefined) return '_files'
      // A group without "|" at the end of a pattern would be a list of glob qualifiers.
      return `_files -g "*${others.length > 0 ? `(${value.endings.join('|')})` : first}"`
    }
    case 'folder':
      return '_files -/'
    case 'word':
      return `(${value.words.join(' ')})`
    case 'free':
      return ''
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
