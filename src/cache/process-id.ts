import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { thisBoot } from './boot.ts'

/**
 * Names of processes that a later process can judge, for files that say "mine": `<pid>-<start>-<where>`.
 *
 * A pid alone is not enough, it is given out again; with the moment of the start it is one process of this boot. `where`
 * tells boots and pid namespaces apart: two containers that share a cache both hold a process 1.
 */
export type Liveness = 'alive' | 'dead' | 'unknown'

let own: Promise<string> | undefined

/** This process. It holds no character that is special in a file name. */
export function ownIdentity(): Promise<string> {
  own ??= Promise.all([ownStart(), place()]).then(([start, where]) => `${process.pid}-${start}-${where}`)
  return own
}

/** Whether the process of that name still runs; unknown when it belongs to another boot, machine or container. */
export async function liveness(identity: string): Promise<Liveness> {
  const [pid, start, where] = identity.split('-')
  if (!pid || !start || where !== (await place())) return 'unknown'
  const now = await startOf(Number(pid))
  if (now === undefined) return 'dead'
  // Linux counts in ticks, exactly. `ps` rounds to seconds, and Node's clock starts a little after the process.
  return Math.abs(now - Number(start)) <= (process.platform === 'linux' ? 0 : 2) ? 'alive' : 'dead'
}

async function ownStart(): Promise<number> {
  return process.platform === 'linux' ? (await startOf(process.pid))! : Math.floor(performance.timeOrigin / 1000)
}

/** When a process started, in the unit of this platform; undefined when there is none. */
async function startOf(pid: number): Promise<number | undefined> {
  if (process.platform === 'linux') return linuxStart(pid)
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
  }
  // Windows has no cheap answer: there the pid decides, and a reused one keeps a tree or a temporary folder for longer.
  if (pid === process.pid || process.platform === 'win32') return Math.floor(performance.timeOrigin / 1000)
  const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  const start = Date.parse(stdout.trim())
  return Number.isNaN(start) ? undefined : Math.floor(start / 1000)
}

/** Field 22 of /proc/PID/stat, clock ticks since boot: proc_pid_stat(5). */
async function linuxStart(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  // Field 2 is the program's name in brackets, which may hold spaces and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields[0], fields[19]]
  // A zombie has ended; only its parent has not asked yet.
  if (start === undefined || state === 'Z' || state === 'X') return undefined
  return Number(start)
}

let here: Promise<string> | undefined

function place(): Promise<string> {
  here ??= Promise.all([
    thisBoot().then((boot) => boot ?? hostname()),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]).then((parts) => createHash('sha256').update(parts.join()).digest('hex').slice(0, 12))
  return here
}
