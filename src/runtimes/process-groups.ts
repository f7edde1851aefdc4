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
  try {
    process.kill(process.platform === 'win32' ? leader : -leader, signal)
  } catch {
    // Nobody is left in it.
  }
}
