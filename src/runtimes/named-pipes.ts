import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

const NAMES = ['in', 'out', 'err']

/** The ends that stay here. Destroying one closes it. */
export interface NearEnds {
  readonly input: Socket | undefined
  readonly output: Socket
  readonly errors: Socket
}

/**
 * Three pipes for one program after another. What Node makes by itself for `stdio: 'pipe'` are sockets, and a socket cannot
 * be opened again: `cat /dev/stdin` and `echo >/dev/stderr`, which shell scripts like to say, end with ENXIO there.
 */
export class NamedPipes {
  readonly #folder: string
  #made: number
  readonly #slot: number

  private constructor(folder: string, slot: number, made: number) {
    this.#folder = folder
    this.#slot = slot
    this.#made = made
  }

  /** @param folder one that only this user can enter @throws what keeps the pipes from being made */
  static async make(folder: string, count: number): Promise<NamedPipes[]> {
    const pipes = Array.from({ length: count }, (_, slot) => new NamedPipes(folder, slot, 0))
    await mkfifo(
      folder,
      pipes.flatMap((made) => made.#files()),
    )
    return pipes
  }

  /**
   * Opens both ends of each.
   *
   * @param withInput else the program's input is empty
   * @returns far ends: descriptors for the program's stdio, to be closed as soon as it has them
   * @throws as `open` does, with nothing left open
   */
  open(withInput: boolean): { near: NearEnds; far: [input: number | 'ignore', output: number, errors: number] } {
    const [inFile, outFile, errFile] = this.paths
    const opened: number[] = []
    const open = (file: string, flags: number) => {
      const fd = openSync(file, flags)
      opened.push(fd)
      return fd
    }
    try {
      // A pipe opens for writing only when a reader is there; one that does not block need not wait for a writer.
      const [outHere, outThere] = [open(outFile, O_RDONLY | O_NONBLOCK), open(outFile, O_WRONLY)]
      const [errHere, errThere] = [open(errFile, O_RDONLY | O_NONBLOCK), open(errFile, O_WRONLY)]
      const [inThere, inHere] = withInput
        ? [open(inFile, O_RDONLY | O_NONBLOCK), open(inFile, O_WRONLY | O_NONBLOCK)]
        : (['ignore', undefined] as const)
      const near = {
        input: inHere === undefined ? undefined : new Socket({ fd: inHere, readable: false, writable: true }),
        output: new Socket({ fd: outHere, readable: true, writable: false }),
        errors: new Socket({ fd: errHere, readable: true, writable: false }),
      }
      return { near, far: [inThere, outThere, errThere] }
    } catch (error) {
      for (const fd of opened) closeSync(fd)
      throw error
    }
  }

  get paths(): readonly [input: string, output: string, errors: string] {
    return this.#files().map((name) => join(this.#folder, name)) as [string, string, string]
  }

  /** Makes new ones: somebody has kept an end of the old ones, and shall not meet the next program there. */
  async replace(): Promise<void> {
    this.#made++
    await mkfifo(this.#folder, this.#files())
  }

  /** Whether a process still has the reading end of the input. */
  get hasReader(): boolean {
    try {
      closeSync(openSync(this.paths[0], O_WRONLY | O_NONBLOCK))
      return true
    } catch {
      return false
    }
  }

  #files(): string[] {
    return NAMES.map((name) => `${this.#slot}-${this.#made}-${name}`)
  }
}

async function mkfifo(folder: string, names: readonly string[]): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', '--', ...names], { cwd: folder })
}
