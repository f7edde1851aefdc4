import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { CanonicalZip } from '../../src/archive/canonical-zip.ts'
import { compress } from '../../src/archive/compress.js'
import { type Writer, writeArchive } from '../../src/archive/writer.ts'
import { tmpDir } from '../helpers/tmp.ts'

const MANIFEST = Buffer.from('{"zapp":1,"name":"site","version":"1.0.0","routes":{"/":{"static":"public"}}}')

async function site(writer: Writer): Promise<void> {
  await writer.text('zapp.json', MANIFEST)
  await writer.folder('public/')
  await writer.file({ path: 'public/run', mode: 0o755, ...compress(Buffer.from('#!/bin/sh\n'.repeat(9)), true) })
}

/*
 * yazl 3.3.1 is handed finished deflate streams through fields that it does not document. This test holds every byte of
 * what comes out, so that another version of yazl cannot change it unseen.
 */
test('every field of the headers that yazl writes', async () => {
  const content = Buffer.from('hello hello hello hello hello')
  const data = deflateRawSync(content)
  const zip = new CanonicalZip()
  const chunks: Buffer[] = []
  zip.output.on('data', (chunk) => chunks.push(chunk))
  zip.file('stored', 0o644, content, { method: 'stored', size: content.length, crc32: crc32(content) })
  zip.folder('é/')
  zip.file('é/packed', 0o755, data, { method: 'deflate', size: content.length, crc32: crc32(content) })
  zip.end()
  await new Promise((resolve) => zip.output.on('end', resolve))

  const rows = [
    { name: 'stored', flags: 0, method: 0, data: content, mode: 0o100644, content },
    { name: 'é/', flags: 0x0800, method: 0, data: Buffer.alloc(0), mode: 0o040755, content: Buffer.alloc(0) },
    { name: 'é/packed', flags: 0x0800, method: 8, data, mode: 0o100755, content },
  ]
  const words = (...fields: readonly (readonly [size: 2 | 4, value: number])[]) =>
    Buffer.concat(
      fields.map(([size, value]) => {
        const bytes = Buffer.alloc(size)
        bytes.writeUIntLE(value, 0, size)
        return bytes
      }),
    )
  const locals: Buffer[] = []
  const centrals: Buffer[] = []
  for (const row of rows) {
    const name = Buffer.from(row.name)
    const shared = words(
      ...([
        [2, 20],
        [2, row.flags],
        [2, row.method],
        [2, 0],
        [2, 0x0021],
        [4, crc32(row.content)],
      ] as const),
      ...([
        [4, row.data.length],
        [4, row.content.length],
        [2, name.length],
        [2, 0],
      ] as const),
    )
    const offset = locals.reduce((sum, { length }) => sum + length, 0)
    locals.push(Buffer.concat([words([4, 0x04034b50]), shared, name, row.data]))
    const tail = words([2, 0], [2, 0], [2, 0], [4, (row.mode << 16) >>> 0], [4, offset])
    centrals.push(Buffer.concat([words([4, 0x02014b50], [2, (3 << 8) | 63]), shared, tail, name]))
  }
  const [body, directory] = [Buffer.concat(locals), Buffer.concat(centrals)]
  const end = words([4, 0x06054b50], [2, 0], [2, 0], [2, 3], [2, 3], [4, directory.length], [4, body.length], [2, 0])
  expect(Buffer.concat(chunks).toString('hex')).toBe(Buffer.concat([body, directory, end]).toString('hex'))
})

test('mimetype comes first and stored, contents.json last; the result says what is on disk', async () => {
  const target = join(await tmpDir(), 'site.zapp')
  let written = 0
  const result = await writeArchive(target, site, { onWritten: (bytes) => (written = bytes) })
  const bytes = readFileSync(target)
  expect(bytes.subarray(30, 62).toString()).toBe('mimetypeapplication/vnd.zapp+zip')
  expect(result).toMatchObject({ file: target, bytes: bytes.length, files: 4 })
  expect(result.digest).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  expect(written).toBe(bytes.length)

  const archive = await openArchive(target)
  expect([...archive.entries.keys()]).toEqual([
    'mimetype',
    'zapp.json',
    'public/',
    'public/run',
    'ZAPP-INF/contents.json',
  ])
  expect(archive.contentDigest).toBe(result.contentDigest)
  expect(archive.entries.get('public/run')).toMatchObject({ mode: 0o755, method: 'deflate', size: 90 })
  await archive.close()
  // What only a packer adds is missing, which is worth a warning, not a refusal.
  expect(result.warnings.map(({ code, severity }) => `${severity} ${code}`)).toEqual([
    'warning METADATA_MISSING',
    'warning METADATA_MISSING',
  ])
})

test('tens of thousands of entries, their caller waiting for the disk now and then', async () => {
  const target = join(await tmpDir(), 'many.zapp')
  const block = Buffer.alloc(512 * 1024, 'x')
  const big = { ...compress(block, false) }
  const small = { ...compress(Buffer.from('x'), true) }
  let waited = 0
  const { files } = await writeArchive(target, async (writer) => {
    await site(writer)
    await writer.folder('public/z/')
    for (let i = 0; i < 40_000; i++) {
      const path = `public/z/${String(i).padStart(6, '0')}`
      const added = writer.file({ path, mode: 0o644, ...(i % 1000 === 0 ? big : small) })
      const settled = await Promise.race([
        added.then(() => true),
        Promise.resolve()
          .then(() => Promise.resolve())
          .then(() => false),
      ])
      if (!settled) waited++
      await added
    }
  })
  expect(files).toBe(40_004)
  expect(waited).toBeGreaterThan(0)
})

test('what readers refuse is not put in the target’s place, nor is anything left behind', async () => {
  const dir = await tmpDir()
  const target = join(dir, 'site.zapp')
  writeFileSync(target, 'earlier')
  const attempts: [fill: (writer: Writer) => Promise<void>, error: object][] = [
    [async (writer) => writer.text('public/index.html', Buffer.from('x')), { code: 'MANIFEST_MISSING' }],
    [async (writer) => writer.text('zapp.json', MANIFEST), { code: 'MANIFEST_PATH' }],
    [
      async (writer) => {
        await site(writer)
        await writer.text('public/CON', Buffer.from('x'))
      },
      { code: 'NAME_DEVICE' },
    ],
    [
      async (writer) => {
        await site(writer)
        await writer.file({ path: 'public/z', mode: 0o644, ...compress(Buffer.from('x'), true), crc32: 1 })
      },
      { code: 'CRC' },
    ],
    [
      async (writer) => {
        await site(writer)
        throw new Error('the caller failed')
      },
      { message: 'the caller failed' },
    ],
  ]
  for (const [fill, error] of attempts) await expect(writeArchive(target, fill)).rejects.toMatchObject(error)
  expect(readdirSync(dir)).toEqual(['site.zapp'])
  expect(readFileSync(target, 'utf8')).toBe('earlier')

  await writeArchive(target, site)
  expect(readFileSync(target).length).toBeGreaterThan(500)
})

test('bytes that are not on the disk as they were written are noticed, also where the content was checked before', async () => {
  const dir = await tmpDir()
  for (const contentChecked of [true, false]) {
    const onWritten = (size: number) => {
      const temporary = join(dir, readdirSync(dir)[0]!)
      const bytes = readFileSync(temporary)
      const at = bytes.indexOf('public/run') + 'public/run'.length + 3
      bytes[at] = bytes[at]! ^ 1
      expect(bytes).toHaveLength(size)
      writeFileSync(temporary, bytes)
    }
    const error = await writeArchive(join(dir, 'site.zapp'), site, { contentChecked, onWritten }).catch((e) => e)
    expect(contentChecked ? ['IO'] : ['INFLATE', 'DEFLATE_TRAILING', 'SIZE', 'CRC']).toContain(error.code)
    expect(readdirSync(dir)).toEqual([])
  }
})

test('an abort ends it at any moment, with nothing left behind', async () => {
  const dir = await tmpDir()
  const target = join(dir, 'site.zapp')
  const before = AbortSignal.abort(new Error('at once'))
  await expect(writeArchive(target, site, { signal: before })).rejects.toThrow('at once')

  const during = new AbortController()
  const fill = async (writer: Writer) => {
    await site(writer)
    during.abort(new Error('in the middle'))
    for (let i = 0; i < 1000; i++) await writer.text(`public/z${i}`, Buffer.from('x'))
  }
  await expect(writeArchive(target, fill, { signal: during.signal })).rejects.toThrow('in the middle')

  const after = new AbortController()
  const onWritten = () => after.abort(new Error('before the check'))
  await expect(writeArchive(target, site, { signal: after.signal, onWritten })).rejects.toThrow('before the check')
  expect(readdirSync(dir)).toEqual([])
})

test('a target that cannot be written has a code', async () => {
  const dir = await tmpDir()
  await expect(writeArchive(join(dir, 'no/such/site.zapp'), site)).rejects.toMatchObject({ code: 'IO' })
  mkdirSync(join(dir, 'folder'))
  await expect(writeArchive(join(dir, 'folder'), site)).rejects.toMatchObject({ code: 'IO' })
  expect(readdirSync(dir)).toEqual(['folder'])
})
