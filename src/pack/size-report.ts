import { compareNames } from '../archive/name-order.ts'
import type { PlannedFile, PlannedPackage } from './plan.ts'

/** One line of the size report: a package (with `package` set), or a top-level folder or file of the project. */
export interface SizeRow {
  /** Folders end in "/". */
  readonly path: string
  /** `name@version`. */
  readonly package?: string
  readonly files: number
  readonly size: number
  readonly compressedSize: number
}

/** Adds up what each package, and each top-level folder or file of the project itself, takes in the archive. */
export class SizeReport {
  readonly #packages: ReadonlyMap<string, PlannedPackage>
  readonly #rows = new Map<string, SizeRow>()

  constructor(packages: readonly PlannedPackage[]) {
    this.#packages = new Map(packages.map((pkg) => [pkg.path, pkg]))
  }

  add(file: PlannedFile, compressedSize: number): void {
    const pkg = this.#packageOf(file)
    const path = pkg ? `${pkg.path}/` : (/^[^/]*\/?/.exec(file.path)?.[0] ?? file.path)
    const row = this.#rows.get(path)
    this.#rows.set(path, {
      path,
      ...(pkg ? { package: `${pkg.name}@${pkg.version}` } : {}),
      files: (row?.files ?? 0) + 1,
      size: (row?.size ?? 0) + file.size,
      compressedSize: (row?.compressedSize ?? 0) + compressedSize,
    })
  }

  /** Whose file it is, as build.json says it. */
  owner(file: PlannedFile): { package: string; optional?: true } {
    const pkg = this.#packageOf(file)
    return { package: pkg?.nativeOf ?? pkg?.path ?? '', ...(pkg?.optional ? { optional: true } : {}) }
  }

  /** Largest first. */
  rows(): readonly SizeRow[] {
    return [...this.#rows.values()].sort((a, b) => b.compressedSize - a.compressedSize || compareNames(a.path, b.path))
  }

  #packageOf(file: PlannedFile): PlannedPackage | undefined {
    if (file.package !== undefined) return this.#packages.get(file.package)
    if (!file.dependency) return undefined
    // The innermost package: node_modules/a/node_modules/b/lib/c.js belongs to b.
    for (let end = file.path.lastIndexOf('/'); end > 0; end = file.path.lastIndexOf('/', end - 1)) {
      const pkg = this.#packages.get(file.path.slice(0, end))
      if (pkg) return pkg
    }
    return undefined
  }
}
