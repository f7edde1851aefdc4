import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { fail } from '../errors.ts'

/**
 * Random access to the bytes of an archive.
 *
 * `read` resolves to exactly `length` bytes or rejects; `0 <= position` and `position + length <= size` hold for
 * every call. If `into` is given, it is at least that long, and the bytes may be put there: a caller that reads much
 * and keeps nothing saves fresh memory. Calls may overlap in time. `close` is called once, and no `read` is begun
 * after it.
 */
export interface ByteSource {
  readonly size: number
  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>
  close(): Promise<void>
}

/** Reads from any source, and holds it to its contract: what another author wrote may come back too short. */
export async function readBuffer(
  source: ByteSource,
  position: number,
  length: number,
  into?: Uint8Array,
): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0)
  const bytes = await source.read(position, length, into)
  if (bytes.length !== length) {
    const reason = `the source gave ${bytes.length} bytes for ${length} at ${position}`
    throw fail('IO', '', { operation: 'read', reason })
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, length)
}

/** The same source, but closed at most once, and with a clear error for a read that comes after that. */
export function guardSource(source: ByteSource, file: string): ByteSource {
  let closing: Promise<void> | undefined
  return {
    size: source.size,
    async read(position, length, into) {
      if (closing) throw fail('IO', file, { operation: 'read', reason: 'the archive is closed' })
      return source.read(position, length, into)
    },
    close() {
      closing ??= source.close()
      return closing
    },
  }
}

/** An archive as callers have it: its path, which may be a `file:` URL, its bytes, or a source of them. */
export type ArchiveInput = string | URL | Uint8Array | ByteSource

/** The path of what is a file; undefined for what is in memory or a source. */
export function pathOf(input: ArchiveInput): string | undefined {
  return input instanceof URL ? fileURLToPath(input) : typeof input === 'string' ? input : undefined
}

/** @throws ZappError NOT_FOUND, NOT_A_FILE, IO; TypeError for what is no input */
export async function toSource(input: ArchiveInput): Promise<ByteSource> {
  const path = pathOf(input)
  if (path !== undefined) return guardSource(await fileSource(path), path)
  if (input instanceof Uint8Array) return guardSource(bytesSource(input), '')
  if (typeof (input as Partial<ByteSource> | undefined)?.read === 'function')
    return guardSource(input as ByteSource, '')
  throw new TypeError(`an archive must be given as a path, a file URL, bytes or a ByteSource, got ${inspect(input)}`)
}

/** A source over bytes in memory. They must not change while the source is in use. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (position, length) => bytes.subarray(position, position + length),
    close: async () => {},
  }
}

/**
 * A source over a file. The size is taken once: a file that shrinks later ends in an error, never in a wait.
 *
 * @throws ZappError NOT_FOUND, NOT_A_FILE, IO
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const handle = await openFile(path)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw fail('NOT_A_FILE', path, { file: path })
    return new FileSource(path, handle, stat.size)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** A named pipe would be waited for until somebody writes to it; so it opens, and is no file. Windows has none. */
const NO_WAIT = constants.O_NONBLOCK ?? 0

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | NO_WAIT)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fail('NOT_FOUND', path, { file: path }, error)
    if (code === 'EISDIR') throw fail('NOT_A_FILE', path, { file: path }, error)
    throw fail('IO', path, { operation: 'open', reason: message }, error)
  }
}

class FileSource implements ByteSource {
  readonly size: number
  readonly #path: string
  readonly #handle: FileHandle

  constructor(path: string, handle: FileHandle, size: number) {
    this.#path = path
    this.#handle = handle
    this.size = size
  }

  async read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const buffer = into?.subarray(0, length) ?? Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await this.#handle.read(buffer, done, length - done, position + done).catch((error) => {
        throw fail('IO', this.#path, { operation: 'read', reason: error.message }, error)
      })
      if (bytesRead === 0) {
        const reason = `the file ended at byte ${position + done}, it was ${this.size} bytes long when it was opened`
        throw fail('IO', this.#path, { operation: 'read', reason })
      }
      done += bytesRead
    }
    return buffer
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
