import { mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Archive, ArchiveEntry } from '../archive/archive.ts'
import { concurrently } from '../archive/concurrently.ts'
import { addBlob, blobName, copyBlob, hasBlob, ignore, linkBlob } from './blobs.ts'
import { type CacheLayout, makeTemp } from './layout.ts'
import { takeSecond } from './stamp.ts'
import { planTree } from './tree-plan.ts'

/** Four threads of libuv do the work; more tasks than that keep them busy while JavaScript runs. */
const AT_ONCE = 16

/** What tree.json says; `bytes`: of the writable copies, which no other tree shares. */
export interface TreeRecord {
  readonly contentDigest: string
  readonly bytes: number
}

interface Target {
  readonly path: string
  readonly entry: ArchiveEntry
  readonly own: boolean
}

/**
 * Builds a run tree in a temporary folder and renames it into place. Of several starters at once the first to rename
 * wins, the others drop theirs. Every file is flushed before the rename; the directories are left to the file system's
 * journal, which keeps them in order.
 *
 * @param links absolute paths of folders outside, by their path in the tree
 * @throws ZappError CACHE_READ_ONLY; what reading the archive throws
 */
export async function buildTree(
  layout: CacheLayout,
  tree: string,
  archive: Archive,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  const temp = await makeTemp(layout)
  try {
    const made = join(temp, 'tree')
    const app = join(made, 'app')
    const plan = planTree(archive, links.keys())
    await mkdir(app, { recursive: true })
    for (const folder of plan.folders) await mkdir(join(app, folder))
    const blobs = groupByBlob([...targetsOf(app, plan.shared, false), ...targetsOf(app, plan.own, true)])
    await fill(layout, temp, archive, blobs)
    // Junctions are the links that Windows lets everybody make.
    for (const [path, target] of links) await symlink(target, join(app, path), 'junction')
    const named = [...blobs].map(([name, [first]]) => `${name} ${first!.entry.size}\n`)
    const record: TreeRecord = { contentDigest: archive.contentDigest, bytes: sum(plan.own) }
    await writeFile(join(made, 'blobs.txt'), named.join(''))
    await writeFile(join(made, 'tree.json'), JSON.stringify(record), { flush: true })
    // Node looks upwards for the package.json that says what a .js file is; it must not find one of the home folder.
    await writeFile(join(made, 'package.json'), '{}\n')
    const final = join(layout.trees, tree)
    await rename(made, final).catch(async (error) => {
      if (!(await stat(final).catch(ignore('ENOENT')))) throw error
    })
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

async function fill(
  layout: CacheLayout,
  temp: string,
  archive: Archive,
  blobs: ReadonlyMap<string, readonly Target[]>,
): Promise<void> {
  // Asked once: to be told by an error for each of hundreds of blobs that it is not there takes as long as to write it.
  const known = new Set(await readdir(layout.blobs))
  let second: Promise<number> | undefined
  await concurrently(blobs, AT_ONCE, async ([name, targets]) => {
    const blob = join(layout.blobs, name)
    const { entry } = targets[0]!
    const ensure = async () => {
      if (known.has(name) && (await hasBlob(blob, entry.size))) return
      second ??= takeSecond(layout.seconds)
      await addBlob(blob, join(temp, name), archive, entry, await second)
    }
    await ensure()
    for (const target of targets) {
      await place(blob, target).catch(async (error) => {
        // A collector that began before this build may take the blob away. Once: the next one sees this build.
        ignore('ENOENT')(error)
        await ensure()
        await place(blob, target)
      })
    }
  })
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

async function place(blob: string, { path, entry, own }: Target): Promise<void> {
  if (own) await copyBlob(blob, path, entry.mode)
  else await linkBlob(blob, path)
}

function sum(entries: readonly ArchiveEntry[]): number {
  return entries.reduce((total, entry) => total + entry.size, 0)
}
