import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Finding, fail, throwIfErrors } from '../errors.ts'
import { type ContentsRow, formatContents } from '../format/contents.ts'
import type { Limits } from '../format/limits.ts'
import { openArchive } from './archive.ts'
import { CanonicalZip } from './canonical-zip.ts'
import { compress } from './compress.js'
import { CONTENTS } from './contents-index.ts'
import { MIMETYPE } from './holdings.ts'
import { validateArchive } from './validate.ts'

/** A file as it goes into the archive: its bytes are ready, compressed or not. */
export interface ReadyFile {
  readonly path: string
  readonly mode: 0o644 | 0o755
  readonly method: 'stored' | 'deflate'
  /** Bytes of the content, before compression. */
  readonly size: number
  readonly crc32: number
  /** Hex. */
  readonly sha256: string
  /** What stands in the zip: the content, or its raw deflate stream. */
  readonly data: Uint8Array
}

/** Takes entries in archive order; `mimetype` and contents.json are written by {@link writeArchive} itself. */
export interface Writer {
  /** Resolves when the writer can take more. */
  file(file: ReadyFile): Promise<void>
  /** A file that is small and in memory. */
  text(path: string, bytes: Uint8Array): Promise<void>
  /** The name ends in "/". */
  folder(path: string): Promise<void>
}

export interface WriteOptions {
  readonly limits?: Partial<Limits>
  readonly signal?: AbortSignal
  /**
   * The caller has inflated every stream that it gave, and compared. Then the bytes on the disk are compared with those
   * that were written, by their digest, in the place of inflating all of them once more.
   */
  readonly contentChecked?: boolean
  /** A line that begins with `#!` and ends in a line feed: then the file is a program, of mode 0755. */
  readonly interpreter?: string
  /** Called when everything is written and the check begins, with the size of the file. */
  readonly onWritten?: (bytes: number) => void
}

export interface WriteResult {
  /** Absolute path. */
  readonly file: string
  readonly bytes: number
  /** File entries; folders are not counted. */
  readonly files: number
  /** `sha256:<hex>` of the whole file. */
  readonly digest: string
  /** `sha256:<hex>` of contents.json. */
  readonly contentDigest: string
  /** Of level warning: what the check of the new file found. */
  readonly warnings: readonly Finding[]
}

const MEDIA_TYPE = Buffer.from('application/vnd.zapp+zip')
const BLOCK = 2 ** 20
// Bytes that wait for the disk before the writer asks its caller to wait.
const HIGH_WATER = 4 * 2 ** 20

/**
 * Writes an archive: temporary file beside the target, fsync, every check of a reader on what was written, rename.
 * Nothing is left behind on failure or abort; an existing target is replaced only by a good archive.
 *
 * @param fill adds every entry between `mimetype` and contents.json, in order.
 * @throws ZappError IO; the findings of the check; whatever `fill` throws; `signal.reason`
 */
export async function writeArchive(
  target: string,
  fill: (writer: Writer) => Promise<void>,
  options: WriteOptions = {},
): Promise<WriteResult> {
  const file = resolve(target)
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`)
  const handle = await open(temporary, 'wx', options.interpreter === undefined ? 0o666 : 0o755).catch((error) => {
    throw fail('IO', target, { operation: 'create', reason: error.message }, error)
  })
  try {
    const written = await writeTo(handle, fill, options).finally(() => handle.close())
    options.onWritten?.(written.bytes)
    const warnings = await checkWritten(temporary, written.digest, options)
    options.signal?.throwIfAborted()
    await rename(temporary, file)
    await syncFolder(dirname(file))
    return { file, ...written, warnings }
  } catch (error) {
    await rm(temporary, { force: true })
    throw ioError(error)
  }
}

/** Everything that a reader checks, on the file as it is on the disk now; what is worth a warning. */
async function checkWritten(file: string, digest: string, options: WriteOptions): Promise<readonly Finding[]> {
  if (!options.contentChecked) {
    const { findings } = await validateArchive(file, options)
    throwIfErrors(findings)
    return findings
  }
  const archive = await openArchive(file, options)
  try {
    const got = await archive.fileDigest()
    if (got !== digest) throw fail('IO', '', { operation: 'write', reason: `it wrote ${digest}, the file has ${got}` })
    return archive.findings
  } finally {
    await archive.close()
  }
}

async function writeTo(
  handle: FileHandle,
  fill: (writer: Writer) => Promise<void>,
  { signal, interpreter = '' }: WriteOptions,
) {
  const zip = new CanonicalZip(Buffer.from(interpreter))
  const hash = createHash('sha256')
  const stop = new AbortController()
  let bytes = 0
  const store = async (chunks: AsyncIterable<Buffer>) => {
    for await (const block of inBlocks(chunks)) {
      hash.update(block)
      // Writes on from where it is, to the last byte.
      await handle.writeFile(block)
      bytes += block.length
    }
  }
  const flushed = pipeline(zip.output, store, signal ? { signal } : {})
  flushed.catch((error) => stop.abort(error))

  const writer = new EntryWriter(zip, stop.signal)
  let contents: Uint8Array
  try {
    await writer.text(MIMETYPE, MEDIA_TYPE)
    await fill(writer)
    contents = formatContents(writer.rows)
    await writer.text(CONTENTS, contents)
    zip.end()
    await flushed
    await handle.sync()
  } catch (error) {
    zip.output.destroy()
    await flushed.catch(() => {})
    signal?.throwIfAborted()
    throw error
  }
  return {
    bytes,
    files: writer.files,
    digest: `sha256:${hash.digest('hex')}`,
    contentDigest: `sha256:${createHash('sha256').update(contents).digest('hex')}`,
  }
}

/** What the system refused (no space, a broken disk) as a ZappError; anything else as it is. */
function ioError(error: unknown): unknown {
  const { syscall, message } = error as NodeJS.ErrnoException
  return syscall === undefined ? error : fail('IO', '', { operation: syscall, reason: message }, error)
}

/** yazl gives a header and its data one by one: the disk gets a block of them at a time. */
async function* inBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    waiting.push(chunk)
    size += chunk.length
    if (size < BLOCK) continue
    yield Buffer.concat(waiting, size)
    waiting = []
    size = 0
  }
  yield Buffer.concat(waiting, size)
}

class EntryWriter implements Writer {
  readonly rows: ContentsRow[] = []
  files = 0
  readonly #zip: CanonicalZip
  readonly #stop: AbortSignal

  constructor(zip: CanonicalZip, stop: AbortSignal) {
    this.#zip = zip
    this.#stop = stop
  }

  async file(file: ReadyFile): Promise<void> {
    this.#stop.throwIfAborted()
    this.#zip.file(file.path, file.mode, file.data, file)
    const { path, size, sha256 } = file
    this.rows.push({ path, size, sha256, mode: file.mode === 0o755 ? '0755' : '0644' })
    this.files++
    await this.#room()
  }

  text(path: string, bytes: Uint8Array): Promise<void> {
    // The media type must be readable at a fixed offset of the file, so `mimetype` is stored.
    const compressed = compress(bytes, path !== MIMETYPE)
    return this.file({ path, mode: 0o644, ...compressed })
  }

  async folder(path: string): Promise<void> {
    this.#stop.throwIfAborted()
    this.#zip.folder(path)
    await this.#room()
  }

  async #room(): Promise<void> {
    if (this.#zip.output.writableLength < HIGH_WATER) return
    await once(this.#zip.output, 'drain', { signal: this.#stop }).catch((error) => {
      throw this.#stop.aborted ? this.#stop.reason : error
    })
  }
}

/** Makes the rename survive a power cut. Windows cannot open folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}
