import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fail } from '../errors.ts'
import { shellWord } from '../format/shell-word.ts'
import { isZip, stemOf } from '../host/sources.ts'
import { safeText } from './safe-text.ts'
import type { Ui } from './ui.ts'

/** An archive to be sent. */
export interface Upload {
  readonly path: string
  readonly bytes: number
  /** Says where it goes, as in a watched folder. */
  readonly name: string
}

/**
 * The archive that a file is: itself, or what `zapp repack` makes of a zip, until `work` is done.
 *
 * @throws ZappError NOT_FOUND, NOT_A_FILE; what keeps a zip from being repacked
 */
export async function withUpload<T>(ui: Ui, file: string, work: (upload: Upload) => Promise<T>): Promise<T> {
  const path = ui.path(file)
  const stats = await stat(path).catch(() => undefined)
  if (!stats) throw fail('NOT_FOUND', file, { file })
  if (!stats.isFile()) throw fail('NOT_A_FILE', file, { file })
  if (!isZip({ path, kind: 'archive' })) return work({ path, bytes: stats.size, name: basename(path) })
  const folder = await mkdtemp(join(tmpdir(), 'zapp-upload-'))
  try {
    const name = `${stemOf(path)}.zapp`
    const { repack } = await import('../archive/repack.ts')
    const { bytes, file: made } = await repack(path, { out: join(folder, name), signal: ui.io.signal })
    const word = safeText(shellWord(file))
    ui.say(`repacked ${word} for this upload; to keep that: zapp repack ${word}`)
    return await work({ path: made, bytes, name })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
