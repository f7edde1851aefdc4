import type { Archive } from '../archive/archive.ts'
import { createMount, type Mount } from '../mount/mount.ts'

/** Versions whose immutable files are still asked for. */
export interface Earlier {
  readonly mounts: readonly Mount[]
  close(): Promise<void>
}

/**
 * @param files archives, the newest first; one that cannot be opened any more is left out
 * @param open how they are opened
 */
export async function openEarlier(
  files: readonly string[],
  open: (file: string) => Promise<Archive>,
  onError: (error: unknown, where: string) => void,
): Promise<Earlier> {
  const opened = await Promise.all(files.map((file) => open(file).catch(() => undefined)))
  const archives = opened.filter((archive): archive is Archive => archive !== undefined)
  const mounts = await Promise.all(
    // Its entries are never asked: only its files are.
    archives.map((archive) => createMount(archive, { entries: archive.manifest.entries.keys(), onError })),
  )
  const close = async () => {
    await Promise.all(archives.map((archive) => archive.close()))
  }
  return { mounts, close }
}
