import type { Manifest } from '../../format/manifest-types.ts'
import type { Deployment } from '../deployment.ts'
import type { HostEvent } from '../host-event.ts'
import type { StoredApp } from '../prepare.ts'
import type { AppSettings } from '../settings/app-settings.ts'
import type { StateFile } from '../state.ts'
import type { Store } from '../store.ts'
import type { Commands } from './generation.ts'

/** What an app is started as. */
export interface Runnable {
  readonly deployment: Deployment
  readonly commands: Commands
}

/**
 * What is known of a version before it is started: `new`, it is to take another's place; `first`, there is none; `served`,
 * it did when the host ended; `asleep`, it serves, has no process, and is to fall asleep sooner or later than before.
 */
export type Past = 'new' | 'first' | 'served' | 'asleep'

export interface RemovedSlot {
  readonly id: string
  readonly host: string
  readonly mount: string
  /** Resolves when what served has ended. */
  ended(): Promise<void>
}

/** What all apps of a host share. */
export interface SlotContext {
  readonly store: Store
  readonly state: StateFile
  /**
   * What the app is started with; when it differs, the app has to be started anew.
   * @throws ZappError for a secret that cannot be read
   */
  readonly settingsOf: (id: string, manifest: Manifest) => Promise<AppSettings>
  /** May be started, as the host's settings say. */
  readonly isEnabled: (id: string, name: string) => boolean
  /** Takes the stored app over: it is released when the deployment stops. */
  readonly make: (
    stored: StoredApp,
    slot: { readonly id: string; readonly mount: string },
    settings: AppSettings,
    /** Archives of the other versions that are kept, the newest first. */
    earlier: readonly string[],
    past: Past,
  ) => Runnable
  /** Bounds how many start at once. */
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>
  readonly log: (event: HostEvent) => void
  /** What serves a mount has changed. */
  readonly onRoutes: () => void
  /** A slot that holds nothing any more. */
  readonly onRemoved: (slot: RemovedSlot) => void
  readonly stopping: AbortSignal
  /** How long after a switch a version that dies is rolled back. */
  readonly watchMs: number
}
