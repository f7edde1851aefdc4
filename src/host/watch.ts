import { dirname, join, relative, sep } from 'node:path'
import { watch } from 'chokidar'
import type { Root } from './sources.ts'

export interface WatchOptions {
  /**
   * Told the paths that may have changed, once each has been quiet, and every few seconds none at all: the system does
   * not tell every change. Not called again before its promise is settled.
   *
   * @param restless paths that change right now: of them it will be told
   * @returns ms after which it wants to look again, where something is not settled
   */
  readonly onChange: (changed: ReadonlySet<string>, restless: ReadonlySet<string>) => Promise<number | undefined>
  /** Told of the first change after a time without: what it has to be looked at with can be readied meanwhile. */
  readonly onStir?: () => void
  readonly onError: (error: unknown) => void
}

export interface Watcher {
  /** Waits for an `onChange` that runs. */
  close(): Promise<void>
}

/** Time without a change after which a copy or an editor's save is taken to be over (R02). */
const QUIET_MS = 300
/** What no event told is found after that, at the latest (R17: 10 s, of which looking and starting take some). */
const RESCAN_MS = 5000

/** What changed while things were started is found soon. */
const FIRST_MS = 1000

const UNWATCHED = /(?:^|[/\\])(?:node_modules[/\\](?!\.package-lock\.json$)|\.git(?:[/\\]|$))/

/** Follows files and folders until it is closed. What a change means is for others to find out. */
export async function watchApps(roots: readonly Root[], options: WatchOptions): Promise<Watcher> {
  const { onChange, onStir, onError } = options
  /** What has changed, and when that may be looked at: each for itself, so that one that never rests delays no other. */
  const due = new Map<string, number>()
  let next = performance.now() + FIRST_MS
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let closed = false

  function arm(): void {
    clearTimeout(timer)
    if (!closed && !running) timer = setTimeout(fire, Math.min(next, ...due.values()) - performance.now())
  }

  function fire(): void {
    const now = performance.now()
    const batch = new Set([...due].flatMap(([path, at]) => (at <= now ? path : [])))
    for (const path of batch) due.delete(path)
    running = onChange(batch, new Set(due.keys()))
      .catch((error) => void onError(error))
      .then((again) => {
        running = undefined
        next = performance.now() + Math.min(again ?? RESCAN_MS, RESCAN_MS)
        arm()
      })
  }

  const watchers = roots.map((root) => {
    // A single file is watched through its folder: what replaces it is another file.
    const watcher = watch(root.kind === 'archive' ? dirname(root.path) : root.path, {
      ignoreInitial: true,
      ignored: (path) => isIgnored(root, path),
      ...(root.kind === 'archive' && { depth: 0 }),
    })
    watcher.on('error', onError)
    watcher.on('all', (_, path) => {
      const apps = appsOf(root, path)
      if (due.size === 0 && apps.length > 0) onStir?.()
      for (const app of apps) due.set(app, performance.now() + QUIET_MS)
      arm()
    })
    return watcher
  })
  // What cannot be watched is looked at every few seconds all the same.
  await Promise.all(
    watchers.map((watcher) => new Promise<void>((go) => watcher.once('ready', go).once('error', () => go()))),
  )
  arm()

  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await Promise.all([...watchers.map((watcher) => watcher.close()), running])
    },
  }
}

function isIgnored(root: Root, path: string): boolean {
  if (root.kind === 'archive') return path !== root.path && path !== dirname(root.path)
  // Dependencies change when the package manager says so; it writes its own lock file last.
  return UNWATCHED.test(relative(root.path, path)) || path.endsWith('.zapp.failed')
}

/** The app that a path belongs to: of a folder, what lies in it, or in a virtual host's folder below. */
function appsOf(root: Root, path: string): string[] {
  if (root.kind !== 'folder') return root.kind === 'archive' && path !== root.path ? [] : [root.path]
  const [first, second] = relative(root.path, path).split(sep)
  if (!first) return []
  const app = join(root.path, first)
  return second ? [app, join(app, second)] : [app]
}
