import { join, resolve } from 'node:path'
import type { Manifest } from '../../format/manifest-types.ts'
import { configFor, readEnvFile } from '../config.ts'
import { nameOfHost } from '../host-name.ts'
import { isHostName } from '../names.ts'
import type { ServeOptions } from '../serve-options.ts'
import { type AppSettings, appSettings, appSource } from './app-settings.ts'
import type { HostSettings } from './read-settings.ts'

/** The settings file as it was last read, and what the command line says beside it. */
export class CurrentSettings {
  readonly #options: ServeOptions
  readonly #file: string | undefined
  /** Of the env file. */
  readonly #values: Readonly<Record<string, string>>
  #now: HostSettings | undefined

  private constructor(options: ServeOptions, file: string | undefined, values: Readonly<Record<string, string>>) {
    this.#options = options
    this.#file = file
    this.#values = values
  }

  /** @throws ZappError NOT_FOUND, IO; MANIFEST_* with every mistake */
  static async read(options: ServeOptions): Promise<CurrentSettings> {
    const file = options.settings === undefined ? undefined : resolve(options.settings)
    const values = options.envFile === undefined ? {} : await readEnvFile(options.envFile)
    const settings = new CurrentSettings(options, file, values)
    settings.#now = await settings.readAgain()
    return settings
  }

  /** undefined where there is no file. */
  get now(): HostSettings | undefined {
    return this.#now
  }

  /** Changes nothing yet. @throws ZappError NOT_FOUND, IO; MANIFEST_* with every mistake */
  async readAgain(): Promise<HostSettings | undefined> {
    if (this.#file === undefined) return undefined
    // With its schema: half of what a host would have to load.
    const { readSettings } = await import('./read-settings.ts')
    return readSettings(this.#file)
  }

  use(next: HostSettings | undefined): void {
    this.#now = next
  }

  /** A path in the file is relative to its folder. */
  within(path: string): string {
    return resolve(this.#now?.folder ?? '', path)
  }

  isEnabled(id: string, name: string): boolean {
    return appSource(this.#now, id, name).enabled ?? true
  }

  get namesUsers(): boolean {
    return Object.values(this.#now?.apps ?? {}).some(({ user }) => user !== undefined)
  }

  /** As whom an app is to run; undefined where nothing says. */
  userOf(id: string, name: string): string | undefined {
    return appSource(this.#now, id, name).user
  }

  /** Where an app is to be mounted; `""` for the root, undefined where nothing says. */
  mountOf(name: string): string | undefined {
    const { mount } = appSource(this.#now, '', name)
    return mount === '/' ? '' : mount
  }

  /** Whether requests can be for a virtual host of that name: one without a dot has to stand in the file. */
  isHost(name: string): boolean {
    return this.hostOf(name) === name && (isHostName(name) || Object.hasOwn(this.#now?.hosts ?? {}, name))
  }

  /**
   * The virtual host that is meant; a name that is none of them stays as it is.
   * @param name of the field Host, in lower case
   */
  hostOf(name: string | undefined): string {
    const host = name === undefined ? '' : nameOfHost(name)
    const [known] = Object.entries(this.#now?.hosts ?? {}).find(([, { aliases }]) => aliases?.includes(host)) ?? []
    return known ?? host
  }

  /** All names of a virtual host. */
  namesOf(host: string): string[] {
    return [host, ...(this.#now?.hosts?.[host]?.aliases ?? [])]
  }

  /**
   * @param alone it is the only app: it is told all names, so that it can report unknown ones with everything else that
   * it misses
   * @throws ZappError NEED_CONFIG, IO for a secret that is not there
   */
  async forApp(id: string, manifest: Manifest, alone: boolean): Promise<AppSettings> {
    const { config, data, env = {} } = this.#options
    const declared = configFor(manifest, { ...this.#values, ...config })
    const values = alone ? { ...declared, ...config } : declared
    const own = await appSettings(this.#now, { id, manifest }, values, env)
    return data === undefined ? own : { data: join(data, manifest.name), ...own }
  }
}
