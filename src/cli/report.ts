import { asZappError, type Finding, fail, ZappError } from '../errors.ts'
import { type ExitCode, exitCodeFor, exitCodeForSignal } from './exit-codes.ts'
import { findingJson, renderFindings } from './render-finding.ts'
import { safeText } from './safe-text.ts'
import { NO_SUBJECT, type Subject } from './subject.ts'
import type { Ui } from './ui.ts'

/** A failed command shows this many findings; `zapp validate` shows all. */
const SHOWN = 10

/** An error together with what it is about, so that it can be shown with its place and its source line. */
class SubjectError extends Error {
  readonly subject: Subject

  constructor(cause: unknown, subject: Subject) {
    super('about a subject', { cause })
    this.subject = subject
  }
}

/** Runs `work`; an error that leaves it is reported as one about `subject`. */
export async function about<T>(subject: Subject, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof SubjectError ? error : new SubjectError(error, subject)
  }
}

/** What was thrown, without the subject that {@link about} added. */
export function causeOf(thrown: unknown): unknown {
  return thrown instanceof SubjectError ? thrown.cause : thrown
}

/**
 * Tells why a command failed: findings on stderr, or with `--json` one document
 * `{error: {code, message, fix, path}, findings}` on stdout.
 */
export async function reportFailure(ui: Ui, thrown: unknown, debug: boolean): Promise<ExitCode> {
  const cause = causeOf(thrown)
  const { signal } = ui.io
  if (signal.aborted && (cause === signal.reason || (cause instanceof Error && cause.name === 'AbortError'))) {
    ui.say(`stopped by ${signal.reason}`)
    return exitCodeForSignal(signal.reason)
  }
  const subject = thrown instanceof SubjectError ? thrown.subject : NO_SUBJECT
  const error = toZappError(cause)
  if (ui.json) ui.data(failureJson(error, subject))
  else await sayFindings(ui, error.findings, subject)
  if (debug) ui.warn(...stackLines(cause))
  return exitCodeFor(error.code)
}

export function failureJson(error: ZappError, subject: Subject): object {
  const { code, message, fix, path } = findingJson({ ...error, severity: 'error' }, subject)
  return { error: { code, message, fix, path }, findings: error.findings.map((f) => findingJson(f, subject)) }
}

/** The first findings on stderr. */
export async function sayFindings(ui: Ui, findings: readonly Finding[], subject: Subject): Promise<void> {
  const more = findings.length - SHOWN
  ui.say(...(await renderFindings(findings.slice(0, SHOWN), subject, ui.talk)))
  if (more > 0) ui.say('', `and ${more.toLocaleString('en-US')} more: zapp validate ${safeText(subject.file)}`)
}

/** Errors of the operating system become IO; whatever else is not ours is a fault of Zapp. */
export function toZappError(error: unknown): ZappError {
  if (error instanceof ZappError || !(error instanceof Error && 'syscall' in error)) return asZappError(error)
  return fail('IO', '', { operation: String(error.syscall), reason: error.message }, error)
}

function stackLines(error: unknown): string[] {
  const lines: string[] = []
  for (let e = error; e instanceof Error; e = e.cause) lines.push(...(e.stack ?? e.message).split('\n'))
  return lines.map(safeText)
}
