import { readdir, readFile, readlink } from 'node:fs/promises'

/** A TCP socket that accepts connections. */
export interface Listening {
  readonly address: string
  readonly port: number
  readonly loopback: boolean
}

/** State LISTEN in /proc/net/tcp. */
const LISTEN = '0A'

/**
 * The TCP listeners of all processes of a session, from /proc. Where there is none (it is Linux's): none.
 *
 * @param session id of the process that leads it
 */
export async function findListening(session: number): Promise<Listening[]> {
  const own = await socketsOf(session)
  if (own.size === 0) return []
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  return tables.flatMap((table) =>
    table.split('\n').flatMap((row) => {
      const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/)
      return state === LISTEN && own.has(inode) ? [parse(local)] : []
    }),
  )
}

/** Inodes of the sockets that the session holds open. */
async function socketsOf(session: number): Promise<Set<string>> {
  const inodes = new Set<string>()
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^[0-9]+$/.test(name))
  for (const pid of pids) {
    if ((await sessionOf(pid)) !== session) continue
    const folder = `/proc/${pid}/fd`
    for (const fd of await readdir(folder).catch(() => [])) {
      const target = await readlink(`${folder}/${fd}`).catch(() => '')
      const [, inode] = /^socket:\[([0-9]+)\]$/.exec(target) ?? []
      if (inode !== undefined) inodes.add(inode)
    }
  }
  return inodes
}

/** Field 6 of /proc/PID/stat; field 2, the name, may hold anything but is the only one in parentheses. */
async function sessionOf(pid: string): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
}

/** `0100007F:1F90`: each 32 bits of the address in the byte order of the machine, the port in that of the network. */
function parse(local: string): Listening {
  const [hex = '', port = ''] = local.split(':')
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex').reverse()])
  const v4 = bytes.length === 4 ? bytes : isMapped(bytes) ? bytes.slice(12) : undefined
  const loopback = v4 ? v4[0] === 127 : bytes.every((byte, i) => byte === (i === 15 ? 1 : 0))
  const address = v4 ? v4.join('.') : `[${groups(bytes)}]`
  return { address, port: Number.parseInt(port, 16), loopback }
}

/** ::ffff:127.0.0.1 */
function isMapped(bytes: readonly number[]): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
}

function groups(bytes: readonly number[]): string {
  if (bytes.every((byte) => byte === 0)) return '::'
  return (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? [])
    .map((group) => group.replace(/^0{1,3}/, ''))
    .join(':')
}
