import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openCache } from '../cache/cache.ts'
import { makeLayout, makeTemp } from '../cache/layout.ts'
import { trustFolder } from '../cache/trust.ts'
import { StateFile } from './state.ts'
import { lockState } from './state-lock.ts'
import { openStore, type Store } from './store.ts'

export interface Opened {
  readonly store: Store
  readonly state: StateFile
  release(): Promise<void>
}

/** Where copies and versions are kept: in the state folder, or until the end in the cache. */
export async function openState(dir: string | undefined, cacheDir: string): Promise<Opened> {
  if (dir === undefined) {
    const cache = await openCache({ dir: cacheDir })
    const temporary = await makeTemp(await makeLayout(cache.dir))
    const state = await StateFile.open()
    const store = await openStore({ dir: temporary, keeps: keptBy(state) })
    return { store, state, release: () => rm(temporary, { recursive: true, force: true }) }
  }
  const folder = resolve(dir)
  // Its files are run as code.
  await trustFolder(folder)
  const lock = await lockState(folder)
  try {
    const state = await StateFile.open(join(folder, 'state.json'))
    return {
      state,
      store: await openStore({ dir: join(folder, 'store'), keeps: keptBy(state) }),
      release: lock.release,
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

function keptBy({ state }: StateFile): (digest: string) => boolean {
  return (digest) => Object.values(state.apps).some(({ versions }) => versions.some((one) => one.digest === digest))
}
