import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dependencies } from './dependencies.ts'
import { type FetchedWheel, type FetchOptions, fetchWheels } from './fetch-wheels.ts'

/** Of one folder: what a project asks for is mostly asked for again, and another branch of it may ask for others. */
const KEPT = 4

/**
 * The wheels that pip fetched when it was asked the same before, else those that it fetches now. An index may have newer
 * ones since: for as long as the folder is there, what was asked for loosely stays as it was.
 *
 * @param folder where they are kept, of this user alone; made where it does not exist
 * @throws ZappError what {@link fetchWheels} throws
 */
export async function keptWheels(
  folder: string,
  dependencies: Dependencies,
  options: FetchOptions,
): Promise<readonly FetchedWheel[]> {
  const key = await keyOf(dependencies, options)
  if (key === undefined) return fetchWheels(dependencies, options)
  const home = join(folder, key)
  const kept = await readdir(home).catch(() => undefined)
  if (kept) {
    const now = new Date()
    await utimes(home, now, now)
    return Promise.all(kept.sort().map(async (file) => ({ file, bytes: await readFile(join(home, file)) })))
  }
  const wheels = await fetchWheels(dependencies, options)
  const draft = join(folder, randomUUID())
  await mkdir(draft, { recursive: true, mode: 0o700 })
  await Promise.all(wheels.map(({ file, bytes }) => writeFile(join(draft, file), bytes)))
  // Another one that packs the same may have been there first.
  await rename(draft, home).catch(() => rm(draft, { recursive: true, force: true }))
  await collect(folder)
  return wheels
}

async function collect(folder: string): Promise<void> {
  const homes = (await readdir(folder)).map((name) => join(folder, name))
  const dated = await Promise.all(homes.map(async (home) => ({ home, at: (await stat(home)).mtimeMs })))
  const old = dated.sort((a, b) => b.at - a.at).slice(KEPT)
  await Promise.all(old.map(({ home }) => rm(home, { recursive: true, force: true })))
}

/**
 * Of all that pip decides by and that we can see: not what an index has. Files of its settings are those that this process
 * started with. Undefined where it reads files that are on this machine in a form of their own.
 */
async function keyOf(dependencies: Dependencies, { interpreter, target }: FetchOptions): Promise<string | undefined> {
  const { lines, constraints = [], locked } = dependencies
  const { settings } = interpreter
  if (settings.PIP_CONSTRAINT || settings.PIP_REQUIREMENT) return undefined
  const indexes = [...valuesOf(INDEX, lines), ...wordsOf(settings.PIP_INDEX_URL, settings.PIP_EXTRA_INDEX_URL)]
  const links = [...valuesOf(FIND_LINKS, lines), ...wordsOf(settings.PIP_FIND_LINKS)]
  const local = links.filter((place) => !REMOTE.test(place))
  if (!indexes.every((place) => REMOTE.test(place)) || local.some((place) => place.startsWith('file:')))
    return undefined
  const found = await Promise.all(local.map(filesIn))
  const asked = { lines, constraints, locked, interpreter, target, found }
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex')
}

const REMOTE = /^https?:/i
const INDEX = /^(?:-i|--(?:extra-)?index-url)(?:\s*=\s*|\s+)(?<value>.+)$/
const FIND_LINKS = /^--find-links (?<value>.+)$/

function valuesOf(option: RegExp, lines: readonly string[]): string[] {
  return lines.flatMap((line) => option.exec(line)?.groups?.value ?? [])
}

function wordsOf(...values: readonly (string | undefined)[]): string[] {
  return values.flatMap((value) => value?.split(/\s+/).filter(Boolean) ?? [])
}

/** Of a folder or a page of links: names and what changes when their content does. */
async function filesIn(place: string): Promise<readonly string[]> {
  const names = await readdir(place).catch(() => [''])
  return Promise.all(
    names.sort().map(async (name) => {
      const { size, mtimeMs } = await stat(join(place, name)).catch(() => ({ size: 0, mtimeMs: 0 }))
      return `${name} ${size} ${mtimeMs}`
    }),
  )
}
