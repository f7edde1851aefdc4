import type { CommanderError } from 'commander'
import { fail, type ZappError } from '../errors.ts'

/** commander's text for a wrong command line, `error: unknown option '--jsno'\n(Did you mean --json?)`, as a USAGE error. */
export function usageError(error: CommanderError, command: string): ZappError {
  const problem = error.message
    .replace(/^error: /, '')
    .replace(/\n\((Did you mean .*\?)\)$/s, '. $1')
    .replace(/\.$/, '')
  return usage(problem, command)
}

/** A command line that parses but makes no sense. `command` is "" for zapp itself. */
export function usage(problem: string, command: string): ZappError {
  return fail('USAGE', '', { problem, command })
}
