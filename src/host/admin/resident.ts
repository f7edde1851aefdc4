import { readFile } from 'node:fs/promises'

/** Of nearly every Linux; where it is larger, a figure on a page is too small. */
const PAGE = 4096

/** Resident bytes of processes together, from /proc (Linux); undefined where that cannot be known. */
export async function residentBytes(pids: readonly number[]): Promise<number | undefined> {
  if (process.platform !== 'linux' || pids.length === 0) return undefined
  const each = await Promise.all(
    pids.map(async (pid) => {
      const [, resident = '0'] = (await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '')).split(' ')
      return Number(resident) * PAGE
    }),
  )
  return each.reduce((sum, bytes) => sum + bytes, 0)
}
