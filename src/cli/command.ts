import type { Command } from 'commander'
import type { Ui } from './ui.ts'

/** What a file in commands/ exports. */
export interface CliCommand<Args extends unknown[] = unknown[], Flags extends object = object> {
  /** Adds options, descriptions of arguments, and examples to the command. */
  define(command: Command): void
  /**
   * Does the work and resolves to the exit code. Throws ZappError; never prints an error itself, never exits.
   * @param typed the end of `args`: what stood behind `--`
   */
  run(ui: Ui, args: Args, flags: Flags, typed: readonly string[]): Promise<number>
}

/** What ends a command's help: `notes`, lines of at most 80 characters, and examples with what each does. */
export function helpText(
  notes: readonly string[],
  ...examples: readonly (readonly [line: string, meaning: string])[]
): string {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, meaning]) => `  $ ${line.padEnd(width)}  ${meaning}`)
  return ['', ...notes, ...(notes.length > 0 ? [''] : []), 'Examples:', ...lines].join('\n')
}

/** For an option that may be given several times, one value each. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value]
}

export const JSON_OPTION = ['--json', 'print the answer as JSON'] as const
