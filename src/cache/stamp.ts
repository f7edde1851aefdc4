import { readdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Takes a whole second for everything that is about to enter the cache, one that nobody had before and later than all
 * that were taken: now, or the second after the last one taken.
 *
 * Frameworks compare modification times, HTTP in whole seconds. Two versions unpacked within one second, or after the
 * clock was set back, would otherwise answer 304 for changed content of equal size. The seconds taken are files in
 * `dir`; only the newest is kept.
 *
 * @returns Unix seconds
 */
export async function takeSecond(dir: string): Promise<number> {
  for (;;) {
    const second = Math.max(Math.floor(Date.now() / 1000), (await newest(dir)) + 1)
    try {
      await writeFile(join(dir, String(second)), '', { flag: 'wx' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw error
    }
    // Between the two lines above others may have taken this second, a later one, and removed the former.
    const taken = await seconds(dir)
    const won = Math.max(...taken) === second
    await Promise.all(taken.filter((s) => (won ? s < second : s === second)).map((s) => remove(join(dir, String(s)))))
    if (won) return second
  }
}

async function newest(dir: string): Promise<number> {
  return Math.max(0, ...(await seconds(dir)))
}

async function seconds(dir: string): Promise<number[]> {
  return (await readdir(dir)).map(Number)
}

async function remove(file: string): Promise<void> {
  await unlink(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}
