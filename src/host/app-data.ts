import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fail } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { dataLocation } from '../runtimes/cache-location.ts'
import type { DeployerParts } from './deployer.ts'
import type { AppSlot } from './deployments/app-slot.ts'
import { openKept } from './deployments/release.ts'
import { removeFolderOf } from './users/folders.ts'
import type { SystemUser } from './users/system-user.ts'

type Parts = Pick<DeployerParts, 'apps' | 'store' | 'settingsOf'>

/** The data folders that the manifest of an app names. What else is beside them is not the app's. */
export class AppData {
  readonly #folders: readonly string[]
  readonly #user: SystemUser | undefined
  readonly #parts: Parts

  private constructor({ folders, user }: Found, parts: Parts) {
    this.#folders = folders
    this.#user = user
    this.#parts = parts
  }

  /** @throws ZappError DATA_SHARED; NEED_CONFIG, IO for settings that cannot be read */
  static async of(slot: AppSlot, parts: Parts): Promise<AppData> {
    const data = new AppData(await foldersOf(slot, parts), parts)
    await data.#refuseShared(parts.apps.slots.all.filter((other) => other !== slot))
    return data
  }

  /** To be called when the app has ended. @throws ZappError DATA_SHARED where another one has come meanwhile; IO */
  async drop(): Promise<void> {
    await this.#refuseShared(this.#parts.apps.slots.all)
    for (const folder of this.#folders) {
      const removed = this.#user ? removeFolderOf(this.#user, folder) : rm(folder, { recursive: true, force: true })
      await removed.catch((error: Error) => {
        throw fail('IO', folder, { operation: 'removing the data folder', reason: error.message }, error)
      })
    }
  }

  async #refuseShared(others: readonly AppSlot[]): Promise<void> {
    if (this.#folders.length === 0) return
    for (const other of others) {
      const { folders } = await foldersOf(other, this.#parts)
      const folder = folders.find((one) => this.#folders.includes(one))
      if (folder !== undefined) throw fail('DATA_SHARED', '', { folder, app: other.id })
    }
  }
}

interface Found {
  readonly folders: readonly string[]
  /** Whose they are. Default: the host's own user. */
  readonly user?: SystemUser | undefined
}

async function foldersOf(slot: AppSlot, { store, settingsOf }: Parts): Promise<Found> {
  const manifest = await manifestOf(slot, store)
  if (!manifest || manifest.data.size === 0) return { folders: [] }
  const { data, user } = await settingsOf(slot.id, manifest)
  const root = resolve(data ?? (await dataLocation(manifest.name)))
  return { folders: [...manifest.data.values()].map(({ name }) => join(root, name)), user }
}

/** Of what serves, else of what should. */
async function manifestOf(slot: AppSlot, store: Parts['store']): Promise<Manifest | undefined> {
  const known = slot.serving?.manifest ?? slot.candidates.find(({ manifest }) => manifest)?.manifest
  const { versions, current } = slot.record
  const kept = versions.find(({ digest }) => digest === current) ?? versions[0]
  if (known || !kept) return known
  const stored = await openKept(kept.digest, store)
  await stored.release()
  return stored.manifest
}
