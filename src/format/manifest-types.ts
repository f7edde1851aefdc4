import type { ManifestSource } from './manifest.ts'
import type { Pattern } from './pattern.ts'
import type { Range } from './version-range.ts'

/** A manifest that passed every check, with defaults filled in, names resolved and durations in milliseconds. */
export interface Manifest {
  /** What the author wrote, unchanged. */
  readonly source: ManifestSource
  readonly name: string
  readonly version: string
  readonly title?: string
  readonly description?: string
  readonly license?: string
  readonly homepage?: string
  /** By name; "main" for the shorthand `entry`. */
  readonly entries: ReadonlyMap<string, Entry>
  /** As written, with what the shorthand `entry` adds. */
  readonly routes: readonly Route[]
  readonly dependencies: {
    readonly runtime: { readonly node?: Range; readonly python?: Range }
    readonly commands: readonly string[]
    readonly provided: { readonly node: readonly string[]; readonly python: readonly string[] }
  }
  readonly config: ReadonlyMap<string, ConfigVar>
  readonly data: ReadonlyMap<string, DataFolder>
  /** Index names of folders; ["index.html"] by default. */
  readonly welcome: readonly string[]
  /** "404" or "4xx" → file. */
  readonly errors: ReadonlyMap<string, string>
  /** "any", or the one mount the build works at, "/" for the root. */
  readonly base: string
  readonly health?: Health
  /** Files that must have mode 0755. */
  readonly executable: readonly string[]
  /** Runs once before traffic is switched to this version. */
  readonly migrate?: { readonly run: readonly string[] /** ms */; readonly timeout: number }
  readonly processes: ReadonlyMap<string, Process>
  readonly workers: Workers
  /** Keys that the format reserves and no loader can honour yet, where the author used them: "roles", "services". */
  readonly reserved: readonly string[]
}

export interface Workers {
  readonly processes?: number
  readonly threads?: number
  /** How many requests a process answers before a fresh one replaces it. */
  readonly maxRequests?: number
  /** What runs a Python app: gunicorn entries of type wsgi, the others those of type asgi. */
  readonly server?: 'gunicorn' | 'uvicorn' | 'hypercorn'
}

interface EntryCommon {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  readonly websocket: boolean
}

export type Entry =
  | (EntryCommon & {
      readonly type: 'node' | 'fetch'
      readonly module: string
      /** Name of the export; undefined: the loader looks for the usual ones. */
      readonly export?: string
    })
  | (EntryCommon & { readonly type: 'server'; readonly run: readonly string[] })
  | (EntryCommon & {
      readonly type: 'wsgi' | 'asgi'
      /** "module:callable" */
      readonly app: string
      readonly factory: boolean
      /** Folder of the archive that is put on sys.path; undefined: the archive's root. */
      readonly root?: string
    })
  | (EntryCommon & {
      readonly type: 'cgi'
      readonly scripts: { readonly dir: string } | { readonly script: string }
      /** ms */
      readonly timeout: number
      readonly concurrency: number
    })

export type EntryType = Entry['type']

export interface Route {
  readonly pattern: Pattern
  readonly headers: readonly (readonly [string, string])[]
  readonly cache?: CacheRule
  /** Whether upgrades are taken: the route says so, or its entry (that of its "else") does. */
  readonly websocket: boolean
  readonly strip: boolean
  readonly unpack: boolean
  readonly target: RouteTarget
}

export type CacheRule = 'immutable' | 'no-store' | { readonly seconds: number }

export type RouteTarget =
  | { readonly kind: 'entry'; readonly entry: string }
  | {
      readonly kind: 'static'
      readonly path: string
      readonly else?: { readonly entry: string } | { readonly file: string }
    }
  | { readonly kind: 'redirect'; readonly to: string; readonly status: 301 | 302 | 303 | 307 | 308 }

export type ConfigType = 'string' | 'integer' | 'boolean' | 'url' | 'enum' | 'json' | 'file'

export interface ConfigVar {
  readonly name: string
  readonly type: ConfigType
  readonly required: boolean
  /** As the environment variable will read. */
  readonly default?: string
  readonly secret: boolean
  readonly description?: string
  /** Only with type "enum". */
  readonly values: readonly string[]
}

export interface DataFolder {
  readonly name: string
  readonly path: string
  /** Variable that will hold the folder's absolute path. */
  readonly env?: string
}

export interface Health {
  readonly path: string
  readonly host?: string
  /** ms */
  readonly timeout: number
}

export interface Process {
  readonly name: string
  readonly run: readonly string[]
  /** How many at once. */
  readonly count: number
  /** ms between starts; undefined: runs all the time. */
  readonly every?: number
}
