import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Archive } from '../archive/archive.ts'
import type { DataFolder } from '../format/manifest-types.ts'
import { ignore } from './blobs.ts'
import { liveness, ownIdentity } from './process-id.ts'
import { seedOf } from './tree-plan.ts'

const SEED = '.seed-'

/**
 * Makes the data folders of an app that are not there yet: `<root>/<name>`, filled once with what the archive holds
 * below the folder's path. What is there already is never touched: it is the app's, whatever version wrote it.
 *
 * @returns absolute paths by name
 */
export async function dataFolders(archive: Archive, root: string): Promise<Map<string, string>> {
  const made = new Map<string, string>()
  for (const folder of archive.manifest.data.values()) {
    const target = join(root, folder.name)
    if (!(await stat(target).catch(ignore('ENOENT')))) await seed(archive, folder, root, target)
    made.set(folder.name, target)
  }
  return made
}

async function seed(archive: Archive, folder: DataFolder, root: string, target: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  await sweepSeeds(root)
  const temp = await mkdtemp(join(root, `${SEED}${await ownIdentity()}-`))
  try {
    for (const [path, entry] of seedOf(archive, folder)) {
      const file = join(temp, path)
      await mkdir(entry.kind === 'dir' ? file : dirname(file), { recursive: true })
      if (entry.kind === 'file')
        await writeFile(file, archive.stream(entry), { flag: 'wx', mode: entry.mode, flush: true })
    }
    // Another starter was quicker: its folder counts.
    await rename(temp, target).catch(ignore('EEXIST', 'ENOTEMPTY', 'EPERM'))
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

async function sweepSeeds(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(SEED) || (await liveness(name.slice(SEED.length))) !== 'dead') continue
    await rm(join(root, name), { recursive: true, force: true })
  }
}
