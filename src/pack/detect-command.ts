import { posix } from 'node:path'
import { type Guess, nodeProgram, type Project } from './detect-project.ts'

/** A command of package.json, taken apart. */
export interface Command {
  readonly env: Readonly<Record<string, string>>
  readonly words: readonly [string, ...string[]]
}

/** Undefined for what only a shell understands: several commands, variables, patterns. */
export function parseCommand(text: string | undefined): Command | undefined {
  if (text === undefined || /[|&;<>$`(){}*?~\\\n]/.test(text)) return undefined
  const words = [...text.matchAll(/"([^"]*)"|'([^']*)'|[^\s"']+/g)].map((m) => m[1] ?? m[2] ?? m[0])
  const env: Record<string, string> = {}
  if (words[0] === 'cross-env') words.shift()
  for (let pair = assignment(words[0]); pair; pair = assignment(words[0])) {
    words.shift()
    // These are the container's to say.
    if (!['NODE_ENV', 'PORT', 'HOST'].includes(pair.name)) env[pair.name] = pair.value
  }
  const [first, ...rest] = words
  return first === undefined ? undefined : { env, words: [first, ...rest] }
}

function assignment(word: string | undefined): { name: string; value: string } | undefined {
  const { name, value } = /^(?<name>[A-Za-z_]\w*)=(?<value>.*)$/.exec(word ?? '')?.groups ?? {}
  return name === undefined ? undefined : { name, value: value ?? '' }
}

/** Programs of development: what they start is not what runs in production. */
const TOOLS: ReadonlySet<string> = new Set([
  ...['nodemon', 'ts-node', 'tsx', 'pm2', 'concurrently', 'npm-run-all', 'dotenv', 'env-cmd'],
  ...['react-scripts', 'vite', 'webpack', 'parcel', 'nest', 'next', 'nuxt', 'astro'],
])

/** `npm start` names a command of an installed package: the package is the app, as npm installs it. */
export function detectPublished(project: Project): Guess | undefined {
  const start = project.json?.scripts.start
  const command = parseCommand(start)
  if (!project.json || !command || TOOLS.has(command.words[0])) return undefined
  const [program, ...args] = command.words
  for (const name of Object.keys(project.json.dependencies)) {
    const file = project.dependency(name)?.commands[program]
    if (file === undefined) continue
    const path = posix.join('node_modules', name, file)
    const env = Object.keys(command.env).length > 0 ? { env: command.env } : {}
    return {
      manifest: { entry: { ...nodeProgram(path, ...args), ...env } },
      because: [`package.json starts ${JSON.stringify(start)}`, `${path} is that command, of the package ${name}`],
    }
  }
  return undefined
}
