import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

type Argv = readonly [string, ...string[]]

const SETPRIV = ['setpriv', '--pdeathsig', 'TERM', '--'] as const
let available: Promise<boolean> | undefined

/**
 * The same program, told by the kernel to end when this process is gone: started through `setpriv` of util-linux, which
 * asks for it and then becomes the program. Where there is none, unchanged.
 */
export async function withDeathSignal(argv: Argv): Promise<Argv> {
  available ??= promisify(execFile)(SETPRIV[0], [...SETPRIV.slice(1), 'true']).then(
    () => true,
    () => false,
  )
  return (await available) ? [...SETPRIV, ...argv] : argv
}
