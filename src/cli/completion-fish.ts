import type { CommandModel, OptionModel, Value } from './completion-model.ts'

export function fishCompletion(commands: readonly CommandModel[]): string {
  return `# Completion of zapp for fish:  zapp completion fish > ~/.config/fish/completions/zapp.fish

complete -c zapp -f
complete -c zapp -n __fish_use_subcommand -s h -l help -d 'show help'
complete -c zapp -n __fish_use_subcommand -s V -l version -d 'print the version'
${commands.map(commandLines).join('\n')}
`
}

function commandLines({ name, summary, options, operands }: CommandModel): string {
  const inside = `complete -c zapp -n '__fish_seen_subcommand_from ${name}'`
  const operand = operands[0]
  return [
    '',
    `complete -c zapp -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
    ...options.map((option) => `${inside} ${optionWords(option)}`),
    ...(operand && operand.kind !== 'free' ? [`${inside} ${action(operand)}`] : []),
  ].join('\n')
}

function optionWords({ flags, summary, value }: OptionModel): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  return [...names, ...(value ? [`-x ${action(value)}`.trim()] : []), `-d ${quote(summary)}`].join(' ')
}

function action(value: Value): string {
  switch (value.kind) {
    case 'path':
      return value.endings.length === 0
        ? '-a "(__fish_complete_path)"'
        : `-a "(${value.endings.map((e) => `__fish_complete_suffix ${e}`).join('; ')})"`
    case 'folder':
      return '-a "(__fish_complete_directories)"'
    case 'word':
      return `-a '${value.words.join(' ')}'`
    case 'free':
      return ''
  }
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}
