import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { fail } from '../errors.ts'
import type { EntryPath } from '../format/entry-path.ts'
import type { ManifestSource } from '../format/manifest.ts'
import { normalizeManifest } from '../format/manifest-normalize.ts'
import type { Archive, ArchiveEntry } from './archive.ts'
import { ContentReader } from './content-reader.ts'
import { CONTENTS, isListed } from './contents-index.ts'
import type { RawEntry } from './layout.ts'
import { type ByteSource, readBuffer, toSource } from './source.ts'
import { ZipArchive } from './zip-archive.ts'
import { CENTRAL, END, LOCAL, STORED } from './zip-records.ts'

/** Entries that are taken in without a pause, a few ms: who serves meanwhile must not notice an archive of 65,534. */
const PORTION = 2048
const OWNER_EXECUTES = 0o100 << 16

/**
 * Opens a file whose very bytes passed every check before, and were this user's alone since: nothing is judged again,
 * so that passes 1 to 7, schema and rules need not even be loaded. Content is verified as always before it leaves.
 *
 * @throws ZappError NOT_FOUND, NOT_A_FILE, IO
 */
export async function openJudged(file: string): Promise<Archive> {
  const source = await toSource(file)
  try {
    const reader = new ContentReader(source)
    const { entries, ...place } = await readDirectory(source)
    const contentDigest = await readSums(reader, entries)
    const byPath = new Map<string, ArchiveEntry>()
    for await (const portion of portions(entries)) for (const entry of portion) byPath.set(entry.path, entry)
    // FORMAT.md §Order: mimetype, then the manifest.
    const manifestText = (await reader.read(at(entries, 1))).toString('utf8')
    const manifest = normalizeManifest(JSON.parse(manifestText) as ManifestSource)
    const what = { manifest, manifestText, contentDigest, findings: [] }
    return new ZipArchive({ file, source, reader, entries: byPath, ...place, ...what })
  } catch (error) {
    await source.close().catch(() => {})
    throw error
  }
}

/** In the canonical layout the directory tells everything: local headers repeat it, and have no extra fields. */
async function readDirectory(source: ByteSource) {
  const endOffset = source.size - END.size
  const end = await readBuffer(source, endOffset, END.size)
  const directoryOffset = end.readUInt32LE(END.directoryOffset)
  const bytes = await readBuffer(source, directoryOffset, end.readUInt32LE(END.directorySize))
  const entries: RawEntry[] = []
  for (let start = 0; start < bytes.length; ) {
    if (entries.length % PORTION === PORTION - 1) await setImmediate()
    const nameLength = bytes.readUInt16LE(start + CENTRAL.nameLength)
    const path = bytes.toString('utf8', start + CENTRAL.size, start + CENTRAL.size + nameLength) as EntryPath
    const isFolder = path.endsWith('/')
    const localOffset = bytes.readUInt32LE(start + CENTRAL.localOffset)
    const executes = (bytes.readUInt32LE(start + CENTRAL.attributes) & OWNER_EXECUTES) !== 0
    entries.push({
      path,
      index: entries.length,
      kind: isFolder ? 'dir' : 'file',
      method: bytes.readUInt16LE(start + CENTRAL.method) === STORED ? 'stored' : 'deflate',
      size: bytes.readUInt32LE(start + CENTRAL.uncompressedSize),
      compressedSize: bytes.readUInt32LE(start + CENTRAL.compressedSize),
      crc32: bytes.readUInt32LE(start + CENTRAL.crc32),
      mode: isFolder || executes ? 0o755 : 0o644,
      localOffset,
      dataOffset: localOffset + LOCAL.size + nameLength,
      sha256: '',
    })
    start += CENTRAL.size + nameLength
  }
  return { entries, directoryOffset, endOffset }
}

/** Gives each entry its SHA-256: a row a line, in the order of the archive. @returns the digest of contents.json */
async function readSums(reader: ContentReader, entries: readonly RawEntry[]): Promise<string> {
  const contents = entries.findLast(({ path }) => path === CONTENTS)
  if (!contents) throw fail('INTERNAL', '', { reason: 'an archive without an index was judged' })
  const bytes = await reader.read(contents)
  let lineEnd = bytes.indexOf(LF)
  for await (const portion of portions(entries)) {
    for (const entry of portion) {
      if (!isListed(entry)) continue
      lineEnd = bytes.indexOf(LF, lineEnd + 1)
      // `…"sha256":"<64>","mode":"0644"}`, and a comma where another row follows.
      const rowEnd = bytes[lineEnd - 1] === COMMA ? lineEnd - 1 : lineEnd
      const sumEnd = rowEnd - '","mode":"0644"}'.length
      entry.sha256 = bytes.toString('latin1', sumEnd - 64, sumEnd)
    }
  }
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

const LF = 0x0a
const COMMA = 0x2c

async function* portions<E>(entries: readonly E[]): AsyncGenerator<readonly E[]> {
  for (let from = 0; from < entries.length; from += PORTION) {
    if (from > 0) await setImmediate()
    yield entries.slice(from, from + PORTION)
  }
}

function at(entries: readonly RawEntry[], index: number): RawEntry {
  const entry = entries[index]
  if (!entry) throw fail('INTERNAL', '', { reason: 'an archive without a manifest was judged' })
  return entry
}
