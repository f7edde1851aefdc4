/**
 * ZAPP-INF/build.json: what the packer found out about the tree. UTF-8, JSON, rows sorted by path.
 *
 * ```json
 * {"v": 1, "packer": {"name": "zapp", "version": "0.1.0"},
 *  "packages": [{"name": "express", "version": "5.1.0", "path": "node_modules/express", "license": "MIT"}],
 *  "native": [{"path": "node_modules/x/build/Release/x.node", "package": "node_modules/x", "kind": "addon",
 *              "platform": "linux", "arch": "x64", "libc": "glibc", "abi": "napi"}]}
 * ```
 */
export interface BuildInfo {
  readonly v: 1
  readonly packer: { readonly name: string; readonly version: string }
  readonly packages: readonly BuildPackage[]
  readonly native: readonly NativeTarget[]
}

export interface BuildPackage {
  readonly name: string
  readonly version: string
  /** Folder in the archive, without a trailing slash; of a Python distribution that of its metadata. */
  readonly path: string
  /** As the package says: usually an SPDX expression. */
  readonly license?: string
}

/**
 * One binary file on one processor architecture: a fat Mach-O gives several rows.
 *
 * A package's need is met if *any* of its rows of kind `addon` fits the machine (prebuilds for many systems are all
 * listed). Rows of kind `library` and `program` are told, not checked: packages ship helpers for every system and go
 * without where there is none.
 */
export interface NativeTarget {
  readonly path: string
  /**
   * Folder of the package that holds it; "" for the app's own files. Of `@img/sharp-linux-x64` and its like, which hold
   * for one system what another package needs, that other's.
   */
  readonly package: string
  /** `addon`: a `.node` file, or an extension module of Python; `library`: another shared object; `program`: an executable. */
  readonly kind: 'addon' | 'library' | 'program'
  /** As process.platform: linux, android, darwin, win32, freebsd, openbsd, sunos; `unix` where an ELF file does not tell. */
  readonly platform: string
  /** As process.arch: x64, arm64, arm, ia32, ppc64, s390x, riscv64, loong64, mips; `0x<machine>` for others. */
  readonly arch: string
  /** Linux only, where the file names the library. */
  readonly libc?: 'glibc' | 'musl'
  /** Addons of Node only. `napi`: any Node; a number: the one NODE_MODULE_VERSION it loads in. Absent: not known. */
  readonly abi?: 'napi' | number
  /**
   * Of an extension module: the ABI of Python that it was built for, after the tags of its wheel. `cp311`: CPython 3.11
   * only (`cp313t`: its build without the GIL); `cp39-abi3`: CPython 3.9 or newer; absent: any.
   */
  readonly python?: string
  /** The package is reached through optionalDependencies only: the app may do without it. */
  readonly optional?: true
}

export const BUILD_INFO_PATH = 'ZAPP-INF/build.json'

export function formatBuildInfo(info: BuildInfo): Uint8Array {
  return Buffer.from(`${JSON.stringify(info, undefined, 1)}\n`)
}

/** The object in `bytes`, or undefined where it is not a build.json of version 1. Rows that are no rows are left out. */
export function parseBuildInfo(bytes: Uint8Array): BuildInfo | undefined {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
  const { v, packer, packages, native } = (json ?? {}) as { [K in keyof BuildInfo]?: unknown }
  if (v !== 1 || !hasText(packer, ['name', 'version'])) return undefined
  return {
    v,
    packer: packer as BuildInfo['packer'],
    packages: rows<BuildPackage>(packages, ['name', 'version', 'path']),
    native: rows<NativeTarget>(native, ['path', 'package', 'kind', 'platform', 'arch']),
  }
}

function rows<T>(value: unknown, keys: readonly string[]): readonly T[] {
  return Array.isArray(value) ? value.filter((row) => hasText(row, keys)) : []
}

function hasText(value: unknown, keys: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return keys.every((key) => typeof (value as Record<string, unknown>)[key] === 'string')
}
