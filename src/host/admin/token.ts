import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '../../errors.ts'

/** 256 bits: nobody guesses it, so there is nothing to be gained by slowing guesses down. */
const BYTES = 32

/**
 * The token of the admin API: what the file holds, else a new one, written so that only its user can read it. There is
 * no default password.
 *
 * @throws ZappError IO, also for a file that others can read
 */
export async function adminToken(file: string): Promise<string> {
  try {
    return await create(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return read(file)
    throw fail('IO', file, { operation: 'writing the admin token', reason: (error as Error).message }, error)
  }
}

async function create(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const token = randomBytes(BYTES).toString('base64url')
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(`${token}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  return token
}

async function read(file: string): Promise<string> {
  const operation = 'reading the admin token'
  try {
    const { mode } = await stat(file)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new Error(`others can read it: its mode must be 0600, got 0${(mode & 0o777).toString(8)}`)
    }
    const token = (await readFile(file, 'utf8')).trim()
    if (token.length < 20) throw new Error('it must hold at least 20 characters')
    return token
  } catch (error) {
    throw fail('IO', file, { operation, reason: (error as Error).message }, error)
  }
}

/** Whether a request brings the token: as Bearer (RFC 6750), or as the password of Basic (RFC 7617), whoever the user. */
export function hasToken(authorization: string | undefined, token: string): boolean {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(authorization ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return equal(value, token)
  if (scheme.toLowerCase() !== 'basic') return false
  const pair = Buffer.from(value, 'base64').toString('utf8')
  return equal(pair.slice(pair.indexOf(':') + 1), token)
}

/** In a time that does not tell how much of it was right, whatever its length. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
