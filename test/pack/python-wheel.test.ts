import { expect, test } from 'vitest'
import type { ZappError } from '../../src/errors.ts'
import { readWheel } from '../../src/pack/python/wheel.ts'
import { makeWheel, sharedObject, type WheelSpec } from './helpers/wheel.ts'

const read = async (spec: WheelSpec) => readWheel(await makeWheel(spec))
const problem = async (spec: WheelSpec) => {
  const error: ZappError = await read(spec).then(
    () => expect.fail('was read'),
    (e) => e,
  )
  return `${error.code} ${error.message}`
}

test('a wheel lays what is imported and its metadata, spread from .data; no scripts, no compiled files, no notes', async () => {
  const wheel = await read({
    name: 'Some-Thing',
    version: '1.2',
    metadata: ['License-Expression: MIT', 'Requires-Dist: other>=1; python_version < "3"', 'Requires-Dist: third'],
    files: {
      'thing/__init__.py': 'x = 1\n',
      'thing/__pycache__/__init__.cpython-311.pyc': 'compiled',
      'old.pyc': 'compiled',
      'Some_Thing-1.2.data/purelib/pure.py': '',
      'Some_Thing-1.2.data/platlib/plat.py': '',
      'Some_Thing-1.2.data/data/share/thing.txt': 'data',
      'Some_Thing-1.2.data/scripts/thing': '#!python\n',
      'Some_Thing-1.2.data/headers/thing.h': '',
      'Some_Thing-1.2.dist-info/INSTALLER': 'pip\n',
      'Some_Thing-1.2.dist-info/direct_url.json': '{}',
    },
  })
  expect(wheel).toMatchObject({
    id: 'some-thing',
    name: 'Some-Thing',
    version: '1.2',
    license: 'MIT',
    requires: ['other>=1; python_version < "3"', 'third'],
    info: 'Some_Thing-1.2.dist-info',
  })
  expect(wheel.files.map(({ path }) => path).sort()).toEqual([
    'Some_Thing-1.2.dist-info/METADATA',
    'Some_Thing-1.2.dist-info/RECORD',
    'Some_Thing-1.2.dist-info/WHEEL',
    'plat.py',
    'pure.py',
    'share/thing.txt',
    'thing/__init__.py',
  ])
})

test('WHEEL_INVALID: RECORD must list every file, with its hash', async () => {
  const changed = (rows: Map<string, string>) => rows.set('a.py', 'sha256=AAAA')
  expect(await problem({ name: 'a', record: changed })).toMatch(/WHEEL_INVALID .*a\.py must have the hash in RECORD/)
  const hidden = (rows: Map<string, string>) => rows.delete('a.py')
  expect(await problem({ name: 'a', record: hidden })).toMatch(/RECORD does not list a\.py/)
  const absent = (rows: Map<string, string>) => rows.set('b.py', 'sha256=AAAA')
  expect(await problem({ name: 'a', record: absent })).toMatch(/RECORD lists b\.py, which it does not hold/)
  const weak = (rows: Map<string, string>) => rows.set('a.py', 'md5=AAAA')
  expect(await problem({ name: 'a', record: weak })).toMatch(/WHEEL_INVALID/)
})

test('WHEEL_INVALID: one .dist-info folder, a name with tags', async () => {
  const two = { 'a.py': '', 'b-1.dist-info/METADATA': 'Name: b\nVersion: 1\n' }
  expect(await problem({ name: 'a', files: two })).toMatch(/it must hold one \.dist-info folder/)
  const { bytes } = await makeWheel({ name: 'a' })
  await expect(readWheel({ file: 'a-1.0.0.whl', bytes })).rejects.toMatchObject({ code: 'WHEEL_INVALID' })
  await expect(readWheel({ file: 'a-1.0.0-py3-none-any.whl', bytes: bytes.subarray(0, 100) })).rejects.toMatchObject({
    code: 'ZIP_UNREADABLE',
  })
})

test('names that leave the folder are refused, as in every foreign zip', async () => {
  const { bytes, file } = await makeWheel({ name: 'a', files: { 'zz/x.py': '' } })
  // yazl refuses to write such names.
  const hostile = Buffer.from(bytes.toString('latin1').replaceAll('zz/x.py', '../x.py'), 'latin1')
  await expect(readWheel({ file, bytes: hostile })).rejects.toMatchObject({
    code: 'NAME_DOT_SEGMENT',
    findings: [{ path: 'a-1.0.0-py3-none-any.whl/../x.py' }],
  })
})

test.each([
  ['cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64', { python: 'cp311', libc: 'glibc' }],
  ['cp313-cp313t-musllinux_1_2_aarch64', { python: 'cp313t', libc: 'musl' }],
  ['cp39.cp310-abi3-manylinux_2_28_x86_64', { python: 'cp39-abi3', libc: 'glibc' }],
  ['py3-none-manylinux2014_x86_64', { libc: 'glibc' }],
  ['cp312-cp312-macosx_11_0_arm64', { python: 'cp312' }],
  ['cp311-none-any', undefined],
])('extension modules in a wheel of tags %s', async (tags, addon) => {
  const files = {
    'a/_fast.cpython-311-x86_64-linux-gnu.so': sharedObject(),
    'a.libs/libz.so': sharedObject(),
    'a/__init__.py': '',
  }
  const wheel = await read({ name: 'a', tags, files })
  const tagged = Object.fromEntries(wheel.files.map((file) => [file.path, file.addon]))
  expect(tagged['a/_fast.cpython-311-x86_64-linux-gnu.so']).toEqual(addon)
  expect(tagged['a.libs/libz.so']).toBeUndefined()
  expect(tagged['a/__init__.py']).toBeUndefined()
})
