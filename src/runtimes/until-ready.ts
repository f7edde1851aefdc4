import { ERRORS, type Finding, fail, ZappError } from '../errors.ts'
import { afterMs } from './after-ms.ts'
import type { OwnProcess } from './own-process.ts'

export interface UntilReadyOptions {
  /** What messages call the worker: an entry point, or the app. */
  readonly name: string
  /** ms until it has to be ready. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
}

/** Between a worker's word that it failed and its end: to print why. */
const FAILED_MS = 2000

/**
 * Waits until a worker says over its channel that it is `ready`, or has `failed` with findings.
 *
 * @throws ZappError what the worker reports, with its code; ENTRY_LOAD where it ends or is not done in time. It may still run
 */
export async function untilReady(process: OwnProcess, { name, timeout, signal }: UntilReadyOptions): Promise<void> {
  const loadError = (reason: string) => fail('ENTRY_LOAD', name, { module: name, reason })
  const word = await firstWord(process, timeout, signal)
  signal?.throwIfAborted()
  if (typeof word === 'string') throw loadError(word)
  if (typeOf(word) === 'ready') return
  await Promise.race([process.ended, afterMs(FAILED_MS)])
  const findings = findingsOf(word)
  if (findings[0]) throw new ZappError(findings[0], findings)
  throw loadError('it gave no reason')
}

/** The message; a string: why there is none. Anything where the signal aborts. */
async function firstWord(process: OwnProcess, timeout: number, signal: AbortSignal | undefined): Promise<unknown> {
  const { child } = process
  let settle: (word: unknown) => void = () => {}
  const told = new Promise<unknown>((resolve) => {
    settle = resolve
  })
  const look = (message: unknown) => {
    if (typeOf(message) === 'ready' || typeOf(message) === 'failed') settle(message)
  }
  const giveUp = () => settle('it was not waited for')
  const late = () => settle(process.withOutput(`it was not done after ${timeout / 1000} seconds`))
  const timer = setTimeout(late, timeout)
  child.on('message', look)
  signal?.addEventListener('abort', giveUp)
  if (signal?.aborted) giveUp()
  try {
    return await Promise.race([told, process.ended])
  } finally {
    clearTimeout(timer)
    child.off('message', look)
    signal?.removeEventListener('abort', giveUp)
  }
}

export function typeOf(message: unknown): unknown {
  return (Object(message) as { type?: unknown }).type
}

/** Of a message `failed`: what is no finding of ours is left out. */
function findingsOf(message: unknown): Finding[] {
  const { findings } = Object(message) as { findings?: unknown }
  if (!Array.isArray(findings)) return []
  return findings.flatMap((found: unknown): Finding[] => {
    const { code, path, args } = Object(found) as { [K in keyof Finding]?: unknown }
    if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code)) return []
    return [
      {
        code: code as Finding['code'],
        severity: 'error',
        path: typeof path === 'string' ? path : '',
        args: Object(args) as Finding['args'],
      },
    ]
  })
}
