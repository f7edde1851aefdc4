import { afterAll, describe, expect, test } from 'vitest'
import { type Answer, ask, askFetch } from '../helpers/ask.ts'
import { needApache } from './helpers/apache.ts'
import { needPrograms } from './helpers/apt.ts'
import { nodeContainers } from './helpers/node-containers.ts'
import { packNotes } from './helpers/notes.ts'
import { PACKAGES, pythonServers } from './helpers/python-servers.ts'
import { REQUESTS, type Row, titleOf } from './helpers/requests.ts'
import { venv } from './helpers/venv.ts'

/*
 * One file, any container: the notebook is packed once for each language, and the same file answers the same requests
 * in every container, at the root and under a mount. What the first one answers, all of them must, byte for byte.
 */

interface Container {
  readonly name: string
  readonly file: string
  readonly drops?: readonly [field: string, why: string]
  start(file: string, mount: string): Promise<Started>
}

interface Started {
  ask(row: Row): Promise<Answer>
  /** For a failure's message. */
  log(): string
  stop(): Promise<void>
}

const python = await venv(...PACKAGES)
await needApache()
await needPrograms({ gunicorn: 'gunicorn', uwsgi: 'uwsgi-core', nginx: 'nginx-light' })
const [nodeFile, pythonFile] = await Promise.all([packNotes('node'), packNotes('python')])
const servers = await pythonServers(python)

/** Rows of the table that is printed: what each container made of each request. */
const passed = new Map<string, boolean[]>()

describe.each(['', '/shop'])('at "%s"', (mount) => {
  /** By request. */
  const first: Answer[] = []

  test.each(containers(mount))('$name', async ({ name, file, drops, start }) => {
    const started = await start(file, mount)
    const cells: boolean[] = []
    passed.set(`${name}${mount ? ` at ${mount}` : ''}`, cells)
    const wrong: string[] = []
    try {
      for (const [i, row] of REQUESTS.entries()) {
        const answer = await started.ask(row)
        first[i] ??= answer
        // What is refused is refused in the words of whoever does it.
        cells[i] = row.foreign
          ? answer.status === row.status || row.foreign[answer.status] !== undefined
          : answer.status === row.status && isSame(without(first[i], drops), without(answer, drops))
        if (!cells[i]) wrong.push(`${titleOf(row)}: ${differences(first[i], answer).join('; ')}`)
      }
      expect(wrong, started.log().slice(-5000)).toEqual([])
    } finally {
      await started.stop()
    }
  })
})

function containers(mount: string): Container[] {
  const ofNode = nodeContainers(mount).map(
    ({ name, start }): Container => ({
      name,
      file: nodeFile,
      async start(file) {
        const running = await start(file, mount)
        return {
          ask: (row) => (running.port === 0 ? askFetch(running.fetch, mount, row) : ask(running.port, mount, row)),
          log: () => '',
          stop: running.close,
        }
      },
    }),
  )
  const ofPython = servers.map(
    ({ start, ...server }): Container => ({
      ...server,
      file: pythonFile,
      async start(file) {
        const running = await start(file, mount)
        return { ...running, ask: (row) => ask(running.port, mount, row) }
      },
    }),
  )
  return [...ofNode, ...ofPython]
}

function differences(expected: Answer, got: Answer): string[] {
  const flat = ({ status, fields, body }: Answer): Record<string, string> => ({
    status: String(status),
    body,
    ...fields,
  })
  const [a, b] = [flat(expected), flat(got)]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => a[name] !== b[name])
    .map((name) => `${name} must be ${a[name]}, got ${b[name]}`)
}

function without(answer: Answer, [field]: readonly [field?: string, ...unknown[]] = []): Answer {
  const fields = Object.entries(answer.fields).filter(([name]) => name !== field)
  return { ...answer, fields: Object.fromEntries(fields) }
}

function isSame(a: Answer, b: Answer): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

afterAll(() => {
  const names = [...passed.keys()]
  const head = names.map((name, i) => `${String(i + 1).padStart(4)}  ${name}`)
  const lines = REQUESTS.map((row, i) => {
    const marks = names.map((name) => (passed.get(name)![i] ? ' yes' : '  NO'))
    return `${marks.join('')}  ${titleOf(row)} → ${row.status}`
  })
  const count = new Set(names.map((name) => name.replace(/ at \/shop$/, ''))).size
  const total = `${count} containers, ${names.length} with their mounts, × ${REQUESTS.length} requests`
  console.log([...head, names.map((_, i) => String(i + 1).padStart(4)).join(''), ...lines, total].join('\n'))
})
