import { fail } from '../errors.ts'
import { hint } from '../format/did-you-mean.ts'
import type { AppView } from './app-view.ts'
import { AppSlot } from './deployments/app-slot.ts'
import type { SlotContext } from './deployments/slot-context.ts'
import type { Route } from './front.ts'
import { MountMap } from './mount-map.ts'

export interface SlotsOptions extends Omit<SlotContext, 'onRemoved'> {
  /** An app is gone, and nothing of it runs any more. */
  readonly onEnded: (id: string) => void
}

/** The apps of a host by virtual host and mount. */
export class Slots {
  readonly #context: SlotContext
  readonly #hosts = new Map<string, MountMap<AppSlot>>()

  constructor(context: SlotsOptions) {
    this.#context = {
      ...context,
      onRemoved: (slot) => {
        const { id, host, mount } = slot
        const mounts = this.#hosts.get(host)
        mounts?.delete(mount)
        // As after a start: a name without apps of its own has those of the default host.
        if (mounts?.values().length === 0) this.#hosts.delete(host)
        context.onRoutes()
        void slot.ended().then(() => {
          // Another app may be there by now.
          if (!this.#hosts.get(host)?.get(mount)) context.onEnded(id)
        })
      },
    }
  }

  get all(): AppSlot[] {
    return [...this.#hosts].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, mounts]) => mounts.values())
  }

  get routes(): Route[] {
    return this.all.map(({ host, mount, serving, view }) => {
      return { host, mount, deployment: serving?.deployment, failed: !serving && view.state !== 'starting' }
    })
  }

  /**
   * What is mounted at or above a path. A virtual host has its own apps only.
   * @param host as the client named it, without the port
   */
  find(host: string, path: string): AppSlot | undefined {
    return (this.#hosts.get(host) ?? this.#hosts.get(''))?.find(path)
  }

  /** The apps that a host name reaches. */
  on(host: string): AppView[] {
    return (this.#hosts.get(host) ?? this.#hosts.get(''))?.values().map((slot) => slot.view) ?? []
  }

  /** By id, or by a name that only one has. @throws ZappError APP_UNKNOWN */
  named(app: string): AppSlot {
    const { all } = this
    const byName = all.filter((slot) => slot.view.name === app)
    const found = all.find((slot) => slot.id === app) ?? (byName.length === 1 ? byName[0] : undefined)
    if (found) return found
    const ids = all.map(({ id }) => id)
    const several = ` (several have this name: ${byName.map(({ id }) => id).join(', ')})`
    throw fail('APP_UNKNOWN', '', { app, hint: byName.length > 1 ? several : hint(app, ids) })
  }

  /** Made where there is none. */
  at(host: string, mount: string): AppSlot {
    const mounts = this.#hosts.get(host) ?? new MountMap<AppSlot>()
    this.#hosts.set(host, mounts)
    const slot = mounts.get(mount) ?? new AppSlot(host, mount, this.#context)
    mounts.set(mount, slot)
    return slot
  }
}
