import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, posix, relative, sep } from 'node:path'
import { fail } from '../../errors.ts'
import type { Manifest } from '../../format/manifest-types.ts'
import type { PlannedFile } from '../plan.ts'
import { contentOf } from '../read-file.js'
import { walkTree } from '../walk-tree.ts'
import { type Interpreter, run } from './interpreter.ts'
import { LIBRARY } from './library.ts'

/** What collectstatic made. */
export interface Collected {
  /** Folder of the project: "staticfiles". What lay in it is out of date. */
  readonly folder: string
  readonly files: readonly PlannedFile[]
}

/** Runs manage.py as a program would be, and says in its last line where the files are. */
const SCRIPT = `
import json, os, runpy, sys
root, library, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sys.path[:0] = [root, library]
sys.dont_write_bytecode = True
os.chdir(root)
for name, value in given.items():
    os.environ.setdefault(name, value)
sys.argv = ["manage.py", "collectstatic", "--noinput", "--clear", "--verbosity=0"]
try:
    runpy.run_path("manage.py", run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
from django.conf import settings
print()
print(json.dumps(str(settings.STATIC_ROOT)))
`

/**
 * Collects the static files of a Django project, in a copy of it with its packages: the one step of packing that runs
 * the project's code. Required configuration that is not in the environment gets a value that stands for any.
 *
 * @throws ZappError COLLECT_STATIC, IO
 */
export async function collectStatic(
  manifest: Manifest,
  files: readonly PlannedFile[],
  interpreter: Interpreter,
  signal?: AbortSignal,
): Promise<Collected> {
  const manage = files.find(({ path }) => posix.basename(path) === 'manage.py' && path.split('/').length <= 2)
  if (!manage) throw fail('COLLECT_STATIC', '', { reason: 'the project has no manage.py' })
  const copy = await realpath(await mkdtemp(join(tmpdir(), 'zapp-static-')))
  try {
    await copyFiles(files, copy)
    const root = join(copy, posix.dirname(manage.path))
    const args = ['-c', SCRIPT, root, join(copy, LIBRARY), JSON.stringify(environment(manifest))]
    const output = await run(interpreter.command, args, signal).catch((error: { stderr?: string; message: string }) => {
      signal?.throwIfAborted()
      const reason = error.stderr?.trim().split('\n').at(-1) || error.message
      throw fail('COLLECT_STATIC', manage.path, { reason: reason.slice(0, 300) }, error)
    })
    const where = JSON.parse(output.trim().split('\n').at(-1) ?? '""')
    const folder = relative(copy, join(root, relative(root, where))).replaceAll(sep, '/')
    if (folder === '' || folder.startsWith('..')) {
      throw fail('COLLECT_STATIC', manage.path, { reason: `STATIC_ROOT must lie in the project, got ${where}` })
    }
    return { folder, files: await readCollected(join(copy, folder), folder) }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/** `env` of the entry points, and something for each variable that must be there. */
function environment(manifest: Manifest): Record<string, string> {
  const required = [...manifest.config.values()].filter(
    (variable) => variable.required || variable.default !== undefined,
  )
  const values = required.map(({ name, default: value }) => [name, value ?? 'collectstatic'] as const)
  return Object.assign(Object.fromEntries(values), ...[...manifest.entries.values()].map(({ env }) => env))
}

async function copyFiles(files: readonly PlannedFile[], to: string): Promise<void> {
  for (const folder of new Set(files.map(({ path }) => dirname(path))))
    await mkdir(join(to, folder), { recursive: true })
  for (const { path, source, size } of files) {
    await writeFile(join(to, path), typeof source === 'string' ? await readFile(source) : contentOf(source, size))
  }
}

async function readCollected(folder: string, name: string): Promise<PlannedFile[]> {
  const tree = walkTree(folder, { accept: () => true })
  return Promise.all(
    tree.files.map(async ({ path, source, size }) => {
      const stored = new Uint8Array(await readFile(source))
      return { path: `${name}/${path}`, source: { method: 'stored', stored }, size, mtimeMs: 0, dependency: true }
    }),
  )
}
