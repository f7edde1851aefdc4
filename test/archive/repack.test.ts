import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeZip } from '../../fixtures/make/zip-maker.ts'
import { openArchive } from '../../src/archive/archive.ts'
import { repack } from '../../src/archive/repack.ts'
import { validateArchive } from '../../src/archive/validate.ts'
import { ZappError } from '../../src/errors.ts'
import { pack } from '../../src/pack/pack.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree, STATIC_APP } from '../pack/helpers/tree.ts'

const MANIFEST = '{"zapp":1,"name":"site","version":"1.0.0","routes":{"/":{"static":"public"}}}'

const SITE = {
  ...STATIC_APP,
  'public/style.css': 'body { color: black }\n'.repeat(50),
  'public/empty/': '',
  'public/photo.jpg': Buffer.alloc(300, 'x'),
  'public/naïve 😀.txt': 'x',
  'tools/run': '#!/bin/sh\n',
}

/** Makes a zip of the folder `dir` at `file` as its tool does by default: with descriptors, extra fields, local time … */
const TOOLS: Record<string, (dir: string, file: string) => void> = {
  zip: (dir, file) => execFileSync('zip', ['-qr', file, '.'], { cwd: dir }),
  'zip to a pipe, with descriptors and zip64': (dir, file) => {
    const { stdout } = spawnSync('zip', ['-qr', '-', '.'], { cwd: dir, maxBuffer: 2 ** 26 })
    writeFileSync(file, stdout)
  },
  jar: (dir, file) => execFileSync('jar', ['cMf', file, '-C', dir, '.']),
  python3: (dir, file) => execFileSync('python3', ['-m', 'zipfile', '-c', file, ...readdirSync(dir)], { cwd: dir }),
}

async function refused(input: string | Uint8Array): Promise<string[]> {
  const dir = await tmpDir()
  const error = await repack(input, { out: join(dir, 'x.zapp') }).then(
    () => expect.unreachable('it must be refused'),
    (e) => e,
  )
  expect(error).toBeInstanceOf(ZappError)
  expect(readdirSync(dir)).toEqual([])
  return error.findings.map(({ code, path }: { code: string; path: string }) => `${code} ${path}`)
}

const entriesOf = async (file: string) => {
  const archive = await openArchive(file)
  await archive.close()
  return [...archive.entries.keys()].filter((name) => !name.startsWith('ZAPP-INF/'))
}

for (const [tool, make] of Object.entries(TOOLS)) {
  const missing = spawnSync(tool.split(' ')[0]!, ['--help']).error !== undefined
  test.skipIf(missing)(
    `${tool}: its zip becomes an archive${missing ? ` (${tool} is not installed)` : ''}`,
    async () => {
      const dir = await makeTree(SITE)
      const zip = join(await tmpDir(), 'site.zip')
      make(dir, zip)
      const { file, warnings } = await repack(zip)
      expect(file).toBe(zip.replace('.zip', '.zapp'))
      expect(warnings.map(({ code }) => code)).toEqual(['METADATA_MISSING', 'METADATA_MISSING'])
      expect((await validateArchive(file)).valid).toBe(true)

      const archive = await openArchive(file)
      expect(await entriesOf(file)).toEqual([
        ...['mimetype', 'zapp.json', 'public/', 'public/empty/', 'public/index.html', 'public/naïve 😀.txt'],
        ...['public/photo.jpg', 'public/style.css', 'tools/', 'tools/run'],
      ])
      expect(archive.entries.get('tools/run')?.mode).toBe(0o755)
      for (const entry of archive.entries.values()) {
        const source = join(dir, entry.path)
        if (!entry.path.endsWith('/') && existsSync(source)) {
          expect(Buffer.compare(await archive.read(entry), readFileSync(source))).toBe(0)
        }
      }
      await archive.close()
    },
  )
}

test('zips of one tree by different tools give the same bytes', async () => {
  const dir = await makeTree(SITE)
  const out = await tmpDir()
  const digests = new Set<string>()
  for (const [i, [tool, make]] of Object.entries(TOOLS).entries()) {
    if (spawnSync(tool.split(' ')[0]!, ['--help']).error) continue
    make(dir, join(out, `${i}.zip`))
    digests.add((await repack(join(out, `${i}.zip`))).digest)
  }
  expect(digests.size).toBe(1)
})

test('what pack made comes out byte for byte, in place, even from another zip of its content', async () => {
  const { file, digest } = await pack(await makeTree(SITE))
  expect((await repack(file)).digest).toBe(digest)
  const unpacked = await tmpDir()
  execFileSync('unzip', ['-q', file, '-d', unpacked])
  const zip = join(await tmpDir(), 'again.zip')
  TOOLS.python3!(unpacked, zip)
  expect((await validateArchive(zip)).valid).toBe(false)
  expect((await repack(zip)).digest).toBe(digest)
  expect((await repack(readFileSync(zip), { out: zip })).digest).toBe(digest)
  expect((await validateArchive(zip)).findings).toEqual([])
})

test('one folder around everything is cut off; with anything beside it there is no manifest', async () => {
  const dir = await tmpDir()
  cpSync(await makeTree(SITE), join(dir, 'site-main'), { recursive: true })
  execFileSync('zip', ['-qr', 'wrapped.zip', 'site-main'], { cwd: dir })
  expect(await entriesOf((await repack(join(dir, 'wrapped.zip'))).file)).toContain('public/index.html')
  // What Finder adds for itself does not count, and does not come along.
  mkdirSync(join(dir, '__MACOSX/site-main'), { recursive: true })
  writeFileSync(join(dir, '__MACOSX/site-main/._zapp.json'), 'x')
  execFileSync('zip', ['-qr', 'finder.zip', 'site-main', '__MACOSX'], { cwd: dir })
  expect(await entriesOf((await repack(join(dir, 'finder.zip'))).file)).not.toContain('__MACOSX/')

  writeFileSync(join(dir, 'README'), 'x')
  execFileSync('zip', ['-qr', 'beside.zip', 'site-main', 'README'], { cwd: dir })
  expect(await refused(join(dir, 'beside.zip'))).toEqual(['MANIFEST_MISSING '])
})

test('a signature is left out with a warning, the library stays, records that cannot be read go', async () => {
  const dir = await makeTree({
    ...SITE,
    'ZAPP-INF/signature.dsse.json': '{}',
    'ZAPP-INF/contents.json': 'old',
    'ZAPP-INF/build.json': '{"v":2}',
    'ZAPP-INF/sbom.cdx.json': '{"bomFormat":"CycloneDX"}',
    'ZAPP-INF/lib/flask/__init__.py': 'x',
  })
  const zip = join(await tmpDir(), 'site.zip')
  TOOLS.zip!(dir, zip)
  const { file, warnings } = await repack(zip)
  expect(warnings.map(({ code }) => code)).toEqual(['SIG_DROPPED', 'METADATA_MISSING'])
  const archive = await openArchive(file)
  await archive.close()
  expect([...archive.entries.keys()].filter((name) => name.startsWith('ZAPP-INF/'))).toEqual([
    'ZAPP-INF/lib/',
    'ZAPP-INF/lib/flask/',
    'ZAPP-INF/lib/flask/__init__.py',
    'ZAPP-INF/sbom.cdx.json',
    'ZAPP-INF/contents.json',
  ])
})

test('what looks like a secret stays, and is named: pack would have left it out or refused it', async () => {
  const dir = await makeTree({
    ...SITE,
    '.env': 'PASSWORD=x',
    'conf/prod.env': 'a texture',
    'public/aws.txt': `AKIA${'ABCDEFGH23456789'}`,
    'node_modules/a/aws.txt': `AKIA${'ABCDEFGH23456789'}`,
    '.env.example': 'PASSWORD=',
  })
  const zip = join(await tmpDir(), 'site.zip')
  TOOLS.zip!(dir, zip)
  const { file, warnings } = await repack(zip)
  const secrets = ['.env', 'public/aws.txt']
  expect(warnings.filter(({ code }) => code === 'SECRET_KEPT').map(({ path }) => path)).toEqual(secrets)
  expect(await entriesOf(file)).toEqual(expect.arrayContaining(secrets))
})

test('what writing it anew cannot put right is refused: links, passwords, other methods, wrong content', async () => {
  const dir = await makeTree({ ...STATIC_APP, 'public/a.txt': randomBytes(400) })
  symlinkSync('/etc/passwd', join(dir, 'public/link'))
  const zip = async (...args: string[]) => {
    const file = join(await tmpDir(), 'x.zip')
    execFileSync('zip', ['-qr', file, '.', ...args], { cwd: dir })
    return file
  }
  expect(await refused(await zip('-y'))).toEqual(['TYPE public/link'])
  const encrypted = await refused(await zip('-P', 'secret', '-x', 'public/link'))
  expect(new Set(encrypted.map((line) => line.split(' ')[0]))).toEqual(new Set(['ENCRYPTED']))

  const script = `import zipfile,sys
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    z.writestr('zapp.json', sys.argv[2])
    z.writestr('public/index.html', 'x' * 100, compress_type=zipfile.ZIP_BZIP2)
    z.writestr('a/../b', 'x'); z.writestr('A', 'x'); z.writestr('a', 'x'); z.writestr('CON', 'x')
    z.writestr('dup', '1'); z.writestr('dup', '2')`
  const file = join(await tmpDir(), 'x.zip')
  execFileSync('python3', ['-W', 'ignore', '-c', script, file, MANIFEST])
  expect(await refused(file)).toEqual([
    'METHOD public/index.html',
    'NAME_DOT_SEGMENT a/../b',
    'CASE_COLLISION a',
    'NAME_DEVICE CON',
    'DUP dup',
  ])

  const bytes = readFileSync(await zip('-x', 'public/link'))
  const at = bytes.indexOf('public/a.txt')
  bytes[at + 200] = bytes[at + 200]! ^ 0x55
  expect(await refused(bytes)).toEqual(['CRC public/a.txt'])
})

test('a bomb, and zips that say less than they hold', async () => {
  const script = `import zipfile,sys
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('zapp.json', sys.argv[2]); z.writestr('public/index.html', 'x'); z.writestr('public/bomb', bytes(20 << 20))`
  const file = join(await tmpDir(), 'x.zip')
  execFileSync('python3', ['-c', script, file, MANIFEST])
  expect(await refused(file)).toEqual(['RATIO public/bomb'])
  const bytes = readFileSync(file)
  bytes.writeUInt16LE(1, bytes.length - 12)
  expect(await refused(bytes)).toEqual(['CD_SIZE '])
})

test('the 42 bytes that end a process which gives yauzl a file are an error like any other', async () => {
  const bytes = Buffer.from(`504b06070000000000000000000000100100000${'0504b0506'}${'00'.repeat(18)}`, 'hex')
  expect(bytes).toHaveLength(42)
  const file = join(await tmpDir(), 'crash.zip')
  writeFileSync(file, bytes)
  expect(await refused(file)).toEqual(['ZIP_UNREADABLE '])
  expect(await refused(bytes)).toEqual(['ZIP_UNREADABLE '])
  for (const junk of [Buffer.alloc(0), Buffer.from('PK'), Buffer.alloc(5000)]) {
    expect(await refused(junk)).toEqual(['ZIP_UNREADABLE '])
  }
})

test('without a manifest, or with a bad one, it says so', async () => {
  const zip = async (tree: object) => {
    const file = join(await tmpDir(), 'x.zip')
    TOOLS.python3!(await makeTree(tree as never), file)
    return file
  }
  expect(await refused(await zip({ 'a.txt': 'x' }))).toEqual(['MANIFEST_MISSING '])
  expect(await refused(await zip({ 'zapp.json': '{' }))).toEqual(['MANIFEST_SYNTAX zapp.json'])
  expect(await refused(await zip({ 'zapp.json': MANIFEST }))).toContain('MANIFEST_PATH zapp.json')
})

test('names: UTF-8 with or without its flag is taken, bytes of an unknown encoding are not', async () => {
  const zipWith = (name: Buffer | string, flags: number) =>
    makeZip({
      entries: [
        { name: 'zapp.json', data: MANIFEST },
        { name: 'public/index.html', data: 'x' },
        { name, flags, data: 'x' },
      ],
    })
  const out = join(await tmpDir(), 'x.zapp')
  for (const flags of [0, 0x0800]) {
    const { file } = await repack(zipWith('public/é.txt', flags), { out })
    expect(await entriesOf(file)).toContain('public/é.txt')
  }
  expect(await refused(zipWith(Buffer.from('public/\xe9.txt', 'latin1'), 0))).toEqual([
    'NAME_NOT_UTF8 public/\ufffd.txt',
  ])
})

test('a damaged zip is repacked or refused, whatever is damaged', async () => {
  const file = join(await tmpDir(), 'site.zip')
  TOOLS.python3!(await makeTree(STATIC_APP), file)
  const original = readFileSync(file)
  const out = join(await tmpDir(), 'x.zapp')
  const holds = fc.asyncProperty(
    fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    fc.nat(40),
    async (edits, cut) => {
      const bytes = Buffer.from(original.subarray(0, original.length - (cut > 30 ? cut : 0)))
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
      const error = await repack(bytes, { out }).catch((e) => e)
      if (error instanceof Error) expect(error).toBeInstanceOf(ZappError)
      else expect((await validateArchive(out)).valid).toBe(true)
    },
  )
  await fc.assert(holds, { numRuns: 400 })
})
