// Plain JavaScript, because worker threads load this file from src/ (under vitest) and from dist/ alike.

/**
 * What one binary file runs on. See NativeTarget in archive/build-info.ts for the values.
 *
 * @typedef {object} BinaryTarget
 * @property {'addon' | 'library' | 'program'} kind
 * @property {string} platform
 * @property {string} arch
 * @property {'glibc' | 'musl'} [libc]
 * @property {'napi' | number} [abi]
 */

/** e_machine of ELF, as process.arch names it. @type {Record<number, string>} */
const ELF_ARCH = {
  3: 'ia32',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
}
/** cputype of Mach-O. @type {Record<number, string>} */
const MACH_ARCH = { 7: 'ia32', 16777223: 'x64', 16777228: 'arm64' }
/** Machine of PE. @type {Record<number, string>} */
const PE_ARCH = { 332: 'ia32', 452: 'arm', 34404: 'x64', 43620: 'arm64' }
/** EI_OSABI; 0 (System V) and 3 are what Linux writes. @type {Record<number, string>} */
const ELF_PLATFORM = { 0: 'linux', 3: 'linux', 6: 'sunos', 9: 'freebsd', 12: 'openbsd' }

const MACH_THIN_32 = 0xfeedface
const MACH_THIN_64 = 0xfeedfacf
const MACH_FAT = 0xcafebabe

/**
 * The targets of a binary, one for each architecture; none for what is no loadable binary (object files, Java classes
 * that share a magic with Mach-O, scripts).
 *
 * @param {Uint8Array} bytes the whole file
 * @param {string} path
 * @returns {BinaryTarget[]}
 */
export function nativeTargets(bytes, path) {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length < 64) return []
  const addon = path.endsWith('.node')
  return (
    file.readUInt32BE(0) === 0x7f454c46 ? elf(file) : file.readUInt16BE(0) === 0x4d5a ? pe(file) : mach(file)
  ).map((target) => (addon ? { ...target, kind: 'addon', ...abi(file) } : target))
}

/** @param {Buffer} file @returns {BinaryTarget[]} */
function elf(file) {
  const wide = file[4] === 2
  const big = file[5] === 2
  const u16 = (/** @type {number} */ at) => (big ? file.readUInt16BE(at) : file.readUInt16LE(at))
  const u32 = (/** @type {number} */ at) => (big ? file.readUInt32BE(at) : file.readUInt32LE(at))
  const [EXECUTABLE, SHARED] = [2, 3]
  const type = u16(16)
  if (type !== EXECUTABLE && type !== SHARED) return []

  // Program headers: PT_INTERP names the dynamic loader, which only programs have; a PT_NOTE of Android names it.
  const [PT_INTERP, PT_NOTE] = [3, 4]
  const table = wide ? u32(big ? 36 : 32) : u32(28)
  const size = u16(wide ? 54 : 42)
  const count = u16(wide ? 56 : 44)
  let interpreter = false
  let android = false
  for (let i = 0; i < count && table + (i + 1) * size <= file.length; i++) {
    const at = table + i * size
    if (u32(at) === PT_INTERP) interpreter = true
    if (u32(at) === PT_NOTE) {
      const [offset, length] = wide
        ? [u32(at + (big ? 12 : 8)), u32(at + (big ? 36 : 32))]
        : [u32(at + 4), u32(at + 16)]
      if (file.subarray(offset, offset + length).includes('Android\0')) android = true
    }
  }

  const platform = android ? 'android' : (ELF_PLATFORM[file[7] ?? 0] ?? 'unix')
  const machine = u16(18)
  return [
    {
      kind: type === SHARED && !interpreter ? 'library' : 'program',
      platform,
      arch: ELF_ARCH[machine] ?? `0x${machine.toString(16)}`,
      ...(platform === 'linux' ? libc(file) : {}),
    },
  ]
}

/** From the names of the libraries that it asks for. @param {Buffer} file @returns {{ libc?: 'glibc' | 'musl' }} */
function libc(file) {
  if (file.includes('libc.so.6') || file.includes('ld-linux')) return { libc: 'glibc' }
  if (file.includes('ld-musl-') || file.includes('libc.musl-') || file.includes('\0libc.so\0')) return { libc: 'musl' }
  return {}
}

/** @param {Buffer} file @returns {BinaryTarget[]} */
function pe(file) {
  const at = file.readUInt32LE(60)
  if (at + 24 > file.length || file.readUInt32LE(at) !== 0x00004550) return []
  const machine = file.readUInt16LE(at + 4)
  const DLL = 0x2000
  const kind = file.readUInt16LE(at + 22) & DLL ? 'library' : 'program'
  return [{ kind, platform: 'win32', arch: PE_ARCH[machine] ?? `0x${machine.toString(16)}` }]
}

/** @param {Buffer} file @returns {BinaryTarget[]} */
function mach(file) {
  if (file.readUInt32BE(0) === MACH_FAT) {
    const count = file.readUInt32BE(4)
    // A Java class has its version here, 45 or more.
    if (count > 30 || 8 + count * 20 > file.length) return []
    return Array.from({ length: count }, (_, i) => {
      const offset = file.readUInt32BE(8 + i * 20 + 8)
      return offset + 32 <= file.length ? machThin(file.subarray(offset)) : []
    }).flat()
  }
  return machThin(file)
}

/** @param {Buffer} file @returns {BinaryTarget[]} */
function machThin(file) {
  const magic = file.readUInt32LE(0)
  if (magic !== MACH_THIN_32 && magic !== MACH_THIN_64) return []
  const EXECUTABLE = 2
  const cpu = file.readUInt32LE(4)
  const kind = file.readUInt32LE(12) === EXECUTABLE ? 'program' : 'library'
  return [{ kind, platform: 'darwin', arch: MACH_ARCH[cpu] ?? `0x${cpu.toString(16)}` }]
}

/**
 * Which Node an addon loads in: any, where it speaks Node-API; else the NODE_MODULE_VERSION in the name of its
 * registration function. Addons built with older macros tell neither.
 *
 * @param {Buffer} file @returns {{ abi?: 'napi' | number }}
 */
function abi(file) {
  if (file.includes('napi_register_module_v') || file.includes('napi_module_register')) return { abi: 'napi' }
  const name = 'node_register_module_v'
  const at = file.indexOf(name)
  const version = at < 0 ? NaN : Number.parseInt(file.toString('latin1', at + name.length, at + name.length + 4), 10)
  return Number.isNaN(version) ? {} : { abi: version }
}
