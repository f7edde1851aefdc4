import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openCache } from '../cache/cache.ts'
import { makeLayout, makeTemp } from '../cache/layout.ts'
import { trustFolder } from '../cache/trust.ts'
import { StateFile } from './state.ts'
import { lockState } from './state-lock.ts'
import { openStore, type Store } from './store.ts'
import { receiptsFolder } from './validation/early-validators.ts'
import type { Validators } from './validation/validators.ts'

export interface Opened {
  readonly store: Store
  readonly state: StateFile
  release(): Promise<void>
}

/**
 * Where copies and versions are kept: in the state folder, or until the end in the cache.
 * @throws ZappError STATE_UNTRUSTED, STATE_NONE, HOST_RUNNING, STATE_UNREADABLE; CACHE_*
 */
export async function openState(dir: string | undefined, cacheDir: string, validators: Validators): Promise<Opened> {
  const judging = { judge: (file: string) => validators.judge(file), expect: () => validators.expect() }
  if (dir === undefined) {
    const cache = await openCache({ dir: cacheDir })
    const temporary = await makeTemp(await makeLayout(cache.dir))
    // The next host that serves the same bytes, in a moment or after a restart, need not check them again.
    const receipts = receiptsFolder(dir, cache.dir)
    await mkdir(receipts, { recursive: true, mode: 0o700 })
    const state = await StateFile.open()
    const store = await openStore({ dir: temporary, isTemporary: true, ...judging, receipts, keeps: keptBy(state) })
    const release = async () => {
      validators.close()
      await rm(temporary, { recursive: true, force: true })
      await collectReceipts(receipts)
    }
    return { store, state, release }
  }
  const folder = resolve(dir)
  // Its files are run as code.
  await trustFolder(folder, 'STATE')
  const lock = await lockState(folder)
  try {
    const state = await StateFile.open(join(folder, 'state.json'))
    return {
      state,
      store: await openStore({ dir: join(folder, 'store'), ...judging, keeps: keptBy(state) }),
      release: async () => {
        validators.close()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Those of the archives that were served last stay: a manifest has a kilobyte, or 1 MiB at most. */
const RECEIPTS = 100

async function collectReceipts(folder: string): Promise<void> {
  const names = await readdir(folder)
  const dated = names.length > RECEIPTS ? names.map((name) => join(folder, name)) : []
  const found = await Promise.all(dated.map(async (file) => ({ file, at: (await stat(file)).mtimeMs })))
  const old = found.sort((a, b) => b.at - a.at).slice(RECEIPTS)
  await Promise.all(old.map(({ file }) => rm(file, { force: true })))
}

function keptBy({ state }: StateFile): (digest: string) => boolean {
  return (digest) => Object.values(state.apps).some(({ versions }) => versions.some((one) => one.digest === digest))
}
