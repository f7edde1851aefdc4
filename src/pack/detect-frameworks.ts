import { builtFor, clientRoutes, type Guess, nodeProgram, type Project } from './detect-project.ts'

/** Nuxt and all else that Nitro builds for Node: `.output` holds everything that the server needs. */
export function detectNitro(project: Project): Guess | undefined {
  const server = '.output/server/index.mjs'
  const config = project.config('nuxt.config') ?? project.config('nitro.config')
  if (!project.isFile('.output/nitro.json')) {
    if (!config) return undefined
    const doubt = 'there is no .output: build the project first'
    return { manifest: { base: '/', entry: nodeProgram(server) }, because: [`${config} makes it a Nitro app`], doubt }
  }
  const preset = /"preset":\s*"(?<name>[^"]*)"/.exec(project.read('.output/nitro.json'))?.groups?.name
  const routes = project.list('.output/public').length > 0 ? clientRoutes(project, '.output/public', '_nuxt') : {}
  return {
    manifest: { base: '/', entry: nodeProgram(server), ...routes },
    because: [`.output/nitro.json says that Nitro built ${server} (${preset})`],
    ignore: ['/*', '!/.output/'],
    ...builtFor(setting(project, config, 'baseURL'), `baseURL of ${config}`),
    ...(preset === 'node-server' ? {} : { doubt: `the Nitro preset must be "node-server", it is "${preset}"` }),
  }
}

/** Astro with `@astrojs/node`. */
export function detectAstro(project: Project): Guess | undefined {
  if (!project.uses('@astrojs/node')) return undefined
  const file = 'dist/server/entry.mjs'
  const config = project.config('astro.config')
  // Since version 6 the built file does not tell any more.
  const mode = /"mode":\s*"(?<mode>\w+)"/.exec(project.read(file))?.groups?.mode ?? setting(project, config, 'mode')
  const middleware = mode === 'middleware'
  const entry = middleware ? { type: 'node', module: file, export: 'handler' } : nodeProgram(`./${file}`)
  return {
    manifest: { base: '/', entry, ...clientRoutes(project, 'dist/client', '_astro') },
    because: [`${file} is what @astrojs/node built${mode ? ` in mode ${mode}` : ''}`],
    ignore: ['/.astro/', '/src/', '/public/'],
    ...builtFor(setting(project, config, 'base'), `base of ${config}`),
    ...(project.isFile(file) ? {} : { doubt: `there is no ${file}: build the project first` }),
  }
}

/** SvelteKit with `@sveltejs/adapter-node`: https://svelte.dev/docs/kit/adapter-node */
export function detectSvelteKit(project: Project): Guess | undefined {
  if (!project.uses('@sveltejs/adapter-node')) return undefined
  // Since version 3 it is the one of Vite.
  const config = project.config('svelte.config') ?? project.config('vite.config')
  // Without these it takes requests for https and refuses forms as coming from another site.
  const env = { PROTOCOL_HEADER: 'x-forwarded-proto', HOST_HEADER: 'x-forwarded-host' }
  return {
    manifest: {
      base: '/',
      entry: { ...nodeProgram('build/index.js'), env },
      ...clientRoutes(project, 'build/client', '_app/immutable'),
    },
    because: ['build/index.js is what @sveltejs/adapter-node built'],
    ignore: ['/.svelte-kit/', '/src/', '/static/'],
    ...builtFor(setting(project, config, 'base'), `paths.base of ${config}`),
    ...(project.isFile('build/handler.js') ? {} : { doubt: 'there is no build/handler.js: build the project first' }),
  }
}

/** NestJS, compiled to `dist` by its own command or by tsc. */
export function detectNest(project: Project): Guess | undefined {
  if (!project.json || !('@nestjs/core' in project.json.dependencies)) return undefined
  const file = ['dist/main.js', 'dist/src/main.js'].find((path) => project.isFile(path))
  return {
    manifest: { entry: { ...nodeProgram(file ?? 'dist/main.js'), ...nestSockets(project) } },
    because: [`${file ?? 'dist/main.js'} is what ${file ? 'was built of a NestJS app' : 'NestJS builds'}`],
    ignore: ['/src/', '/test/'],
    ...(file ? {} : { doubt: 'there is no dist/main.js: build the project first' }),
  }
}

function nestSockets({ json }: Project): { websocket?: true } {
  return json && '@nestjs/websockets' in json.dependencies ? { websocket: true } : {}
}

/** What a configuration file has for a key, where it stands there as a plain string. */
function setting(project: Project, config: string | undefined, key: string): string | undefined {
  const text = config === undefined ? '' : project.read(config)
  return new RegExp(String.raw`\b${key}:\s*(['"])(?<value>[^'"]*)\1`).exec(text)?.groups?.value
}
