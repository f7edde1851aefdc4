import { mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Archive, ArchiveEntry } from '../archive/archive.ts'
import { concurrently } from '../archive/concurrently.ts'
import { addBlob, blobName, copyBlob, findBlob, ignore, linkBlob } from './blobs.ts'
import { type CacheLayout, makeTemp } from './layout.ts'
import { takeSecond } from './stamp.ts'
import type { TreePlan } from './tree-plan.ts'
import { type TreeRecord, writeRecord } from './tree-record.ts'

/** Files that wait for the disk at once, where they have to; libuv has four threads for it. */
const AT_ONCE = 16
/** ms: who serves in this process must hardly notice that a tree is built. */
const SLICE_MS = 10

interface Target {
  readonly path: string
  readonly entry: ArchiveEntry
  readonly own: boolean
}

/**
 * Builds a run tree in a temporary folder and renames it into place. Of several starters at once the first to rename
 * wins, the others drop theirs. Where the system can tell boots apart nothing is flushed: the record says so, until
 * flush-tree.ts has done it. Elsewhere every file is flushed before the rename. The directories are left to the file
 * system's journal, which keeps them in order.
 *
 * @param links absolute paths of folders outside, by their path in the tree
 * @throws ZappError CACHE_READ_ONLY; what reading the archive throws
 */
export async function buildTree(
  layout: CacheLayout,
  tree: string,
  archive: Archive,
  plan: TreePlan,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  const temp = await makeTemp(layout)
  try {
    const made = join(temp, 'tree')
    const app = join(made, 'app')
    await mkdir(app, { recursive: true })
    for (const folder of plan.folders) await mkdir(join(app, folder))
    const blobs = groupByBlob([...targetsOf(app, plan.shared, false), ...targetsOf(app, plan.own, true)])
    await fill(layout, temp, archive, [...blobs.values()])
    // Junctions are the links that Windows lets everybody make.
    for (const [path, target] of links) await symlink(target, join(app, path), 'junction')
    const named = [...blobs].map(([name, [first]]) => `${name} ${first!.entry.size}\n`)
    await writeFile(join(made, 'blobs.txt'), named.join(''))
    // Node looks upwards for the package.json that says what a .js file is; it must not find one of the home folder.
    await writeFile(join(made, 'package.json'), '{}\n')
    const { boot } = layout
    const record: TreeRecord = { contentDigest: archive.contentDigest, bytes: sum(plan.own), ...(boot && { boot }) }
    await writeRecord(join(made, 'tree.json'), record)
    const final = join(layout.trees, tree)
    await rename(made, final).catch(async (error) => {
      if (!(await stat(final).catch(ignore('ENOENT')))) throw error
    })
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

/** @param blobs what each becomes in the tree */
async function fill(
  layout: CacheLayout,
  temp: string,
  archive: Archive,
  blobs: readonly (readonly Target[])[],
): Promise<void> {
  let second: Promise<number> | undefined
  const add = async (entry: ArchiveEntry, content?: Uint8Array) => {
    second ??= takeSecond(layout.seconds)
    return addBlob(layout, temp, archive, entry, await second, content)
  }
  const put = async (target: Target) => {
    const blob = findBlob(layout, target.entry) ?? (await add(target.entry))
    if (target.own) await copyBlob(blob, target.path, target.entry, layout.boot === undefined)
    else linkBlob(blob, target.path)
  }
  const pause = pacer()
  const entries = blobs.map(([first]) => first!.entry).sort((a, b) => a.index - b.index)
  const missing = entries.filter((entry) => !findBlob(layout, entry))
  for await (const portion of archive.readAll(undefined, missing)) {
    await concurrently(portion, AT_ONCE, async ([entry, content]) => {
      await add(entry, content)
      await pause()
    })
  }
  await concurrently(blobs.flat(), AT_ONCE, async (target) => {
    // A collector that began before this build may take the blob away. Once: the next one sees this build.
    await put(target).catch((error) => {
      ignore('ENOENT')(error)
      return put(target)
    })
    await pause()
  })
}

/** @returns to be awaited between two pieces of work: lets others have their turn when it is time for it */
function pacer(): () => Promise<void> {
  let until = performance.now() + SLICE_MS
  return async () => {
    if (performance.now() < until) return
    await setImmediate()
    until = performance.now() + SLICE_MS
  }
}

function targetsOf(app: string, entries: readonly ArchiveEntry[], own: boolean): Target[] {
  return entries.map((entry) => ({ path: join(app, entry.path), entry, own }))
}

/** Equal content, such as licences, is one blob. */
function groupByBlob(targets: readonly Target[]): Map<string, Target[]> {
  const groups = new Map<string, Target[]>()
  for (const target of targets) {
    const name = blobName(target.entry)
    const group = groups.get(name)
    if (group) group.push(target)
    else groups.set(name, [target])
  }
  return groups
}

function sum(entries: readonly ArchiveEntry[]): number {
  return entries.reduce((total, entry) => total + entry.size, 0)
}
