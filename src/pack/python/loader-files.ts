import { readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PACKER } from '../packer.ts'
import type { PlannedFile } from '../plan.ts'
import { LIBRARY, type PythonPackage } from './library.ts'

// python/ lies three folders up from src/pack/python/ and dist/pack/python/ alike.
const LOADER = fileURLToPath(new URL('../../../python/zapp/', import.meta.url))

/** The Python loader, as a package of the archive. */
export const LOADER_PACKAGE: PythonPackage = {
  name: PACKER.name,
  version: PACKER.version,
  license: 'MIT',
  path: `${LIBRARY}/zapp`,
  published: false,
  needs: [],
}

/** The Python loader's files, so that the archive runs by itself. */
export function loaderFiles(): readonly PlannedFile[] {
  const names = readdirSync(LOADER, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll(sep, '/'))
  return names
    .filter((name) => !/(?:^|\/)__pycache__(?:\/|$)|\.pyc$/.test(name) && statSync(join(LOADER, name)).isFile())
    .map((name) => ({ ...plannedLoader(name, `${LOADER_PACKAGE.path}/${name}`), package: LOADER_PACKAGE.path }))
}

/** `__main__.py` of an archive: `python shop.zapp` runs it. */
export function mainFile(): PlannedFile {
  return plannedLoader('archive_main.py', '__main__.py')
}

function plannedLoader(name: string, path: string): PlannedFile {
  const source = join(LOADER, name)
  const { size, mtimeMs } = statSync(source)
  return { path, source, size, mtimeMs, dependency: true }
}
