import { dirname, isAbsolute, relative, resolve } from 'node:path'
import picocolors from 'picocolors'
import type { Io, Sink } from './io.ts'
import { safeJson } from './safe-text.ts'

/** How text for one stream looks. The colours change nothing where there is no terminal. */
export type Style = ReturnType<typeof picocolors.createColors> & {
  /** Cells to wrap at: the terminal's, 40 to 100; where there is no terminal Infinity, so that lines can be searched. */
  readonly width: number
}

/** How a command speaks: values on stdout, talk on stderr, with `--json` one document on stdout and no talk. */
export interface Ui {
  readonly io: Io
  readonly json: boolean
  /** For stdout. */
  readonly paint: Style
  /** For stderr. */
  readonly talk: Style
  /** Lines on stdout. The text is safe already. */
  out(...lines: readonly string[]): void
  /** The one JSON document on stdout. */
  data(value: unknown): void
  /** Lines on stderr; silent with `--json`. */
  say(...lines: readonly string[]): void
  /** Lines on stderr, with `--json` too: what the JSON document has no place for. */
  warn(...lines: readonly string[]): void
  /** The absolute path of an argument. */
  path(argument: string): string
  /** The shortest name of an absolute path: relative where it lies in the working folder, unless that is the root. */
  name(path: string): string
}

export function createUi(io: Io, json: boolean): Ui {
  const write = (sink: Sink, lines: readonly string[]) => {
    if (lines.length > 0) sink.write(`${lines.join('\n')}\n`)
  }
  return {
    io,
    json,
    paint: createStyle(io.stdout, io.env),
    talk: createStyle(io.stderr, io.env),
    out: (...lines) => write(io.stdout, lines),
    data: (value) => write(io.stdout, [safeJson(value)]),
    say: (...lines) => {
      if (!json) write(io.stderr, lines)
    },
    warn: (...lines) => write(io.stderr, lines),
    path: (argument) => resolve(io.cwd, argument),
    name(path) {
      const name = relative(io.cwd, path)
      // A service runs in the root folder, where a name without its slash would say nothing in a log.
      const isInRoot = dirname(io.cwd) === io.cwd
      return isInRoot || name === '' || name.startsWith('..') || isAbsolute(name) ? path : name
    },
  }
}

function createStyle({ columns, isTTY }: Sink, env: Io['env']): Style {
  // Some terminals that know no width say 0.
  const width = columns ? Math.max(40, Math.min(columns, 100)) : Number.POSITIVE_INFINITY
  return { ...picocolors.createColors(wantsColor(isTTY === true, env)), width }
}

/** https://no-color.org and https://force-color.org: set and not empty counts, and NO_COLOR wins. */
function wantsColor(terminal: boolean, env: Io['env']): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return terminal && env.TERM !== 'dumb'
}
