import { access, constants, realpath, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { findPython, type Interpreter, type PythonChoice } from './python.ts'

/** What the process offers to an app that wants to run in it. */
export interface Container {
  readonly node: string
  readonly platform: string
  readonly arch: string
  /** On Linux only. */
  readonly libc: 'glibc' | 'musl' | undefined
  /** NODE_MODULE_VERSION: addons that do not use Node-API load in one only. */
  readonly abi: number
  hasCommand(name: string): Promise<boolean>
  /** The Python that an app is run with. */
  python(fits: (one: Interpreter) => boolean): Promise<PythonChoice>
  /** The folder of a package that the container has installed for itself. */
  findPackage(name: string): Promise<string | undefined>
  canRead(file: string): Promise<boolean>
}

/** This process. */
export const thisProcess: Container = {
  node: process.versions.node,
  platform: process.platform,
  arch: process.arch,
  get libc() {
    return process.platform === 'linux' ? (usesGlibc() ? 'glibc' : 'musl') : undefined
  },
  abi: Number(process.versions.modules),
  hasCommand: async (name) => (await findCommand(name)) !== undefined,
  python: findPython,
  findPackage,
  canRead: (file) => isAllowed(file, constants.R_OK),
}

/** This process, with one interpreter and no other. */
export function withPython(file: string): Container {
  return { ...thisProcess, python: (fits) => findPython(fits, file) }
}

/** On PATH, or where its path says. */
async function findCommand(name: string): Promise<string | undefined> {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const folders = name.includes('/') ? [''] : path
  // On Windows a program is found by one of these extensions; elsewhere by its permission.
  const endings = process.platform === 'win32' ? (process.env.PATHEXT ?? '.EXE').split(';') : ['']
  const files = folders.flatMap((folder) => endings.map((ending) => join(folder, name + ending)))
  for (const file of files) {
    const found = await stat(file).catch(() => undefined)
    if (found?.isFile() && (await isAllowed(file, constants.X_OK))) return file
  }
  return undefined
}

/** As the container's own program would resolve it, from its main file, then from the working folder. */
async function findPackage(name: string): Promise<string | undefined> {
  const main = await realpath(process.argv[1] ?? '').catch(() => '')
  for (const base of [dirname(main), process.cwd()]) {
    const folders = createRequire(join(base, 'package.json')).resolve.paths(name) ?? []
    for (const folder of folders) {
      if (await isAllowed(join(folder, name, 'package.json'), constants.R_OK)) return realpath(join(folder, name))
    }
  }
  return undefined
}

function isAllowed(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  )
}

/** The report names the C library it was linked with, if that is glibc. Without network: that part may take seconds. */
function usesGlibc(): boolean {
  const { report } = process as { report: NodeJS.ProcessReport & { excludeNetwork?: boolean } }
  report.excludeNetwork = true
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return header?.glibcVersionRuntime !== undefined
}
