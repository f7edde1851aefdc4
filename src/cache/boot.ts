import { readFile } from 'node:fs/promises'

/**
 * Names this boot of the system, the same for every process and container (random(4)). Only Linux has such a name:
 * undefined elsewhere.
 */
export function thisBoot(): Promise<string | undefined> {
  return readFile('/proc/sys/kernel/random/boot_id', 'latin1').then(
    (text) => text.trim(),
    () => undefined,
  )
}
