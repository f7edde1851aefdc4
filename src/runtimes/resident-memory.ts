import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Reads of one turn of the event loop: a thousand processes must not keep it from connections. */
const AT_ONCE = 32

/**
 * Resident bytes of groups of processes, by their leaders: from /proc on Linux, by `ps` elsewhere. Pages that several
 * processes share count in each. A group of which nobody is left is 0.
 */
export async function residentMemory(leaders: readonly number[]): Promise<Map<number, number>> {
  const sums = new Map(leaders.map((leader) => [leader, 0]))
  const add = (group: number, bytes: number) => {
    const sum = sums.get(group)
    if (sum !== undefined) sums.set(group, sum + bytes)
  }
  if (process.platform === 'linux') await readProc(add)
  else await readPs(add)
  return sums
}

type Add = (group: number, bytes: number) => void

async function readProc(add: Add): Promise<void> {
  const page = await pageSize()
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))
  while (pids.length > 0) {
    for (const pid of pids.splice(0, AT_ONCE)) {
      const text = statOf(pid)
      // Field 2 of proc_pid_stat(5) is the program's name in brackets, which may hold spaces and brackets itself.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      // Fields 5, pgrp, and 24, rss in pages.
      add(Number(fields[2]), Number(fields[21] ?? 0) * page)
    }
    await turn()
  }
}

/** From memory, never a disk: to leave it to a thread costs twice as much. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    // It has ended.
    return ''
  }
}

let known: Promise<number> | undefined

/** Of this machine: 4 KiB nearly everywhere, 16 or 64 on some of ARM and POWER. getauxval(3): AT_PAGESZ. */
function pageSize(): Promise<number> {
  known ??= readFile('/proc/self/auxv').then((pairs) => {
    for (let at = 0; at + 16 <= pairs.length; at += 16) {
      if (pairs.readBigUInt64LE(at) === 6n) return Number(pairs.readBigUInt64LE(at + 8))
    }
    return 4096
  })
  return known
}

async function readPs(add: Add): Promise<void> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,rss='])
  for (const line of stdout.trim().split('\n')) {
    const [group, kib] = line.trim().split(/\s+/)
    add(Number(group), Number(kib) * 1024)
  }
}
