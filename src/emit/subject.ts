import type { Manifest } from '../format/manifest-types.ts'

/** The archive that a configuration is for. */
export interface EmitSubject {
  readonly manifest: Manifest
  /** Absolute; the same for every version of the app. */
  readonly file: string
  /** It brings the Python loader: nothing has to be installed beside the server. */
  readonly hasLoader: boolean
  /** It begins with `#!`, so that it can be started itself. */
  readonly isProgram: boolean
}

/** What the user decides, with every default filled in. */
export interface EmitSettings {
  /** "" or like "/shop". */
  readonly mount: string
  readonly host: string
  readonly port: number
  /** Absolute path of a Unix socket, instead of host and port. */
  readonly socket?: string
  readonly processes: number
  readonly threads: number
  readonly user: string
  /** Folder for run trees, absolute. */
  readonly cache: string
  /** Folder that holds the app's data folders, absolute. */
  readonly data: string
  /** Values to be printed, by variable. */
  readonly config: Readonly<Record<string, string>>
  /** Absolute path of a file of NAME=VALUE lines that holds `secrets`. */
  readonly envFile: string
  /** Variables that the administrator writes into `envFile`: secrets, and what is required and was not given. */
  readonly secrets: readonly string[]
  /** A program on PATH or an absolute path. */
  readonly python: string
  /** mod_wsgi: in processes of their own. */
  readonly daemon: boolean
  /** nginx: what stands behind speaks uWSGI's protocol. */
  readonly uwsgi: boolean
  /** Absolute; where the files of the configuration will lie. */
  readonly folder: string
}

/** One file of a configuration. */
export interface EmittedFile {
  /** Without a folder. */
  readonly name: string
  readonly text: string
}
