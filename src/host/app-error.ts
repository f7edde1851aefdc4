import { ERRORS } from '../errors.ts'

/** What an app threw in a process of its own, with the stack that it had there. */
export class AppError extends Error {
  constructor(message: string, stack: string) {
    super(message)
    this.stack = stack
  }
}

/** An error in words: after its code, where it is one of ours. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && Object.hasOwn(ERRORS, code) ? `${code}: ${error.message}` : error.message
}

/** Lines for a log. An app's own error with its stack, which its author needs; of others where we were says nothing to anybody. */
export function errorLines(where: string, error: unknown): string[] {
  return `${where}: ${error instanceof AppError ? error.stack : messageOf(error)}`.split('\n')
}
