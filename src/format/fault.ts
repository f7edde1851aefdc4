import type { Args, ErrorCode } from '../errors.ts'

/** What is wrong with a value, before it is known where the value stands; a Finding adds the place. */
export interface Fault {
  readonly code: ErrorCode
  readonly args: Args
}

/** Tells the two results of a judge apart: a value, or the reason why there is none. */
export function isFault(result: unknown): result is Fault {
  return typeof result === 'object' && result !== null && 'code' in result && 'args' in result
}
