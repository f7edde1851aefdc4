import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail } from '../../errors.ts'

/** Characters that wait for a disk that is slow. What comes on top is dropped: the memory is the host's. */
const MAX_WAITING = 16 * 1024 * 1024
/** For the host's user to write, and for its group to read. */
const MODE = 0o640

/** A file that lines are appended to in the order in which they come, while somebody else may move it away. */
export class LogFile {
  readonly path: string
  readonly #onError: (error: unknown) => void
  #handle: FileHandle | undefined
  #waiting = ''
  #dropped = 0
  #isMoved = false
  #isBroken = false
  #writing: Promise<void> | undefined

  /** @param onError told once, until writing succeeds again */
  constructor(path: string, onError: (error: unknown) => void) {
    this.path = path
    this.#onError = onError
  }

  /** Opens it now, instead of with the first line. @throws ZappError IO */
  async open(): Promise<void> {
    const next = await openToAppend(this.path)
    await this.#handle?.close()
    this.#handle = next
  }

  /** @param lines without the last line end */
  add(lines: string): void {
    if (this.#waiting.length > MAX_WAITING) this.#dropped++
    else this.#waiting += `${lines}\n`
    this.#writing ??= this.#write()
  }

  /** Goes on in a new file of that name; in the old one where none can be made. Resolves when it does. */
  async reopen(): Promise<void> {
    this.#isMoved = true
    this.#writing ??= this.#write()
    await this.#writing
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await this.#writing
    await this.#handle?.close()
    this.#handle = undefined
  }

  async #write(): Promise<void> {
    // The lines of this turn of the event loop go together, and those that come while a write is under way.
    await Promise.resolve()
    do {
      const [text, dropped] = [this.#waiting, this.#dropped]
      this.#waiting = ''
      this.#dropped = 0
      try {
        await this.#openAgain()
        if (text !== '') await this.#handle?.appendFile(text)
        if (dropped > 0) throw new Error(`${dropped} lines came faster than they could be written, and are lost`)
        this.#isBroken = false
      } catch (error) {
        this.#fail(error)
      }
    } while (this.#waiting !== '' || this.#isMoved)
    this.#writing = undefined
  }

  async #openAgain(): Promise<void> {
    if (this.#handle && !this.#isMoved) return
    this.#isMoved = false
    try {
      await this.open()
    } catch (error) {
      if (!this.#handle) throw error
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (!this.#isBroken) this.#onError(error)
    this.#isBroken = true
  }
}

async function openToAppend(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true })
    return await open(path, 'a', MODE)
  } catch (error) {
    throw fail('IO', path, { operation: 'opening the log', reason: (error as Error).message }, error)
  }
}
