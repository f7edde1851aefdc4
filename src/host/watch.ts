import { once } from 'node:events'
import { dirname, join, relative, sep } from 'node:path'
import { watch } from 'chokidar'
import type { Root } from './sources.ts'

export interface WatchOptions {
  /**
   * Told, once things are quiet, the paths of the apps that may have changed: a root, or what lies directly in a root
   * of kind `folder`. Not called again before its promise is settled.
   */
  readonly onChange: (changed: ReadonlySet<string>) => Promise<void>
  readonly onError: (error: unknown) => void
}

export interface Watcher {
  /** Waits for an `onChange` that runs. */
  close(): Promise<void>
}

/** Time without a change after which a copy or an editor's save is taken to be over (R02). */
const QUIET_MS = 300
/** An app that is gone for shorter than this is being replaced: editors and some copiers do so (R15). */
const GONE_MS = 1000

const UNWATCHED = /(?:^|[/\\])(?:node_modules[/\\](?!\.package-lock\.json$)|\.git(?:[/\\]|$))/

/** Follows files and folders until it is closed. What a change means is for others to find out. */
export async function watchApps(roots: readonly Root[], { onChange, onError }: WatchOptions): Promise<Watcher> {
  /** What has changed, and when that may be looked at. */
  const due = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  function arm(): void {
    clearTimeout(timer)
    timer = setTimeout(fire, Math.max(...due.values()) - performance.now())
  }

  function fire(): void {
    if (running) return
    const batch = new Set(due.keys())
    due.clear()
    running = onChange(batch)
      .catch(onError)
      .then(() => {
        running = undefined
        if (due.size > 0) arm()
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
    watcher.on('all', (event, path) => {
      const app = appOf(root, path)
      if (app === undefined) return
      const gone = path === app && event.startsWith('unlink')
      due.set(app, performance.now() + (gone ? GONE_MS : QUIET_MS))
      arm()
    })
    return watcher
  })
  await Promise.all(watchers.map((watcher) => once(watcher, 'ready')))

  return {
    async close() {
      clearTimeout(timer)
      due.clear()
      await Promise.all([...watchers.map((watcher) => watcher.close()), running])
    },
  }
}

function isIgnored(root: Root, path: string): boolean {
  if (root.kind === 'archive') return path !== root.path && path !== dirname(root.path)
  // Dependencies change when the package manager says so; it writes its own lock file last.
  return UNWATCHED.test(relative(root.path, path))
}

/** The app that a path belongs to. */
function appOf(root: Root, path: string): string | undefined {
  if (root.kind !== 'folder') return root.kind === 'archive' && path !== root.path ? undefined : root.path
  const [first] = relative(root.path, path).split(sep)
  return first ? join(root.path, first) : undefined
}
