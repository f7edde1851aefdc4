import { Command, type Option } from 'commander'
import { COMMANDS, defineCommand } from './command-table.ts'

/** What may stand at one place of a command line. */
export type Value =
  /** Files whose names end in one of `endings`, all without any; folders lead to files, and may be the value. */
  | { readonly kind: 'path'; readonly endings: readonly string[] }
  | { readonly kind: 'folder' }
  | { readonly kind: 'word'; readonly words: readonly string[] }
  /** Nobody but the user knows. */
  | { readonly kind: 'free' }

export interface OptionModel {
  /** `["-o", "--out"]` */
  readonly flags: readonly string[]
  readonly summary: string
  /** Absent: the option has no value. */
  readonly value?: Value
}

export interface CommandModel {
  readonly name: string
  readonly summary: string
  readonly options: readonly OptionModel[]
  /** By place; the last one also stands for what follows it. Behind `--` files are offered. */
  readonly operands: readonly Value[]
}

const ANY_FILE: Value = { kind: 'path', endings: [] }

/** Every command with what completes it, from the same definitions that parse command lines. */
export async function completionModel(): Promise<CommandModel[]> {
  const models: CommandModel[] = []
  for (const [name, row] of Object.entries(COMMANDS)) {
    const command = new Command(name)
    await defineCommand(command, row)
    const help = { flags: ['-h', '--help'], summary: 'show help' }
    models.push({
      name,
      summary: row.summary,
      options: [...command.options.map(optionModel), help],
      operands: command.registeredArguments.map((one) => kindOf(one.name(), one.argChoices)),
    })
  }
  const words = models.map(({ name }) => name)
  return [
    ...models,
    { name: 'help', summary: 'show the help of a command', options: [], operands: [{ kind: 'word', words }] },
  ]
}

function optionModel({ short, long, description, required, flags, argChoices }: Option): OptionModel {
  const names = [short, long].filter((flag) => flag !== undefined)
  if (!required) return { flags: names, summary: description }
  const placeholder = /<(.+)>/.exec(flags)?.[1] ?? ''
  return {
    flags: names,
    summary: description,
    value: placeholder === 'file' ? ANY_FILE : kindOf(placeholder, argChoices),
  }
}

/** By the name that the help shows for a value. */
function kindOf(placeholder: string, choices: readonly string[] | undefined): Value {
  if (choices) return { kind: 'word', words: choices }
  switch (placeholder) {
    case 'dir':
      return { kind: 'folder' }
    case 'file':
    case 'old':
    case 'new':
      return { kind: 'path', endings: ['.zapp'] }
    case 'path':
      return { kind: 'path', endings: ['.zapp', '.zip', '.json'] }
    case 'zip':
      return { kind: 'path', endings: ['.zip', '.zapp'] }
    case 'command':
      return ANY_FILE
    default:
      return { kind: 'free' }
  }
}
