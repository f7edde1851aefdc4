/** Groups of processes that must not outlive this one, by the id of their leader. */
const groups = new Set<number>()
let heldAtExit = false

/** Has a group ended with this process, until it is let go. */
export function holdGroup(leader: number): void {
  if (!heldAtExit) process.once('exit', () => groups.forEach((held) => void signalGroup(held, 'SIGKILL')))
  heldAtExit = true
  groups.add(leader)
}

export function letGroupGo(leader: number): void {
  groups.delete(leader)
}

export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  signalTo(process.platform === 'win32' ? leader : -leader, signal)
}

/** The same, where it was started a moment ago and may not lead a group yet: it is alone then. */
export function signalYoungGroup(leader: number, signal: NodeJS.Signals): void {
  if (!signalTo(-leader, signal)) signalTo(leader, signal)
}

/** @returns whether anybody was there */
function signalTo(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal)
  } catch {
    return false
  }
}
