import { builtFor, type Guess, nodeProgram, type Project } from './detect-project.ts'
import { isNextStandalone } from './traced.ts'

/**
 * Next with `output: "standalone"`: https://nextjs.org/docs/app/api-reference/config/next-config-js/output. Its folder is
 * the app, not the project around it, which holds all that only the build needs.
 */
export function detectNext(project: Project): Guess | undefined {
  if (isNextStandalone((path) => project.read(path))) return standalone(project)
  const config = project.config('next.config')
  if (!config && !project.uses('next')) return undefined
  // `output: "export"` leaves a static site.
  if (project.isFile('out/index.html')) return undefined
  const built = project.isFile('.next/standalone/server.js')
  const found = built
    ? '.next/standalone/server.js is what Next starts'
    : `${config ?? 'package.json'} makes it a Next app`
  const doubt = built
    ? `the app is the folder .next/standalone: ${copies(project, '.next/standalone/')}zapp pack .next/standalone`
    : `a Next app is packed as its standalone build: set output: "standalone" in ${config ?? 'next.config.js'} and build`
  return { manifest: { base: '/', entry: ENTRY }, because: [found], doubt }
}

const ENTRY = { ...nodeProgram('server.js'), env: { HOSTNAME: '127.0.0.1' } }

function standalone(project: Project): Guess {
  const assets = project.isFolder('.next/static')
  const files = project.isFolder('public')
  const routes = {
    ...(files ? { '/': { static: 'public', else: { entry: 'main' } } } : {}),
    ...(assets ? { '/_next/static/*': { static: '.next/static', cache: 'immutable' } } : {}),
  }
  const all = files || !assets ? routes : { '/': { entry: 'main' }, ...routes }
  return {
    manifest: { base: '/', entry: ENTRY, ...(assets || files ? { routes: all } : {}) },
    because: [
      'server.js is the standalone server of Next',
      ...(files ? ['public holds its public files'] : []),
      ...(assets ? ['.next/static holds what its pages load'] : []),
    ],
    ...builtFor(basePath(project), 'basePath of next.config'),
    ...(assets ? {} : { doubt: 'the folder .next/static is missing: Next leaves it in the project, copy it here' }),
  }
}

function copies(project: Project, to: string): string {
  const missing = [
    ...(project.isFolder('public') && !project.isFolder(`${to}public`) ? [`cp -r public ${to}`] : []),
    ...(project.isFolder(`${to}.next/static`) ? [] : [`cp -r .next/static ${to}.next/`]),
  ]
  return missing.map((command) => `${command}, `).join('')
}

function basePath(project: Project): string | undefined {
  const text = project.read('.next/required-server-files.json')
  return /"basePath":\s*"(?<base>[^"]*)"/.exec(text)?.groups?.base
}
