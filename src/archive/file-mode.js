// Plain JavaScript, because worker threads load this file from src/ (under vitest) and from dist/ alike.

/** `#!`, ELF, PE (MZ), Mach-O in both byte orders and widths, fat Mach-O. FORMAT.md §Modes. */
const MAGICS = ['2321', '4d5a', '7f454c46', 'feedface', 'feedfacf', 'cefaedfe', 'cffaedfe', 'cafebabe', 'cafebabf'].map(
  (hex) => Buffer.from(hex, 'hex'),
)

/**
 * Whether a file is a program, by its first bytes. Never the disk's mode, which umask and Windows change.
 *
 * @param {Uint8Array} bytes
 */
export function isProgram(bytes) {
  return MAGICS.some((magic) => magic.every((byte, i) => bytes[i] === byte))
}
