import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nativeTargets } from '../../src/pack/native-target.js'
import { tmpDir } from '../helpers/tmp.ts'
import { makeTree } from './helpers/tree.ts'

/** An ELF header, with program headers of the given types, and text after it, which is what they are about. */
function elf(options: {
  machine: number
  type?: number
  os?: number
  bits?: 32 | 64
  big?: boolean
  headers?: number[]
  text?: string
}) {
  const { machine, type = 3, os = 0, bits = 64, big = false, headers = [], text = '' } = options
  const wide = bits === 64
  const [size, entry] = wide ? [64, 56] : [52, 32]
  const bytes = Buffer.alloc(Math.max(64, size) + headers.length * entry)
  const u16 = (value: number, at: number) => (big ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at))
  const u32 = (value: number, at: number) => (big ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at))
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, big ? 2 : 1, 1, os])
  u16(type, 16)
  u16(machine, 18)
  const table = Math.max(64, size)
  u32(table, wide ? (big ? 36 : 32) : 28)
  u16(entry, wide ? 54 : 42)
  u16(headers.length, wide ? 56 : 44)
  for (const [i, header] of headers.entries()) {
    const at = table + i * entry
    u32(header, at)
    // Offset and size in the file: each segment is the text.
    u32(bytes.length, at + (wide ? (big ? 12 : 8) : 4))
    u32(text.length, at + (wide ? (big ? 36 : 32) : 16))
  }
  return Buffer.concat([bytes, Buffer.from(text, 'latin1')])
}

function macho(cpu: number, type: number): Buffer {
  const bytes = Buffer.alloc(64)
  bytes.writeUInt32LE(0xfeedfacf, 0)
  bytes.writeUInt32LE(cpu, 4)
  bytes.writeUInt32LE(type, 12)
  return bytes
}

function pe(machine: number, characteristics: number): Buffer {
  const bytes = Buffer.alloc(256)
  bytes.write('MZ')
  bytes.writeUInt32LE(128, 60)
  bytes.write('PE\0\0', 128)
  bytes.writeUInt16LE(machine, 132)
  bytes.writeUInt16LE(characteristics, 150)
  return bytes
}

const [X64, ARM64] = [0x01000007, 0x0100000c]

test('ELF: platform, architecture, C library and ABI as far as the file tells', () => {
  const libc = (text: string) => nativeTargets(elf({ machine: 62, text }), 'x.node')[0]?.libc
  expect(nativeTargets(elf({ machine: 62, text: '\0libc.so.6\0napi_register_module_v1\0' }), 'x.node')).toEqual([
    { kind: 'addon', platform: 'linux', arch: 'x64', libc: 'glibc', abi: 'napi' },
  ])
  expect([libc('\0libc.musl-x86_64.so.1\0'), libc('\0libc.so\0'), libc('\0libm.so.6\0')]).toEqual([
    'musl',
    'musl',
    undefined,
  ])
  expect(nativeTargets(elf({ machine: 183, text: 'node_register_module_v115\0' }), 'a.node')).toEqual([
    { kind: 'addon', platform: 'linux', arch: 'arm64', abi: 115 },
  ])
  expect(nativeTargets(elf({ machine: 40, bits: 32, headers: [4], text: 'Android\0libc.so\0' }), 'a.node')).toEqual([
    { kind: 'addon', platform: 'android', arch: 'arm' },
  ])
  expect(nativeTargets(elf({ machine: 22, big: true, os: 3 }), 'lib.so.1')).toEqual([
    { kind: 'library', platform: 'linux', arch: 's390x' },
  ])
  expect(nativeTargets(elf({ machine: 62, os: 9, type: 2 }), 'server')).toEqual([
    { kind: 'program', platform: 'freebsd', arch: 'x64' },
  ])
  // Position-independent programs are shared objects with an interpreter.
  expect(nativeTargets(elf({ machine: 9999, headers: [6, 3] }), 'server')).toEqual([
    { kind: 'program', platform: 'linux', arch: '0x270f' },
  ])
})

test('Mach-O, fat Mach-O and PE', () => {
  expect(nativeTargets(macho(ARM64, 8), 'a.node')).toEqual([{ kind: 'addon', platform: 'darwin', arch: 'arm64' }])
  expect(nativeTargets(macho(X64, 2), 'tool')).toEqual([{ kind: 'program', platform: 'darwin', arch: 'x64' }])
  const header = Buffer.alloc(48)
  header.writeUInt32BE(0xcafebabe, 0)
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(48, 16)
  header.writeUInt32BE(112, 36)
  expect(nativeTargets(Buffer.concat([header, macho(X64, 6), macho(ARM64, 6)]), 'fat.dylib')).toEqual([
    { kind: 'library', platform: 'darwin', arch: 'x64' },
    { kind: 'library', platform: 'darwin', arch: 'arm64' },
  ])
  expect(nativeTargets(pe(0x8664, 0x2000), 'a.node')).toEqual([{ kind: 'addon', platform: 'win32', arch: 'x64' }])
  expect(nativeTargets(pe(0xaa64, 0), 'tool.exe')).toEqual([{ kind: 'program', platform: 'win32', arch: 'arm64' }])
})

test('what is no loadable binary has no target: object files, Java classes, scripts, DOS programs, cut-off files', () => {
  const javaClass = Buffer.concat([Buffer.from('cafebabe00000034', 'hex'), Buffer.alloc(100)])
  const dos = Buffer.concat([Buffer.from('MZ'), Buffer.alloc(100)])
  const script = Buffer.from(`#!/bin/sh\n${'x'.repeat(100)}`)
  for (const bytes of [
    elf({ machine: 62, type: 1 }),
    javaClass,
    dos,
    script,
    Buffer.from('7f454c46', 'hex'),
    Buffer.alloc(0),
  ]) {
    expect(nativeTargets(bytes, 'x.node')).toEqual([])
  }
  for (let length = 64; length < 256; length += 7) nativeTargets(pe(0x8664, 0).subarray(0, length), 'x')
})

test('the running Node is what it says it is', () => {
  const [target] = nativeTargets(readFileSync(process.execPath), 'bin/node')
  expect(target).toMatchObject({ kind: 'program', platform: process.platform, arch: process.arch })
})

const compiler = spawnSync('cc', ['--version']).error === undefined

test.skipIf(!compiler || process.platform !== 'linux')(
  `a real addon${compiler ? '' : ' (cc is not installed)'}`,
  async () => {
    const dir = await makeTree(
      { 'addon.c': 'int puts(const char*);\nint napi_register_module_v1(void) { return puts("x"); }\n' },
      await tmpDir(),
    )
    execFileSync('cc', ['-shared', '-fPIC', '-o', join(dir, 'addon.node'), join(dir, 'addon.c')])
    expect(nativeTargets(readFileSync(join(dir, 'addon.node')), 'addon.node')).toMatchObject([
      { kind: 'addon', platform: 'linux', arch: process.arch, abi: 'napi' },
    ])
  },
)
