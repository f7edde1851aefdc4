import { type Finding, finding, throwIfErrors } from '../errors.ts'

/** What an app wants its environment to say, by name; undefined: it declares the variable and has no value for it. */
export type Variables = ReadonlyMap<string, string | undefined>

interface Claim {
  readonly value: string | undefined
  readonly before: string | undefined
  holders: number
}

/** The variables that apps in this process hold. There is one environment, so there is one table. */
const claims = new Map<string, Claim>()

/** The value that the process was given from outside, not one that an app loaded before it has set. */
export function ambient(name: string): string | undefined {
  const claim = claims.get(name)
  return claim ? claim.before : process.env[name]
}

/** CONFIG_CONFLICT for every variable that has another value already, or that a loaded app wants to be another. */
export function findConflicts(wanted: Variables): Finding[] {
  const clash = [...wanted].filter(([name, value]) => {
    const claim = claims.get(name)
    if (claim) return claim.value !== value
    return value !== undefined && process.env[name] !== undefined && process.env[name] !== value
  })
  return clash.map(([name]) => finding('CONFIG_CONFLICT', '', { name }))
}

/**
 * Sets variables for as long as an app needs them. Apps in one process may hold the same variable with the same value;
 * when the last lets go, what was there before is back. NODE_ENV is `production` where nobody says otherwise.
 *
 * @returns lets go; idempotent
 * @throws ZappError CONFIG_CONFLICT
 */
export function claimEnvironment(wanted: Variables): () => void {
  throwIfErrors(findConflicts(wanted))
  const values = new Map(wanted)
  const nodeEnv = claims.has('NODE_ENV') ? claims.get('NODE_ENV')?.value : (process.env.NODE_ENV ?? 'production')
  if (!values.has('NODE_ENV')) values.set('NODE_ENV', nodeEnv)
  for (const [name, value] of values) claim(name, value)
  let held = true
  return () => {
    if (!held) return
    held = false
    for (const name of values.keys()) release(name)
  }
}

function claim(name: string, value: string | undefined): void {
  const found = claims.get(name)
  if (found) {
    found.holders++
    return
  }
  claims.set(name, { value, before: process.env[name], holders: 1 })
  if (value !== undefined) process.env[name] = value
}

function release(name: string): void {
  const found = claims.get(name)
  if (!found || --found.holders > 0) return
  claims.delete(name)
  if (found.before === undefined) delete process.env[name]
  else process.env[name] = found.before
}
