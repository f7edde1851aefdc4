/** Where lines go. A process stream is one; a test's is a few lines of code. */
export interface Sink {
  write(text: string): unknown
  readonly isTTY?: boolean
  /** Width of the terminal in cells; undefined when it is none. */
  readonly columns?: number
}

/** All that the command line sees of the process around it. */
export interface Io {
  readonly stdout: Sink
  readonly stderr: Sink
  /** Absolute; relative arguments are resolved against it. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted with the name of the signal that asks for the end: SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** From now on signals are for `to` alone, each of them: for a command that only waits for another program. */
  passSignals(to: (signal: NodeJS.Signals) => void): void
  /** From now on that signal is for `to`, each of them. */
  onSignal(name: 'SIGHUP' | 'SIGUSR1', to: () => void): void
  /** The version that `zapp --version` prints. */
  readonly version: string
}
