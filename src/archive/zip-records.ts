/**
 * The three records of a zip file that the format uses (APPNOTE.TXT 6.3.10 §4.3). All numbers are little-endian.
 * Zip64 records, data descriptors and the archive extra data record must be absent, so nothing here reads them.
 *
 * End of central directory record, §4.3.16
 *
 *     offset size
 *          0    4  signature 50 4b 05 06
 *          4    2  number of this disk
 *          6    2  disk where the directory starts
 *          8    2  entries of the directory on this disk
 *         10    2  entries of the directory
 *         12    4  size of the directory
 *         16    4  offset of the directory
 *         20    2  comment length
 *         22       comment
 */
export const END = {
  signature: 0x06054b50,
  size: 22,
  disk: 4,
  directoryDisk: 6,
  diskCount: 8,
  count: 10,
  directorySize: 12,
  directoryOffset: 16,
  commentLength: 20,
} as const

/**
 * Central directory file header, §4.3.12
 *
 *     offset size
 *          0    4  signature 50 4b 01 02
 *          4    2  version made by: low byte version, high byte system of the external attributes
 *          6    2  version needed
 *          8    2  general purpose flags
 *         10    2  method
 *         12    2  time
 *         14    2  date
 *         16    4  CRC-32
 *         20    4  compressed size
 *         24    4  size
 *         28    2  name length
 *         30    2  extra field length
 *         32    2  comment length
 *         34    2  number of the disk where the entry starts
 *         36    2  internal attributes
 *         38    4  external attributes: low 16 bits DOS, high 16 bits Unix mode
 *         42    4  offset of the local header
 *         46       name, extra field, comment
 */
export const CENTRAL = {
  signature: 0x02014b50,
  size: 46,
  version: 6,
  flags: 8,
  method: 10,
  time: 12,
  crc32: 16,
  compressedSize: 20,
  uncompressedSize: 24,
  nameLength: 28,
  extraLength: 30,
  commentLength: 32,
  disk: 34,
  attributes: 38,
  localOffset: 42,
} as const

/**
 * Local file header, §4.3.7. From the version to the name length it has the fields of the central header in the same
 * order, two bytes earlier.
 *
 *     offset size
 *          0    4  signature 50 4b 03 04
 *          4    2  version needed
 *          6    2  general purpose flags
 *          8    2  method
 *         10    2  time
 *         12    2  date
 *         14    4  CRC-32
 *         18    4  compressed size
 *         22    4  size
 *         26    2  name length
 *         28    2  extra field length
 *         30       name, extra field, then the data
 */
export const LOCAL = {
  signature: 0x04034b50,
  size: 30,
  version: 4,
  flags: 6,
  nameLength: 26,
  extraLength: 28,
} as const

/** Zip64 end of central directory locator, §4.3.15: 20 bytes directly in front of the end record. */
export const ZIP64_LOCATOR = { signature: 0x07064b50, size: 20 } as const

/** In a 32-bit or 16-bit field: the value is in a zip64 record (§4.4.1.4). */
export const SENTINEL32 = 0xffff_ffff
export const SENTINEL16 = 0xffff

/** General purpose flags, §4.4.4. */
export const FLAG = {
  /** Bit 0 encrypted, 6 strong encryption, 13 encrypted directory. */
  encrypted: 0x2041,
  /** Bit 3: CRC and sizes follow the data. */
  descriptor: 0x0008,
  /** Bits 1 and 2: which effort deflate made. */
  level: 0x0006,
  /** Bit 11: the name is UTF-8. */
  utf8: 0x0800,
} as const

export const STORED = 0
export const DEFLATE = 8
