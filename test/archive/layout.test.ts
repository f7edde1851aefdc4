import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ACCEPTED_DIR } from '../../fixtures/make/files.ts'
import { makeZapp, SITE } from '../../fixtures/make/zapp-maker.ts'
import { endRecord, makeZip } from '../../fixtures/make/zip-maker.ts'
import { openArchive } from '../../src/archive/archive.ts'
import { type ByteSource, bytesSource } from '../../src/archive/source.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import type { Limits } from '../../src/format/limits.ts'
import { makeSmallZapp } from './helpers/archives.ts'

async function codes(input: Uint8Array | ByteSource, limits: Partial<Limits> = {}): Promise<string[]> {
  const { findings } = await validateArchive(input, { limits })
  return findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}

/** Names, modes and contents: all that an archive says. */
async function meaning(bytes: Uint8Array): Promise<string> {
  const archive = await openArchive(bytes)
  const rows: unknown[] = []
  for await (const portion of archive.readAll()) {
    for (const [{ path, mode }, content] of portion) rows.push([path, mode, Buffer.from(content!).toString('hex')])
  }
  return JSON.stringify(rows)
}

const SMALL = makeSmallZapp()
const WITH_PREFIX = await readFile(join(ACCEPTED_DIR, 'prefix-line.zapp'))

describe.each([
  ['a small archive', SMALL],
  ['an archive with a #! line', WITH_PREFIX],
])('%s', (_, bytes) => {
  test('is refused when it is cut off, anywhere', async () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(await codes(bytes.subarray(0, length)), `${length} bytes`).not.toEqual([])
    }
  })

  test('is refused when one byte is missing, anywhere', async () => {
    for (let at = 0; at < bytes.length; at++) {
      const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
      expect(await codes(shorter), `without byte ${at}`).not.toEqual([])
    }
  })

  test('is refused when one byte is put in, anywhere', async () => {
    for (let at = 0; at <= bytes.length; at++) {
      for (const byte of [0x00, 0x0a, bytes[at] ?? 0xff]) {
        const longer = Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at)])
        expect(await codes(longer), `${byte} at ${at}`).not.toEqual([])
      }
    }
  })

  test('means the same, or is refused, when one bit is turned, anywhere', async () => {
    const original = await meaning(bytes)
    let accepted = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const turned = Buffer.from(bytes)
      turned[bit >> 3]! ^= 1 << (bit & 7)
      if ((await codes(turned)).length > 0) continue
      accepted++
      expect(await meaning(turned), `bit ${bit}`).toBe(original)
    }
    // Attribute bits that mean nothing here, and those of the #! line.
    expect(accepted).toBeLessThan(bytes.length)
  }, 120_000)
})

describe('the first finding', () => {
  const BAD = {
    local: { name: 'local', local: { time: 1 } },
    flags: { name: 'flags', flags: 0x0020 },
    name: { name: '../name' },
    size: { name: 'size', data: 'x', size: 2 },
  }
  const first = async (...files: object[]) => {
    const { findings } = await validateArchive(makeZapp({ files: [...SITE, ...files] as never }))
    return findings.map(({ code, path }) => `${code} ${path}`)
  }

  test('is of the lowest pass, wherever its entry is', async () => {
    expect(await first(BAD.size, BAD.name, BAD.flags, BAD.local)).toEqual([
      'LFH_MISMATCH local',
      'FLAGS flags',
      'NAME_DOT_SEGMENT ../name',
      'SIZE size',
    ])
  })

  test('is of the first entry within a pass, then of the lowest rule', async () => {
    const { findings } = await validateArchive(
      makeZapp({
        files: [
          ...SITE,
          { name: 'a', version: 99, flags: 0x0021, central: { comment: 'x' } },
          { name: 'b', flags: 0x0021, central: { disk: 1 } },
        ],
      }),
    )
    expect(findings.map(({ code, path }) => `${code} ${path}`)).toEqual([
      'ENCRYPTED a',
      'FLAGS a',
      'VERSION a',
      'ENTRY_COMMENT a',
      'MULTI_DISK b',
      'ENCRYPTED b',
      'FLAGS b',
    ])
  })

  test('is the one that openArchive throws, with all others', async () => {
    const bytes = makeZapp({ files: [...SITE, BAD.size, BAD.name] })
    await expect(openArchive(bytes)).rejects.toMatchObject({
      code: 'NAME_DOT_SEGMENT',
      path: '../name',
      status: 422,
      findings: [{ code: 'NAME_DOT_SEGMENT' }, { code: 'SIZE' }],
    })
  })

  test('is about the descriptor, and not about the entry behind it', async () => {
    const described = (name: string) => ({ name, data: 'x', flags: 8, after: Buffer.alloc(16) })
    expect(await first(described('a'), { name: 'b' }, described('c'))).toEqual([
      'DATA_DESCRIPTOR a',
      'DATA_DESCRIPTOR c',
    ])
  })
})

test('findings are many, but not without end', async () => {
  const entries = Array.from({ length: 3000 }, (_, i) => ({ name: `../${i}`, flags: 0x0021, version: 99 }))
  const { findings } = await validateArchive(makeZip({ entries }))
  expect(findings.slice(0, 4).map(({ code, path }) => `${code} ${path}`)).toEqual([
    'ENCRYPTED ../0',
    'FLAGS ../0',
    'VERSION ../0',
    'ENCRYPTED ../1',
  ])
  expect(findings).toHaveLength(2000)
})

describe('limits', () => {
  const TEXT = 'a'.repeat(1000)
  const bytes = makeZapp({ files: [...SITE, { name: 'text', data: TEXT, method: 8 }] })

  test.each<[string, Partial<Limits>, Partial<Limits>]>([
    ['TOO_MANY', { entries: 5 }, { entries: 7 }],
    ['FILE', { fileBytes: 999 }, { fileBytes: 1000 }],
    ['TOTAL', { totalBytes: 1500 }, { totalBytes: 3000 }],
    ['RATIO', { ratio: 10, ratioFrom: 999 }, { ratio: 10, ratioFrom: 1000 }],
    ['RATIO', { ratio: 10, ratioFrom: 0 }, { ratio: 200, ratioFrom: 0 }],
    ['MANIFEST_TOO_LARGE', { manifestBytes: 20 }, { manifestBytes: 200 }],
  ])('%s', async (code, below, enough) => {
    expect(await codes(bytes, below)).toEqual([code])
    await expect(openArchive(bytes, { limits: below })).rejects.toMatchObject({ code })
    expect(await codes(bytes, enough)).toEqual([])
  })

  test('that are undefined keep their defaults', async () => {
    const bomb = await readFile(join(import.meta.dirname, '../../fixtures/rejected/RATIO--bomb.zapp'))
    const limits = { ratio: undefined } as unknown as Partial<Limits>
    await expect(openArchive(bomb, { limits })).rejects.toMatchObject({ code: 'RATIO' })
  })

  test('a limit of entries beyond what a zip can count changes nothing', async () => {
    const full = makeZip({ entries: [], end: { count: 0xffff, diskCount: 0xffff } })
    expect(await codes(full, { entries: 100_000 })).toEqual(['TOO_MANY'])
  })

  test('of entries hold back a flood of folders that have none', async () => {
    const deep = `${'a/'.repeat(20)}file`
    const flood = makeZapp({ files: [...SITE, { name: deep, data: 'x' }] })
    // mimetype, zapp.json, public/, index.html; 20 folders and a file; ZAPP-INF/ and contents.json.
    expect(await codes(flood, { entries: 14 })).toEqual([])
    expect(await codes(flood, { entries: 13 })).toEqual(['TOO_MANY'])
    await expect(openArchive(flood, { limits: { entries: 10 } })).rejects.toMatchObject({
      code: 'TOO_MANY',
      path: deep,
    })
  })
})

describe('huge files', () => {
  /** Zeros up to an end record; remembers the longest read. */
  function sparse(size: number, end: Uint8Array): ByteSource & { longest: number } {
    return {
      size,
      longest: 0,
      async read(position, length) {
        this.longest = Math.max(this.longest, length)
        const bytes = Buffer.alloc(length)
        const from = size - end.length - position
        if (from < length) bytes.set(end.subarray(Math.max(0, -from)), Math.max(0, from))
        return bytes
      },
      close: async () => {},
    }
  }
  const end = (directorySize: number, directoryOffset: number, count = 65_534) =>
    endRecord({
      disk: 0,
      directoryDisk: 0,
      diskCount: count,
      count,
      directorySize,
      directoryOffset,
      comment: '',
      commentLength: 0,
    })

  test('a directory of 4 GiB is not read', async () => {
    const size = 2 ** 32 - 2
    const source = sparse(size + 22 - 23, end(size - 23, 0))
    expect(await codes(source)).toEqual(['CD_SIZE'])
    expect(source.longest).toBeLessThan(100_000)
  })

  test('a file of 4 GiB is refused', async () => {
    expect(await codes(sparse(2 ** 32 + 22, end(0, 0, 0)))).toEqual(['ZIP64'])
  })
})

describe('reading', () => {
  const files = Array.from({ length: 3000 }, (_, i) => ({ name: `f/${i}`, data: 'x'.repeat(i % 500) }))

  test('takes few reads for many small entries', async () => {
    const source = bytesSource(makeZapp({ files: [...SITE, ...files] }))
    let reads = 0
    const counting: ByteSource = {
      ...source,
      read: (position, length) => {
        reads++
        return source.read(position, length)
      },
    }
    const archive = await openArchive(counting)
    expect(archive.entries.size).toBe(3005)
    expect(reads).toBeLessThan(20)
  })

  test('skips large data between headers', async () => {
    const source = bytesSource(makeZapp({ files: [...SITE, { name: 'large', data: Buffer.alloc(10_000_000) }] }))
    let bytes = 0
    const counting: ByteSource = {
      ...source,
      read: (position, length) => {
        bytes += length
        return source.read(position, length)
      },
    }
    await openArchive(counting)
    expect(bytes).toBeLessThan(200_000)
  })
})
