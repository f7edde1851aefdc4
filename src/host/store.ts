import { createHash, randomUUID } from 'node:crypto'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { chmod, copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fail } from '../errors.ts'

/** A private copy of an archive. While somebody holds it, it stays. */
export interface StoredFile {
  /** `<sha256>.zapp` in the store. */
  readonly file: string
  /** `sha256:<hex>` of the copy itself. */
  readonly digest: string
  /** Once. With the last holder a copy goes that nobody keeps. */
  release(): Promise<void>
}

export interface Store {
  /** Where a new archive may be written before {@link adopt}. */
  draft(): string
  /** A folder for what helps to write drafts of one source again. Until the next host opens the store; made by who uses it. */
  scratch(source: string): string
  /** Where the copy of that digest is, if there is one. */
  fileOf(digest: string): string
  /**
   * Copies a file, sharing its blocks where the file system can.
   * @throws ZappError NOT_FOUND, IO
   */
  copy(path: string): Promise<StoredFile>
  /** Takes a stream of any size, hashed as it comes. @throws ZappError IO; what the stream fails with */
  receive(stream: Readable): Promise<StoredFile>
  /** Names a draft by its own bytes. */
  adopt(draft: string): Promise<StoredFile>
  /** A copy that is there, its bytes as they were. A damaged one is removed. */
  hold(digest: string): Promise<StoredFile | undefined>
  /**
   * The text of the manifest, once every byte is checked: by this version of the checks, now or before.
   * @throws ZappError what is wrong with the archive
   */
  manifestText(stored: StoredFile): Promise<string>
  /** Says that an archive will come in a moment. */
  expect(): void
  /** Removes copies that nobody holds or keeps. */
  collect(digests?: Iterable<string>): Promise<void>
}

export interface StoreOptions {
  /** Of this host alone. Made where it does not exist. */
  readonly dir: string
  /** Checks an archive. @returns the text of its manifest @throws ZappError what is wrong with it */
  readonly judge: (file: string) => Promise<string>
  /** Told that it will be asked to. */
  readonly expect?: () => void
  /** Copies that stay without a holder. Default none. */
  readonly keeps?: (digest: string) => boolean
  /** Where it is kept what was checked. Default: beside the copies, and as long. */
  readonly receipts?: string
  /** The copies are of no use to a later host: nothing needs to survive the system. Default false. */
  readonly isTemporary?: boolean
}

/** Says which checks a receipt vouches for: one more for every change of what passes 1 to 8 refuse. */
const CHECKS = 2

/** That the bytes of a digest passed every check. */
interface Receipt {
  readonly digest: string
  readonly checks: number
  /** The copy that was hashed: while the system says that it is the same file, its bytes need not be hashed again. */
  readonly file: string
  readonly manifest: string
}

/**
 * Holds the copies that are served: the file that a user may overwrite at any moment is read once, then never again
 * (FORMAT.md §Security considerations). A copy is complete before it has its name: drafts are written beside, flushed and
 * renamed; those of a host that was killed are swept when the next one opens the store.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { dir, judge, expect = () => {}, keeps = () => false, receipts = dir, isTemporary = false } = options
  const drafts = join(dir, 'drafts')
  await rm(drafts, { recursive: true, force: true })
  await mkdir(drafts, { recursive: true, mode: 0o700 })
  const holders = new Map<string, number>()
  /** Copies that this process hashed, as the system knows them. */
  const hashed = new Map<string, string>()
  const removals = new Map<string, Promise<void>>()

  const draft = () => join(drafts, `${randomUUID()}.zapp`)
  const scratch = (source: string) => join(drafts, createHash('sha256').update(source).digest('hex'))
  const fileOf = (digest: string) => join(dir, `${hexOf(digest)}.zapp`)
  const receiptOf = (digest: string) => join(receipts, `${hexOf(digest)}.json`)

  /** Leaves no draft behind where `work` rejects. */
  async function drafted(path: string, operation: string, work: (file: string) => Promise<StoredFile>) {
    const file = draft()
    try {
      return await work(file)
    } catch (error) {
      await rm(file, { force: true })
      const { code, syscall, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') throw fail('NOT_FOUND', path, { file: path }, error)
      if (syscall !== undefined) throw fail('IO', path, { operation, reason: message }, error)
      throw error
    }
  }

  function copy(path: string): Promise<StoredFile> {
    return drafted(path, 'copying the archive', async (file) => {
      await copyFile(path, file, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
      return adopt(file)
    })
  }

  function receive(stream: Readable): Promise<StoredFile> {
    expect()
    return drafted('', 'receiving the archive', async (file) => {
      const hash = createHash('sha256')
      const tap = new Transform({
        transform(chunk, _, done) {
          hash.update(chunk)
          done(null, chunk)
        },
      })
      await pipeline(stream, tap, createWriteStream(file, { flags: 'wx', mode: 0o600 }))
      return named(file, hash.digest('hex'))
    })
  }

  async function adopt(file: string): Promise<StoredFile> {
    await chmod(file, 0o600)
    return named(file, await hashFile(file))
  }

  async function named(file: string, hex: string): Promise<StoredFile> {
    const digest = `sha256:${hex}`
    // Held first: a collector must not find it unheld in between.
    const stored = held(digest)
    try {
      if (!isTemporary) await flush(file)
      await removed(digest)
      await rename(file, stored.file)
      hashed.set(digest, await identify(stored.file))
      if (!isTemporary) await flush(dir)
    } catch (error) {
      await stored.release()
      throw error
    }
    return stored
  }

  function held(digest: string): StoredFile {
    holders.set(digest, (holders.get(digest) ?? 0) + 1)
    return { file: fileOf(digest), digest, release: () => release(digest) }
  }

  async function release(digest: string): Promise<void> {
    const left = (holders.get(digest) ?? 1) - 1
    if (left > 0) holders.set(digest, left)
    else holders.delete(digest)
    if (left <= 0 && !keeps(digest)) await remove(digest)
  }

  function remove(digest: string): Promise<void> {
    const removal = removals.get(digest) ?? removeFiles(digest).finally(() => removals.delete(digest))
    removals.set(digest, removal)
    return removal
  }

  async function removeFiles(digest: string): Promise<void> {
    hashed.delete(digest)
    const receipt = receipts === dir ? rm(receiptOf(digest), { force: true }) : undefined
    await Promise.all([rm(fileOf(digest), { force: true }), receipt])
  }

  /** What is removed must be gone before somebody looks whether it is there, or puts it there again. */
  async function removed(digest: string): Promise<void> {
    await removals.get(digest)?.catch(() => {})
  }

  async function hold(digest: string): Promise<StoredFile | undefined> {
    const stored = held(digest)
    await removed(digest)
    if (await isWhole(digest)) return stored
    await stored.release()
    if (!holders.has(digest)) await remove(digest)
    return undefined
  }

  async function isWhole(digest: string): Promise<boolean> {
    const file = fileOf(digest)
    const identity = await identify(file).catch(() => '')
    if (identity === '') return false
    if (identity === hashed.get(digest) || identity === (await readReceipt(digest))?.file) return true
    if ((await hashFile(file).catch(() => '')) !== hexOf(digest)) return false
    hashed.set(digest, identity)
    return true
  }

  async function readReceipt(digest: string): Promise<Receipt | undefined> {
    try {
      const receipt = JSON.parse(await readFile(receiptOf(digest), 'utf8')) as Receipt
      return receipt.digest === digest ? receipt : undefined
    } catch {
      return undefined
    }
  }

  async function manifestText({ digest, file }: StoredFile): Promise<string> {
    const known = await readReceipt(digest)
    const manifest = known?.checks === CHECKS ? known.manifest : await judge(file)
    const receipt: Receipt = { digest, checks: CHECKS, file: await identify(file), manifest }
    if (known?.checks === CHECKS && known.file === receipt.file) return manifest
    const text = join(drafts, `${randomUUID()}.json`)
    await writeFile(text, JSON.stringify(receipt), { mode: 0o600 })
    await rename(text, receiptOf(digest))
    return manifest
  }

  async function collect(digests?: Iterable<string>): Promise<void> {
    const there =
      digests ?? (await readdir(dir)).flatMap((name) => /^([0-9a-f]{64})\.(?:zapp|json)$/.exec(name)?.[1] ?? [])
    for (const name of there) {
      const digest = `sha256:${hexOf(name)}`
      if (!holders.has(digest) && !keeps(digest)) await remove(digest)
    }
  }

  return { draft, scratch, fileOf, copy, receive, adopt, hold, manifestText, expect, collect }
}

export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, '')
}

/** What no writer can leave as it was: the system sets the time of change by itself. */
async function identify(file: string): Promise<string> {
  const { dev, ino, size, ctimeNs } = await stat(file, { bigint: true })
  return [dev, ino, size, ctimeNs].join(':')
}

/** To the disk. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems have no such thing for folders.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}
