import type { ErrorCode } from '../errors.ts'

/** What the process ends with. Signals follow the shell's rule, 128 + number. */
export const EXIT = {
  /** Done; what was checked is good. */
  done: 0,
  /** The thing checked is bad, or the work could not be done. */
  bad: 1,
  /** The command line is wrong: it cannot be understood, or names a file that is not there. */
  usage: 2,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const CURED_BY_ANOTHER_COMMAND_LINE: ReadonlySet<ErrorCode> = new Set([
  'USAGE',
  'NOT_FOUND',
  'NOT_A_FILE',
  'NOT_A_FOLDER',
  'MOUNT_PATH',
])

export function exitCodeFor(code: ErrorCode): ExitCode {
  return CURED_BY_ANOTHER_COMMAND_LINE.has(code) ? EXIT.usage : EXIT.bad
}

/** @param signal the reason of the abort, a signal's name */
export function exitCodeForSignal(signal: unknown): ExitCode {
  return signal === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted
}
