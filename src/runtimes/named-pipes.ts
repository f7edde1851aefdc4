import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readLines } from './log-lines.ts'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

const NAMES = ['in', 'out', 'err']

/** The ends that stay here. Destroying one closes it. */
export interface NearEnds {
  readonly input: Socket | undefined
  readonly output: Socket
}

/** Pipes as a program finds them. */
interface Made {
  readonly paths: readonly [input: string, output: string, errors: string]
  /** Of one program after another, as they are lines of one log: it is opened once, and never at its end. */
  readonly errors: Socket
  readonly errorsFar: number
}

/**
 * Three pipes for one program after another. What Node makes by itself for `stdio: 'pipe'` are sockets, and a socket cannot
 * be opened again: `cat /dev/stdin` and `echo >/dev/stderr`, which shell scripts like to say, end with ENXIO there.
 */
export class NamedPipes {
  /** Told every line on the errors. */
  onLine: (text: string) => void = () => {}
  readonly #folder: string
  readonly #slot: number
  #made: Made
  #count = 0

  private constructor(folder: string, slot: number) {
    this.#folder = folder
    this.#slot = slot
    this.#made = this.#openErrors()
  }

  /** @param folder one that only this user can enter @throws what keeps the pipes from being made */
  static async make(folder: string, count: number): Promise<NamedPipes[]> {
    const slots = Array.from({ length: count }, (_, slot) => slot)
    await mkfifo(
      folder,
      slots.flatMap((slot) => files(slot, 0)),
    )
    return slots.map((slot) => new NamedPipes(folder, slot))
  }

  /** To be opened for reading, writing and writing. */
  get paths(): Made['paths'] {
    return this.#made.paths
  }

  /**
   * Opens both ends of each.
   *
   * @param withInput else the program's input is empty
   * @returns far ends: descriptors for the program's stdio, to be given to {@link closeFar} as soon as it has them
   * @throws as `open` does, with nothing left open
   */
  open(withInput: boolean): { near: NearEnds; far: [input: number | 'ignore', output: number, errors: number] } {
    const [inFile, outFile] = this.paths
    const opened: number[] = []
    const open = (file: string, flags: number) => {
      const fd = openSync(file, flags)
      opened.push(fd)
      return fd
    }
    try {
      // A pipe opens for writing only when a reader is there; one that does not block need not wait for a writer.
      const [outHere, outThere] = [open(outFile, O_RDONLY | O_NONBLOCK), open(outFile, O_WRONLY)]
      const [inThere, inHere] = withInput
        ? [open(inFile, O_RDONLY | O_NONBLOCK), open(inFile, O_WRONLY | O_NONBLOCK)]
        : (['ignore', undefined] as const)
      const near = {
        input: inHere === undefined ? undefined : new Socket({ fd: inHere, readable: false, writable: true }),
        output: new Socket({ fd: outHere, readable: true, writable: false }),
      }
      return { near, far: [inThere, outThere, this.#made.errorsFar] }
    } catch (error) {
      for (const fd of opened) closeSync(fd)
      throw error
    }
  }

  /** Makes new ones: somebody has kept an end of the old ones, and shall not meet the next program there. */
  async replace(): Promise<void> {
    this.close()
    this.#count++
    await mkfifo(this.#folder, files(this.#slot, this.#count))
    this.#made = this.#openErrors()
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

  close(): void {
    const { errors, errorsFar } = this.#made
    if (errors.destroyed) return
    errors.destroy()
    closeSync(errorsFar)
  }

  #openErrors(): Made {
    const paths = files(this.#slot, this.#count).map((name) => join(this.#folder, name)) as [string, string, string]
    const fd = openSync(paths[2], O_RDONLY | O_NONBLOCK)
    const errors = new Socket({ fd, readable: true, writable: false })
    readLines(errors, (text) => this.onLine(text))
    errors.unref()
    return { paths, errors, errorsFar: openSync(paths[2], O_WRONLY) }
  }
}

/** Closes what {@link NamedPipes.open} has opened for the program. */
export function closeFar([input, output]: readonly [input: number | 'ignore', output: number, errors: number]): void {
  if (input !== 'ignore') closeSync(input)
  closeSync(output)
}

function files(slot: number, count: number): string[] {
  return NAMES.map((name) => `${slot}-${count}-${name}`)
}

async function mkfifo(folder: string, names: readonly string[]): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', '--', ...names], { cwd: folder })
}
