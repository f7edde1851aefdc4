import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Validators } from './validators.ts'

/** Where it is kept what was judged: with the copies in the state folder, or in the cache. */
export function receiptsFolder(state: string | undefined, cache: string): string {
  return state === undefined ? join(cache, 'v1', 'checked') : join(resolve(state), 'store')
}

/**
 * For a host that is going to start. Where nothing was judged before something will be: a process is started at once,
 * and gets ready while the host loads its own modules.
 */
export async function earlyValidators(state: string | undefined, cache: string): Promise<Validators> {
  const validators = new Validators()
  const names = await readdir(receiptsFolder(state, cache)).catch(() => [])
  if (!names.some((name) => name.endsWith('.json'))) validators.expect()
  return validators
}
