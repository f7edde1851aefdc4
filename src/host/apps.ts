import type { ZappError } from '../errors.ts'
import type { Manifest } from '../format/manifest-types.ts'
import { byPreference, type Candidate } from './candidate.ts'
import { Candidates, type CandidatesOptions } from './candidates.ts'
import { idOf } from './names.ts'
import { Slots, type SlotsOptions } from './slots.ts'
import type { Source } from './sources.ts'

export interface AppsOptions extends CandidatesOptions, SlotsOptions {
  /** Whether a path is one that this host was told to serve, or in a folder that it was. */
  readonly isOurs: (path: string) => boolean
}

/** Everything that is mounted: {@link read} what there is, then {@link settle}. Calls of `read` must not overlap. */
export class Apps {
  readonly slots: Slots
  readonly #options: AppsOptions
  readonly #candidates: Candidates
  #patient = true

  constructor(options: AppsOptions) {
    this.#options = options
    this.#candidates = new Candidates(options)
    this.slots = new Slots(options)
    for (const { host, mount } of Object.values(options.state.state.apps)) this.slots.at(host, mount)
  }

  /** Of every app that could be read. */
  get manifests(): Manifest[] {
    return this.#candidates.all.flatMap(({ manifest }) => manifest ?? [])
  }

  errorOf(path: string): ZappError | undefined {
    return this.#candidates.at(path)?.error
  }

  /** Says that something will change in a moment. */
  expect(): void {
    this.#options.store.expect()
  }

  /**
   * @param changed paths of which it was told that they changed: projects are read again, what is missing was there
   * @param restless paths that change right now: they are left for later
   * @returns ms after which it has to be called again, because something is being replaced or written
   */
  read(
    sources: readonly Source[],
    changed: ReadonlySet<string> = new Set(),
    restless: ReadonlySet<string> = new Set(),
  ): Promise<number | undefined> {
    return this.#candidates.read(sources, changed, restless)
  }

  /** Makes what is mounted follow what was read. Resolves when every app was tried. */
  async settle(): Promise<void> {
    if (!this.#candidates.changed) return
    // At first nothing is taken down: a file may be missing for a moment only.
    const patient = this.#patient
    this.#candidates.changed = patient
    this.#patient = false
    const byId = new Map<string, Candidate[]>()
    for (const one of this.#candidates.all) {
      const id = idOf(one.place.host, one.place.mount)
      byId.set(id, [...(byId.get(id) ?? []), one])
      // A mount is known before its app is up, so that no app above it answers in the meantime.
      this.slots.at(one.place.host, one.place.mount)
    }
    this.#options.onRoutes()
    await Promise.all(
      this.slots.all.map(async (slot) => {
        slot.candidates = (byId.get(slot.id) ?? []).sort(byPreference)
        const mayCome = patient && this.#options.isOurs(slot.record.versions[0]?.source ?? '')
        await slot.settle(mayCome).catch((error) => {
          this.#options.log({ type: 'error', app: slot.id, name: slot.view.name, error, where: 'deploying' })
        })
        await this.#candidates.tellFiles(slot.candidates)
      }),
    )
  }

  /** After a change of settings: places are found anew. */
  async replace(): Promise<void> {
    this.#candidates.replace()
    await this.settle()
  }

  /** As if the file had never been there: the same bytes, copied there again, are deployed. */
  forget(path: string): Promise<void> {
    return this.#candidates.forget(path)
  }

  /** Ends everything; to be called when no request runs any more. */
  async stop(): Promise<void> {
    await Promise.all(this.slots.all.map((slot) => slot.close()))
    await this.#candidates.close()
  }
}
