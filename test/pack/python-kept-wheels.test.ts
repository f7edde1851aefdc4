import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Dependencies } from '../../src/pack/python/dependencies.ts'
import type { FetchOptions } from '../../src/pack/python/fetch-wheels.ts'
import { keptWheels } from '../../src/pack/python/kept-wheels.ts'
import { tmpDir } from '../helpers/tmp.ts'
import { countingPython } from './helpers/count-pip.ts'
import { makeWheels } from './helpers/wheel.ts'

/** A folder of wheels, and a pip that takes all of them. */
let links: string
let folder: string
let asked: () => number
let options: FetchOptions

beforeEach(async () => {
  links = await tmpDir()
  folder = join(await tmpDir(), 'wheels')
  await makeWheels(links, [{ name: 'one' }])
  const python = await countingPython(`cp ${links}/*.whl "$5"`)
  asked = python.asked
  const interpreter = { command: python.command, version: '3.11.7', pip: '24.0', settings: {}, markers: {} }
  options = { interpreter, target: { platforms: [] }, targetName: 'this' }
})

const needs = (...lines: string[]): Dependencies => ({
  ...{ from: 'requirements.txt', lines, constraints: [], roots: [], locked: false, findings: [] },
})
const withSettings = (settings: Record<string, string>) => ({
  ...options,
  interpreter: { ...options.interpreter, settings },
})
const get = async (dependencies: Dependencies, own = options) =>
  (await keptWheels(folder, dependencies, own)).map(({ file }) => file)

const ONE = 'one-1.0.0-py3-none-any.whl'
const TWO = 'two-1.0.0-py3-none-any.whl'

describe('kept wheels', () => {
  it('are those that pip gave when it was asked the same', async () => {
    const first = await keptWheels(folder, needs('one'), options)
    expect(await keptWheels(folder, needs('one'), options)).toEqual(first)
    expect([first.map(({ file }) => file), asked()]).toEqual([[ONE], 1])
  })

  it('are of one list, one Python, one target, one set of settings', async () => {
    const { interpreter } = options
    for (const [times, dependencies, own] of [
      [1, needs('one'), options],
      [2, needs('one', 'two'), options],
      [3, { ...needs('one'), constraints: ['one<2'] }, options],
      [4, needs('one'), { ...options, target: { platforms: ['manylinux_2_28_x86_64'] } }],
      [5, needs('one'), { ...options, interpreter: { ...interpreter, version: '3.11.8' } }],
      [6, needs('one'), withSettings({ PIP_INDEX_URL: 'https://packages.example/simple' })],
    ] as const) {
      for (const _ of [1, 2]) await get(dependencies, own)
      expect(asked()).toBe(times)
    }
    // Those asked for last.
    expect(readdirSync(folder)).toHaveLength(4)
  })

  it.each(['a line', 'a setting'])('are fetched anew when a local folder has others, named by %s', async (by) => {
    const own = by === 'a line' ? options : withSettings({ PIP_FIND_LINKS: `https://packages.example/ ${links}` })
    const list = by === 'a line' ? needs('--no-index', `--find-links ${links}`, 'one') : needs('one')
    expect([await get(list, own), await get(list, own), asked()]).toEqual([[ONE], [ONE], 1])
    await makeWheels(links, [{ name: 'two' }])
    expect([await get(list, own), await get(list, own), asked()]).toEqual([[ONE, TWO], [ONE, TWO], 2])
    await writeFile(join(links, TWO), 'another')
    await get(list, own)
    expect(asked()).toBe(3)
  })

  it.each([
    ['--index-url ./index', {}],
    ['--extra-index-url=file:///srv/index', {}],
    ['-i "https://packages.example/"', {}],
    ['--find-links file:///srv/wheels', {}],
    ['one', { PIP_EXTRA_INDEX_URL: 'https://packages.example/ /srv/index' }],
    ['one', { PIP_CONSTRAINT: '/srv/constraints.txt' }],
  ])('are not kept where files decide that nobody looks at, as with %j and %j', async (line, settings) => {
    const own = withSettings(settings as Record<string, string>)
    for (const _ of [1, 2]) await get(needs(line), own)
    expect(asked()).toBe(2)
  })

  it('are none where pip finds none', async () => {
    const failing = await countingPython('echo "ERROR: No matching distribution found for one" >&2; exit 1')
    const own = { ...options, interpreter: { ...options.interpreter, command: failing.command } }
    for (const times of [1, 2]) {
      await expect(get(needs('one'), own)).rejects.toMatchObject({ code: 'WHEEL_MISSING' })
      expect(failing.asked()).toBe(times)
    }
  })
})
