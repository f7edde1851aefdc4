import { rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { escapeUnsafe, type ZappError } from '../errors.ts'
import { describeForShell } from './describe-for-shell.ts'

/**
 * `shop.zapp.failed` beside a file that was refused tells the person who copied it there why; it goes when the file is
 * taken, or is gone.
 */
export class FailedFiles {
  /** Texts as they were written last, by path of the archive. */
  readonly #texts = new Map<string, string>()

  /** @param error undefined: there is nothing wrong. Never rejects: a folder that cannot be written to is left alone. */
  async update(archive: string, error: ZappError | undefined): Promise<void> {
    const text = error ? textOf(error) : ''
    if (this.#texts.get(archive) === text) return
    this.#texts.set(archive, text)
    const file = `${archive}.failed`
    if (text === '') return rm(file, { force: true }).catch(() => {})
    const temporary = join(dirname(file), `.${basename(file)}.new`)
    await writeFile(temporary, text)
      .then(() => rename(temporary, file))
      .catch(() => rm(temporary, { force: true }).catch(() => {}))
  }

  async forget(archive: string): Promise<void> {
    await this.update(archive, undefined)
    this.#texts.delete(archive)
  }
}

function textOf(error: ZappError): string {
  const parts = error.findings.map((finding) => {
    const { message, fix } = describeForShell(finding)
    const { path, line, column } = finding
    const place = [path, line, column].filter((part) => part !== undefined && part !== '').join(':')
    return `${finding.code}${place && `  ${escapeUnsafe(place)}`}\n  ${escapeUnsafe(message)}\n  fix: ${escapeUnsafe(fix)}\n`
  })
  return parts.join('\n')
}
