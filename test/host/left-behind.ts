import { readdirSync, readlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownIdentity } from '../../src/cache/process-id.ts'
import { descendants, isZombie } from '../helpers/processes.ts'

/** What was closed is gone a moment later: processes, and the ends of connections that `fetch` keeps. */
const LIMIT_MS = 5000

/** What this process holds, a word each: processes, folders of sockets, descriptors. */
async function held(): Promise<string[]> {
  const identity = await ownIdentity()
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith(`zapp-${identity}-`))
  const descriptors = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      // That of the list itself.
      return []
    }
  })
  const processes = descendants(process.pid).map((pid) => `process ${pid}${isZombie(pid) ? ', a zombie' : ''}`)
  // What the runtime opens for itself, when it needs it first, stays: to watch files, for chance.
  return [...processes, ...folders, ...descriptors.filter((name) => !/^anon_inode:|^\/dev\//.test(name))]
}

const before = process.platform === 'linux' ? await held() : []

async function more(): Promise<string[]> {
  const known = [...before]
  return (await held()).filter((one) => {
    const at = known.indexOf(one)
    if (at !== -1) known.splice(at, 1)
    return at === -1
  })
}

/** Whether nothing of a host is there: no process, no folder of a socket, no descriptor that was not there at first. */
export async function isClean(): Promise<boolean> {
  return process.platform !== 'linux' || (await more()).length === 0
}

/** @throws Error that names what is left */
export async function nothingIsLeft(): Promise<void> {
  const since = performance.now()
  while (!(await isClean())) {
    if (performance.now() - since > LIMIT_MS) throw new Error(`a host left behind: ${(await more()).join(', ')}`)
    await sleep(20)
  }
}
