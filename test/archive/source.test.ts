import { execFileSync } from 'node:child_process'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Archive, type ArchiveEntry, openArchive } from '../../src/archive/archive.ts'
import { type ByteSource, bytesSource, fileSource } from '../../src/archive/source.ts'
import { unpack } from '../../src/archive/unpack.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { loadApp } from '../../src/runtimes/load.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { LARGE_DEFLATED, LARGE_STORED, makeLargeZapp, makeSmallZapp } from './helpers/archives.ts'

const LARGE = makeLargeZapp()

/** A source that counts, and gives `fault` at read number `at` (from 1). */
class FaultySource implements ByteSource {
  readonly size: number
  reads = 0
  closes = 0
  readonly #bytes: Uint8Array
  readonly #at: number
  readonly #fault: (bytes: Uint8Array) => Uint8Array

  constructor(bytes: Uint8Array, at: number, fault: (bytes: Uint8Array) => Uint8Array) {
    this.#bytes = bytes
    this.size = bytes.length
    this.#at = at
    this.#fault = fault
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    expect(this.closes).toBe(0)
    expect(position >= 0 && length > 0 && position + length <= this.size).toBe(true)
    const bytes = this.#bytes.subarray(position, position + length)
    this.reads++
    return this.reads === this.#at ? this.#fault(bytes) : bytes
  }

  async close(): Promise<void> {
    this.closes++
  }
}

const failure = new Error('the disk is gone')
const FAULTS: [string, (bytes: Uint8Array) => Uint8Array, object][] = [
  [
    'fails',
    () => {
      throw failure
    },
    failure,
  ],
  ['gives too little', (bytes) => bytes.subarray(1), { code: 'IO' }],
  ['gives too much', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]), { code: 'IO' }],
]

const large = (archive: Archive, name: string) => archive.entries.get(name) as ArchiveEntry

const USES: [string, (source: ByteSource) => Promise<unknown>][] = [
  ['openArchive', (source) => openArchive(source).then((archive) => archive.close())],
  ['validateArchive', (source) => validateArchive(source)],
  ...(
    [
      ['verify', (archive) => archive.verify()],
      ['read', (archive) => archive.read(large(archive, 'large-deflated'))],
      ['stream', (archive) => buffer(archive.stream(large(archive, 'large-deflated')))],
      ['stream of a stored file', (archive) => buffer(archive.stream(large(archive, 'large-stored')))],
      ['raw', (archive) => buffer(archive.raw(large(archive, 'large-deflated')))],
      ['fileDigest', (archive) => archive.fileDigest()],
      ['unpack', async (archive) => unpack(archive, join(await tmpDir(), 'out'))],
    ] as [string, (archive: Archive) => Promise<unknown>][]
  ).map(([name, use]): [string, (source: ByteSource) => Promise<unknown>] => [
    name,
    async (source) => {
      const archive = await openArchive(source)
      await use(archive).finally(() => archive.close())
    },
  ]),
]

describe.each(USES)('%s', (_, use) => {
  test.each(FAULTS)('ends in an error when a read %s, whichever it is', async (_, fault, expected) => {
    const whole = new FaultySource(LARGE, 0, fault)
    await use(whole)
    expect(whole.closes).toBe(1)
    expect(whole.reads).toBeGreaterThan(1)
    // Of the many like ones in the middle of a stream, some.
    const step = Math.max(1, Math.floor(whole.reads / 10))
    for (let at = 1; at <= whole.reads; at += at < 10 ? 1 : step) {
      const source = new FaultySource(LARGE, at, fault)
      await expect(use(source), `read ${at}`).rejects.toMatchObject(expected)
      expect(source.closes, `read ${at}`).toBe(1)
    }
  })
})

describe('an archive on disk', () => {
  async function onDisk(bytes: Uint8Array): Promise<string> {
    const file = join(await tmpDir(), 'a.zapp')
    await writeFile(file, bytes)
    return file
  }

  test('may be named by a URL; what names none is a TypeError that says what would', async () => {
    const file = await onDisk(makeSmallZapp())
    const archive = await openArchive(pathToFileURL(file))
    expect(archive.file).toBe(file)
    await archive.close()
    expect(await validateArchive(pathToFileURL(file))).toMatchObject({ valid: true })
    for (const input of [undefined, null, 5, {}]) {
      const opened = openArchive(input as unknown as string)
      await expect(opened).rejects.toThrow(
        /^an archive must be given as a path, a file URL, bytes or a ByteSource, got /,
      )
      await expect(loadApp(input as unknown as string)).rejects.toThrow(TypeError)
    }
  })

  test('that is cut off while it is open ends every read in an error', async () => {
    const file = await onDisk(LARGE)
    const archive = await openArchive(file)
    await truncate(file, 100_000)
    const error = { name: 'ZappError', code: 'IO', message: expect.stringContaining('the file ended at byte') }
    for (const name of ['large-deflated', 'large-stored', 'public/index.html']) {
      const entry = large(archive, name)
      await expect(archive.read(entry)).rejects.toMatchObject(error)
      await expect(archive.readRaw(entry)).rejects.toMatchObject(error)
      await expect(buffer(archive.stream(entry))).rejects.toMatchObject(error)
      await expect(buffer(archive.raw(entry))).rejects.toMatchObject(error)
    }
    await expect(archive.verify()).rejects.toMatchObject(error)
    await expect(archive.fileDigest()).rejects.toMatchObject(error)
    await archive.close()
  })

  test('that is cut off while it streams ends the stream in an error', async () => {
    const file = await onDisk(LARGE)
    const archive = await openArchive(file)
    const entry = large(archive, 'large-stored')
    const stream = archive.stream(entry)
    const reading = async () => {
      for await (const _ of stream) await truncate(file, entry.dataOffset + 10)
    }
    await expect(reading()).rejects.toMatchObject({ code: 'IO' })
    await archive.close()
  })

  test('that was changed in place is noticed where small files are read again', async () => {
    const bytes = makeSmallZapp()
    const file = await onDisk(bytes)
    const archive = await openArchive(file)
    const entry = large(archive, 'run')
    await archive.read(entry)
    const changed = Buffer.from(bytes)
    changed[entry.dataOffset] = 0x20
    await writeFile(file, changed)
    await expect(archive.read(entry)).rejects.toMatchObject({ code: 'CRC' })
    await archive.close()
  })

  test('is not there, is a folder, is unreadable', async () => {
    const dir = await tmpDir()
    await expect(openArchive(join(dir, 'none.zapp'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(openArchive(join(await onDisk(LARGE), 'below-a-file'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(openArchive(dir)).rejects.toMatchObject({ code: 'NOT_A_FILE' })
    // Nobody writes to it: to wait would be for ever.
    execFileSync('mkfifo', [join(dir, 'pipe.zapp')])
    await expect(openArchive(join(dir, 'pipe.zapp'))).rejects.toMatchObject({ code: 'NOT_A_FILE' })
    await expect(validateArchive(join(dir, 'none.zapp'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('gives its bytes from any place', async () => {
    const source = await fileSource(await onDisk(Buffer.from('0123456789')))
    expect(source.size).toBe(10)
    expect(Buffer.from(await source.read(3, 4)).toString()).toBe('3456')
    const into = Buffer.alloc(6)
    expect(Buffer.from(await source.read(8, 2, into)).toString()).toBe('89')
    await source.close()
  })
})

describe('a closed archive', () => {
  test('refuses to read, and can be closed again', async () => {
    const source = new FaultySource(LARGE, 0, (bytes) => bytes)
    const archive = await openArchive(source)
    await Promise.all([archive.close(), archive.close()])
    await archive.close()
    expect(source.closes).toBe(1)
    const closed = { code: 'IO', message: expect.stringContaining('the archive is closed') }
    for (const entry of archive.entries.values()) {
      if (entry.size === 0) continue
      await expect(archive.read(entry)).rejects.toMatchObject(closed)
      await expect(buffer(archive.stream(entry))).rejects.toMatchObject(closed)
    }
    await expect(archive.fileDigest()).rejects.toMatchObject(closed)
  })

  test('ends a stream that is still going', async () => {
    const archive = await openArchive(LARGE)
    const reading = async () => {
      for await (const _ of archive.stream(large(archive, 'large-stored'))) await archive.close()
    }
    await expect(reading()).rejects.toMatchObject({ code: 'IO' })
  })
})

describe('large files', () => {
  test('are whole, by every way', async () => {
    const archive = await openArchive(LARGE)
    for (const [name, content] of [
      ['large-deflated', LARGE_DEFLATED],
      ['large-stored', LARGE_STORED],
    ] as const) {
      const entry = large(archive, name)
      expect(content.equals(await archive.read(entry))).toBe(true)
      expect(content.equals(await buffer(archive.stream(entry)))).toBe(true)
      expect((await buffer(archive.raw(entry))).equals(await archive.readRaw(entry))).toBe(true)
      for (const [start, end] of [
        [0, 0],
        [65_535, 65_536],
        [1_048_570, 2_097_160],
        [content.length - 1, content.length - 1],
        [content.length - 1, content.length + 1000],
      ] as const) {
        const part = content.subarray(start, end + 1)
        expect(part.equals(await buffer(archive.stream(entry, { start, end })))).toBe(true)
      }
    }
    await archive.close()
  })

  test('are verified once for many callers at a time, and never again', async () => {
    const source = new FaultySource(LARGE, 0, (bytes) => bytes)
    const archive = await openArchive(source)
    const entry = large(archive, 'large-stored')
    const onePass = Math.ceil(entry.size / (64 * 1024))
    const before = source.reads
    const streams = Array.from({ length: 3 }, () => buffer(archive.stream(entry)))
    await Promise.all(streams)
    expect(source.reads - before).toBe(4 * onePass)
    await archive.close()
  })

  test('can be left in the middle', async () => {
    const source = new FaultySource(LARGE, 0, (bytes) => bytes)
    const archive = await openArchive(source)
    for (const stream of [
      archive.stream(large(archive, 'large-deflated')),
      archive.raw(large(archive, 'large-stored')),
    ]) {
      for await (const _ of stream) break
      expect(stream.destroyed).toBe(true)
    }
    await archive.close()
    expect(source.closes).toBe(1)
  })

  test('that are wrong give no byte, however often one asks', async () => {
    const bytes = Buffer.from(LARGE)
    const good = await openArchive(bytesSource(LARGE))
    for (const name of ['large-deflated', 'large-stored']) {
      const { dataOffset, compressedSize } = large(good, name)
      const last = dataOffset + compressedSize - 1
      bytes.writeUInt8(bytes.readUInt8(last) ^ 0x10, last)
    }
    const archive = await openArchive(bytes)
    for (const name of ['large-deflated', 'large-stored']) {
      for (let i = 0; i < 2; i++) {
        let given = 0
        const stream = archive.stream(large(archive, name))
        stream.on('data', (chunk: Buffer) => {
          given += chunk.length
        })
        const ended = new Promise((resolve) => stream.on('error', resolve))
        expect(['CRC', 'INFLATE', 'SIZE', 'DEFLATE_TRAILING']).toContain(((await ended) as { code: string }).code)
        expect(given).toBe(0)
      }
    }
    await archive.close()
  })
})
