import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { satisfies } from 'semver'
import { afterAll, expect, test } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { cli, startCli } from '../cli/helper.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { GUIDES, type Guide, readGuide, writeFiles } from './helpers/guide.ts'
import { installed, shell } from './helpers/installed.ts'

/*
 * Frameworks of today, with their real packages: each guide in docs/guides is followed to the letter, and what comes of
 * it is served. The answers are the table in docs/frameworks.md; UPDATE=1 writes it.
 */

interface Row {
  readonly name: string
  readonly guide: string
  /** Where the app says Hello. */
  readonly path?: string
  /** Other versions of its dependencies than the guide's. */
  readonly versions?: Readonly<Record<string, string>>
  /** Where the framework needs a newer Node than the oldest that Zapp runs on: it is skipped on others. */
  readonly node?: string
}

const ROWS: readonly Row[] = [
  { name: 'node:http', guide: 'http' },
  { name: 'Express 5', guide: 'express' },
  { name: 'Express 4', guide: 'express', versions: { express: '^4.0.0' } },
  { name: 'Fastify 5', guide: 'fastify' },
  { name: 'Koa 3', guide: 'koa' },
  { name: 'Hono 4', guide: 'hono' },
  { name: 'NestJS 11', guide: 'nest' },
  { name: 'Next.js 16', guide: 'next' },
  { name: 'Nuxt 4.1', guide: 'nuxt' },
  { name: 'Nuxt 4.5', guide: 'nuxt', versions: { nuxt: '^4.5.0' }, node: '>=22.19' },
  { name: 'Astro 5', guide: 'astro' },
  { name: 'Astro 7', guide: 'astro', versions: { '@astrojs/node': '^11.0.0', astro: '^7.0.0' }, node: '>=22.12' },
  { name: 'SvelteKit 2', guide: 'sveltekit' },
  { name: 'Vite 7', guide: 'vite' },
  { name: 'json-server 0.17', guide: 'published', path: '/greetings' },
]

const DOCS = join(GUIDES, '../frameworks.md')
const HEAD = ['framework', 'packs without a manifest', 'validates', 'answers under `/`', 'under a mount', 'redeploys']
const REFUSED = 'refused: built for `/`'
const table: string[][] = []

const runs = ({ node = '*' }: Row) => satisfies(process.versions.node, node)

test.each(ROWS.filter(runs))('$name', async (row) => {
  const guide = readGuide(row.guide)
  const dir = await install(row, guide)
  const first = await build(dir, guide)
  expect(await found(join(dir, first.root)), 'what the guide says is found').toEqual(guide.manifest)
  expect(first.holds, 'what the guide says is packed').toEqual([...guide.holds].sort())
  const cells = [
    `[${row.name}](guides/${row.guide}.md)`,
    'yes',
    await validates(first.file),
    ...(await serves(row, first, async () => (await build(dir, next(guide))).file)),
  ]
  table.push(cells)
  if (!process.env.UPDATE) expect(`| ${cells.join(' | ')} |`).toBe(documented(row))
})

async function install({ guide: name, versions = {} }: Row, guide: Guide): Promise<string> {
  const files = Object.fromEntries(
    Object.entries(guide.files).map(([path, text]) => [path, withVersions(text, versions)]),
  )
  const { 'package.json': json = '' } = files
  const dir = guide.install.length > 0 ? await installed(name, { 'package.json': json }, guide.install) : await tmpDir()
  await writeFiles(dir, files)
  return dir
}

function withVersions(text: string, versions: Readonly<Record<string, string>>): string {
  return Object.entries(versions).reduce(
    (changed, [name, range]) => changed.replace(new RegExp(`("${name}": )"[^"]*"`), `$1"${range}"`),
    text,
  )
}

/** The same project a day later. */
function next(guide: Guide): Guide & { readonly changed: true } {
  const files = Object.entries(guide.files)
    .filter(([, text]) => text.includes('Hello from'))
    .map(([path, text]) => [path, text.replaceAll('Hello from', 'Greetings from')])
  return { ...guide, files: Object.fromEntries(files), changed: true }
}

interface Built {
  readonly file: string
  /** The folder that was packed. */
  readonly root: string
  /** Its topmost names, folders ending in "/", as far as they are the app's. */
  readonly holds: readonly string[]
}

async function build(dir: string, guide: Guide & { readonly changed?: true }): Promise<Built> {
  if (guide.changed) {
    const json = readFileSync(join(dir, 'package.json'), 'utf8').replace('"version": "1.0.0"', '"version": "1.0.1"')
    await writeFiles(dir, { ...guide.files, 'package.json': json })
  }
  let file = ''
  let root = '.'
  for (const command of guide.commands) {
    const [program, ...args] = command.split(' ')
    if (program !== 'zapp') {
      await shell(command, dir)
      continue
    }
    const { code, stdout, stderr } = await cli(args, { cwd: dir })
    if (code !== 0) throw new Error(`${command}: ${stderr}`)
    if (args[0] === 'pack') [file, root] = [join(dir, stdout.trim()), args[1] ?? '.']
  }
  const archive = await openArchive(file)
  const names = [...archive.entries.keys()].map((path) => path.replace(/\/.*$/s, '/'))
  await archive.close()
  return { file, root, holds: [...new Set(names)].filter((name) => !/^(?:mimetype|ZAPP-INF\/)$/.test(name)).sort() }
}

async function found(dir: string): Promise<unknown> {
  const { $schema, ...manifest } = JSON.parse((await cli(['init', '--print'], { cwd: dir })).stdout)
  return manifest
}

async function validates(file: string): Promise<string> {
  const { code, stdout, stderr } = await cli(['validate', file])
  return code === 0 ? 'yes' : stdout + stderr
}

/** As users do it: archives are put into a folder that `zapp serve` watches. */
async function serves({ path = '/' }: Row, first: Built, later: () => Promise<string>): Promise<string[]> {
  const dir = await tmpDir()
  const apps = join(dir, 'apps')
  await mkdir(apps)
  const put = async (file: string, name: string) => {
    await copyFile(file, join(dir, 'part'))
    await rename(join(dir, 'part'), join(apps, name))
  }
  await put(first.file, 'ROOT.zapp')
  const stop = new AbortController()
  const { written, ended } = startCli(
    ['serve', apps, '--watch', '-p', '0', '--cache', join(dir, 'cache'), '--data', join(dir, 'data')],
    { cwd: dir, signal: stop.signal },
  )
  try {
    const origin = (await until(() => /http:\/\/[\d.:]+/.exec(written.stdout)?.[0])) ?? `none: ${written.stderr}`
    const text = async (url: string) => {
      const response = await fetch(url).catch((error: Error) => new Response(error.message, { status: 599 }))
      return `${response.status} ${await response.text()}`
    }
    const says = (words: string) => (answer: string) => answer.startsWith('200') && answer.includes(words)
    const said = (answer: string) => `no: ${answer.slice(0, 200)} ${written.stderr.slice(-2000)}`

    const root = await text(origin + path)
    // The page has all that it asks for: styles, scripts, preloaded modules.
    const assets = [...root.matchAll(/\b(?:src|href)="(?<url>\/?[^":?#]+\.\w+)(?:\?[^"]*)?"/g)].map(
      (match) => match[1]!,
    )
    const missing: string[] = []
    for (const asset of new Set(assets)) {
      const { status } = await fetch(new URL(asset, origin + path))
      if (status !== 200) missing.push(`${asset} ${status}`)
    }
    expect(missing).toEqual([])
    const name = JSON.parse((await cli(['inspect', first.file, '--json'])).stdout).manifest.name
    await put(first.file, `${name}-1.0.0.zapp`)
    // Until then the app at the root answers there.
    const decided = await until(() => new RegExp(`^(?:live|failed) +/${name} `, 'm').exec(written.stderr)?.[0])
    const mounted = await text(`${origin}/${name}${path}`)
    const refused = /^error MOUNT_BASE.*\n.*built for \/,/m.test(written.stderr)
    await put(await later(), 'ROOT.zapp')
    const redeployed = await until(async () => (says('Greetings from')(await text(origin + path)) ? 'yes' : undefined))
    return [
      says('Hello from')(root) ? 'yes' : said(root),
      decided?.startsWith('live') && says('Hello from')(mounted) ? 'yes' : refused ? REFUSED : said(mounted),
      redeployed ?? said(await text(origin + path)),
    ]
  } finally {
    stop.abort('SIGTERM')
    await ended
  }
}

/** The first answer that there is; undefined after half a minute without one. */
async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T | undefined> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
    const found = await look()
    if (found !== undefined) return found
  }
  return undefined
}

function documented({ name, guide }: Row): string | undefined {
  return readFileSync(DOCS, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| [${name}](guides/${guide}.md) |`))
}

test.skip.each(ROWS.filter((row) => !runs(row)))('$name needs Node $node', () => {})

test('every guide is run', async () => {
  const guides = (await readdir(GUIDES)).map((name) => name.replace(/\.md$/, ''))
  expect(new Set(ROWS.map(({ guide }) => guide))).toEqual(new Set(guides))
})

afterAll(() => {
  const lines = [HEAD, HEAD.map(() => '---'), ...table].map((cells) => `| ${cells.join(' | ')} |`)
  console.log(lines.join('\n'))
  if (!process.env.UPDATE || !existsSync(DOCS)) return
  const text = readFileSync(DOCS, 'utf8')
  const others = text.split('\n').filter((line) => line.startsWith('| ['))
  const rows = ROWS.flatMap(({ name, guide }) => {
    const start = `| [${name}](guides/${guide}.md) |`
    return lines.find((line) => line.startsWith(start)) ?? others.find((line) => line.startsWith(start)) ?? []
  })
  writeFileSync(DOCS, text.replace(/(?:^\|.*\n)+/m, `${[...lines.slice(0, 2), ...rows].join('\n')}\n`))
})
