import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/**
 * A shell that sleeps on a pipe from this process. When the pipe breaks, because this process was killed, it ends the
 * groups that are left. It costs a write for each group, where a wrapper around each program (setpriv) would be one more
 * program to start for each, and would not reach what that program starts.
 */
export class Watchdog {
  readonly #child: ChildProcess

  constructor() {
    // A session of its own: a Ctrl-C in the terminal is not for it.
    this.#child = spawn('sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: {},
      cwd: '/',
    })
    // Groups end with this process all the same where it can end them itself.
    this.#child.on('error', () => {})
    this.#child.stdin?.on('error', () => {})
    this.#child.unref()
    ;(this.#child.stdin as Socket | null)?.unref()
  }

  add(leader: number): void {
    this.#child.stdin?.write(`+ ${leader}\n`)
  }

  remove(leader: number): void {
    this.#child.stdin?.write(`- ${leader}\n`)
  }

  async close(): Promise<void> {
    const { stdin, exitCode, pid } = this.#child
    if (exitCode !== null || pid === undefined) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    stdin?.end()
    await ended
  }
}

/** POSIX, built-ins only. The numbers between spaces are the groups that run. */
const SCRIPT = `g=' '
while read -r op id; do
  case $op in
    +) g="$g$id " ;;
    -) g="\${g%%" $id "*} \${g#*" $id "}" ;;
  esac
done
for id in $g; do kill -s KILL -- "-$id"; done`
