import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openArchive } from '../../src/archive/archive.ts'
import { thisProcess } from '../../src/runtimes/container.ts'
import { loadApp, loadHosted } from '../../src/runtimes/load.ts'
import { describeInterpreter, findPython, type Interpreter, loadsExtension } from '../../src/runtimes/python.ts'
import { choosePython } from '../../src/runtimes/python-needs.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { tmpDir } from '../helpers/tmp.ts'

const { PATH, ZAPP_PYTHON } = process.env
let dir: string

beforeEach(async () => {
  dir = await tmpDir()
})
afterEach(() => {
  process.env.PATH = PATH
  if (ZAPP_PYTHON === undefined) delete process.env.ZAPP_PYTHON
  else process.env.ZAPP_PYTHON = ZAPP_PYTHON
})

/** A program that says it is an interpreter, and counts how often it was asked. */
const fake = (version: string, own = `/opt/python-${version}`, abi = `cp${version.split('.', 2).join('')}`) =>
  `#!/bin/sh\necho asked >> "$0.asked"\nprintf '%s\\n%s\\n%s\\n' '${version}' '${own}' '${abi}'\n`
const BROKEN = '#!/bin/sh\necho "pyenv: python3.12: command not found" >&2\nexit 127\n'

/** Makes PATH consist of folders with these files. */
async function onPath(...folders: Record<string, string>[]): Promise<string[]> {
  const paths = folders.map((_, index) => join(dir, String(index)))
  for (const [index, files] of folders.entries()) {
    await mkdir(paths[index]!, { recursive: true })
    for (const [name, text] of Object.entries(files)) await writeFile(join(paths[index]!, name), text, { mode: 0o755 })
  }
  process.env.PATH = paths.join(delimiter)
  return paths
}

const versions = (found: readonly Interpreter[]) => found.map(({ version }) => version)
const newer = (least: number) => (one: Interpreter) => Number(one.version.split('.')[1]) >= least

describe('the interpreter', () => {
  it('is python3 of PATH where that fits, and nothing else is asked', async () => {
    const [first] = await onPath({ python3: fake('3.11.2'), 'python3.13': fake('3.13.0') }, { python3: fake('3.10.1') })
    expect(await findPython(newer(11))).toMatchObject({
      chosen: { version: '3.11.2', file: '/opt/python-3.11.2', abi: 'cp311' },
    })
    await expect(readFile(join(first!, 'python3.13.asked'))).rejects.toMatchObject({ code: 'ENOENT' })
    await findPython(newer(11))
    expect(await readFile(join(first!, 'python3.asked'), 'utf8')).toBe('asked\n')
  })

  it('is the newest that fits where python3 does not, whatever its name', async () => {
    await onPath(
      { python3: fake('3.9.2'), 'python3.9': fake('3.9.2'), 'python3.10': fake('3.10.7'), 'python3.12': BROKEN },
      { 'python3.14': fake('3.14.0rc1'), python: fake('2.7.18'), 'python3-config': fake('3.99.0') },
    )
    const { chosen, found } = await findPython(newer(10))
    expect(chosen).toMatchObject({ version: '3.14.0rc1' })
    expect(versions(found)).toEqual(['3.14.0rc1', '3.10.7', '3.9.2', '2.7.18'])
  })

  it('is the one that ZAPP_PYTHON names, and no other', async () => {
    await onPath({ python3: fake('3.13.0') }, { own: fake('3.10.0') })
    process.env.ZAPP_PYTHON = join(dir, '1/own')
    expect(await findPython(() => true)).toMatchObject({ chosen: { version: '3.10.0' } })
    expect(await findPython(newer(12))).toMatchObject({ chosen: undefined, found: [{ version: '3.10.0' }] })
    process.env.ZAPP_PYTHON = join(dir, 'nothing')
    expect(await findPython(() => true)).toEqual({ chosen: undefined, found: [] })
  })

  it('is never older than 3.9, and that is said', async () => {
    await onPath({ python3: fake('3.8.18') })
    const { chosen, found } = await findPython(() => true)
    expect(chosen).toBeUndefined()
    expect(found.map(describeInterpreter)).toEqual(['3.8.18 at /opt/python-3.8.18 (Zapp needs 3.9 or newer)'])
  })

  it('is one and the same under two names in one folder; a virtual environment is another', async () => {
    const [bin] = await onPath({ 'python3.12': fake('3.12.1') }, {})
    await symlink('python3.12', join(bin!, 'python3'))
    await mkdir(join(dir, 'venv'))
    await symlink(join(bin!, 'python3.12'), join(dir, 'venv/python3.12'))
    await findPython(newer(99))
    expect(await readFile(join(bin!, 'python3.asked'), 'utf8')).toBe('asked\n')
    await expect(readFile(join(bin!, 'python3.12.asked'))).rejects.toMatchObject({ code: 'ENOENT' })
    process.env.PATH = [join(dir, 'venv'), bin].join(delimiter)
    await findPython(newer(99))
    expect(await readFile(join(dir, 'venv/python3.12.asked'), 'utf8')).toBe('asked\n')
  })

  it('loads extension modules of its own ABI, and of the stable one from their version on', () => {
    const load = (abi: string, tag: string) => loadsExtension({ file: '', version: '', abi }, tag)
    expect([load('cp311', 'cp311'), load('cp311', 'cp312'), load('cp313t', 'cp313t')]).toEqual([true, false, true])
    expect([load('cp311', 'cp39-abi3'), load('cp311', 'cp312-abi3'), load('cp311', 'abi3')]).toEqual([
      true,
      false,
      true,
    ])
    expect([load('cp313t', 'cp39-abi3'), load('pp310', 'cp39-abi3')]).toEqual([false, false])
  })
})

describe('the needs of an app of Python', () => {
  const entry = { type: 'wsgi', app: 'app:application' }
  const pack = (manifest: object, files: Record<string, string> = {}) =>
    makeArchive(dir, { entry, ...manifest }, { 'app.py': '', ...files })
  const refusal = async (file: string) => {
    const archive = await openArchive(file)
    const error = await loadHosted(archive, { cache: join(dir, 'cache') }).catch((reason) => reason)
    await archive.close()
    await expect(readFile(join(dir, 'cache'))).rejects.toMatchObject({ code: 'ENOENT' })
    return error
  }

  it('are its range, told with all that was found', async () => {
    const file = await pack({ dependencies: { runtime: { python: '>=3.12,<3.14' } } })
    await onPath({ python3: fake('3.11.2'), 'python3.14': fake('3.14.1'), 'python3.8': fake('3.8.1') })
    expect((await refusal(file)).findings).toMatchObject([
      {
        code: 'NEED_RUNTIME',
        args: {
          expected: '>=3.12,<3.14',
          got: [
            '3.14.1 at /opt/python-3.14.1',
            '3.11.2 at /opt/python-3.11.2',
            '3.8.1 at /opt/python-3.8.1 (Zapp needs 3.9 or newer)',
          ],
        },
      },
    ])
    process.env.PATH = dir
    expect((await refusal(file)).findings).toMatchObject([{ code: 'NEED_COMMAND', args: { command: 'python3' } }])
  })

  it('are packages that the machine must have, and a server for ASGI', async () => {
    const provided = { dependencies: { provided: { python: ['pip', 'no-such-distribution'] } } }
    expect((await refusal(await pack(provided))).findings).toMatchObject([
      { code: 'NEED_PROVIDED', args: { package: 'no-such-distribution' } },
    ])
    // An interpreter that finds none, whatever is installed here.
    await onPath({
      python3: `#!/bin/sh\ncase "$3" in *find_spec*) shift 3; printf '%s\\n' "$@";; *) printf '3.12.0\\n%s\\ncp312\\n' "$0";; esac\n`,
    })
    const asgi = { type: 'asgi', app: 'app:application' }
    const missing = async (manifest: object, files = {}) =>
      (await refusal(await pack(manifest, files))).findings.map(
        ({ code, args }: { code: string; args: { expected: string } }) => `${code} ${args.expected}`,
      )
    expect(await missing({ entry: asgi })).toEqual(['ENTRY_RUNNER uvicorn or hypercorn'])
    expect(await missing({ entry: asgi, workers: { server: 'hypercorn' } })).toEqual(['ENTRY_RUNNER hypercorn'])
    expect(await missing({ workers: { server: 'gunicorn' } })).toEqual(['ENTRY_RUNNER gunicorn'])
    const archive = await openArchive(await pack({ entry: asgi }, { 'ZAPP-INF/lib/uvicorn/__init__.py': '' }))
    const error = await loadHosted(archive, { cache: join(dir, 'cache2'), data: dir }).catch((reason) => reason)
    // It got as far as being started.
    expect(error).toMatchObject({ code: 'ENTRY_LOAD' })
    await archive.close()
  })

  it('are extension modules: an interpreter that loads them is taken before a newer one', async () => {
    await onPath({ python3: fake('3.11.2'), 'python3.12': fake('3.12.2'), 'python3.13': fake('3.13.2') })
    const { platform, arch } = process
    const addon = { path: 'x.so', package: 'x', kind: 'addon', platform, arch, python: 'cp312' } as const
    const archive = await openArchive(await pack({}))
    const choose = (...native: (typeof addon)[]) =>
      choosePython(archive.manifest, {
        build: { v: 1, packer: { name: 'zapp', version: '1' }, packages: [], native },
        container: thisProcess,
      })
    expect((await choose()).python?.version).toBe('3.11.2')
    expect((await choose(addon)).python?.version).toBe('3.12.2')
    // None loads it: it is told of one that lies in the range what it lacks.
    expect((await choose({ ...addon, python: 'cp310' } as never)).python?.version).toBe('3.11.2')
    await archive.close()
  })

  it('are a host: a library of Node refuses it, and says who does not', async () => {
    const error = await loadApp(await pack({})).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'ENTRY_RUNTIME', fix: expect.stringContaining('zapp serve') })
  })
})
