import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second, whatever the kernel's own clock is (proc(5), sysconf(_SC_CLK_TCK)). */
const TICK_MS = 10

/**
 * What a process and all that it has started have computed so far, in ms, with those of them that have ended and were
 * waited for. Of a server under load it says what requests a second do not: those depend on what else the machine does.
 *
 * @param {number} root its id
 */
export function cpuTime(root) {
  const processes = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        const stat = read(`/proc/${name}/stat`)
        // The name in parentheses may hold anything. Behind it: state, parent, …; utime to cstime are fields 14 to 17.
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
        return stat === '' ? [] : [[Number(name), { parent: Number(fields[1]), ticks }]]
      }),
  )
  let ticks = 0
  for (const [id, process] of processes) {
    for (let at = id; at > 0; at = processes.get(at)?.parent ?? 0) if (at === root) ticks += process.ticks
  }
  return ticks * TICK_MS
}

/** Empty where the process has ended. @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
